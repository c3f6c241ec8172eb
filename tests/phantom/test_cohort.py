from __future__ import annotations

from collections import Counter

import pytest

from axilla.cohort import screen
from axilla.errors import InvalidValueError
from axilla.phantom import CohortSettings, PhantomSettings, plan_cohort
from axilla.phantom.clinic import BASELINES, failing_columns, n_stage


def _plans(n: int, **changes: object):
    return plan_cohort(n, 3, CohortSettings(**changes))


def test_the_papers_numbers_come_out_at_the_papers_size():
    plans = _plans(478, ineligible_share=0.0)
    assert Counter(p.role for p in plans) == {
        "training": 190,
        "benign validation": 123,
        "metastatic validation": 37,
        "cN0": 128,
    }
    assert sum(p.patient.status == "metastatic" for p in plans if p.role == "cN0") == 38


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 9, 12, 17, 24, 31, 60, 97])
def test_every_size_is_within_one_of_its_quota(n):
    counts = Counter(p.role for p in _plans(n, ineligible_share=0.0))
    for role, whole in {"training": 190, "benign validation": 123, "metastatic validation": 37, "cN0": 128}.items():
        assert abs(counts[role] - n * whole / 478) < 1
        assert n < 5 or counts[role] >= 1


def test_a_patient_does_not_change_when_the_cohort_grows():
    assert _plans(7) == _plans(31)[:7]
    assert plan_cohort(7, 3) != plan_cohort(7, 4)


def test_the_planned_role_is_the_role_the_sheet_leads_to():
    for plan in _plans(80):
        role = {"benign validation": "validation", "metastatic validation": "validation"}.get(plan.role, plan.role)
        assert plan.patient.role == role
        assert (plan.role == "benign validation") == (plan.patient.clinical == "cN+" and plan.patient.status == "benign")


def test_pathology_is_what_was_simulated_on_the_operated_side():
    for plan in _plans(80):
        operated = [n for n in plan.case.nodes if n.side == plan.patient.operated_side]
        other = [n for n in plan.case.nodes if n.side != plan.patient.operated_side]
        assert len(operated) == plan.patient.nodes_examined
        assert sum(n.status == "metastatic" for n in operated) == plan.patient.nodes_positive
        assert all(n.status == "benign" for n in other)
        assert 5 <= len(other) <= 12
        assert 5 <= len(operated) <= 12


def test_the_clinical_sheet_does_not_contradict_itself():
    for plan in _plans(150):
        f = plan.patient.facts
        assert all(isinstance(v, str) and v for v in f.values())
        assert f["n_stage"] == n_stage(plan.patient.nodes_positive or 0)
        hormone = "positive" in (f["er"], f["pr"])
        expected = {
            "HER2+": f["her2"] == "positive",
            "Luminal-A": f["her2"] == "negative" and hormone and int(f["ki67"]) < 14,
            "Luminal-B": f["her2"] == "negative" and hormone and int(f["ki67"]) >= 14,
            "TNBC": f["her2"] == "negative" and not hormone,
        }
        assert expected[f["molecular_subtype"]], f
        if f["menopausal_status"] == "premenopausal":
            assert int(f["age"]) < 65


def test_table_1_proportions():
    plans = [p for p in _plans(1000, ineligible_share=0.0) if p.role == "training"]
    base = BASELINES["training"]
    for column, counts in {
        "grade": base.grade,
        "t_stage": base.t_stage,
        "molecular_subtype": base.subtype,
        "pathological_type": base.pathological_type,
        "n_stage": {"N1": 119, "N2": 57, "N3": 14},
        "er": {"positive": 129, "negative": 61},
        "pr": {"positive": 117, "negative": 73},
    }.items():
        seen = Counter(p.patient.facts[column] for p in plans)
        for value, count in counts.items():
            assert seen[value] / len(plans) == pytest.approx(count / 190, abs=0.07), (column, value)
    ages = [int(p.patient.facts["age"]) for p in plans]
    assert sum(ages) / len(ages) == pytest.approx(51.6, abs=1.5)


def test_screening_excludes_exactly_the_ineligible_each_for_its_own_reason():
    plans = _plans(160)
    cohort = screen(p.patient for p in plans)
    ineligible = [p.patient.patient_id for p in plans if not p.is_eligible]
    assert sorted(cohort.excluded) == ineligible
    assert len(ineligible) == 8
    assert len(set(cohort.excluded.values())) == len(failing_columns()) == 8
    assert not all(p.is_eligible for p in _plans(20))


def test_the_plain_scan_of_an_ineligible_patient_is_plain():
    plain = [p for p in _plans(160) if p.patient.facts["ct_contrast"] == "no"]
    assert plain
    assert all(p.case.settings.contrast == "none" for p in plain)


@pytest.mark.parametrize(("n", "seed"), [(0, 1), (-3, 1), (10_000, 1), (5, -1)])
def test_nonsense_cohorts_are_refused(n, seed):
    with pytest.raises(InvalidValueError):
        plan_cohort(n, seed)


def test_nonsense_settings_are_refused():
    for changes in (
        {"role_counts": (0, 0, 0, 0)},
        {"role_counts": (1, 2, 3)},
        {"cn0_positive_counts": (-1, 3)},
        {"ineligible_share": 1.5},
        {"male_share": -0.1},
    ):
        with pytest.raises(InvalidValueError):
            CohortSettings(**changes)
    assert plan_cohort(3, 0, CohortSettings(phantom=PhantomSettings(node_count_per_side=(2, 3))))
