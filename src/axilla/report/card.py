"""The model card: what a model is, what it is for, what it was made of, how well it does.

Headings after Mitchell M et al., "Model cards for model reporting", Proceedings of FAT* 2019, 220-229.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from axilla._version import __version__
from axilla.report.nouns import StudyReport
from axilla.report.tables import COHORTS, level_words, told_interval
from axilla.report.words import DASH, counted, listed, number, percent, plain


@dataclass(frozen=True)
class Section:
    """A heading of the card and what stands under it."""

    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class ModelCard:
    """A model in a reader's words.

    Parameters
    ----------
    facts : tuple of (str, str)
        What the model is, name and value.
    sections : tuple of Section
    features : tuple of str
        Those used.
    votes : tuple of mapping
        Which cluster is Group 2, one vote per feature.
    """

    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    features: tuple[str, ...]
    votes: tuple[Mapping[str, Any], ...]

    @property
    def agreeing(self) -> int:
        """Votes for the orientation taken."""
        return sum(vote.get("agrees") is True for vote in self.votes)


def model_card(model: Mapping[str, Any] | None, study: StudyReport | None = None) -> ModelCard | None:
    """The card of a model (``model_to_dict``); `study` adds how well it did there."""
    if not model:
        return None
    provenance = model.get("provenance") or {}
    sections = (
        Section("Intended use", _INTENDED),
        Section("Factors", _FACTORS),
        Section("Training data", _training(provenance)),
        Section("Evaluation data and metrics", _evaluated(study)),
        Section("Ethical considerations", _ETHICS),
        Section("Caveats and recommendations", (*(model.get("warnings") or []), *_CAVEATS)),
    )
    features = tuple(feature["name"] for feature in model.get("features") or [])
    return ModelCard(_facts(model, provenance, features), sections, features, tuple(model.get("votes") or []))


_INTENDED = (
    "Research on axillary lymph nodes of patients with breast cancer, on contrast-enhanced chest CT made before surgery.",
    "It is meant for people who can judge a CT and a statistic. It is not a medical device, and no diagnosis and no choice of "
    "treatment may rest on it.",
    "Outside its use: other diseases, nodes of other regions, CT without contrast, patients after neoadjuvant therapy, and "
    "features measured with other settings than the model's.",
)
_FACTORS = (
    "Scanner, reconstruction kernel, slice thickness, contrast timing and how nodes are outlined change radiomic features; age, "
    "sex, tumor subtype and body habitus may do so. Whether the model does equally well across them is not reported unless a "
    "table of this report says so.",
)
_ETHICS = (
    "A missed metastatic axilla may be left untreated, a false alarm may cost a needless dissection: both errors are given.",
    "The data are pseudonymous; the model holds means, spreads and centers of features, no image and no patient's values.",
)
_CAVEATS = (
    "The groups come from the data alone. That Group 2 is metastatic is presumed, and holds only as far as the evaluation shows.",
    "Before use elsewhere, validate on local patients with known pathology, and train anew where scanners or outlining differ.",
)


def _facts(model: Mapping[str, Any], provenance: Mapping[str, Any], features: Sequence[str]) -> tuple[tuple[str, str], ...]:
    settings = model.get("settings") or {}
    dropped = len(model.get("dropped") or {})
    threshold = settings.get("correlation_threshold", DASH)
    facts = [
        ("Made by", f"axilla {(provenance.get('versions') or {}).get('axilla', __version__)}, Apache-2.0; readable JSON"),
        ("Kind", f"unsupervised: z-scores, correlation filter (|r| > {threshold}), K-means with k = 2; score d1 - d2"),
        ("Trained on", "synthetic data (simulated CTs)" if provenance.get("is_synthetic") else "data not labeled synthetic"),
        ("Training nodes", f"{provenance.get('n_nodes', DASH)} of {provenance.get('n_patients', DASH)} patients"),
        ("Group 1 / Group 2", f"{provenance.get('n_group_1', DASH)} / {provenance.get('n_group_2', DASH)} nodes"),
        ("Features used", f"{len(features)}; {dropped} not used"),
        ("Seed, starts", f"{settings.get('seed', DASH)}, {settings.get('n_init', DASH)}"),
        ("Trained with", plain(provenance.get("versions") or {}) or DASH),
        ("Fingerprint of the training data", str(provenance.get("data_sha256", DASH))[:16]),
    ]
    return tuple(facts)


def _training(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    kind = "simulated" if provenance.get("is_synthetic") else "not labeled synthetic"
    sentences = [
        f"{provenance.get('n_nodes', DASH)} nodes of {provenance.get('n_patients', DASH)} patients ({kind}), without labels; "
        f"{provenance.get('n_not_evaluable', DASH)} more had no features and were left out."
    ]
    measured = provenance.get("feature_settings") or {}
    if measured:
        sentences.append(f"Their features were measured with: {plain(measured)}.")
    return tuple(sentences)


def _evaluated(study: StudyReport | None) -> tuple[str, ...]:
    if study is None:
        return ("Not evaluated in this report; see the report of the study the model comes from.",)
    results = study.results
    level = level_words(results)
    sentences = []
    nodes = results.get("node_level") or {}
    if nodes.get("n"):
        area = nodes.get("auc_score") or {}
        measures = [f"{words} {_with_interval(nodes['rates'][name])}" for name, words in _MEASURES.items()]
        if area.get("estimate") is not None:
            interval, how = told_interval(area)
            low, high = number(interval["low"], 3), number(interval["high"], 3)
            measures.append(f"AUC of the score {number(area['estimate'], 3)} ({low} to {high}, {how})")
        sentences.append(f"{counted(nodes['n'], 'node')} with known status: {listed(measures)}.")
    for name, found in (results.get("patient_level") or {}).items():
        if name in COHORTS and found.get("n"):
            measures = [f"{words} {_with_interval(found['rates'][rate])}" for rate, words in _MEASURES.items()]
            sentences.append(f"{found['n']} {COHORTS[name].words}: {listed(measures)}.")
    if not sentences:
        return ("No node and no patient of this study has a known status.",)
    kind = "simulated patients" if study.is_synthetic or results.get("is_synthetic") else "patients"
    return (f"On the {kind} of this study, {level} intervals in brackets.", *sentences)


_MEASURES = {"ccr": "correct classification rate", "sensitivity": "sensitivity", "specificity": "specificity"}


def _with_interval(rate: Mapping[str, Any]) -> str:
    if rate.get("estimate") is None:
        return "not computable"
    return f"{percent(rate['estimate'])} ({percent(rate['low'])} to {percent(rate['high'])})"
