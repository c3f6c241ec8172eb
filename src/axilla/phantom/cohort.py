"""Planning a synthetic cohort: who the patients are, what pathology will find, and how each is scanned; no pixels.

Patients come in an order in which every beginning has the paper's proportions: each next patient takes the role that is most
behind. So patient k is the same person for any number of patients, and has a random stream of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from axilla.cohort import Patient
from axilla.errors import InvalidValueError
from axilla.phantom.clinic import ROLES, draw_facts, make_ineligible
from axilla.phantom.nodes import NodePlan, plan_node
from axilla.phantom.render import CasePlan, SyntheticCase, render_case
from axilla.phantom.settings import SCANNERS, CohortSettings, Contrast, Injection, PhantomSettings

MAX_PATIENTS = 9999
"""Pseudonyms have four digits."""

_EXAMINED_MEAN = {"training": 9.1, "benign validation": 7.65, "metastatic validation": 11.5, "cN0": 7.0}
"""Nodes of the operated side: the paper's nodes per patient, as far as the allowed range goes; cN0 is not reported."""

_CN0_METASTASIS_SIZE = 0.8
"""Metastases of clinically negative patients are smaller: palpation and imaging missed them."""

_N_STAGES_TRAINING = {"N1": 119, "N2": 57, "N3": 14}
_N_STAGES_CN0_POSITIVE = {"N1": 35, "N2": 1, "N3": 2}
"""Table 1's N stages (its 34 N1 of cN0 made 35, to sum to Table 2's 38 metastatic patients)."""
_POSITIVES = {"N1": (1, 3), "N2": (4, 9), "N3": (10, 15)}


@dataclass(frozen=True)
class PatientPlan:
    """A synthetic patient before the scan."""

    patient: Patient
    role: str
    """The role in the study by design; an ineligible patient has one too, and never plays it."""
    is_eligible: bool
    case: CasePlan

    @property
    def seed(self) -> int:
        """Seed of the patient's CT."""
        return self.case.seed


def plan_cohort(n_patients: int, seed: int, settings: CohortSettings | None = None) -> tuple[PatientPlan, ...]:
    """Plan `n_patients` synthetic patients, eligible and ineligible together.

    Patient k depends only on `seed`, `settings` and k.

    Raises
    ------
    InvalidValueError
        If the number of patients is not in 1..9999 or the seed is negative.
    """
    if not 1 <= n_patients <= MAX_PATIENTS:
        raise InvalidValueError(f"A cohort has 1 to {MAX_PATIENTS} patients, not {n_patients}.")
    if seed < 0:
        raise InvalidValueError(f"A seed is a whole number of at least 0, not {seed}.")
    settings = settings or CohortSettings()
    plans, counts, positives, failed = [], np.zeros(4), np.zeros(2), 0
    for index in range(n_patients):
        is_eligible = not _is_ineligible(index, settings.ineligible_share)
        role, is_positive = _next_role(counts, positives, settings)
        if is_eligible:
            counts[ROLES.index(role)] += 1
            if role == "cN0":
                positives[0 if is_positive else 1] += 1
        plan = _plan_patient(index, role, is_positive, np.random.SeedSequence(seed, spawn_key=(index,)), settings)
        if not is_eligible:
            facts = make_ineligible(dict(plan.patient.facts), failed)
            plan = replace(plan, patient=replace(plan.patient, facts=facts), is_eligible=False)
            if facts["ct_contrast"] == "no":
                plain = replace(plan.case.settings, contrast="none", injection_side="none")
                plan = replace(plan, case=replace(plan.case, settings=plain))
            failed += 1
        plans.append(plan)
    return tuple(plans)


def render(plan: PatientPlan) -> SyntheticCase:
    """Render a planned patient's CT with its truth; the same plan gives the same bytes."""
    return render_case(plan.case)


def _is_ineligible(index: int, share: float) -> bool:
    return int(np.floor((index + 1) * share + 1e-9)) > int(np.floor(index * share + 1e-9))


def _next_role(counts: np.ndarray, positives: np.ndarray, settings: CohortSettings) -> tuple[str, bool]:
    """The role most behind its share, and within cN0 whether the sentinel node is metastatic."""
    role = ROLES[_most_behind(np.array(settings.role_counts, dtype=float), counts)]
    if role == "training":
        return role, True
    if role == "cN0":
        return role, _most_behind(np.array(settings.cn0_positive_counts, dtype=float), positives) == 0
    return role, role == "metastatic validation"


