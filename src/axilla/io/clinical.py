"""The clinical sheet: one row per patient, checked word by word, every fault told at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from axilla.cohort import CLINICAL_ASSESSMENTS, Patient
from axilla.errors import InputRefusedError
from axilla.io.tables import read_numbered_sheet

REQUIRED = ("patient_id", "operated_side", "clinical_n", "nodes_examined", "nodes_positive")
YES_OR_NO = ("invasive", "ct_contrast", "bilateral", "neoadjuvant", "distant_metastasis", "other_malignancy")
"""Eligibility columns that hold yes, no or nothing, in any case of letters."""

DAYS = "ct_days_before_surgery"

SIDE_WORDS = {"l": "L", "left": "L", "r": "R", "right": "R"}
_BOTH_SIDES = {"b", "both", "bilateral", "l+r", "r+l"}
_ASSESSMENTS = {word.lower(): word for word in CLINICAL_ASSESSMENTS}


def read_clinical_sheet(path: Path) -> dict[str, Patient]:
    """Patients by hospital identifier, as the clinical sheet has them (their `patient_id` is the hospital identifier).

    Required columns: :data:`REQUIRED`; sides are L, R, both or empty, assessments cN0, cN+ or empty. Every other column is kept
    as a fact under its own name; eligibility columns are those of ``cohort.PAPER_CRITERIA``.
    A bilateral operated side sets the fact ``bilateral`` to ``yes``.

    Raises
    ------
    InputRefusedError
        Naming *every* fault of every row at once.
    """
    rows = read_numbered_sheet(path)
    missing = [name for name in REQUIRED if rows and name not in rows[0][1]]
    if missing or not rows:
        raise InputRefusedError(f"{path.name} lacks {'the column(s) ' + ', '.join(missing) if missing else 'any patient row'}.")
    faulty, seen = [], set()
    for number, row in rows:
        faults = _faults(row)
        if row["patient_id"] in seen:
            faults.append("this patient_id stands in an earlier row already")
        seen.add(row["patient_id"])
        if faults:
            faulty.append(f"row {number}: {'; '.join(faults)}")
    if faulty:
        raise InputRefusedError(f"{path.name} has {len(faulty)} faulty row(s). " + " | ".join(faulty))
    return {row["patient_id"]: _patient(row) for _, row in rows}


def _faults(row: Mapping[str, str]) -> list[str]:
    """Everything wrong with a row."""
    faults = [] if row["patient_id"] else ["patient_id is empty"]
    side, assessment = row["operated_side"].lower(), row["clinical_n"].lower()
    if side and side not in SIDE_WORDS and side not in _BOTH_SIDES:
        faults.append(f"operated_side is L, R, both or empty, not {row['operated_side']!r}")
    if assessment and assessment not in _ASSESSMENTS:
        faults.append(f"clinical_n is {', '.join(CLINICAL_ASSESSMENTS)} or empty, not {row['clinical_n']!r}")
    faults += _faults_of_counts(row["nodes_examined"], row["nodes_positive"])
    faults += [
        f"{name} is yes, no or empty, not {row[name]!r}"
        for name in YES_OR_NO
        if row.get(name, "").lower() not in ("", "yes", "no")
    ]
    days = row.get(DAYS, "")
    if days and not _is_whole(days.removeprefix("-")):
        faults.append(f"{DAYS} is a whole number or empty, not {days!r}")
    return faults


def _faults_of_counts(examined: str, positive: str) -> list[str]:
    given = {"nodes_examined": examined, "nodes_positive": positive}
    faults = [f"{name} is a whole number or empty, not {text!r}" for name, text in given.items() if text and not _is_whole(text)]
    if faults:
        return faults
    if bool(examined) != bool(positive):
        return ["nodes_examined and nodes_positive belong together; one is missing"]
    if examined and int(positive) > int(examined):
        return [f"{positive} positive of {examined} examined nodes cannot be"]
    return []


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _patient(row: Mapping[str, str]) -> Patient:
    facts = {name: value for name, value in row.items() if name not in ("patient_id", "operated_side")}
    facts |= {name: facts[name].lower() for name in YES_OR_NO if name in facts}
    side = row["operated_side"].lower()
    if side in _BOTH_SIDES:
        facts["bilateral"] = "yes"
    return Patient(
        patient_id=row["patient_id"],
        clinical=_ASSESSMENTS.get(row["clinical_n"].lower(), ""),
        operated_side=SIDE_WORDS.get(side, ""),
        nodes_examined=int(row["nodes_examined"]) if row["nodes_examined"] else None,
        nodes_positive=int(row["nodes_positive"]) if row["nodes_positive"] else None,
        facts=facts,
    )
