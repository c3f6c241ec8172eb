"""Training, in five steps: z-score, drop constant and correlated features, K-means, orientation vote, mixture.

Qu et al., Int J Surg 2024;110:5363-5373. Only the nodes given are looked at: nothing of validation data can reach the model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import sklearn

from axilla._version import __version__
from axilla.errors import InputRefusedError
from axilla.model._clusterer import AxillaClusterer, distances
from axilla.model._mixture import fit_mixture
from axilla.model._model import Model, Provenance, Vote
from axilla.model._selection import registry_order
from axilla.model._settings import ModelSettings
from axilla.table import FeatureTable
from axilla.volume import FloatArray

VOTERS: Mapping[str, str] = {
    "original_shape_LeastAxisLength": "higher",
    "original_shape_SurfaceVolumeRatio": "lower",
    "original_glcm_Idn": "higher",
    "original_glcm_Idm": "higher",
    "original_glcm_Correlation": "higher",
}
"""What Qu et al. 2024 (Figure 4) found in group 2, the presumed metastatic nodes."""


def train(
    table: FeatureTable,
    settings: ModelSettings = ModelSettings(),  # noqa: B008 - frozen
    *,
    is_synthetic: bool,
    feature_settings: Mapping[str, str | float | bool | None] | None = None,
) -> Model:
    """Learn two groups from unlabeled nodes.

    Parameters
    ----------
    table : FeatureTable
        The training nodes, and no others. Rows without features are counted and left out. The order of rows and columns
        does not matter.
    settings : ModelSettings
    is_synthetic : bool
        Whether the nodes come from simulated CT.
    feature_settings : mapping, optional
        How the features were extracted, written into the model.

    Raises
    ------
    InputRefusedError
        If there are too few nodes or varying features, a feature of the vote is missing, or the vote is unclear.
    """
    usable, names = _training_nodes(table, settings)
    values = usable.values(names)
    clusterer = _fit(values, settings)
    if len(clusterer.kept_) < settings.min_features:
        raise InputRefusedError(
            f"Expected at least {settings.min_features} features that vary and are not copies of each other, got "
            f"{len(clusterer.kept_)} of {len(names)}; give a table with more features or nodes."
        )
    z = (values - clusterer.mean_) / clusterer.scale_
    upper, votes = _vote(z, names, clusterer.labels_, settings)
    is_upper = clusterer.labels_ == upper
    kept = clusterer.kept_
    centers = clusterer.cluster_centers_[[1 - upper, upper]]
    to_centers = distances(z[:, kept], centers)
    varying = ~clusterer.constant_
    provenance = Provenance(
        n_nodes=len(usable),
        n_patients=int(usable.frame["patient_id"].nunique()),
        n_not_evaluable=len(table) - len(usable),
        n_group_1=int((~is_upper).sum()),
        n_group_2=int(is_upper.sum()),
        is_synthetic=is_synthetic,
        data_sha256=_fingerprint(usable, names),
        feature_settings=feature_settings or {},
        versions={"axilla": __version__, "numpy": np.__version__, "scikit-learn": sklearn.__version__},
    )
    return Model(
        feature_names=tuple(names[i] for i in kept),
        mean=clusterer.mean_[kept],
        sd=clusterer.scale_[kept],
        centers=centers,
        z_low=z[:, kept].min(axis=0),
        z_high=z[:, kept].max(axis=0),
        distance_limit=float(to_centers.min(axis=1).max()),
        dropped=_dropped(names, clusterer, values),
        group_means={n: (float(z[~is_upper, i].mean()), float(z[is_upper, i].mean())) for i, n in enumerate(names) if varying[i]},
        votes=votes,
        mixture=fit_mixture(to_centers[:, 0] - to_centers[:, 1], is_upper),
        settings=settings,
        provenance=provenance,
        warnings=_warnings(provenance, settings),
    )


def _training_nodes(table: FeatureTable, settings: ModelSettings) -> tuple[FeatureTable, tuple[str, ...]]:
    """Evaluable rows sorted by patient and node, and the features in registry order."""
    names = registry_order(table.feature_names)
    missing = [name for name in VOTERS if name not in names]
    if missing:
        raise InputRefusedError(
            f"Which group is metastatic is decided by {len(VOTERS)} features; the table lacks {', '.join(missing)}. "
            "Extract them (PyRadiomics' names) and train again."
        )
    usable = table.evaluable.frame.sort_values(["patient_id", "node_id"], kind="stable")
    if len(usable) < settings.min_nodes:
        raise InputRefusedError(
            f"Expected at least {settings.min_nodes} nodes with features for training, got {len(usable)} of {len(table)}; "
            "give more nodes."
        )
    return FeatureTable(usable), names


def _fit(values: FloatArray, settings: ModelSettings) -> AxillaClusterer:
    clusterer = AxillaClusterer(
        correlation_threshold=settings.correlation_threshold,
        keep=settings.keep,
        n_init=settings.n_init,
        random_state=settings.seed,
    )
    try:
        return clusterer.fit(values)
    except ValueError as error:
        raise InputRefusedError(f"These nodes cannot be grouped: {error}") from error


def _vote(
    z: FloatArray, names: Sequence[str], labels: npt.NDArray[np.int64], settings: ModelSettings
) -> tuple[int, tuple[Vote, ...]]:
    """The cluster that is group 2, and each feature's vote."""
    columns = {name: z[:, names.index(name)] for name in VOTERS}
    means = {name: (float(column[labels == 0].mean()), float(column[labels == 1].mean())) for name, column in columns.items()}
    choices = [_choice(means[name], expected, settings.min_vote_effect) for name, expected in VOTERS.items()]
    upper = 1 if choices.count(1) >= choices.count(0) else 0
    votes = tuple(
        Vote(name, expected, means[name][1 - upper], means[name][upper], None if choice is None else choice == upper)
        for (name, expected), choice in zip(VOTERS.items(), choices, strict=True)
    )
    if choices.count(upper) < settings.min_votes:
        told = ", ".join(f"{v.feature} {v.mean_z_1:+.2f} and {v.mean_z_2:+.2f}" for v in votes)
        raise InputRefusedError(
            f"It is unclear which group is metastatic: {choices.count(upper)} of {len(VOTERS)} features agree, "
            f"{settings.min_votes} are asked for (mean z-scores of the two groups: {told}); train on more or other nodes."
        )
    return upper, votes


