"""Regions of our own against what PyRadiomics answered for them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from axilla.radiomics import FEATURE_NAMES, RadiomicsSettings, extract

PROVENANCE = {"pyradiomics", "numpy", "simpleitk", "settings", "input_sha256", "status"}
CASES = (
    "node_thin",
    "node_thick_float_spacing",
    "node_half_mm_turned",
    "node_two_mm_flipped",
    "node_own_grid",
    "crescent_float",
    "two_components",
    "image_corner",
    "flat_disc",
    "flat_values",
    "speckles",
    "line",
    "bin_count",
    "narrow_bins",
    "resegmented",
    "resegmented_relative",
    "resegmented_sigma",
    "distances",
    "one_way",
    "linear",
    "nearest",
    "not_resampled",
    "too_small",
)


@pytest.fixture(scope="module")
def goldens() -> dict[str, dict[str, str]]:
    with (Path(__file__).parent / "goldens" / "pyradiomics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {case: {row["name"]: row[case] for row in rows} for case in rows[0] if case != "name"}


def test_every_case_has_a_golden_and_no_golden_is_left_over(cases: ModuleType, goldens: dict[str, dict[str, str]]) -> None:
    assert set(cases.make_cases()) == set(goldens) == set(CASES)
    for golden in goldens.values():
        assert set(golden) - PROVENANCE == set(FEATURE_NAMES)


@pytest.mark.parametrize("name", CASES)
def test_features_agree_with_pyradiomics(
    name: str,
    cases: ModuleType,
    goldens: dict[str, dict[str, str]],
    on_volume: Callable[..., Any],
    disagreements: Callable[..., list[str]],
) -> None:
    case = cases.make_cases()[name]
    assert case.sha256 == goldens[name]["input_sha256"], "the case is not the one PyRadiomics was asked about"
    table = extract(*on_volume(case), RadiomicsSettings(**case.settings))
    assert disagreements(table.frame.iloc[0], goldens[name]) == []


def test_a_wrong_value_would_be_noticed(
    cases: ModuleType, goldens: dict[str, dict[str, str]], on_volume: Callable[..., Any], disagreements: Callable[..., list[str]]
) -> None:
    row = extract(*on_volume(cases.make_cases()["node_thin"])).frame.iloc[0].copy()
    row["original_glcm_Idmn"] *= 1 + 2e-6
    assert len(disagreements(row, goldens["node_thin"])) == 1
    assert len(disagreements(row, {**goldens["node_thin"], "status": "refused: x"})) == 1
