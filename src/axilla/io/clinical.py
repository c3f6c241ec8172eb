"""The clinical sheet (CSV or XLSX): one row per patient, checked cell by cell, every fault told at once.

:data:`COLUMNS` is what the sheet is checked by, what Table 1 shows, and what docs/clinical-sheet.md is written from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from axilla.cohort import CLINICAL_ASSESSMENTS, Patient
from axilla.errors import InputRefusedError
from axilla.io.tables import read_numbered_sheet

SIDE_WORDS = {"l": "L", "left": "L", "r": "R", "right": "R"}
_BOTH_SIDES = {"b", "both", "bilateral", "l+r", "r+l"}
_ASSESSMENTS = {word.lower(): word for word in CLINICAL_ASSESSMENTS}
_YES_OR_NO = {"yes": "yes", "no": "no", "true": "yes", "false": "no"}
"""A spreadsheet's check boxes are TRUE and FALSE."""


OLDEST = 120
"""Years; beyond, a year of birth or a slip of the hand."""


@dataclass(frozen=True)
class Kind:
    """What a cell may hold: in words, and by a test of its text (which is not empty, and whose case does not matter)."""

    words: str
    fits: Callable[[str], bool]


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", text.lower(), flags=re.ASCII) is not None


def _is_text(text: str) -> bool:
    """Neither a date nor a number in powers of ten: a spreadsheet makes them of what was typed, and it cannot be undone."""
    return re.fullmatch(r"\d{4}-\d\d-\d\d( .*)?|\d(\.\d+)?[eE]\+\d+", text) is None


NAME = Kind("an identifier", _is_text)
SIDE = Kind("L, R, both or empty", lambda text: text.lower() in {*SIDE_WORDS, *_BOTH_SIDES})
ASSESSMENT = Kind(f"{', '.join(CLINICAL_ASSESSMENTS)} or empty", lambda text: text.lower() in _ASSESSMENTS)
COUNT = Kind("a whole number or empty", _is_whole)
DAYS = Kind("a whole number or empty", lambda text: _is_whole(text.removeprefix("-")))
YES_NO = Kind("yes, no or empty", lambda text: text.lower() in _YES_OR_NO)
NUMBER = Kind("a number (with a point, without a unit) or empty", _is_number)
AGE = Kind(f"a number from 0 to {OLDEST} (without a unit) or empty", lambda text: _is_number(text) and 0 <= float(text) <= OLDEST)
WORD = Kind("words or empty", _is_text)
NUMBERS = (NUMBER, AGE)
"""Those that Table 1 shows as numbers."""


@dataclass(frozen=True)
class Column:
    """A column that axilla knows.

    Parameters
    ----------
    name : str
        In the header, in any case of letters.
    kind : Kind
        What its cells may hold.
    meaning : str
        For the person who fills in the sheet.
    title : str
        How Table 1 calls it; empty where Table 1 does not show it.
    is_required : bool
        Whether a sheet without the column is refused.
    """

    name: str
    kind: Kind
    meaning: str
    title: str = ""
    is_required: bool = False


COLUMNS = (
    Column("patient_id", NAME, "as PatientID in the DICOM files, or as in the feature tables; one row each", is_required=True),
    Column("operated_side", SIDE, "side of the axillary surgery; both and empty exclude the patient", is_required=True),
    Column("clinical_n", ASSESSMENT, "clinical assessment of the axilla before surgery", is_required=True),
    Column("nodes_examined", COUNT, "axillary nodes that pathology examined on the operated side", is_required=True),
    Column("nodes_positive", COUNT, "those of them with metastasis", is_required=True),
    Column("invasive", YES_NO, "invasive breast cancer on pathology"),
    Column("surgery", WORD, "axillary surgery"),
    Column("ct_contrast", YES_NO, "the chest CT is contrast-enhanced"),
    Column("ct_quality", WORD, "good, or what is wrong with the CT"),
    Column("ct_days_before_surgery", DAYS, "days from the CT to surgery; negative: the CT came after"),
    Column("bilateral", YES_NO, "cancer of both breasts"),
    Column("neoadjuvant", YES_NO, "therapy before surgery"),
    Column("distant_metastasis", YES_NO, "distant metastasis"),
    Column("other_malignancy", YES_NO, "another malignant disease"),
    Column("age", AGE, "years at surgery", "Age, years"),
    Column("sex", WORD, "e.g. female, male", "Sex"),
    Column("menopausal_status", WORD, "e.g. premenopausal, postmenopausal", "Menopausal status"),
    Column("pathological_type", WORD, "e.g. IDC, ILC", "Pathological type"),
    Column("grade", WORD, "histological grade, e.g. I, II, III", "Histological grade"),
    Column("t_stage", WORD, "e.g. T1, T2", "T"),
    Column("n_stage", WORD, "e.g. N0, N1", "N"),
    Column("molecular_subtype", WORD, "e.g. Luminal-A, TNBC", "Molecular subtype"),
    Column("er", WORD, "estrogen receptor, e.g. positive", "ER"),
    Column("pr", WORD, "progesterone receptor", "PR"),
    Column("her2", WORD, "HER2", "HER2"),
    Column("ki67", NUMBER, "Ki-67 in percent: 20, not 0.2 or 20%", "Ki-67, %"),
)
"""In the order of the documentation; a sheet may have them in any order, and others beside them."""

