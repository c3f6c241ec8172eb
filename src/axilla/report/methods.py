"""The methods section, written from the settings in force and the counts found, never from memory.

A value that is not there is left out of the sentence; a number that stands here comes from a setting, a count or a constant of
the code that did the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from axilla._version import __version__
from axilla.cohort import PAPER_CRITERIA, Criterion
from axilla.detectors import BUILT_IN
from axilla.radiomics import FEATURE_NAMES
from axilla.report.nouns import PredictionReport, StudyReport
from axilla.report.tables import level_words
from axilla.report.words import counted, listed, plain
from axilla.stats import SIGNIFICANCE

CLASS_WORDS = {
    "shape": "shape",
    "firstorder": "first order",
    "glcm": "GLCM",
    "glrlm": "GLRLM",
    "glszm": "GLSZM",
    "gldm": "GLDM",
    "ngtdm": "NGTDM",
}

Settings = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Paragraph:
    """A titled paragraph of whole sentences."""

    title: str
    text: str


def prediction_methods(report: PredictionReport) -> tuple[Paragraph, ...]:
    """How the nodes of one CT were found, measured and grouped."""
    origin = _origin(report.settings.get("detector") or {}, report.has_given_mask)
    nodes = f"{origin} described and shown as surfaces linked to their slices."
    found = {
        "Nodes": [nodes],
        "Features": _features(report.settings.get("radiomics") or {}),
        "Model": _model(report.model, report.settings),
        "Software": [_software(report.versions)],
    }
    return _paragraphs(found)


def study_methods(report: StudyReport) -> tuple[Paragraph, ...]:
    """How the study was done, ready to be pasted into a paper."""
    settings = report.settings
    found = {
        "Patients": [*_screening(report), *_cohorts(report)],
        "Nodes and features": [*_nodes(report), *_measuring(report)],
        "Model": _model(report.model, settings),
        "From nodes to patients": _rule(settings),
        "Statistics": list(_statistics(report)),
        "Software": [_software(report.versions), f"The study's seed was {report.seed}." if report.seed is not None else ""],
    }
    return _paragraphs(found)


def _paragraphs(found: Mapping[str, Sequence[str]]) -> tuple[Paragraph, ...]:
    texts = {title: " ".join(filter(None, sentences)) for title, sentences in found.items()}
    return tuple(Paragraph(title, text) for title, text in texts.items() if text)


def _screening(report: StudyReport) -> Iterator[str]:
    if report.patients:
        out = sum(not entry.cohort for entry in report.patients)
        failed = sum(bool(entry.cohort and entry.failure) for entry in report.patients)
        analyzed = len(report.patients) - out - failed
        yield (
            f"Of {counted(len(report.patients), 'patient')} offered, {analyzed} were analyzed ({out} excluded, "
            f"{failed} not finished)."
        )
    if report.criteria:
        reasons = "; ".join(map(_excluding, report.criteria))
        yield f"Excluded were patients with any of these, or where it was not known, the first being counted: {reasons}."
    yield "Patients without a known operated side, clinical assessment or axillary pathology were excluded as well."


def _excluding(criterion: Criterion) -> str:
    """The reason; where it is not the paper's, also what the sheet must say."""
    reason = criterion.reason
    return reason if criterion in PAPER_CRITERIA else f"{reason} (asked for: {criterion.column} {criterion.asks()})"


def _cohorts(report: StudyReport) -> Iterator[str]:
    size = Counter(entry.cohort for entry in report.patients if not entry.failure)
    yield (
        f"Clinically node-positive patients (cN+) in whom some, but not all, examined nodes were metastatic formed the training "
        f"cohort (n = {size['training']}), those in whom none or all were the validation cohort (n = {size['validation']}); "
        f"clinically node-negative patients formed the cN0 cohort (n = {size['cN0']})."
    )
    yield (
        "The reference standard was the pathology of the operated axilla: every node of it was taken as metastatic where all "
        "examined nodes were, as benign where none was, else as unlabeled; the axilla itself was metastatic when any was."
    )


def _nodes(report: StudyReport) -> Iterator[str]:
    if report.tools:
        yield f"The nodes' features were given as tables, measured by {listed(report.tools)}; no CT was seen by axilla."
        yield f"{_which_counted(report)} Nodes without features are told as not evaluable at every step."
        return
    n_finished = sum(not entry.failure for entry in report.patients)
    is_drawn = 0 < n_finished <= report.n_drawn
    origin = _origin(report.settings.get("detector") or {}, is_drawn)
    yield f"{origin} described and shown as surfaces linked to their slices."
    if report.n_drawn and not is_drawn:
        yield (
            f"In {counted(report.n_drawn, 'patient')} of {n_finished} the nodes are those of a mask given by the user instead, "
            "whose detection score is 1."
        )
    threshold = (report.settings.get("selection") or {}).get("detection_threshold")
    above = f" with a detection score of at least {plain(threshold)}" if threshold is not None else ""
    yield (
        f"Only nodes of the operated side{above} counted; the others are shown, never used. Nodes without features are told as "
        "not evaluable at every step."
    )