def _choice(means: tuple[float, float], expected: str, min_effect: float) -> int | None:
    """The cluster a feature points to, or None when it cannot tell them apart."""
    difference = means[1] - means[0]
    if abs(difference) < min_effect:
        return None
    return int((difference > 0) == (expected == "higher"))


def _dropped(names: Sequence[str], clusterer: AxillaClusterer, values: FloatArray) -> dict[str, str]:
    reasons = {}
    for i, name in enumerate(names):
        if clusterer.constant_[i]:
            reasons[name] = f"constant ({values[0, i]:g})"
        elif i in clusterer.dropped_:
            other = clusterer.dropped_[i]
            r = float(np.corrcoef(values[:, i], values[:, other])[0, 1])
            reasons[name] = f"correlated with {names[other]} (r = {r:.3f})"
    return reasons


def _fingerprint(table: FeatureTable, names: Sequence[str]) -> str:
    """SHA-256 of identifiers, feature names and values (little-endian float64), rows and columns in fixed order."""
    digest = hashlib.sha256()
    for row in table.frame[["patient_id", "node_id"]].itertuples(index=False):
        digest.update(f"{row[0]}\t{row[1]}\n".encode())
    digest.update("\t".join(names).encode())
    digest.update(np.ascontiguousarray(table.values(names)).astype("<f8").tobytes())
    return digest.hexdigest()


def _warnings(provenance: Provenance, settings: ModelSettings) -> tuple[str, ...]:
    sentences = []
    if provenance.is_synthetic:
        sentences.append("The model was trained on synthetic data; its groups say nothing about real patients.")
    if provenance.n_nodes < settings.few_nodes:
        sentences.append(
            f"The model was trained on only {provenance.n_nodes} nodes of {provenance.n_patients} patients; "
            f"its groups are unstable below {settings.few_nodes} nodes."
        )
    smaller = min(provenance.n_group_1, provenance.n_group_2)
    if smaller < settings.small_group_share * provenance.n_nodes:
        sentences.append(
            f"One group holds only {smaller} of {provenance.n_nodes} training nodes; K-means may have split off outliers."
        )
    return tuple(sentences)
