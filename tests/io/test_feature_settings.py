"""Settings files: our own keys, and PyRadiomics' parameter files against what PyRadiomics answers for them."""

from __future__ import annotations

import csv
import importlib.util
import io
import math
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from axilla.errors import InputRefusedError
from axilla.io.feature_settings import read_feature_settings
from axilla.node import Segmentation
from axilla.radiomics import FEATURE_NAMES, RadiomicsSettings, extract
from axilla.volume import Geometry, Volume

HERE = Path(__file__).resolve().parent / "parameters"
FILES = tuple(sorted(path.name for path in HERE.glob("*.yaml")))
RELATIVE, ABSOLUTE = 1e-6, 1e-9


def _read(tmp_path: Path, text: str) -> RadiomicsSettings:
    (tmp_path / "s.yaml").write_text(text)
    return read_feature_settings(tmp_path / "s.yaml").settings


def test_our_own_keys_change_the_papers_defaults(tmp_path: Path) -> None:
    assert _read(tmp_path, "bin_width: 10\nvoxel_spacing_xyz_mm: [2, 2, 2]") == RadiomicsSettings((2.0, 2.0, 2.0), bin_width=10.0)
    assert _read(tmp_path, '{"resegment_range": [-100, null], "convention": "ibsi"}').resegment_range == (-100, math.inf)
    assert _read(tmp_path, "outlier_sigma: 3").outlier_sigma == 3
    assert _read(tmp_path, "outlier_sigma: null").outlier_sigma is None
    assert _read(tmp_path, "voxel_spacing_xyz_mm: null") == RadiomicsSettings(None)
    assert _read(tmp_path, "distances: [1, 2]\nminimum_size: 10\nsymmetrical_glcm: false").distances == (1, 2)


def test_every_setting_can_be_given(tmp_path: Path) -> None:
    import dataclasses

    from axilla.io import feature_settings

    assert set(vars(feature_settings)["_OWN"]) == {field.name for field in dataclasses.fields(RadiomicsSettings)}


def test_a_silent_parameter_file_means_pyradiomics_defaults(tmp_path: Path) -> None:
    expected = RadiomicsSettings(None, "bspline", 25.0, minimum_dimensions=2)
    for text in (
        "setting: {}",
        "imageType: {Original: {}}",
        "setting:\nimageType:\nfeatureClass:",
        "voxelSetting: {kernelRadius: 1}",
    ):
        assert _read(tmp_path, text) == expected


