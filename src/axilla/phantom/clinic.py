"""The clinical sheet of a synthetic patient: every variable of the paper's Table 1, and the facts eligibility is judged by.

Proportions are Table 1's counts (Qu et al. 2024). What hangs together is drawn together: the subtype from receptors and
Ki-67 (HER2+ is every HER2-positive tumor, luminal A has Ki-67 < 14 %), the N stage from the number of positive nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.cohort import PAPER_CRITERIA

ROLES = ("training", "benign validation", "metastatic validation", "cN0")


@dataclass(frozen=True)
class Baseline:
    """Table 1's counts for one column (training, validation or cN0)."""

    age_mean: float
    age_sd: float
    age_range: tuple[float, float]
    pathological_type: dict[str, int]
    grade: dict[str, int]
    t_stage: dict[str, int]
    subtype: dict[str, int]
    er_in_her2: float
    """Share of ER-positive tumors among HER2-positive ones: (ER+ less luminal) / HER2+."""
    pr_in_luminal_b: float
    pr_in_her2: float
    low_ki67_elsewhere: float
    """Share of Ki-67 < 14 % among HER2+ and triple negative tumors: (low less luminal A) / (HER2+ and TNBC)."""


_TRAINING = Baseline(
    51.6,
    10.9,
    (28, 79),
    {"IDC": 185, "ILC": 3, "IMC": 1, "IMPC": 1},
    {"I": 0, "II": 149, "III": 41},
    {"T1": 41, "T2": 135, "T3": 14},
    {"HER2+": 45, "Luminal-A": 23, "Luminal-B": 85, "TNBC": 37},
    21 / 45,
    0.94,
    14 / 45,
    2 / 82,
)
_VALIDATION = Baseline(
    52.6,
    10.6,
    (21, 81),
    {"IDC": 150, "ILC": 8, "IMC": 1, "IMPC": 1},
    {"I": 2, "II": 131, "III": 27},
    {"T1": 46, "T2": 107, "T3": 7},
    {"HER2+": 46, "Luminal-A": 28, "Luminal-B": 57, "TNBC": 29},
    18 / 46,
    0.90,
    11 / 46,
    9 / 75,
)
_CN0 = Baseline(
    52.7,
    10.7,
    (26, 79),
    {"IDC": 121, "ILC": 5, "IMC": 1, "IMPC": 1},
    {"I": 17, "II": 99, "III": 12},
    {"T1": 53, "T2": 71, "T3": 4},
    {"HER2+": 32, "Luminal-A": 43, "Luminal-B": 41, "TNBC": 12},
    15 / 32,
    0.85,
    8 / 32,
    7 / 44,
)
BASELINES = {"training": _TRAINING, "benign validation": _VALIDATION, "metastatic validation": _VALIDATION, "cN0": _CN0}

_ELIGIBLE = {
    "invasive": "yes",
    "ct_contrast": "yes",
    "ct_quality": "good",
    "bilateral": "no",
    "neoadjuvant": "no",
    "distant_metastasis": "no",
    "other_malignancy": "no",
}

_FAILURES = (
    ("neoadjuvant", "yes"),
    ("bilateral", "yes"),
    ("ct_contrast", "no"),
    ("ct_days_before_surgery", "45"),
    ("distant_metastasis", "yes"),
    ("other_malignancy", "yes"),
    ("ct_quality", "poor"),
    ("invasive", "no"),
)
"""One failed criterion each, in the order ineligible patients take them."""


def n_stage(positive: int) -> str:
    """Pathological N stage from the number of positive axillary nodes (AJCC: 1-3, 4-9, 10 or more)."""
    return "N0" if positive == 0 else "N1" if positive <= 3 else "N2" if positive <= 9 else "N3"


def draw_facts(role: str, positive: int, sex: str, rng: np.random.Generator) -> dict[str, str]:
    """The clinical sheet's columns of one eligible patient."""
    base = BASELINES[role]
    age = int(np.clip(round(rng.normal(base.age_mean, base.age_sd)), *base.age_range))
    subtype = _draw(base.subtype, rng)
    er, pr, her2, ki67 = _receptors(subtype, base, rng)
    if sex == "male":
        menopause = "not applicable"
    else:
        menopause = "postmenopausal" if rng.uniform() < 1 / (1 + np.exp(-(age - 50.0) / 1.8)) else "premenopausal"
    surgery = "ALND"
    if role == "cN0":
        surgery = "SLNB+ALND" if positive else "SLNB"
    return {
        "sex": sex,
        "age": str(age),
        "menopausal_status": menopause,
        "pathological_type": _draw(base.pathological_type, rng),
        "grade": _draw(base.grade, rng),
        "t_stage": _draw(base.t_stage, rng),
        "n_stage": n_stage(positive),
        "m_stage": "M0",
        "molecular_subtype": subtype,
        "er": er,
        "pr": pr,
        "her2": her2,
        "ki67": str(ki67),
        "surgery": surgery,
        "ct_days_before_surgery": str(int(rng.integers(1, 29))),
        **_ELIGIBLE,
    }


def make_ineligible(facts: dict[str, str], index: int) -> dict[str, str]:
    """The same sheet with one criterion failed; consecutive indices fail different ones."""
    column, value = _FAILURES[index % len(_FAILURES)]
    changed = {**facts, column: value}
    if column == "distant_metastasis":
        changed["m_stage"] = "M1"
    return changed


def failing_columns() -> tuple[str, ...]:
    """Columns an ineligible patient may fail on; all are columns of the paper's criteria."""
    known = {criterion.column for criterion in PAPER_CRITERIA}
    return tuple(column for column, _ in _FAILURES if column in known)


def _receptors(subtype: str, base: Baseline, rng: np.random.Generator) -> tuple[str, str, str, int]:
    if subtype == "Luminal-A":
        er, pr, her2, low = True, True, False, True
    elif subtype == "Luminal-B":
        er, pr, her2, low = True, rng.uniform() < base.pr_in_luminal_b, False, False
    elif subtype == "TNBC":
        er, pr, her2, low = False, False, False, rng.uniform() < base.low_ki67_elsewhere
    else:
        er = rng.uniform() < base.er_in_her2
        pr = er and rng.uniform() < base.pr_in_her2 / base.er_in_her2
        her2, low = True, rng.uniform() < base.low_ki67_elsewhere
    ki67 = int(rng.integers(3, 14)) if low else int(np.clip(round(14 + rng.gamma(2.0, 11.0)), 14, 90))
    return _sign(er), _sign(pr), _sign(her2), ki67


def _sign(value: object) -> str:
    return "positive" if value else "negative"


def _draw(counts: dict[str, int], rng: np.random.Generator) -> str:
    weights = np.array(list(counts.values()), dtype=float)
    return str(rng.choice(list(counts), p=weights / weights.sum()))
