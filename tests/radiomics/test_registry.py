"""The registry, the names, the generated page, the settings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from axilla.errors import InvalidValueError, UsageError
from axilla.radiomics import FEATURE_NAMES, FEATURES, RadiomicsSettings
from axilla.radiomics._registry import feature
from axilla.radiomics.documentation import features_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_107_columns_are_those_of_the_reference_in_its_order(shared: Path) -> None:
    assert list(FEATURE_NAMES) == (shared / "reference" / "feature_names.txt").read_text().split()


def test_counts_by_class() -> None:
    classes = [entry.feature_class for entry in FEATURES]
    counts = {name: classes.count(name) for name in dict.fromkeys(classes)}
    assert counts == {"shape": 14, "firstorder": 18, "glcm": 24, "glrlm": 16, "glszm": 16, "gldm": 14, "ngtdm": 5}


def test_ibsi_codes_are_four_characters_and_unique() -> None:
    codes = [entry.ibsi for entry in FEATURES if entry.ibsi]
    assert all(len(code) == 4 for code in codes)
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(("feature_class", "name"), [("glcm", "Idm"), ("wavelet", "Idm")])
def test_duplicates_and_unknown_classes_are_refused(feature_class: str, name: str) -> None:
    def function(shared_quantities: object) -> float:
        """Zero."""
        return 0.0

    with pytest.raises(InvalidValueError):
        feature(feature_class, name)(function)


def test_a_feature_without_a_formula_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="docstring"):
        feature("glcm", "Novel")(lambda quantities: 0.0)


def test_the_page_of_features_is_current() -> None:
    page = (DOCS / "features.md").read_text(encoding="utf-8")
    assert page.endswith(features_page().rstrip() + "\n"), "run make docs"
    assert all(f"`{entry.name}`" in page for entry in FEATURES)


@pytest.mark.parametrize(
    "values",
    [
        {"voxel_spacing_xyz_mm": (1, 0, 1)},
        {"voxel_spacing_xyz_mm": (1, 1)},
        {"interpolator": "sitkBSpline"},
        {"bin_width": 0},
        {"bin_count": 0},
        {"bin_count": "many"},
        {"resegment_range": (float("nan"), 1)},
        {"resegment_range": (1,)},
        {"resegment_mode": "percent"},
        {"outlier_sigma": 0},
        {"outlier_sigma": float("nan")},
        {"convention": "IBSI"},
        {"distances": ()},
        {"distances": (0,)},
        {"minimum_dimensions": 4},
        {"minimum_size": -1},
        {"gldm_alpha": -1},
        {"voxel_array_shift": float("inf")},
    ],
)
def test_settings_that_cannot_be_used_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        RadiomicsSettings(**values)


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RadiomicsSettings().bin_width = 10