def _which_counted(report: StudyReport) -> str:
    """Of nodes in tables; a table tells the side of all its nodes or of none."""
    n_nodes = sum(entry.n_nodes for entry in report.patients) + sum(report.unused.values())
    if not report.n_side_untold:
        return "Only nodes of the operated side counted."
    if report.n_side_untold == n_nodes:
        return "The tables do not say the side of the nodes: every node was taken as of the operated side and counted."
    return (
        f"The tables do not say the side of {counted(report.n_side_untold, 'node')}, all taken as of the operated side and "
        "counted; of the other nodes only those of the operated side counted."
    )


def _origin(detector: Mapping[str, Any], has_given_mask: bool) -> str:
    """Where the nodes come from."""
    name = detector.get("name") or BUILT_IN
    if has_given_mask:
        return "The nodes are those of a mask given by the user; they were"
    if name == BUILT_IN:
        return "Candidates for axillary lymph nodes were located and segmented on the CT by axilla's own method,"
    weights = f", trained on {detector['trained_on']}" if detector.get("trained_on") else ""
    return f"The nodes were segmented by the detector '{name}'{weights}, which is not part of axilla; they were separated,"


def _measuring(report: StudyReport) -> list[str]:
    if not report.tools:
        return _features(report.settings.get("radiomics") or {})
    told = report.settings.get("measured by others") or {}
    return [f"The tables say of their settings: {plain(told)}."] if told else ["The tables do not say with which settings."]


def _features(radiomics: Mapping[str, Any]) -> list[str]:
    classes = [name.split("_")[1] for name in FEATURE_NAMES]
    sizes = [f"{words} {classes.count(name)}" for name, words in CLASS_WORDS.items()]
    how = list(_sampling(radiomics))
    return [
        f"From each node {len(FEATURE_NAMES)} radiomic features were extracted ({', '.join(sizes)})"
        f"{', ' + listed(how) if how else ''}."
    ]


def _sampling(radiomics: Mapping[str, Any]) -> Iterator[str]:
    """How voxels and gray levels were prepared."""
    spacing = radiomics.get("voxel_spacing_xyz_mm")
    if spacing is not None:
        by = f" ({radiomics['interpolator']} interpolation)" if radiomics.get("interpolator") else ""
        yield f"resampled to {' x '.join(f'{float(v):g}' for v in spacing)} mm{by}"
    if radiomics.get("bin_count") is not None:
        yield f"with {radiomics['bin_count']} gray-level bins"
    elif radiomics.get("bin_width") is not None:
        yield f"with a bin width of {float(radiomics['bin_width']):g} HU"
    if radiomics.get("resegment_range") is not None:
        yield f"without voxels outside {plain(radiomics['resegment_range'])} ({radiomics.get('resegment_mode', 'absolute')})"
    if radiomics.get("outlier_sigma") is not None:
        yield f"without voxels more than {plain(radiomics['outlier_sigma'])} standard deviations from the mean"
    if radiomics.get("distances") is not None:
        yield f"with neighbors at a distance of {plain(radiomics['distances'])} voxel"
    if radiomics.get("convention"):
        yield f"by the definitions of {({'pyradiomics': 'PyRadiomics', 'ibsi': 'IBSI'}).get(radiomics['convention'])}"


def _model(model: Mapping[str, Any] | None, settings: Settings) -> list[str]:
    if not model:
        return []
    provenance, trained = model.get("provenance") or {}, model.get("settings") or {}
    features, votes = model.get("features") or [], model.get("votes") or []
    kind = "synthetic " if provenance.get("is_synthetic") else ""
    sentences = [
        f"The model was trained without labels on {provenance.get('n_nodes')} {kind}nodes of {provenance.get('n_patients')} "
        "patients.",
        "Features were standardized by the mean and standard deviation of these nodes; of two features with |Pearson r| > "
        f"{trained.get('correlation_threshold')} only {_KEPT.get(str(trained.get('keep')), 'one')} was kept, which left "
        f"{len(features)} of {len(features) + len(model.get('dropped') or {})}.",
        f"K-means with two clusters (k-means++, best of {trained.get('n_init')} starts, seed {trained.get('seed')}) made the "
        "groups.",
    ]
    if votes:
        agreeing = sum(vote.get("agrees") is True for vote in votes)
        asked = f" (at least {trained['min_votes']} were asked for)" if "min_votes" in trained else ""
        sentences.append(
            f"Which cluster was Group 2 (presumed metastatic) was decided by a vote of {len(votes)} features on the clusters' "
            f"mean z-scores: {agreeing} agreed{asked}."
        )
    sentences.append(
        "Every other node went to the nearest center; a node's score was its distance to the center of Group 1 minus that to the "
        "center of Group 2, so that higher was more suspicious."
    )
    margin = (settings.get("predict") or {}).get("indeterminate_margin")
    if margin is not None:
        sentences.append(
            f"Nodes whose score was closer to zero than {plain(margin)} of the distance between the centers were called "
            "indeterminate and kept their group."
        )
    return sentences


