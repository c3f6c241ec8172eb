"""Run the benchmarks named on the command line, or all."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import platform

import benchmarks
from axilla import __version__


def main() -> None:
    """Print every benchmark's table."""
    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_"))
    parser = argparse.ArgumentParser(description=benchmarks.__doc__)
    parser.add_argument("names", nargs="*", choices=[*names, []], metavar="NAME", help=", ".join(names))
    chosen = parser.parse_args().names or names
    print(f"axilla {__version__}, Python {platform.python_version()}, {platform.machine()}")
    for name in chosen:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n## {name}\n{(module.__doc__ or '').strip()}\n", flush=True)
        module.main()


if __name__ == "__main__":
    main()
