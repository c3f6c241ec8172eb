"""What the differences between the groups mean, in plain words: the direction actually found, its size, and who contradicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from axilla.radiomics import FEATURES
from axilla.report.words import p_words
from axilla.stats import SIGNIFICANCE

SIZES = ((0.2, "negligible"), (0.5, "small"), (0.8, "medium"), (float("inf"), "large"))
"""Below each number of standard deviations a difference is called so. Cohen J, Statistical Power Analysis for the Behavioral
Sciences, 2nd edition, 1988, section 2.2.3."""

NEGLIGIBLE = SIZES[0][0]

UNITS = {feature.column: feature.unit for feature in FEATURES}


@dataclass(frozen=True)
class Meaning:
    """What a feature says of the nodes of group 2, where it is higher there and where it is lower."""

    feature: str
    higher: str
    lower: str


MEANINGS = (
    Meaning("original_shape_LeastAxisLength", "thicker", "thinner"),
    Meaning("original_shape_SurfaceVolumeRatio", "smaller, or more irregular, for their volume", "larger, or more compact"),
    Meaning("original_shape_Flatness", "rounder, less flat", "flatter"),
    Meaning("original_shape_Elongation", "rounder, less elongated", "more elongated"),
    Meaning("original_shape_Sphericity", "closer to a ball", "farther from a ball"),
    Meaning("original_glcm_Idn", "more even in texture", "less even in texture"),
    Meaning("original_glcm_Idm", "more even in texture", "less even in texture"),
    Meaning(
        "original_glcm_Correlation",
        "more ordered in texture: gray values change gradually from voxel to voxel",
        "less ordered in texture: gray values change abruptly from voxel to voxel",
    ),
)
"""The features by which Qu et al. 2024 describe their groups, and sphericity, which their words name. Flatness and Elongation
are ratios of axis lengths, 1 for a ball and smaller when flat or long (PyRadiomics documentation, "Shape Features"); Idn and Idm
are high where neighboring voxels have like gray levels."""


def groups_in_words(differences: pd.DataFrame | None) -> list[str]:
    """A sentence per telling feature: what group 2 is like, by how much, and whether validation says the same.

    Parameters
    ----------
    differences : DataFrame or None
        Rows per cohort (training first) and feature: ``cohort, feature, median_1, median_2, effect, low, high, p_holm``.
    """
    if differences is None or differences.empty:
        return []
    cohorts = list(dict.fromkeys(differences["cohort"]))
    rows = {(str(row["cohort"]), str(row["feature"])): row for row in differences.to_dict("records")}
    said = []
    for meaning in MEANINGS:
        trained = rows.get((cohorts[0], meaning.feature))
        if trained is None or pd.isna(trained["effect"]):
            continue
        others = [(name, rows[name, meaning.feature]) for name in cohorts[1:] if (name, meaning.feature) in rows]
        said.append(_sentence(meaning, trained, [(name, row) for name, row in others if pd.notna(row["effect"])]))
    return said


def _sentence(meaning: Meaning, row: dict[Any, Any], others: list[tuple[str, dict[Any, Any]]]) -> str:
    effect, name = float(row["effect"]), meaning.feature.rpartition("_")[2]
    unit = f" {UNITS[meaning.feature]}" if UNITS.get(meaning.feature) else ""
    numbers = (
        f"median {_short(row['median_2'])} against {_short(row['median_1'])}{unit}, g = {_signed(effect)}, "
        f"{_signed(row['low'])} to {_signed(row['high'])}"
    )
    if abs(effect) < NEGLIGIBLE:
        return f"In {name} the groups hardly differ ({numbers}: {size_in_words(effect)})."
    like, direction = (meaning.higher, "higher") if effect > 0 else (meaning.lower, "lower")
    doubt = _doubt(row)
    are = "may be" if doubt else "are"
    checks = "".join(f"; {_agreement(cohort, other, effect)}" for cohort, other in others)
    return f"Nodes of Group 2 {are} {like}: {name} is {direction} ({numbers}: {size_in_words(effect)}{doubt}){checks}."


def _doubt(row: dict[Any, Any]) -> str:
    """Why a difference may be none; empty where nothing says so."""
    if _includes_none(row):
        return ", its interval includes no difference"
    if not pd.isna(row["p_holm"]) and float(row["p_holm"]) >= SIGNIFICANCE:
        return f", but not after Holm's adjustment over all features, {p_words(row['p_holm'])}"
    return ""


def size_in_words(effect: float) -> str:
    """A standardized difference in Cohen's words."""
    return next(words for limit, words in SIZES if abs(effect) < limit)


def _agreement(cohort: str, row: dict[Any, Any], effect: float) -> str:
    found = float(row["effect"])
    number = f"g = {_signed(found)}, {_signed(row['low'])} to {_signed(row['high'])}"
    if found * effect < 0 and abs(found) >= NEGLIGIBLE:
        return f"the {cohort} cohort contradicts this ({number})"
    if _includes_none(row):
        return f"the {cohort} cohort does not confirm this ({number}: its interval includes no difference)"
    if found * effect < 0:
        return f"the {cohort} cohort shows a negligible difference the other way ({number})"
    return f"the {cohort} cohort agrees ({number}: {size_in_words(found)}{_doubt(row)})"


def _includes_none(row: dict[Any, Any]) -> bool:
    return float(row["low"]) <= 0 <= float(row["high"])


def _signed(value: Any) -> str:
    return f"{float(value):+.2f}".replace("-", "\u2212")


def _short(value: Any) -> str:
    return f"{float(value):.3g}".replace("-", "\u2212")