def _most_behind(weights: np.ndarray, counts: np.ndarray) -> int:
    quota = weights / weights.sum() * (counts.sum() + 1)
    return int(np.argmax(np.where(weights > 0, quota - counts, -np.inf)))


def _plan_patient(
    index: int, role: str, is_positive: bool, seeds: np.random.SeedSequence, settings: CohortSettings
) -> PatientPlan:
    clinic_seed, node_seed, scan_seed, image_seed = seeds.spawn(4)
    rng = np.random.default_rng(clinic_seed)
    sex = "male" if rng.uniform() < settings.male_share else settings.phantom.sex
    operated = str(rng.choice(["R", "L"]))
    low, high = settings.phantom.node_count_per_side
    examined, positive = _pathology(role, is_positive, low, high, rng)
    facts = draw_facts(role, positive, sex, rng)
    patient = Patient(
        patient_id=f"P{index + 1:04d}",
        clinical="cN0" if role == "cN0" else "cN+",
        operated_side=operated,
        nodes_examined=examined,
        nodes_positive=positive,
        facts=facts,
    )
    nodes = _plan_nodes(operated, examined, positive, role, (low, high), np.random.default_rng(node_seed))
    phantom = replace(settings.phantom, sex=sex)
    if settings.vary_scans:
        phantom = _vary_scan(phantom, np.random.default_rng(scan_seed))
    case = CasePlan(phantom, nodes, int(image_seed.generate_state(1)[0]))
    return PatientPlan(patient, role, True, case)


def _pathology(role: str, is_positive: bool, low: int, high: int, rng: np.random.Generator) -> tuple[int, int]:
    """Nodes examined and positive, within what the role and the phantom's node count allow."""
    examined = int(np.clip(rng.poisson(_EXAMINED_MEAN[role]), low, high))
    if not is_positive:
        return examined, 0
    if role == "metastatic validation":
        return examined, examined
    stages = _N_STAGES_TRAINING if role == "training" else _N_STAGES_CN0_POSITIVE
    weights = np.array(list(stages.values()), dtype=float)
    first, last = _POSITIVES[str(rng.choice(list(stages), p=weights / weights.sum()))]
    most = max(high - 1, 1)
    positive = int(rng.integers(min(first, most), min(last, most) + 1))
    least = positive + 1 if role == "training" or high > positive else positive
    return int(np.clip(max(examined, least), low, max(high, least))), positive


def _plan_nodes(
    operated: str, examined: int, positive: int, role: str, count: tuple[int, int], rng: np.random.Generator
) -> tuple[NodePlan, ...]:
    size = _CN0_METASTASIS_SIZE if role == "cN0" else 1.0
    nodes = [plan_node(operated, "metastatic", rng, size) for _ in range(positive)]
    nodes += [plan_node(operated, "benign", rng) for _ in range(examined - positive)]
    other = "L" if operated == "R" else "R"
    nodes += [plan_node(other, "benign", rng) for _ in range(int(np.clip(rng.poisson(7.0), *count)))]
    return tuple(nodes)


def _vary_scan(phantom: PhantomSettings, rng: np.random.Generator) -> PhantomSettings:
    """A patient's build and the scan's protocol."""
    contrasts: list[Contrast] = ["venous", "mixed", "arterial"]
    contrast = contrasts[int(rng.choice(3, p=[0.5, 0.35, 0.15]))]
    sides: list[Injection] = ["R", "L", "none"]
    injection = sides[int(rng.choice(3, p=[0.35, 0.15, 0.5]))]
    clips = sides[int(rng.choice(3, p=[0.03, 0.03, 0.94]))]
    port = sides[int(rng.choice(3, p=[0.04, 0.02, 0.94]))]
    return replace(
        phantom,
        habitus=float(np.clip(rng.beta(2.2, 2.6), 0.05, 0.95)),
        muscularity=float(np.clip(rng.normal(0.45, 0.18), 0.05, 0.95)),
        gland_density=float(np.clip(rng.beta(2.0, 2.5), 0.05, 0.9)),
        contrast=contrast,
        injection_side=injection,
        clips=clips,
        port=port,
        scanner=SCANNERS[str(rng.choice(["A", "B", "C"]))],
        noise_sd_hu=float(rng.uniform(8.0, 14.0)),
    )
