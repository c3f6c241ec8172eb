"""The command line: parses, makes one call, prints.

Exit status: 0 done; 1 a bug (a traceback follows); 2 wrong usage; 3 input refused (one sentence, nothing half-written);
4 done for some patients, the rest listed; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 and the signal's number."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status."""
    from axilla.cli._app import app
    from axilla.errors import AxillaError

    try:
        app(list(arguments))
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            sys.stderr.write(
                "axilla: interrupted; nothing is half-written, and what a study had finished is kept: run it again.\n"
            )
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except AxillaError as error:
        sys.stderr.write(f"axilla: {error}\n")
        return error.exit_status
    return 0
