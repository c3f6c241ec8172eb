"""Regions, reference answers, and how the two are compared."""

from __future__ import annotations

import csv
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from axilla.node import Segmentation
from axilla.radiomics import FEATURE_NAMES
from axilla.volume import Geometry, Volume

HERE = Path(__file__).resolve().parent

RELATIVE, ABSOLUTE = 1e-6, 1e-9
"""Agreement asked of every feature of every case."""


def load(path: Path) -> ModuleType:
    """A module by its path."""
    spec = importlib.util.spec_from_file_location(f"axilla_test_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def cases() -> ModuleType:
    """The module ``cases``."""
    return load(HERE / "cases.py")


@pytest.fixture(scope="session")
def load_module() -> Callable[[Path], ModuleType]:
    return load


@pytest.fixture(scope="session")
def on_volume() -> Callable[[Any], tuple[Volume, Segmentation]]:
    """From a case to what ``extract`` takes."""

    def build(case: Any) -> tuple[Volume, Segmentation]:
        rows = tuple(tuple(case.direction[3 * row : 3 * row + 3]) for row in range(3))
        geometry = Geometry(case.array.shape, case.spacing_xyz_mm, case.origin_xyz_mm, rows)
        return Volume(case.array, geometry), Segmentation.from_masks(geometry, [("case", case.mask)])

    return build


@pytest.fixture(scope="session")
def from_image() -> Callable[[Any], Volume]:
    """From a SimpleITK image to a Volume."""
    import SimpleITK as sitk

    def build(image: Any) -> Volume:
        direction = np.reshape(image.GetDirection(), (3, 3))
        geometry = Geometry(image.GetSize()[::-1], image.GetSpacing(), image.GetOrigin(), tuple(map(tuple, direction)))
        return Volume(sitk.GetArrayFromImage(image), geometry)

    return build


@pytest.fixture(scope="session")
def reference_table(shared: Path) -> Callable[[str], dict[str, dict[str, str]]]:
    """From a table's name to its rows by case."""

    def read(name: str) -> dict[str, dict[str, str]]:
        with (shared / "reference" / f"pyradiomics_{name}.csv").open(newline="") as stream:
            return {row["case"]: row for row in csv.DictReader(stream)}

    return read


@pytest.fixture(scope="session")
def disagreements() -> Callable[[Mapping[str, Any], Mapping[str, str]], list[str]]:
    """What of a feature table's row differs from PyRadiomics' answer; empty where nothing does."""

    def compare(row: Mapping[str, Any], expected: Mapping[str, str]) -> list[str]:
        refused = expected["status"].startswith(("EXC", "refused"))
        if refused or row["feature_status"] == "refused":
            agree = refused and row["feature_status"] == "refused" and row["reason"]
            return [] if agree else [f"status {row['feature_status']} ({row['reason']}), expected {expected['status']}"]
        nonfinite = set(expected["status"].split(": ")[1].split(", ")) if "nonfinite" in expected["status"] else set()
        found = {name for name in FEATURE_NAMES if not np.isfinite(row[name])}
        if found != nonfinite or any(name not in row["reason"] for name in found):
            return [f"not finite: {found} ({row['reason']}), expected {nonfinite}"]
        wrong = []
        for name in sorted(set(FEATURE_NAMES) - nonfinite):
            error = abs(row[name] - float(expected[name]))
            if error > max(ABSOLUTE, RELATIVE * abs(float(expected[name]))):
                wrong.append(f"{name}: {row[name]!r}, expected {expected[name]}")
        return wrong

    return compare
