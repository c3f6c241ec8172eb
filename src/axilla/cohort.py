"""Patients, what pathology and the clinic said of them, who may enter a study, and in which cohort.

The words follow Qu et al. 2024 (doi 10.1097/JS9.0000000000001778):

* nodes are *metastatic* where every examined node of the operated side was, *benign* where none was, else *unlabeled*;
* *training* patients are the clinically positive ones with unlabeled nodes, *validation* the clinically positive ones with
  a status, *cN0* the clinically negative ones; *cN+* is training and validation together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from axilla.errors import InvalidValueError
from axilla.node import SIDES

STATUSES = ("metastatic", "benign", "unlabeled")
CLINICAL_ASSESSMENTS = ("cN0", "cN+")
COHORTS = ("training", "validation", "cN0", "cN+")


@dataclass(frozen=True)
class Patient:
    """One patient of a study, under a pseudonym.

    Parameters
    ----------
    patient_id : str
        Pseudonym, e.g. ``"P0001"``.
    clinical : str
        Clinical assessment of the axilla before surgery, ``"cN0"`` or ``"cN+"``; empty when unknown.
    operated_side : str
        ``"R"``, ``"L"`` or empty when missing (then the patient is excluded with that reason).
    nodes_examined, nodes_positive : int or None
        Pathology of the operated side; ``None`` when missing.
    facts : mapping of str to str
        The other columns of the clinical sheet, as written: eligibility facts and the baseline variables.
    """

    patient_id: str
    clinical: str = ""
    operated_side: str = ""
    nodes_examined: int | None = None
    nodes_positive: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.patient_id:
            raise InvalidValueError("A patient needs a pseudonym.")
        if self.clinical and self.clinical not in CLINICAL_ASSESSMENTS:
            raise InvalidValueError(
                f"{self.patient_id}: clinical assessment is one of {CLINICAL_ASSESSMENTS}, not {self.clinical!r}."
            )
        if self.operated_side and self.operated_side not in SIDES:
            raise InvalidValueError(f"{self.patient_id}: operated side is one of {SIDES}, not {self.operated_side!r}.")
        examined, positive = self.nodes_examined, self.nodes_positive
        if (examined is None) != (positive is None):
            raise InvalidValueError(f"{self.patient_id}: nodes examined and nodes positive belong together; one is missing.")
        if examined is not None and positive is not None and not 0 <= positive <= examined:
            raise InvalidValueError(f"{self.patient_id}: {positive} positive of {examined} examined nodes cannot be.")
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))

    @property
    def has_row(self) -> bool:
        """Whether the clinical sheet has the patient: its other columns are among the facts then, even if empty."""
        return bool(self.facts or self.clinical or self.operated_side) or self.nodes_examined is not None

    @property
    def node_status(self) -> str:
        """Status that pathology lends to *every* node of the operated side: metastatic, benign or unlabeled."""
        if self.nodes_examined is None or self.nodes_positive is None or self.nodes_examined == 0:
            return "unlabeled"
        if self.nodes_positive == 0:
            return "benign"
        return "metastatic" if self.nodes_positive == self.nodes_examined else "unlabeled"

    @property
    def status(self) -> str:
        """Status of the axilla: metastatic when any examined node was, benign when none, unlabeled when unknown."""
        if self.nodes_examined is None or self.nodes_positive is None or self.nodes_examined == 0:
            return "unlabeled"
        return "metastatic" if self.nodes_positive > 0 else "benign"

    @property
    def role(self) -> str:
        """``training``, ``validation``, ``cN0``, or empty when the clinical assessment or the pathology is missing."""
        if not self.clinical or self.status == "unlabeled":
            return ""
        if self.clinical == "cN0":
            return "cN0"
        return "training" if self.node_status == "unlabeled" else "validation"


@dataclass(frozen=True)
class Criterion:
    """One eligibility rule on one column of the clinical sheet.

    A patient fails when the value is missing, not among `allowed` (if given), below `at_least` or above `at_most` (if given).

    Parameters
    ----------
    name : str
    column : str
        A fact of the patients.
    wording : str
        Why a patient who fails is excluded; ``{at_least}`` and ``{at_most}`` stand for the limits. Empty: made of the rest.
    allowed : tuple of str
        Words, in any case of letters.
    at_least, at_most : float, optional

    Raises
    ------
    InvalidValueError
        If it asks for nothing, or for what no value can be.
    """

    name: str
    column: str
    wording: str = ""
    allowed: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.at_least, self.at_most) if limit is not None]
        if not self.name or not self.column:
            raise InvalidValueError("A criterion needs a name and a column.")
        if not self.allowed and not limits:
            raise InvalidValueError(f"The criterion {self.name} asks for nothing; give allowed, at_least or at_most.")
        if not all(math.isfinite(limit) for limit in limits) or limits != sorted(limits):
            raise InvalidValueError(f"The criterion {self.name} lets no value pass: {self.asks()}.")

    @property
    def reason(self) -> str:
        """Why a patient who fails is excluded."""
        text = self.wording or f"{self.column} not {self.asks()}"
        for name, limit in (("{at_least}", self.at_least), ("{at_most}", self.at_most)):
            text = text if limit is None else text.replace(name, f"{limit:g}")
        return text

    def asks(self) -> str:
        """What a patient must have: ``yes``, ``ALND, SLNB or SLNB+ALND``, ``0 to 31``, ``at least 18``."""
        *others, last = self.allowed or ("",)
        words = f"{', '.join(others)} or {last}" if others else last
        low, high = self.at_least, self.at_most
        if low is not None and high is not None:
            limits = f"{low:g} to {high:g}"
        else:
            limits = "".join(f"{side} {end:g}" for side, end in (("at least", low), ("at most", high)) if end is not None)
        return " and ".join(filter(None, (words, limits)))

    def is_met(self, patient: Patient) -> bool:
        """Whether the patient passes."""
        return not self.failure(patient)

    def failure(self, patient: Patient) -> str:
        """Why the patient fails, empty if not; a missing or unreadable value is told apart from one that excludes."""
        value = patient.facts.get(self.column, "").strip()
        if not value:
            return f"{self.column} not given"
        if self.allowed and value.lower() not in {word.lower() for word in self.allowed}:
            return self.reason
        if self.at_least is None and self.at_most is None:
            return ""
        if not _is_number(value):
            return f"{self.column} is not a number"
        number = float(value)
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return "" if low <= number <= high else self.reason


PAPER_CRITERIA = (
    Criterion("invasive", "invasive", "no invasive breast cancer on pathology", allowed=("yes",)),
    Criterion("surgery", "surgery", "no axillary surgery (ALND or SLNB)", allowed=("ALND", "SLNB", "SLNB+ALND")),
    Criterion("ct_contrast", "ct_contrast", "no contrast-enhanced chest CT", allowed=("yes",)),
    Criterion("ct_quality", "ct_quality", "CT incomplete, of poor quality, or made elsewhere", allowed=("good",)),
    Criterion("ct_interval", "ct_days_before_surgery", "CT not within {at_most} days before surgery", at_least=0, at_most=31),
    Criterion("bilateral", "bilateral", "bilateral breast cancer", allowed=("no",)),
    Criterion("neoadjuvant", "neoadjuvant", "neoadjuvant therapy before surgery", allowed=("no",)),
    Criterion("distant_metastasis", "distant_metastasis", "distant metastasis", allowed=("no",)),
    Criterion("other_malignancy", "other_malignancy", "another malignancy", allowed=("no",)),
)
"""Inclusion and exclusion criteria of Qu et al. 2024, "Patient selection"."""


@dataclass(frozen=True)
class Cohort:
    """Patients with distinct pseudonyms, screened: who is in, who is out and why."""

    patients: tuple[Patient, ...]
    excluded: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = [patient.patient_id for patient in self.patients]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise InvalidValueError(f"Patient pseudonyms must be unique; more than once: {', '.join(twice)}.")
        unknown = sorted(set(self.excluded) & set(ids))
        if unknown:
            raise InvalidValueError(f"Patients cannot be both included and excluded: {', '.join(unknown)}.")
        object.__setattr__(self, "excluded", MappingProxyType(dict(self.excluded)))

    def members(self, name: str) -> tuple[Patient, ...]:
        """The patients of a cohort: ``training``, ``validation``, ``cN0`` or ``cN+``."""
        if name not in COHORTS:
            raise InvalidValueError(f"A cohort is one of {COHORTS}, not {name!r}.")
        roles = ("training", "validation") if name == "cN+" else (name,)
        return tuple(patient for patient in self.patients if patient.role in roles)


def screen(patients: Iterable[Patient], criteria: tuple[Criterion, ...] = PAPER_CRITERIA) -> Cohort:
    """Apply the eligibility criteria, then ask for what the study cannot do without: side, assessment, pathology.

    A patient is excluded with the first reason met, in the order of `criteria`.

    Raises
    ------
    InvalidValueError
        If a pseudonym is given twice, or a criterion asks for a fact that no patient has, or for a number in a column without
        any: it would exclude them all.
    """
    patients = tuple(patients)
    _check_known(patients, criteria)
    included: list[Patient] = []
    excluded: dict[str, str] = {}
    for patient in patients:
        if patient.patient_id in excluded:
            raise InvalidValueError(f"Patient pseudonyms must be unique; more than once: {patient.patient_id}.")
        failures = (criterion.failure(patient) for criterion in criteria)
        reason = _missing_row(patient) or next(filter(None, failures), "") or _missing_fact(patient)
        if reason:
            excluded[patient.patient_id] = reason
        else:
            included.append(patient)
    return Cohort(tuple(included), excluded)


def _check_known(patients: tuple[Patient, ...], criteria: tuple[Criterion, ...]) -> None:
    known = {column for patient in patients for column, value in patient.facts.items() if value.strip()}
    lacking = [criterion for criterion in criteria if criterion.column not in known]
    if known and lacking:
        columns = ", ".join(dict.fromkeys(criterion.column for criterion in lacking))
        lines = "\n".join(f"[criteria.{criterion.name}]\nuse = false" for criterion in lacking)
        raise InvalidValueError(
            f"No patient has a value in {columns} of the clinical sheet, and criteria ask for it; fill it in, or leave the "
            f"criteria out by these lines in the study's study.toml (make the file if there is none):\n{lines}"
        )
    for criterion in criteria:
        _check_numeric(patients, criterion)


def _check_numeric(patients: tuple[Patient, ...], criterion: Criterion) -> None:
    """Refuse limits on a column none of whose values is a number; single ones exclude their patients."""
    given = dict.fromkeys(patient.facts.get(criterion.column, "").strip() for patient in patients)
    values = [value for value in given if value]
    has_limits = criterion.at_least is not None or criterion.at_most is not None
    if has_limits and values and not any(map(_is_number, values)):
        told = ", ".join(map(repr, values[:3])) + (", ..." if len(values) > 3 else "")
        raise InvalidValueError(f"The criterion {criterion.name} asks for a number, but {criterion.column} holds {told}.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


NOT_IN_SHEET = "not in the clinical sheet"
"""Why a patient of whom nothing is known is excluded."""


def _missing_row(patient: Patient) -> str:
    return "" if patient.has_row else NOT_IN_SHEET


def _missing_fact(patient: Patient) -> str:
    if not patient.operated_side:
        return "operated side missing"
    if not patient.clinical:
        return "clinical assessment (cN0 or cN+) missing"
    if patient.status == "unlabeled":
        return "axillary pathology (nodes examined and positive) missing"
    return ""
