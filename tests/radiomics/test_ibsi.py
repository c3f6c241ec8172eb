"""The IBSI digital phantom: every feature that IBSI and we both have, within IBSI's tolerance."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from axilla.node import Segmentation
from axilla.radiomics import FEATURES, RadiomicsSettings, Region, extract, measure
from axilla.volume import Geometry, Volume, bounding_box

AGGREGATIONS = ("", "3D", "3D, averaged")
N_VOXELS = 74
OTHER_DEFINITION = {
    "original_firstorder_Kurtosis": lambda ours: ours - 3,
    "original_shape_LeastAxisLength": lambda ours: ours * np.sqrt(N_VOXELS / (N_VOXELS - 1)),
    "original_shape_MajorAxisLength": lambda ours: ours * np.sqrt(N_VOXELS / (N_VOXELS - 1)),
    "original_shape_MinorAxisLength": lambda ours: ours * np.sqrt(N_VOXELS / (N_VOXELS - 1)),
}
"""How to get from our value to IBSI's where the definitions differ."""

SPACING_2_MM = {"voxel_spacing_xyz_mm": (2.0, 2.0, 2.0), "interpolator": "linear", "convention": "ibsi"}
CONFIGURATIONS = {
    "config. C": RadiomicsSettings(**SPACING_2_MM, resegment_range=(-1000.0, 400.0), bin_width=25.0),
    "config. D": RadiomicsSettings(**SPACING_2_MM, resegment_range=(-3.0, 3.0), resegment_mode="sigma", bin_count=32),
    "config. E": RadiomicsSettings(
        **{**SPACING_2_MM, "interpolator": "bspline"}, resegment_range=(-1000.0, 400.0), outlier_sigma=3.0, bin_count=32
    ),
}
"""A and B are two-dimensional."""


def read(folder: Path) -> tuple[Any, Any]:
    image = sitk.ReadImage(str(folder / "image" / "phantom.nii.gz"))
    return image, sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "mask" / "mask.nii.gz"))) > 0


@pytest.fixture(scope="module")
def phantom(shared: Path) -> Region:
    image, mask = read(shared / "data" / "ibsi_digital_phantom")
    assert np.count_nonzero(mask) == N_VOXELS
    box = bounding_box(mask)
    return Region(np.where(mask, sitk.GetArrayFromImage(image), 0)[box], mask[box], image.GetSpacing()[::-1])


def disagreements(shared: Path, data: str, measured: Mapping[str, float]) -> tuple[list[Any], int]:
    """Features beyond IBSI's tolerance, and how many were compared."""
    with (shared / "reference" / "ibsi1_reference.csv").open(newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["data"] == data and r["aggregation"] in AGGREGATIONS]
    by_code = {row["ibsi_code"]: row for row in rows if row["ibsi_code"]}
    by_code["5QRC"] = next(row for row in rows if row["feature"] == "Small zone emphasis")  # the table lacks this code
    wrong, compared = [], 0
    for entry in FEATURES:
        if not entry.ibsi:
            continue
        reference, ours = float(by_code[entry.ibsi]["value"]), measured[entry.column]
        last_digit = 10.0 ** (np.floor(np.log10(abs(reference))) - 2)  # values are printed with three digits
        if abs(ours - reference) > float(by_code[entry.ibsi]["tolerance"] or 0) + last_digit / 2 * (1 + 1e-9):
            wrong.append((entry.column, ours, reference))
        compared += 1
    return wrong, compared


def test_consensus_values(shared: Path, phantom: Region) -> None:
    measured = measure(phantom, RadiomicsSettings(bin_width=1))  # the phantom's values are its gray levels
    as_ibsi = {name: OTHER_DEFINITION.get(name, float)(value) for name, value in measured.items()}
    assert disagreements(shared, "dig. phantom", as_ibsi) == ([], 102)


def test_consensus_values_with_ibsis_conventions(shared: Path, phantom: Region) -> None:
    measured = measure(phantom, RadiomicsSettings(bin_width=1, convention="ibsi"))
    assert disagreements(shared, "dig. phantom", measured) == ([], 102)


@pytest.mark.parametrize("data", CONFIGURATIONS)
def test_ct_phantom(shared: Path, data: str) -> None:
    folder = os.environ.get("AXILLA_IBSI_CT")
    if not folder:
        pytest.skip("AXILLA_IBSI_CT does not name IBSI's CT phantom (image/phantom.nii.gz, mask/mask.nii.gz)")
    image, mask = read(Path(folder))
    direction = np.reshape(image.GetDirection(), (3, 3))
    geometry = Geometry(image.GetSize()[::-1], image.GetSpacing(), image.GetOrigin(), tuple(map(tuple, direction)))
    volume = Volume(sitk.GetArrayFromImage(image).astype(np.int16), geometry)
    row = extract(volume, Segmentation.from_masks(geometry, [("phantom", mask)]), CONFIGURATIONS[data]).frame.iloc[0]
    assert disagreements(shared, data, row) == ([], 102)


@pytest.mark.parametrize(("sigma", "n", "energy"), [(None, 10, 13800), (3.0, 10, 13800), (2.0, 9, 1700)])
def test_outliers_are_those_of_what_the_range_leaves(sigma: float | None, n: int, energy: float) -> None:
    """Within the range lie four 0, four 20, a 10 and a 110: mean 20, deviation sqrt(980) = 31.3, of which 110 is 2.9 away."""
    values = np.array([0, 20, 0, 5000, 20, 110, 0, -2000, 20, 0, 10, 20], dtype=np.int16).reshape(2, 2, 3)
    region = Region(values, np.ones(values.shape, dtype=bool), (1.0, 1.0, 1.0))
    measured = measure(region, RadiomicsSettings(resegment_range=(-1000.0, 400.0), outlier_sigma=sigma))
    assert measured["original_firstorder_Energy"] == energy
    assert measured["original_firstorder_RootMeanSquared"] == pytest.approx(np.sqrt(energy / n))
    assert measured["original_shape_VoxelVolume"] == 12


def test_outliers_without_a_range() -> None:
    values = np.array([[[0, 20, 0, 20, 110], [0, 20, 0, 10, 20]]], dtype=np.int16)
    region = Region(values, np.ones(values.shape, dtype=bool), (1.0, 1.0, 1.0))
    assert measure(region, RadiomicsSettings(outlier_sigma=2.0))["original_firstorder_Maximum"] == 20


def test_what_ibsi_does_not_define() -> None:
    assert {entry.column for entry in FEATURES if not entry.ibsi} == {
        "original_shape_Maximum2DDiameterColumn",
        "original_shape_Maximum2DDiameterRow",
        "original_shape_Maximum2DDiameterSlice",
        "original_firstorder_TotalEnergy",
        "original_glcm_MCC",
    }


def test_every_other_definition_is_documented() -> None:
    by_column = {entry.column: entry for entry in FEATURES}
    assert all("IBSI" in by_column[column].differs for column in OTHER_DEFINITION)
