"""Paragraphs in plain words, written from the settings in force and the numbers found, never from memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from axilla.detectors import BUILT_IN


def methods_sentences(
    settings: Mapping[str, Mapping[str, Any]],
    model: Mapping[str, Any] | None,
    *,
    is_study: bool = False,
    seed: int | None = None,
    has_given_mask: bool = False,
    tools: Sequence[str] = (),
) -> list[str]:
    """What was done, with the values in force.

    Parameters
    ----------
    settings : mapping of str to mapping
        By stage; a value that is not there is left out of the sentence, not guessed.
    model : mapping or None
        ``model_to_dict``.
    is_study : bool
        Whether to describe the evaluation too.
    seed : int, optional
        The study's seed.
    has_given_mask : bool
        Whether the user brought the nodes' mask.
    tools : sequence of str
        What measured the nodes, where only their features were given.
    """
    if tools:
        sentences = [f"The nodes' features were given as tables, measured by {' and '.join(tools)}; no CT was seen by axilla."]
    else:
        sentences = [
            f"{_origin(settings.get('detector') or {}, has_given_mask)} described and shown as surfaces linked to their slices.",
            _features_sentence(settings.get("radiomics") or {}),
        ]
    if model:
        sentences += _model_sentences(model)
    if is_study:
        sentences += _evaluation_sentences(settings)
    if seed is not None:
        sentences.append(f"The study's seed was {seed}.")
    return [sentence for sentence in sentences if sentence]


def _origin(detector: Mapping[str, Any], has_given_mask: bool) -> str:
    """Where the nodes come from."""
    name = detector.get("name") or BUILT_IN
    if has_given_mask:
        return "The nodes are those of a mask given by the user; they were"
    if name == BUILT_IN:
        return "Candidates for axillary lymph nodes were located and segmented on the CT by axilla's own method,"
    weights = f", trained on {detector['trained_on']}" if detector.get("trained_on") else ""
    return f"The nodes were segmented by the detector '{name}'{weights}, which is not part of axilla; they were separated,"


def _features_sentence(radiomics: Mapping[str, Any]) -> str:
    parts = []
    spacing = radiomics.get("voxel_spacing_xyz_mm")
    if spacing is not None:
        parts.append(f"resampled to {' x '.join(f'{float(v):g}' for v in spacing)} mm")
    width = radiomics.get("bin_width")
    if width is not None:
        parts.append(f"with a bin width of {float(width):g} HU")
    how = ", " + " and ".join(parts) if parts else ""
    return (
        "From each node 107 radiomic features were extracted (shape 14, first order 18, GLCM 24, GLRLM 16, GLSZM 16, GLDM 14, "
        f"NGTDM 5){how}."
    )


def _model_sentences(model: Mapping[str, Any]) -> list[str]:
    provenance, settings = model.get("provenance") or {}, model.get("settings") or {}
    features, votes = model.get("features") or [], model.get("votes") or []
    kind = "synthetic " if provenance.get("is_synthetic") else ""
    sentences = [
        f"The model was trained without labels on {provenance.get('n_nodes')} {kind}nodes of {provenance.get('n_patients')} "
        f"patients: z-scores, removal of features with |Pearson r| > {settings.get('correlation_threshold')} "
        f"({len(features)} kept), and K-means with two clusters (k-means++, best of {settings.get('n_init')} starts, seed "
        f"{settings.get('seed')})."
    ]
    if votes:
        agreeing = sum(vote.get("agrees") is True for vote in votes)
        sentences.append(
            f"The cluster taken as Group 2 (presumed metastatic) was decided by a vote of {len(votes)} features on the clusters' "
            f"mean z-scores; {agreeing} agreed."
        )
    sentences.append(
        "A new node goes to the nearest center; its score is the distance to the center of Group 1 minus that to the center of "
        "Group 2, so that a higher score is more suspicious."
    )
    return sentences


def _evaluation_sentences(settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    evaluate = settings.get("evaluate") or {}
    sentences = [
        "Only nodes of the operated side count. A node's status is that of its axilla where all examined nodes agree "
        "(all metastatic or all benign); nodes without features are counted as not evaluable at every step.",
        "Intervals are 95 %; the method stands beside each. Model and clinical assessment were compared on the same patients by "
        "the exact McNemar test, two-sided.",
    ]
    if "n_resamples" in evaluate:
        sentences.append(
            f"Nodes of one patient are not independent: intervals by bootstrap over patients use {evaluate['n_resamples']} "
            f"resamples{', seed ' + str(evaluate['seed']) if 'seed' in evaluate else ''}."
        )
    return sentences
