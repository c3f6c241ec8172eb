"""The clustering alone, as a scikit-learn estimator: no names, no orientation, clusters 0 and 1."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from axilla.model._selection import drop_correlated, is_constant
from axilla.model._settings import ModelSettings
from axilla.volume import FloatArray


class AxillaClusterer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """z-score, correlation filter and K-means in one estimator.

    Parameters
    ----------
    n_clusters : int
        Number of clusters; axilla's model always uses two.
    correlation_threshold : float
        Of two columns with |Pearson r| above this, the later in the walk is dropped.
    keep : str
        Order of the walk: ``"first"``, ``"last"`` or ``"least_correlated"``.
    n_init : int
        Starts of K-means (k-means++).
    random_state : int, RandomState or None
        Seed of K-means.

    Attributes
    ----------
    mean_, scale_ : ndarray, shape (n_features_in_,)
        Mean and sample standard deviation (ddof 1, as R's ``scale``) of each column.
    constant_ : ndarray of bool, shape (n_features_in_,)
        Columns dropped because they hold one value.
    dropped_ : dict of int to int
        Columns dropped for correlation, and the kept column each correlates with most.
    kept_ : ndarray of int
        Columns kept.
    cluster_centers_ : ndarray, shape (n_clusters, n_kept)
        Centers in z-scores.
    labels_ : ndarray of int, shape (n_samples,)
        Cluster of each training sample.
    inertia_ : float
        Sum of squared distances to the nearest center.
    """

    def __init__(
        self,
        n_clusters: int = 2,
        *,
        correlation_threshold: float = ModelSettings.correlation_threshold,
        keep: str = ModelSettings.keep,
        n_init: int = ModelSettings.n_init,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.correlation_threshold = correlation_threshold
        self.keep = keep
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Learn the z-score, the columns kept and the centers from ``(n_samples, n_features)``."""
        values = validate_data(self, X, dtype=np.float64, ensure_min_samples=max(2, self.n_clusters))
        self.mean_ = values.mean(axis=0)
        self.constant_ = is_constant(values)
        if self.constant_.all():
            raise ValueError("All features are constant: there is nothing to cluster.")
        self.scale_ = np.where(self.constant_, 1.0, values.std(axis=0, ddof=1))
        if not np.isfinite(self.scale_).all():
            raise ValueError("A feature's values are too large for its standard deviation to be a number.")
        varying = np.flatnonzero(~self.constant_)
        z = ((values - self.mean_) / self.scale_)[:, varying]
        kept, because = drop_correlated(z, self.correlation_threshold, self.keep)
        self.kept_ = varying[kept]
        self.dropped_ = {int(varying[column]): int(varying[other]) for column, other in because.items()}
        self._cluster(z[:, kept])
        return self

    def _cluster(self, z: FloatArray) -> None:
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        kmeans = KMeans(self.n_clusters, init="k-means++", n_init=self.n_init, random_state=seed)
        with threadpool_limits(1):  # threads add up in any order, and the last bits of the centers would change
            kmeans.fit(z)
        self.cluster_centers_ = kmeans.cluster_centers_
        self.labels_ = kmeans.labels_.astype(np.int64)
        self.inertia_ = float(kmeans.inertia_)
        self.n_iter_ = kmeans.n_iter_

    def transform(self, X: npt.ArrayLike) -> FloatArray:  # noqa: N803 - scikit-learn's signature
        """Distances ``(n_samples, n_clusters)`` to the centers, in z-scores."""
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        z = ((values - self.mean_) / self.scale_)[:, self.kept_]
        return distances(z, self.cluster_centers_)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int64]:  # noqa: N803 - scikit-learn's signature
        """Nearest center of each sample."""
        return np.asarray(self.transform(X).argmin(axis=1), dtype=np.int64)

    def score(self, X: npt.ArrayLike, y: object = None) -> float:  # noqa: ARG002, N803 - scikit-learn's signature
        """Minus the sum of squared distances to the nearest center, as scikit-learn's KMeans."""
        return -float((self.transform(X).min(axis=1) ** 2).sum())

    @property
    def _n_features_out(self) -> int:
        return int(self.cluster_centers_.shape[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def distances(z: FloatArray, centers: FloatArray) -> FloatArray:
    """Euclidean distances ``(n, n_centers)``, summed per row so that a row's result does not depend on the others."""
    return np.asarray(np.sqrt(((z[:, None, :] - centers[None, :, :]) ** 2).sum(axis=2)))
