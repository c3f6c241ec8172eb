"""A study's figures and report, from its results and the pictures its patients' stages left."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from axilla._version import __version__

if TYPE_CHECKING:
    pass

REPORTED_PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-image", "SimpleITK", "pydicom", "pandas")


def versions() -> dict[str, str]:
    """Version of axilla and of the libraries results depend on."""
    return {"axilla": __version__, **{name: importlib.metadata.version(name) for name in REPORTED_PACKAGES}}
