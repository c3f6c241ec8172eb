"""What stands at the top of a study's report: what was found, how far to believe it, and what must be read first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from axilla.cohort import PAPER_CRITERIA, Criterion
from axilla.report.nouns import StudyReport
from axilla.report.tables import COHORTS, level_words, told_interval
from axilla.report.words import counted, listed, number, p_words, percent, plain
from axilla.stats import SIGNIFICANCE

PAPER_SETTINGS: Mapping[tuple[str, str], Any] = {
    ("radiomics", "voxel_spacing_xyz_mm"): [1.0, 1.0, 1.0],
    ("radiomics", "bin_width"): 25.0,
    ("model", "correlation_threshold"): 0.9,
}
"""Settings that Qu et al. 2024 state."""

FEW_PATIENTS = 10
"""Fewer patients of either status than this are warned about where the settings do not say another number."""

MANY_NOT_EVALUABLE = 0.05
"""Share of nodes without features from which on the result may hang on which they are."""

_IN_THE_BANNER = ("Synthetic data:", "The model was trained on synthetic data")


@dataclass(frozen=True)
class InShort:
    """Sentences on what was found, and on what limits it."""

    found: tuple[str, ...]
    limits: tuple[str, ...]


def in_short(report: StudyReport) -> InShort:
    """The result in plain words."""
    return InShort(tuple(_found(report)), tuple(_limits(report)))


def study_warnings(report: StudyReport) -> list[str]:
    """Every sentence a reader must see before the results; what the banner says is not said again."""
    given = [*report.warnings, *(report.results.get("warnings") or [])]
    own = [*_failures(report), *_few(report), *_not_evaluable(report), *_of_two_origins(report), *_other_than_the_paper(report)]
    return [words for words in dict.fromkeys([*own, *given]) if not words.startswith(_IN_THE_BANNER)]


def criteria_changes(criteria: tuple[Criterion, ...]) -> list[str]:
    """How eligibility differs from the paper's, criterion by criterion."""
    ours, papers = ({c.name: c for c in some} for some in (criteria, PAPER_CRITERIA))
    left_out = [papers[name].reason for name in papers if name not in ours]
    added = [f"{ours[name].reason} (asked for: {ours[name].asks()})" for name in ours if name not in papers]
    both = [(ours[name], papers[name]) for name in papers if name in ours]
    changed = [f"{a.column} {a.asks()} in place of {b.column} {b.asks()}" for a, b in both if _asked(a) != _asked(b)]
    parts = {"left out": left_out, "added": added, "changed": changed}
    return [f"{what}: {listed(words)}" for what, words in parts.items() if words]


def _asked(criterion: Criterion) -> tuple[str, str]:
    return criterion.column, criterion.asks()


def _found(report: StudyReport) -> Iterator[str]:
    results = report.results
    level = level_words(results)
    analyzed = [entry for entry in report.patients if not entry.failure]
    provenance = (report.model or {}).get("provenance") or {}
    if provenance.get("n_nodes"):
        yield (
            f"{counted(len(report.patients), 'patient was', 'patients were')} offered and {len(analyzed)} analyzed. "
            f"{counted(int(provenance['n_nodes']), 'node')} of {provenance.get('n_patients')} training patients were put into "
            "two groups without being told the status of any."
        )
    nodes = results.get("node_level") or {}
    if nodes.get("n"):
        yield _nodes_found(nodes, level)
    patients = results.get("patient_level") or {}
    for name, words in _COHORT_WORDS.items():
        if (patients.get(name) or {}).get("clinical") and patients[name]["n"]:
            yield _patients_found(words, patients[name], level)
    if not nodes.get("n") and not any((found or {}).get("n") for found in patients.values()):
        yield "No node and no patient with a known status could be evaluated, so nothing can be said of how right the groups are."


_COHORT_WORDS = {
    "cN0": "clinically node-negative patients (cN0)",
    "cN+ without training patients": "clinically node-positive patients the model was not trained on",
    "cN+": "clinically node-positive patients as the paper counts them, training patients included",
}


def _nodes_found(nodes: Mapping[str, Any], level: str) -> str:
    ccr, area = nodes["rates"]["ccr"], nodes.get("auc_score") or {}
    sentence = (
        f"Of {counted(nodes['n'], 'node')} of {counted(nodes.get('n_patients') or 0, 'other patient')} with known pathology, "
        f"{percent(ccr['estimate'])} were grouped as pathology says"
    )
    if area.get("estimate") is None:
        return f"{sentence}; the area under the ROC curve cannot be computed ({area.get('reason', 'no score')})."
    interval, how = told_interval(area)
    return (
        f"{sentence}; the area under the ROC curve of the score is {number(area['estimate'], 3)} ({level} interval "
        f"{number(interval['low'], 3)} to {number(interval['high'], 3)}, {how})."
    )


def _patients_found(words: str, found: Mapping[str, Any], level: str) -> str:
    model, clinic, difference = found["rates"]["ccr"], found["clinical"]["ccr"], found.get("ccr_difference") or {}
    sentence = (
        f"In {found['n']} {words} the model was right in {percent(model['estimate'])}, clinical assessment in "
        f"{percent(clinic['estimate'])}"
    )
    p_value = found["mcnemar"]["p_value"]
    if difference.get("estimate") is None or p_value is None:
        return f"{sentence}."
    points, low, high = (number(100 * difference[part]) for part in ("estimate", "low", "high"))
    return (
        f"{sentence}: a difference of {points} percentage points ({level} interval {low} to {high}; {p_words(p_value)}). "
        f"{_verdict(difference['estimate'], p_value)}"
    )


def _verdict(difference: float, p_value: float) -> str:
    if p_value >= SIGNIFICANCE:
        return "That is no difference one can rely on."
    return f"{'The model' if difference > 0 else 'Clinical assessment'} was right more often."


def _limits(report: StudyReport) -> Iterator[str]:
    if report.is_synthetic or report.results.get("is_synthetic"):
        yield "The patients are simulated: this shows that the software runs, and nothing about people."
    nodes = report.results.get("node_level") or {}
    if nodes.get("n"):
        metastatic = nodes["counts"]["tp"] + nodes["counts"]["fn"]
        yield (
            f"The status of a node is known only where all nodes of its axilla have the same: {nodes['n']} nodes ({metastatic} "
            f"metastatic, {nodes['n'] - metastatic} benign). Such axillae are clearer than most."
        )
    n_nodes, n_missing = _node_counts(report)
    if n_nodes:
        share = f"{n_missing} of {n_nodes} nodes that count ({percent(n_missing / n_nodes)}) are not evaluable"
        unsure = ""
        if report.n_indeterminate is not None and n_nodes > n_missing:
            of_evaluable = percent(report.n_indeterminate / (n_nodes - n_missing))
            unsure = f"; {of_evaluable} of the others lie half-way between the groups (indeterminate)"
        yield f"{share}{unsure}."
    yield from _few(report)
    yield "One study, seen once: how the model does on other patients, scanners and hospitals is not known from it."


def _node_counts(report: StudyReport) -> tuple[int, int]:
    analyzed = [entry for entry in report.patients if not entry.failure]
    return sum(entry.n_nodes for entry in analyzed), sum(entry.n_not_evaluable for entry in analyzed)


def _failures(report: StudyReport) -> Iterator[str]:
    failed = Counter(entry.failure for entry in report.patients if entry.failure and entry.cohort)
    if failed:
        told = "; ".join(f"{reason} ({n})" for reason, n in failed.most_common(3))
        more = f"; and {len(failed) - 3} other reasons" if len(failed) > 3 else ""
        yield f"{counted(failed.total(), 'patient')} could not be finished: {told}{more}."


def _few(report: StudyReport) -> Iterator[str]:
    few = int((report.settings.get("evaluate") or {}).get("few_patients", FEW_PATIENTS))
    told = []
    for name, found in (report.results.get("patient_level") or {}).items():
        if name in COHORTS and found.get("n"):
            counts = found["counts"]
            rarer = min(counts["tp"] + counts["fn"], counts["tn"] + counts["fp"])
            told += [f"{found['n']} in {COHORTS[name].short} ({rarer} of the rarer status)"] if rarer < few else []
    if told:
        yield f"Few patients: {'; '.join(told)}. Rates and P values of these cohorts are rough."


def _not_evaluable(report: StudyReport) -> Iterator[str]:
    n_nodes, n_missing = _node_counts(report)
    if n_nodes and n_missing / n_nodes >= MANY_NOT_EVALUABLE:
        yield f"{n_missing} of {n_nodes} nodes that count ({percent(n_missing / n_nodes)}) are not evaluable."
    without = sum(entry.call == "not evaluable" for entry in report.patients)
    if without:
        yield f"{counted(without, 'patient is', 'patients are')} not evaluable and in no rate of the patient level."


def _of_two_origins(report: StudyReport) -> Iterator[str]:
    n_finished = sum(not entry.failure for entry in report.patients)
    if 0 < report.n_drawn < n_finished:
        yield (
            f"The nodes of {counted(report.n_drawn, 'patient')} were drawn by hand, those of {n_finished - report.n_drawn} were "
            "located by software; differences between these patients may come from that."
        )


def _other_than_the_paper(report: StudyReport) -> Iterator[str]:
    changes = criteria_changes(report.criteria)
    if changes:
        yield f"Eligibility differs from the paper's; {'; '.join(changes)}."
    for (stage, name), stated in PAPER_SETTINGS.items():
        value = (report.settings.get(stage) or {}).get(name, stated)
        if _plain_list(value) != stated:
            yield f"{stage}, {name}: {plain(value)} in place of the paper's {plain(stated)}."


def _plain_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
