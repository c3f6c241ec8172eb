"""The builders of small DICOM series, by name, because tests are imported by path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def make() -> ModuleType:
    """The module ``dicom_builders``."""
    path = Path(__file__).with_name("dicom_builders.py")
    spec = importlib.util.spec_from_file_location("axilla_test_dicom_builders", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def edge(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The awkward real files, unpacked."""
    import zipfile

    folder = tmp_path_factory.mktemp("edge")
    with zipfile.ZipFile(shared / "data" / "dicom_edge_cases.zip") as archive:
        archive.extractall(folder)
    return folder / "edge"
