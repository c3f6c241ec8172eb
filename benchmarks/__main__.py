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
    parser = argparse.ArgumentParser(description=benchmarks.__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    given, options = parser.parse_known_args()
    chosen = given.names or names
    if unknown := set(chosen) - set(names):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if options and len(chosen) != 1:
        parser.error(f"{' '.join(options)}: options need the one benchmark they are for")
    print(f"axilla {__version__}, Python {platform.python_version()}, {platform.machine()}")
    for name in chosen:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n## {name}\n{(module.__doc__ or '').strip()}\n", flush=True)
        module.main(options) if options else module.main()


if __name__ == "__main__":
    main()
