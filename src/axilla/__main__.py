"""``python -m axilla``."""

from axilla.cli import main

main()
