"""The trained model as a value: everything a prediction needs and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from axilla.errors import InvalidValueError
from axilla.model._mixture import Mixture
from axilla.model._settings import ModelSettings
from axilla.volume import FloatArray


@dataclass(frozen=True)
class Vote:
    """What one feature says on which cluster is group 2.

    Parameters
    ----------
    feature : str
    expected : str
        ``"higher"`` or ``"lower"`` in metastatic nodes.
    mean_z_1, mean_z_2 : float
        Mean training z-score of group 1 and group 2.
    agrees : bool or None
        Whether it agrees with the orientation taken; ``None`` when the difference is too small to vote.
    """

    feature: str
    expected: str
    mean_z_1: float
    mean_z_2: float
    agrees: bool | None


@dataclass(frozen=True)
class Provenance:
    """Where a model came from.

    Parameters
    ----------
    n_nodes, n_patients : int
        Training nodes used, and their patients.
    n_not_evaluable : int
        Nodes offered for training that had no features.
    n_group_1, n_group_2 : int
        Training nodes in each group.
    is_synthetic : bool
        Trained on simulated data; everything predicted with it must say so.
    data_sha256 : str
        Hash of the training nodes' identifiers and features.
    feature_settings : mapping
        How the features were extracted (bin width, voxel size, ...), as far as known.
    versions : mapping of str to str
        Versions of axilla, numpy and scikit-learn that trained it.
    """

    n_nodes: int
    n_patients: int
    n_not_evaluable: int
    n_group_1: int
    n_group_2: int
    is_synthetic: bool
    data_sha256: str
    feature_settings: Mapping[str, str | float | bool | None] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.n_group_1 + self.n_group_2 != self.n_nodes or min(self.n_group_1, self.n_group_2) < 1:
            raise InvalidValueError(
                f"The groups' {self.n_group_1} and {self.n_group_2} nodes do not make {self.n_nodes} training nodes."
            )
        object.__setattr__(self, "feature_settings", MappingProxyType(dict(self.feature_settings)))
        object.__setattr__(self, "versions", MappingProxyType(dict(self.versions)))


@dataclass(frozen=True)
class Model:
    """A trained model.

    Parameters
    ----------
    feature_names : tuple of str
        The features used, in registry order.
    mean, sd : ndarray, shape (n_features,)
        Mean and sample standard deviation (ddof 1) of the training nodes.
    centers : ndarray, shape (2, n_features)
        Centers in z-scores; row 0 is group 1 (presumed benign), row 1 group 2 (presumed metastatic).
    z_low, z_high : ndarray, shape (n_features,)
        Range of the training nodes' z-scores.
    distance_limit : float
        Largest distance of a training node to its center.
    dropped : mapping of str to str
        Features not used, each with the reason.
    group_means : mapping of str to (float, float)
        Mean training z-score of groups 1 and 2, of every feature that varies, used or not.
    votes : tuple of Vote
        The orientation vote.
    mixture : Mixture
        Gives `probability`.
    settings : ModelSettings
    provenance : Provenance
    warnings : tuple of str
        Sentences every reader of a prediction must see.

    Raises
    ------
    InvalidValueError
        If sizes disagree or a number is not finite.
    """

    feature_names: tuple[str, ...]
    mean: FloatArray
    sd: FloatArray
    centers: FloatArray
    z_low: FloatArray
    z_high: FloatArray
    distance_limit: float
    dropped: Mapping[str, str]
    group_means: Mapping[str, tuple[float, float]]
    votes: tuple[Vote, ...]
    mixture: Mixture
    settings: ModelSettings
    provenance: Provenance
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.feature_names)
        if n == 0 or len(set(self.feature_names)) != n:
            raise InvalidValueError("A model needs at least one feature, each named once.")
        for name, shape in {"mean": (n,), "sd": (n,), "centers": (2, n), "z_low": (n,), "z_high": (n,)}.items():
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != shape or not np.isfinite(array).all():
                raise InvalidValueError(f"The model's {name} must be finite numbers of shape {shape}, got shape {array.shape}.")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if (self.sd <= 0).any():
            raise InvalidValueError("The model's standard deviations must be positive.")
        if not (np.isfinite(self.distance_limit) and self.distance_limit >= 0):
            raise InvalidValueError(f"The model's distance limit must be a number >= 0, not {self.distance_limit}.")
        if not np.linalg.norm(self.centers[1] - self.centers[0]) > 0:
            raise InvalidValueError("The model's two centers coincide.")
        object.__setattr__(self, "dropped", MappingProxyType(dict(self.dropped)))
        object.__setattr__(self, "group_means", MappingProxyType(dict(self.group_means)))

    @property
    def center_distance(self) -> float:
        """Distance between the centers, in z-scores: the largest |score| possible."""
        return float(np.linalg.norm(self.centers[1] - self.centers[0]))

    def z_scores(self, values: FloatArray) -> FloatArray:
        """Features ``(n_nodes, n_features)`` of the used columns as z-scores."""
        return (values - self.mean) / self.sd