def test_what_is_done_otherwise_is_said(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("setting: {label: 4, padDistance: 10}\nfeatureClass: {glcm: [Idm], shape2D: }")
    notes = read_feature_settings(tmp_path / "s.yaml").notes
    assert ["all 107" in notes[0], "label 4" in notes[1], "padDistance" in notes[2]] == [True] * 3
    for name in ("02_paper", "01_silent"):
        assert read_feature_settings(HERE / f"{name}.yaml").notes == ()


REFUSED = {
    "setting: {normalize: true}": "setting normalize is not supported: features are measured in the CT's own units",
    "setting: {force2D: true}": "force2D is not supported: features are measured in 3D",
    "setting: {weightingNorm: euclidean}": "weightingNorm is not supported: every direction counts alike",
    "setting: {weightingNorm: no_weighting}": "weightingNorm is not supported",
    "setting: {correctMask: true}": "--resample-mask",
    "setting: {resampledPixelSpacing: [0, 0, 3]}": "resampledPixelSpacing: a spacing of 0",
    "setting: {resampledPixelSpacing: [1, 1]}": "resampledPixelSpacing: expected three numbers",
    "setting: {interpolator: sitkGaussian}": "interpolator: 'sitkGaussian' is not supported",
    "setting: {interpolator: [1]}": "interpolator: [1] is not supported",
    "setting: {interpolator: true}": "interpolator: True is not supported",
    "setting: {binWidth: wide}": "binWidth: expected a number, not 'wide'",
    "setting: {binWidth: true}": "binWidth: expected a number, not True",
    "setting: {binWidth: -3}": "bin_width must be a positive number",
    "setting: {binCount: 0}": "bin_count must be",
    "setting: {distances: 1}": "distances: expected a list of whole numbers",
    "setting: {distances: [0]}": "distances must be",
    "setting: {resegmentRange: [1, 2, 3]}": "resegmentRange: expected one or two numbers",
    "setting: {resegmentMode: mine}": "resegment_mode must be one of",
    "setting: {minimumROIDimensions: 4}": "minimum_dimensions must be one of",
    "setting: {gldm_a: -1}": "gldm_alpha must not be negative",
    "setting: {binwidth: 3}": "setting has an unknown 'binwidth' (is 'binWidth' meant?)",
    "imageType: {LoG: {sigma: [2.0]}}": "imageType LoG is not supported",
    "imageType: {Original: {}, Wavelet: {}}": "imageType Wavelet is not supported",
    "imageType: {Original: {resampledPixelSpacing: [1, 1, 1]}}": "has no effect there in PyRadiomics",
    "featureClass: {glcm: [SumVariance]}": "featureClass glcm: 'SumVariance' is not among the 107",
    "featureClass: {glcmm: }": "featureClass has an unknown 'glcmm' (is 'glcm' meant?)",
    "featureClass: {glcm: Idm}": "a list of feature names",
    "featureClass: [glcm]": "featureClass: expected 'name: value' lines",
    "settings: {binWidth: 3}": "an unknown 'settings' (is 'setting' meant?)",
    "setting: {}\nbin_width: 3": "beside the PyRadiomics section(s) setting stands an unknown 'bin_width'",
    "bin_with: 3": "an unknown 'bin_with' (is 'bin_width' meant?)",
    "bin_width: null": "bin_width: expected a number",
    "voxel_spacing_xyz_mm: 1": "voxel_spacing_xyz_mm: expected three numbers",
    "resegment_range: [a, b]": "resegment_range: expected a number",
    "- 3": "holds no settings",
    "3: 4": "holds no settings",
    "": "holds no settings",
    "a: [": "is no YAML or JSON file at line 1",
    "a: !!python/object/apply:os.system [true]": "is no YAML or JSON file",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_supported_is_refused_by_name(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError) as refused:
        _read(tmp_path, text)
    assert REFUSED[text] in str(refused.value)
    assert str(refused.value).startswith("s.yaml")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="cannot be read"):
        read_feature_settings(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputRefusedError, match="no YAML or JSON"):
        read_feature_settings(tmp_path / "binary.yaml")


@pytest.fixture(scope="module")
def regions() -> dict[str, Any]:
    """The regions PyRadiomics was asked about."""
    path = HERE.parents[1] / "radiomics" / "cases.py"
    spec = importlib.util.spec_from_file_location("axilla_test_parameter_cases", path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.make_cases()


def _columns(text: str) -> list[dict[str, str]]:
    """One mapping per column of a table whose first column holds the names."""
    names, *columns = zip(*csv.reader(io.StringIO(text)), strict=True)
    return [dict(zip(names, column, strict=True)) for column in columns]


def _disagreements(golden: dict[str, str], regions: dict[str, Any]) -> list[str]:
    case = regions[golden["region"]]
    assert case.sha256 == golden["input_sha256"], "the region is not the one PyRadiomics was asked about"
    direction = tuple(tuple(case.direction[3 * row : 3 * row + 3]) for row in range(3))
    geometry = Geometry(case.array.shape, case.spacing_xyz_mm, case.origin_xyz_mm, direction)
    settings = read_feature_settings(HERE / golden["file"]).settings
    row = extract(Volume(case.array, geometry), Segmentation.from_masks(geometry, [("", case.mask)]), settings).frame.iloc[0]
    if golden["status"].startswith("refused"):
        return [] if row["feature_status"] == "refused" and row["reason"] else [f"measured, but expected {golden['status']}"]
    if row["feature_status"] == "refused":
        return [f"refused: {row['reason']}"]
    found, expected = row[list(FEATURE_NAMES)].to_numpy(float), np.array([float(golden[name]) for name in FEATURE_NAMES])
    far = ~np.isclose(found, expected, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    return [f"{name}: {a!r}, expected {b!r}" for name, a, b, bad in zip(FEATURE_NAMES, found, expected, far, strict=True) if bad]


@pytest.mark.parametrize("name", FILES)
def test_parameter_files_mean_what_pyradiomics_does_with_them(name: str, regions: dict[str, Any]) -> None:
    goldens = {golden["file"]: golden for golden in _columns((HERE / "pyradiomics.csv").read_text())}
    assert set(goldens) == set(FILES)
    assert _disagreements(goldens[name], regions) == []


def test_parameter_files_against_pyradiomics_itself(regions: dict[str, Any]) -> None:
    """Every file on every region; $AXILLA_PYRADIOMICS_PYTHON is a Python that can import radiomics 3.0.1."""
    python = os.environ.get("AXILLA_PYRADIOMICS_PYTHON")
    if not python:
        pytest.skip("no PyRadiomics (set AXILLA_PYRADIOMICS_PYTHON)")
    command = [python, str(HERE / "make_goldens.py"), "--print"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    goldens = _columns(said)
    assert len(goldens) == 3 * len(FILES)
    wrong = {(golden["file"], golden["region"]): _disagreements(golden, regions) for golden in goldens}
    assert {key: found for key, found in wrong.items() if found} == {}