_KEPT = {
    "first": "the one that comes first in the order of features",
    "last": "the one that comes last in the order of features",
    "least_correlated": "the one less correlated with all others",
}


def _rule(settings: Settings) -> list[str]:
    rule = settings.get("rule") or {}
    if not rule:
        return []
    words = {
        "any": "any of its evaluable nodes was in Group 2",
        "at_least_k": f"at least {plain(rule.get('k'))} of its nodes were in Group 2",
        "share": f"at least {plain(rule.get('min_share'))} of its evaluable nodes were in Group 2",
        "max_score": f"its highest node score exceeded {plain(rule.get('min_score'))}",
        "noisy_or": f"1 - prod(1 - p), p its nodes' probabilities, was at least {plain(rule.get('min_noisy_or'))}",
    }
    name = str(rule.get("name"))
    return [
        f"An axilla was called metastatic when {words.get(name, f'the rule {name} said so')} (rule '{name}'), and not evaluable "
        "when it had no evaluable node.",
        f"The rule and its parameter were chosen on {rule['chosen_on']} alone." if rule.get("chosen_on") else "",
    ]


def _statistics(report: StudyReport) -> Iterator[str]:
    if report.baseline is not None:
        yield (
            f"Numbers that passed for normal in every cohort (Shapiro-Wilk, P > {SIGNIFICANCE}) are given as mean and standard "
            "deviation, others as median and quartiles; categories as counts and percent. cN0 and cN+ were compared by Student's "
            f"t test where variances passed for equal (Bartlett, P > {SIGNIFICANCE}), by Welch's where not, by the Mann-Whitney "
            "test where numbers did not pass for normal; categories by Fisher's exact test in fourfold tables and where few were "
            "expected (fewer than 5 in more than a fifth of the cells, or fewer than 1 in any), else by the chi-square test."
        )
    yield from _comparison_of_groups(report.differences)
    level = level_words(report.results)
    yield (
        f"Metastatic counted as positive. Proportions have {level} intervals by Wilson; the areas under the ROC curve of the "
        f"two-group label and of the score have intervals by DeLong, Hanley-McNeil (1982){_last_methods(report.results)}."
    )
    evaluate = report.settings.get("evaluate") or {}
    if "n_resamples" in evaluate:
        seed = f", seed {evaluate['seed']}" if "seed" in evaluate else ""
        yield (
            "Nodes of one patient are not independent: intervals by bootstrap draw whole patients, stratified by status "
            f"({evaluate['n_resamples']} resamples{seed}, percentiles)."
        )
    yield (
        "Model and clinical assessment were compared on the same patients by the exact McNemar test, and the difference of their "
        f"correct classification rates has Newcombe's paired {level} interval. Tests were two-sided; P < {SIGNIFICANCE} was "
        "called significant. Apart from Holm's adjustment over features, P values are not adjusted for the number of tests."
    )
    yield ("Results in cN+ are given as the paper has them, with the patients the model was trained on, and without (leak-free).")


def _last_methods(results: Mapping[str, Any]) -> str:
    """Newcombe's methods, and the bootstrap where patients allow it."""
    nodes = results.get("node_level") or {}
    without = [((nodes.get(name) or {}).get("no_interval") or {}).get("bootstrap") for name in ("auc_hard_label", "auc_score")]
    newcombe = "Newcombe (2006, methods 4 and 5)"
    if all(without):
        return (
            f" and {newcombe}; there is no bootstrap interval, because {' and because '.join(dict.fromkeys(map(str, without)))}"
        )
    return f", {newcombe} and{' (of one of the two)' if any(without) else ''} bootstrap by patient"


def _comparison_of_groups(differences: pd.DataFrame | None) -> Iterator[str]:
    if differences is None or differences.empty:
        return
    first = differences[differences["cohort"] == differences["cohort"].iloc[0]]
    used = listed([f"{name} ({n})" for name, n in first["test"].value_counts().items() if name])
    methods = listed(sorted({str(method) for method in differences["method"] if method}))
    if used:
        yield (
            f"Group 2 was compared with Group 1 feature by feature: effect sizes with intervals ({methods}) and, chosen by the "
            f"same checks of normality and variance, tests (in the {first['cohort'].iloc[0]} cohort, with the number of features:"
            f" {used}); P values were adjusted by Holm's method for all features of the cohort."
        )


def _software(versions: Mapping[str, str]) -> str:
    others = [f"{name} {version}" for name, version in versions.items() if name != "axilla"]
    return f"The analysis was made with axilla {versions.get('axilla', __version__)}{f' ({listed(others)})' if others else ''}."