REQUIRED = tuple(column.name for column in COLUMNS if column.is_required)
_YES_NO_COLUMNS = tuple(column.name for column in COLUMNS if column.kind is YES_NO)

_ERRORS = ("#n/a", "#ref!", "#value!", "#div/0!", "#name?", "#num!", "#null!", "#spill!", "#calc!", "#getting_data")


def read_clinical_sheet(path: Path) -> dict[str, Patient]:
    """Patients by hospital identifier, as the clinical sheet has them (their `patient_id` is the hospital identifier).

    The columns are those of :data:`COLUMNS`, required :data:`REQUIRED`; every other column is kept as a fact under its own name.
    A bilateral operated side sets the fact ``bilateral`` to ``yes``.

    Raises
    ------
    InputRefusedError
        If the file is no sheet, or naming *every* fault of every row at once.
    """
    rows = read_numbered_sheet(path)
    missing = [name for name in REQUIRED if rows and name not in rows[0][1]]
    if missing or not rows:
        raise InputRefusedError(f"{path.name} lacks {'the column(s) ' + ', '.join(missing) if missing else 'any patient row'}.")
    faulty, seen = [], dict[str, int]()
    for number, row in rows:
        faults = _faults(row)
        first = seen.setdefault(row["patient_id"], number)
        if first != number and row["patient_id"]:
            faults.append(f"this patient_id stands in row {first} already")
        if faults:
            faulty.append(f"row {number}: {'; '.join(faults)}")
    if faulty:
        raise InputRefusedError(f"{path.name} has {len(faulty)} faulty row(s). " + " | ".join(faulty))
    return {row["patient_id"]: _patient(row) for _, row in rows}


def _faults(row: Mapping[str, str]) -> list[str]:
    """Everything wrong with a row."""
    faults = [] if row["patient_id"] else ["patient_id is empty"]
    kinds = {column.name: column.kind for column in COLUMNS}
    found = {name: _fault(name, text, kinds.get(name)) for name, text in row.items() if text}
    faults += filter(None, found.values())
    if not any(found.get(name) for name in ("nodes_examined", "nodes_positive")):
        faults += _faults_of_counts(row["nodes_examined"], row["nodes_positive"])
    return faults


def _fault(name: str, text: str, kind: Kind | None) -> str:
    """What is wrong with a cell that holds something; a column without a kind is the user's own."""
    if text.startswith("="):
        return f"{name} holds a formula without a result; open the sheet in a spreadsheet program and save it, or write the value"
    if text.lower() in _ERRORS:
        return f"{name} holds the spreadsheet's error {text}; write the value, or leave it empty"
    if kind is None or kind.fits(text):
        return ""
    return f"{name} is {kind.words}, not {text!r}" + ("" if _is_text(text) else ", which a spreadsheet made of what was typed")


def _faults_of_counts(examined: str, positive: str) -> list[str]:
    if bool(examined) != bool(positive):
        return ["nodes_examined and nodes_positive belong together; one is missing"]
    if examined and int(positive) > int(examined):
        return [f"{positive} positive of {examined} examined nodes cannot be"]
    return []


def _patient(row: Mapping[str, str]) -> Patient:
    facts = {name: value for name, value in row.items() if name not in ("patient_id", "operated_side")}
    facts |= {name: _YES_OR_NO.get(facts[name].lower(), "") for name in _YES_NO_COLUMNS if name in facts}
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
