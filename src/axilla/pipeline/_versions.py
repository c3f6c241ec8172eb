"""What a result was made with."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence

from axilla._version import __version__

REPORTED_PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-image", "SimpleITK", "pydicom", "pandas")


def versions(packages: Sequence[str] = REPORTED_PACKAGES) -> dict[str, str]:
    """Version of axilla, of Python and of the libraries results depend on."""
    return {
        "axilla": __version__,
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }
