"""The paper's tables, each cell as it is printed, from ``results.json`` and what the study knows of its patients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from axilla.errors import InvalidValueError
from axilla.evaluate import RATES, Counts
from axilla.figures import CLASS_NAMES
from axilla.report.checklists import STARD_2015
from axilla.report.nouns import StudyReport
from axilla.report.words import DASH, is_missing, listed, number, p_short, p_value, percent, plain, short
from axilla.stats import LEVEL

SHORT_NAMES = {
    "ccr": "CCR",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "fpr": "FPR",
    "fnr": "FNR",
}

N_LARGEST = 10
"""Features listed as those that differ most; all stand in ``results/group_differences.csv``."""

ABBREVIATIONS = (
    "CCR, correct classification rate; PPV and NPV, positive and negative predictive value; FPR and FNR, false positive and "
    "false negative rate."
)


@dataclass(frozen=True)
class CohortTable:
    """How a cohort's tables are called."""

    name: str
    """Of the files, without suffix."""
    number: str
    """In the paper."""
    words: str
    short: str


COHORTS = {
    "cN0": CohortTable("table_2", "Table 2", "cN0 patients", "cN0"),
    "cN+": CohortTable(
        "table_3",
        "Table 3",
        "cN+ patients, as the paper has them (with the patients the model was trained on)",
        "cN+, as the paper (with training patients)",
    ),
    "cN+ without training patients": CohortTable(
        "table_3_leak_free", "Table 3, leak-free", "cN+ patients the model was not trained on", "cN+, leak-free"
    ),
}
"""Cohorts of ``patient_level`` in the order of the tables."""


@dataclass(frozen=True)
class Table:
    """A table as it is printed.

    Parameters
    ----------
    name : str
        Of its file, without suffix.
    title : str
    frame : DataFrame
        Text only; the first column heads the rows.
    note : str
        What a reader must know below it; may be empty.

    Raises
    ------
    InvalidValueError
        If it has no row or no name.
    """

    name: str
    title: str
    frame: pd.DataFrame
    note: str = ""

    def __post_init__(self) -> None:
        if not self.name or self.frame.empty:
            raise InvalidValueError(f"A printed table has a name and at least one row; {self.name!r} has {len(self.frame)}.")

    @property
    def columns(self) -> list[str]:
        """Heads of the columns."""
        return [str(column) for column in self.frame.columns]

    @property
    def rows(self) -> list[list[str]]:
        """Cells by row."""
        return [list(row) for row in self.frame.itertuples(index=False, name=None)]


def study_tables(report: StudyReport) -> dict[str, Table]:
    """Every table of a study's report that has something to show, by name, in the order of the report."""
    return {table.name: table for table in _tables(report)}


def level_words(results: Mapping[str, Any]) -> str:
    """The confidence level in force, e.g. ``95 %``."""
    return f"{100 * float(results.get('level', LEVEL)):g} %"


def told_interval(area: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The interval of an AUC that is told in sentences, and how it was made: by patient where there is such a one."""
    by_patient = (area.get("intervals") or {}).get("bootstrap")
    if by_patient:
        return by_patient, "bootstrap by patient"
    return area, f"{area['method']}, nodes taken as independent"


def _tables(report: StudyReport) -> Iterator[Table]:
    results = report.results
    level = level_words(results)
    if report.cohorts is not None and not report.cohorts.empty:
        yield Table("cohorts", "Patients and nodes per cohort", _as_text(report.cohorts))
    if report.baseline is not None and not report.baseline.empty:
        yield Table("table_1", "Table 1. Baseline characteristics of each cohort", _as_text(report.baseline))
    yield from _group_tables(report, level)
    nodes = results.get("node_level") or {}
    if nodes.get("n"):
        yield from _node_tables(nodes, level)
    patients = results.get("patient_level") or {}
    shown = {name: patients[name] for name in COHORTS if (patients.get(name) or {}).get("n")}
    for name, found in shown.items():
        yield from _patient_tables(name, found, level)
    if any(found.get("clinical") for found in shown.values()):
        yield _against_clinical(shown, level)
    if report.rules:
        yield from _rule_tables(report.rules, level)
    yield _stard()


def _stard() -> Table:
    columns = ["Item", "Part", "Asked for", "Answered"]
    rows = [[item.number, item.part, item.words, item.answer] for item in STARD_2015]
    note = (
        "The items in our own words, and where this report answers them. The list to cite: Bossuyt PM, Reitsma JB, Bruns DE et "
        "al., STARD 2015, BMJ 2015;351:h5527."
    )
    return _table("stard", "What a reader of a diagnostic accuracy study asks, and where it is answered", columns, rows, note)


def _group_tables(report: StudyReport, level: str) -> Iterator[Table]:
    """How much of each class differs, and which features most."""
    if report.class_summary is not None and not report.class_summary.empty:
        yield _classes(report.class_summary)
    if report.differences is not None and report.differences["effect"].notna().any():
        yield _largest(report.differences, level)


def _largest(differences: pd.DataFrame, level: str) -> Table:
    """The features that differ most in the first (the training) cohort, beside the other cohorts."""
    cohorts = {
        str(name): rows.set_index("feature")
        for name, rows in differences.groupby("cohort", sort=False)
        if rows["effect"].notna().any() or name == differences["cohort"].iloc[0]
    }
    trained = next(iter(cohorts.values()))
    order = trained["effect"].abs().dropna().sort_values(ascending=False, kind="stable").index[:N_LARGEST]
    columns = ["Feature", "Median, Group 1", "Median, Group 2"]
    rows = []
    for feature in order:
        first = trained.loc[feature]
        row = [f"{CLASS_NAMES[first['feature_class']]} {feature.rpartition('_')[2]}"]
        row += [short(first["median_1"]), short(first["median_2"])]
        for found in (frame.loc[feature] for frame in cohorts.values()):
            effect = {"estimate": found["effect"], "low": found["low"], "high": found["high"]}
            row += [DASH if is_missing(found["effect"]) else _interval(effect, number, 2), p_short(found["p_holm"])]
        rows.append(row)
    columns += [column for name in cohorts for column in (f"g, {name}", f"P after Holm, {name}")]
    tests, methods = (sorted(set(differences[name]) - {""}) for name in ("test", "method"))
    note = (
        f"g, difference of the means in standard deviations (Hedges), with its {level} interval ({'; '.join(methods)}); P after "
        f"Holm, by {listed(tests, 'or')}. The groups were made from these very features: the P values say how far apart the "
        "groups are and prove nothing; they also take the nodes of one patient as independent. All features, with quartiles, are "
        "in results/group_differences.csv."
    )
    return _table("group_features", "Features that differ most in the training cohort", columns, rows, note)


def _classes(frame: pd.DataFrame) -> Table:
    cohorts = {
        str(name): rows.set_index("feature_class")
        for name, rows in frame.groupby("cohort", sort=False)
        if rows["compared"].any() or name == frame["cohort"].iloc[0]
    }
    columns = ["Class", *(f"{what}, {name}" for name in cohorts for what in ("Differ after Holm", "Median |g|", "Largest (g)"))]
    rows = []
    for feature_class in dict.fromkeys(frame["feature_class"]):
        row = [CLASS_NAMES[feature_class]]
        for found in (part.loc[feature_class] for part in cohorts.values()):
            ways = f"({found['higher_in_2']}\u00a0\u2191, {found['lower_in_2']}\u00a0\u2193)"
            name = str(found["largest"]).rpartition("_")[2]
            largest = f"{name} ({number(found['largest_effect'], 2)})" if name else DASH
            differ = f"{found['differ']} of {found['compared']} {ways}" if found["compared"] else DASH
            row += [differ, number(found["median_size"], 2), largest]
        rows.append(row)
    note = (
        "Differ: P < 0.05 after Holm's adjustment for all features of the cohort; in brackets how many are higher (\u2191) and "
        "how many lower (\u2193) in Group 2."
    )
    return _table("group_classes", "How much of each class of features differs between the groups", columns, rows, note)


def _rule_tables(rules: Mapping[str, Any], level: str) -> Iterator[Table]:
    """What the choice of the patient rule was made from, and, apart from it, how each rule does on others."""
    names = {row["rule"]: _rule_name(row) for row in rules["rules"]}
    trained = [row for row in rules["rules"] if row["training"]]
    rows = [[names[row["rule"]], *_training_cells(row["training"])] for row in trained]
    columns = [
        "Rule",
        "Called metastatic",
        f"Sensitivity, % ({level} interval)",
        "Keeps the target",
        "Criterion",
        "Behind the best",
    ]
    note = (
        f"Criterion: {rules['criterion']}; it and its distance to the best rule's with {level} intervals (bootstrap by patient)."
    )
    title = f"Patient rules: what training patients say{', and the choice rests on' if rules['is_compared'] else ''}"
    yield _table("rules_training", title, columns, rows, note)
    yield from _rules_on_others(rules, names, level)


def _rules_on_others(rules: Mapping[str, Any], names: Mapping[str, str], level: str) -> Iterator[Table]:
    """Cohort by cohort, so that rules stand below one another on the same patients."""
    rows = []
    for cohort in rules["cohorts"]:
        shown = [(row["rule"], row["levels"][cohort]) for row in rules["rules"] if row["levels"][cohort]["n"]]
        for place, (rule, found) in enumerate(shown):
            rates = [_interval(found["rates"][rate], _hundredths, 1) for rate in ("sensitivity", "specificity", "ccr")]
            head = "" if place else f"{COHORTS[cohort].short}: {found['n']}"
            rows.append([head, names[rule], *rates, number(found["auc_score"]["estimate"], 3)])
    if not rows:
        return
    columns = ["Patients", "Rule", *(f"{word}, % ({level} interval)" for word in ("Sensitivity", "Specificity", "CCR"))]
    remarks = [f"{row['rule']}: {row['remark']}." for row in rules["rules"] if row["remark"]]
    note = " ".join(["CCR, correct classification rate; intervals by Wilson.", *remarks])
    title = "Patient rules in patients of known status: not used for the choice"
    yield _table("rules_others", title, [*columns, "AUC of the score"], rows, note)


def _rule_name(row: Mapping[str, Any]) -> str:
    marks = [word for word, is_so in (("chosen", row["is_chosen"]), ("in force", row["is_in_force"])) if is_so]
    return f"{row['rule']} ({', '.join(marks)})" if marks else str(row["rule"])


def _training_cells(found: Mapping[str, Any]) -> list[str]:
    behind = found["behind"]
    is_best = behind["low"] == 0 == behind["high"]
    return [
        f"{found['called']} of {found['n']}",
        _interval(found["sensitivity"], _hundredths, 1),
        plain(found["keeps_target"]),
        _interval(found["criterion"], number, 2),
        "best" if is_best else _interval(behind, number, 2),
    ]


def _node_tables(found: Mapping[str, Any], level: str) -> Iterator[Table]:
    counts = Counts(**found["counts"])
    rows = [
        ["Group 2 (presumed metastatic)", counts.tp, counts.fp, counts.tp + counts.fp],
        ["Group 1 (presumed benign)", counts.fn, counts.tn, counts.fn + counts.tn],
        ["Total", counts.tp + counts.fn, counts.fp + counts.tn, counts.n],
    ]
    yield _table("nodes_counts", "Nodes: group against pathology", ["Group", "Metastatic", "Not metastatic", "Total"], rows)
    yield _rates("nodes_rates", "Nodes: rates of the two-group label", found["rates"], counts, "Nodes", level)
    yield _areas(found, level)


def _areas(found: Mapping[str, Any], level: str) -> Table:
    """AUC of label and score, one row per method of the interval."""
    areas = {"Two-group label (as the paper)": found.get("auc_hard_label") or {}, "Score": found.get("auc_score") or {}}
    methods: dict[str, dict[str, str]] = {}
    for name, area in areas.items():
        for interval in {"": area, **area.get("intervals", {})}.values():
            if interval.get("estimate") is not None:
                methods.setdefault(interval["method"], {})[name] = _interval(interval, number, 3)
    rows = [[method, *(cells.get(name, DASH) for name in areas)] for method, cells in methods.items()]
    without = {name.lower(): (area.get("no_interval") or {}).get("bootstrap") for name, area in areas.items()}
    if any(without.values()) and not any("bootstrap" in area.get("intervals", {}) for area in areas.values()):
        rows.append(["bootstrap by patient", *[DASH] * len(areas)])
    rows = rows or [["none", *[DASH] * len(areas)]]
    reasons = [f"{name}: not computable: {area['reason']}." for name, area in areas.items() if area.get("reason")]
    told = (
        "Sentences tell the interval by patient where there is one, else that of the first row, which takes nodes as independent."
    )
    note = " ".join([*(reasons or [f"{told} The paper prints the label's AUC."]), *_without(without)])
    return _table("nodes_auc", f"Nodes: area under the ROC curve ({level} interval)", ["Interval by", *areas], rows, note)


def _patient_tables(name: str, found: Mapping[str, Any], level: str) -> Iterator[Table]:
    called = COHORTS[name]
    counts = Counts(**found["counts"])
    rows = [
        ["Metastatic", counts.tp, counts.fp, counts.tp + counts.fp],
        ["Not metastatic", counts.fn, counts.tn, counts.fn + counts.tn],
        ["Total", counts.tp + counts.fn, counts.fp + counts.tn, counts.n],
    ]
    columns = ["Model", "Pathology: metastatic", "Pathology: not metastatic", "Total"]
    yield _table(f"{called.name}_counts", f"{called.number}. Model against pathology", columns, rows)
    yield _rates(f"{called.name}_rates", f"{called.number}. Rates", found["rates"], counts, "Patients", level)


def _rates(name: str, title: str, rates: Mapping[str, Any], counts: Counts, unit: str, level: str) -> Table:
    """Estimates, their intervals, and the counts behind them."""
    rows = [["Estimate", *(percent(_of(rates, rate, "estimate"), 2) for rate in RATES)]]
    rows.append([f"{level} interval (Wilson)", *(_range(rates.get(rate) or {}) for rate in RATES)])
    bootstrap = {rate: ((rates.get(rate) or {}).get("intervals") or {}).get("bootstrap") for rate in RATES}
    without = {rate: (_of(rates, rate, "no_interval") or {}).get("bootstrap") for rate in RATES}
    if any(bootstrap.values()) or any(without.values()):
        rows.append([f"{level} interval (bootstrap by patient)", *(_range(bootstrap[rate] or {}) for rate in RATES)])
    fractions = {rate: counts.fraction(rate) for rate in RATES}
    rows.append([unit, *(f"{top}/{bottom}" for top, bottom, _ in fractions.values())])
    missing = [
        f"{SHORT_NAMES[rate]} not computable: {_of(rates, rate, 'reason')}." for rate in RATES if _of(rates, rate, "reason")
    ]
    columns = ["", *(SHORT_NAMES[rate] for rate in RATES)]
    note = " ".join([ABBREVIATIONS, *missing, *_without({SHORT_NAMES[rate]: reason for rate, reason in without.items()})])
    return _table(name, title, columns, rows, note)


def _without(reasons: Mapping[str, str | None]) -> Iterator[str]:
    """Why there is no bootstrap interval, a sentence per reason."""
    for reason in dict.fromkeys(filter(None, reasons.values())):
        named = [name for name, why in reasons.items() if why == reason]
        yield f"No bootstrap interval of {listed(named)}: {reason}."


def _against_clinical(shown: Mapping[str, Mapping[str, Any]], level: str) -> Table:
    """A column per cohort."""
    compared = {name: found for name, found in shown.items() if found.get("clinical")}

    def row(measure: str, cell: Callable[[Mapping[str, Any]], Any]) -> list[Any]:
        return [measure, *map(cell, compared.values())]

    with_interval = f"({level} interval)"
    rows = [
        row("Patients", lambda found: found["n"]),
        row(f"Model right, % {with_interval}", lambda found: _interval(found["rates"]["ccr"], _hundredths, 2)),
        row(f"Clinical assessment right, % {with_interval}", lambda found: _interval(found["clinical"]["ccr"], _hundredths, 2)),
        row(
            f"Difference, percentage points {with_interval}",
            lambda found: _interval(found.get("ccr_difference") or {}, _points, 2),
        ),
        row("Only the model right", lambda found: found["mcnemar"]["model_only_correct"]),
        row("Only the clinical assessment right", lambda found: found["mcnemar"]["clinical_only_correct"]),
        row("P (exact McNemar)", lambda found: p_value(found["mcnemar"]["p_value"])),
        row(f"AUC of the patient score {with_interval}", lambda found: _interval(found.get("auc_score") or {}, number, 3)),
    ]
    note = (
        "Clinical assessment calls every cN0 patient negative and every cN+ patient positive. Intervals: Wilson for rates, "
        "Newcombe 1998 (paired, method 10) for the difference, DeLong for the area (Newcombe 2006, method 5, at perfect "
        "separation)."
    )
    title = "The model against clinical assessment, on the same patients"
    return _table("against_clinical", title, ["Measure", *(COHORTS[name].short for name in compared)], rows, note)


def _table(name: str, title: str, columns: list[str], rows: list[list[Any]], note: str = "") -> Table:
    return Table(name, title, pd.DataFrame([[str(cell) for cell in row] for row in rows], columns=columns), note)


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    rows = [[plain(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return pd.DataFrame(rows, columns=[str(column) for column in frame.columns])


def _of(rates: Mapping[str, Any], rate: str, part: str) -> Any:
    return (rates.get(rate) or {}).get(part)


def _range(interval: Mapping[str, Any]) -> str:
    if interval.get("low") is None:
        return DASH
    return f"{number(100 * interval['low'], 2)} to {number(100 * interval['high'], 2)}"


def _interval(quantity: Mapping[str, Any], show: Callable[[Any, int], str], digits: int) -> str:
    """An estimate with its interval, in the same digits."""
    if quantity.get("estimate") is None:
        return DASH
    estimate, low, high = (show(quantity[part], digits) for part in ("estimate", "low", "high"))
    return f"{estimate} ({low} to {high})"


def _hundredths(value: float, digits: int) -> str:
    return number(100 * value, digits)


def _points(value: float, digits: int) -> str:
    """A difference of two shares in percentage points, with its sign."""
    words = number(100 * value, digits)
    return words if words.startswith("\u2212") or float(words) == 0 else f"+{words}"
