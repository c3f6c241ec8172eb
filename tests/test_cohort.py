"""Roles and statuses in the paper's words, eligibility, and cohorts that cannot contradict themselves."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axilla.cohort import PAPER_CRITERIA, Cohort, Criterion, Patient, screen
from axilla.errors import InvalidValueError

ELIGIBLE = {
    "invasive": "yes",
    "surgery": "ALND",
    "ct_contrast": "yes",
    "ct_quality": "good",
    "ct_days_before_surgery": "7",
    "bilateral": "no",
    "neoadjuvant": "no",
    "distant_metastasis": "no",
    "other_malignancy": "no",
}


def patient(patient_id="P0001", clinical="cN+", side="R", examined=10, positive=4, **facts):
    return Patient(patient_id, clinical, side, examined, positive, {**ELIGIBLE, **facts})


@pytest.mark.parametrize(
    ("clinical", "examined", "positive", "role", "status", "node_status"),
    [
        ("cN+", 10, 4, "training", "metastatic", "unlabeled"),
        ("cN+", 10, 0, "validation", "benign", "benign"),
        ("cN+", 10, 10, "validation", "metastatic", "metastatic"),
        ("cN+", 1, 1, "validation", "metastatic", "metastatic"),
        ("cN0", 3, 0, "cN0", "benign", "benign"),
        ("cN0", 3, 1, "cN0", "metastatic", "unlabeled"),
        ("cN0", 3, 3, "cN0", "metastatic", "metastatic"),
        ("cN+", None, None, "", "unlabeled", "unlabeled"),
        ("cN+", 0, 0, "", "unlabeled", "unlabeled"),
        ("", 10, 4, "", "metastatic", "unlabeled"),
    ],
)
def test_roles_and_statuses(clinical, examined, positive, role, status, node_status):
    found = patient(clinical=clinical, examined=examined, positive=positive)
    assert (found.role, found.status, found.node_status) == (role, status, node_status)


def test_the_papers_cohorts():
    """Qu et al. 2024: training 190, validation 123 + 37, cN0 128 (38 metastatic), cN+ 350 (227 metastatic)."""
    groups = [("cN+", 10, 4, 190), ("cN+", 8, 0, 123), ("cN+", 12, 12, 37), ("cN0", 4, 1, 38), ("cN0", 4, 0, 90)]
    people = [
        patient(f"P{kind}{i:03d}", clinical, "L", examined, positive)
        for kind, (clinical, examined, positive, n) in enumerate(groups)
        for i in range(n)
    ]
    cohort = screen(people)
    assert not cohort.excluded
    assert {name: len(cohort.members(name)) for name in ("training", "validation", "cN0", "cN+")} == {
        "training": 190,
        "validation": 160,
        "cN0": 128,
        "cN+": 350,
    }
    assert sum(p.status == "metastatic" for p in cohort.members("cN+")) == 227
    assert sum(p.status == "benign" for p in cohort.members("cN0")) == 90


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"invasive": "no"}, "no invasive breast cancer on pathology"),
        ({"surgery": "none"}, "no axillary surgery (ALND or SLNB)"),
        ({"ct_contrast": "no"}, "no contrast-enhanced chest CT"),
        ({"ct_quality": "poor"}, "CT incomplete, of poor quality, or made elsewhere"),
        ({"ct_days_before_surgery": "32"}, "CT not within 31 days before surgery"),
        ({"ct_days_before_surgery": "-3"}, "CT not within 31 days before surgery"),
        ({"ct_days_before_surgery": "nan"}, "CT not within 31 days before surgery"),
        ({"ct_days_before_surgery": "a week"}, "ct_days_before_surgery is not a number"),
        ({"bilateral": "yes"}, "bilateral breast cancer"),
        ({"bilateral": " "}, "bilateral not given"),
        ({"neoadjuvant": "yes"}, "neoadjuvant therapy before surgery"),
        ({"distant_metastasis": "yes"}, "distant metastasis"),
        ({"other_malignancy": "yes"}, "another malignancy"),
        ({"side": ""}, "operated side missing"),
        ({"clinical": ""}, "clinical assessment (cN0 or cN+) missing"),
        ({"examined": None, "positive": None}, "axillary pathology (nodes examined and positive) missing"),
        ({"examined": 0, "positive": 0}, "axillary pathology (nodes examined and positive) missing"),
    ],
)
def test_exclusions_with_their_reason(facts, reason):
    cohort = screen([patient(**facts), patient("P0002")])
    assert cohort.excluded == {"P0001": reason}
    assert [p.patient_id for p in cohort.patients] == ["P0002"]


@pytest.mark.parametrize("days", ["0", "31", " 7 ", "7.0"])
def test_ct_interval_within(days):
    assert screen([patient(ct_days_before_surgery=days)]).patients


def test_the_first_reason_counts():
    cohort = screen([patient(bilateral="yes", invasive="no", side="")])
    assert cohort.excluded["P0001"] == "no invasive breast cancer on pathology"


def test_criteria_are_data():
    adult = Criterion("age", "age", "younger than 18", at_least=18)
    assert screen([patient(age="17")], (adult,)).excluded == {"P0001": "younger than 18"}
    assert adult.is_met(patient(age="18"))
    assert len({criterion.name for criterion in PAPER_CRITERIA}) == len(PAPER_CRITERIA)


def test_a_reason_follows_the_limits():
    (interval,) = (criterion for criterion in PAPER_CRITERIA if criterion.name == "ct_interval")
    assert interval.reason == "CT not within 31 days before surgery"
    longer = dataclasses.replace(interval, at_most=60.0)
    assert screen([patient(ct_days_before_surgery="61")], (longer,)).excluded == {"P0001": "CT not within 60 days before surgery"}
    assert Criterion("adult", "age", at_least=18).reason == "age not at least 18"
    assert Criterion("grade", "grade", allowed=("II", "III")).reason == "grade not II or III"


@pytest.mark.parametrize("surgery", ["alnd", "Slnb+ALND"])
def test_words_count_in_any_case(surgery):
    assert screen([patient(surgery=surgery)]).patients


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "asks for nothing"),
        ({"at_least": 5, "at_most": 4}, "lets no value pass: 5 to 4"),
        ({"at_least": float("nan")}, "lets no value pass"),
        ({"column": "", "at_most": 4}, "a name and a column"),
    ],
)
def test_criteria_that_cannot_be_are_refused(limits, said):
    with pytest.raises(InvalidValueError, match=said):
        Criterion(**{"name": "age", "column": "age", **limits})


def test_a_criterion_nobody_can_meet_is_refused_instead_of_excluding_all():
    adult = Criterion("adult", "age", at_least=18)
    people = [patient(age=" "), patient("P0002")]
    with pytest.raises(InvalidValueError, match=r"(?s)No patient has a value in age .*\n\[criteria.adult\]"):
        screen(people, (*PAPER_CRITERIA, adult))
    with pytest.raises(
        InvalidValueError, match=r"(?s)in age, smoker of .*\n\[criteria.adult\]\nuse = false\n\[criteria.own\]\nuse = false$"
    ):
        screen(people, (adult, Criterion("own", "smoker", allowed=("no",))))
    assert screen([*people, patient("P0003", age="17")], (adult,)).excluded["P0002"] == "age not given"
    assert screen([Patient("P0001")]).excluded == {"P0001": "not in the clinical sheet"}


def test_limits_on_a_column_without_numbers_are_refused_by_its_values():
    low = Criterion("low", "grade", at_most=2)
    people = [patient(f"P{i}", grade=grade) for i, grade in enumerate(("II", "", "III", "II"))]
    with pytest.raises(InvalidValueError, match=r"criterion low asks for a number, but grade holds 'II', 'III'\."):
        screen(people, (low,))
    assert screen([*people, patient("P9", grade="1")], (low,)).excluded["P0"] == "grade is not a number"


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", "cN0", "cN+"]), st.sampled_from(["", "R", "L"]), st.integers(0, 3)), max_size=20))
def test_everyone_is_in_or_out_and_has_one_role(rows):
    people = [patient(f"P{i}", clinical, side, 3, positive) for i, (clinical, side, positive) in enumerate(rows)]
    cohort = screen(people)
    assert len(cohort.patients) + len(cohort.excluded) == len(people)
    roles = [len(cohort.members(name)) for name in ("training", "validation", "cN0")]
    assert sum(roles) == len(cohort.patients)
    assert all(p.operated_side and p.role for p in cohort.patients)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("",), "pseudonym"),
        (("P1", "N0"), "clinical assessment is one of"),
        (("P1", "cN0", "left"), "operated side is one of"),
        (("P1", "cN0", "R", 3), "belong together"),
        (("P1", "cN0", "R", 3, 4), "4 positive of 3"),
        (("P1", "cN0", "R", -1, -1), "cannot be"),
    ],
)
def test_impossible_patients_are_refused(arguments, match):
    with pytest.raises(InvalidValueError, match=match):
        Patient(*arguments)


def test_pseudonyms_are_unique():
    with pytest.raises(InvalidValueError, match="more than once: P0001"):
        screen([patient(), patient()])
    with pytest.raises(InvalidValueError, match="more than once: P0001"):
        screen([patient(bilateral="yes"), patient(bilateral="yes")])
    with pytest.raises(InvalidValueError, match="both included and excluded"):
        Cohort((patient(),), {"P0001": "why"})


def test_an_unknown_cohort_is_refused():
    with pytest.raises(InvalidValueError, match="A cohort is one of"):
        Cohort(()).members("cN1")


def test_facts_are_read_only():
    with pytest.raises(TypeError):
        patient().facts["x"] = "y"
