"""From score to probability without labels: a mixture of two normal distributions on the training scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from axilla.errors import InvalidValueError
from axilla.volume import BoolArray, FloatArray

_MAX_STEPS = 10_000
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Mixture:
    """Two normal components with one common standard deviation on the score.

    The common standard deviation makes the probability of the upper component a logistic function of the score, hence
    monotone: a node with a higher score never gets a lower probability. It is *not* calibrated against pathology.

    Parameters
    ----------
    mean_1, mean_2 : float
        Mean score of the lower and the upper component; ``mean_1 <= mean_2``.
    sd : float
        Common standard deviation, positive.
    weight_2 : float
        Share of the upper component, strictly between 0 and 1.
    """

    mean_1: float
    mean_2: float
    sd: float
    weight_2: float

    def __post_init__(self) -> None:
        if not np.isfinite([self.mean_1, self.mean_2, self.sd, self.weight_2]).all():
            raise InvalidValueError("A mixture needs finite numbers.")
        if not (self.mean_1 <= self.mean_2 and self.sd > 0 and 0 < self.weight_2 < 1):
            raise InvalidValueError(
                "A mixture needs mean_1 <= mean_2, sd > 0 and 0 < weight_2 < 1, got "
                f"{self.mean_1}, {self.mean_2}, {self.sd}, {self.weight_2}."
            )

    def probability(self, score: npt.ArrayLike) -> FloatArray:
        """Probability of the upper component for scores of any shape."""
        middle = (self.mean_1 + self.mean_2) / 2
        slope = (self.mean_2 - self.mean_1) / self.sd**2
        prior = np.log(self.weight_2) - np.log1p(-self.weight_2)
        return np.asarray(expit(prior + slope * (np.asarray(score, dtype=np.float64) - middle)))


def fit_mixture(scores: FloatArray, is_upper: BoolArray) -> Mixture:
    """Expectation-maximization from the two groups (Dempster AP et al., J R Stat Soc B 1977;39:1-38); no chance involved.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Training scores; both groups non-empty.
    is_upper : ndarray of bool, shape (n,)
        Which start in the upper component.
    """
    smallest_sd = 1e-6 * float(np.ptp(scores)) + np.finfo(np.float64).tiny
    share = is_upper.astype(np.float64)
    mixture = _maximize(scores, share, smallest_sd)
    for _ in range(_MAX_STEPS):
        previous, share = share, mixture.probability(scores)
        mixture = _maximize(scores, share, smallest_sd)
        if np.abs(share - previous).max() < _TOLERANCE:
            break
    return mixture


def _maximize(scores: FloatArray, share: FloatArray, smallest_sd: float) -> Mixture:
    weight = float(np.clip(share.mean(), 1 / (2 * scores.size), 1 - 1 / (2 * scores.size)))
    mean_2 = float((share * scores).sum() / max(share.sum(), smallest_sd))
    mean_1 = float(((1 - share) * scores).sum() / max((1 - share).sum(), smallest_sd))
    variance = (share * (scores - mean_2) ** 2 + (1 - share) * (scores - mean_1) ** 2).mean()
    return Mixture(min(mean_1, mean_2), mean_2, max(float(np.sqrt(variance)), smallest_sd), weight)
