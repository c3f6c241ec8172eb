"""Settings of training, prediction and the patient rule: every default of the room, once."""

from __future__ import annotations

from dataclasses import dataclass

from axilla.errors import InvalidValueError

KEEP_RULES = ("first", "last", "least_correlated")
"""Which feature of a correlated pair stays, see :attr:`ModelSettings.keep`."""

RULES = ("any", "at_least_k", "share", "max_score", "noisy_or")
"""From nodes to patient, see :class:`PatientRule`; the simplest first."""

CHOSEN = "chosen"
"""In place of a rule's name: the rule that the training patients choose."""


@dataclass(frozen=True)
class ModelSettings:
    """How a model is trained."""

    correlation_threshold: float = 0.9
    """Of two features with |Pearson r| above this one is dropped; Qu et al. 2024."""

    keep: str = "first"
    """Order of the walk that drops the later feature of a correlated pair: ``first`` keeps the one that comes first in the
    registry (shape, first order, GLCM, GLRLM, GLSZM, GLDM, NGTDM), ``last`` the one that comes last, ``least_correlated``
    the one with the lower mean |r| to all others. The paper does not say; ``first`` prefers shape, which a reader can see."""

    n_init: int = 50
    """Starts of K-means (k-means++), the best kept; at least 50, so that the result does not hang on the seed."""

    seed: int = 20240723
    """Seed of K-means."""

    min_nodes: int = 10
    """Training is refused with fewer evaluable nodes: centers of fewer would be single nodes."""

    few_nodes: int = 100
    """Below this number of nodes the model carries a warning; the paper had 1737."""

    min_features: int = 2
    """Training is refused when fewer features pass the filters."""

    small_group_share: float = 0.05
    """A group with a smaller share of the training nodes is warned about: K-means may have split off outliers."""

    min_votes: int = 4
    """How many of the five features of the orientation vote must agree on which cluster is group 2."""

    min_vote_effect: float = 0.1
    """A feature votes only if the clusters' mean training z-scores differ by at least this many SD; half of what is
    conventionally called a small effect."""

    def __post_init__(self) -> None:
        if not 0 < self.correlation_threshold <= 1:
            raise InvalidValueError(f"The correlation threshold lies in 0..1, not {self.correlation_threshold}.")
        if self.keep not in KEEP_RULES:
            raise InvalidValueError(f"Which correlated feature stays is one of {KEEP_RULES}, not {self.keep!r}.")
        if self.n_init < 50:
            raise InvalidValueError(f"K-means needs at least 50 starts to be reproducible, not {self.n_init}.")
        if not 0 <= self.seed < 2**32:
            raise InvalidValueError(f"The seed lies in 0..2^32-1, not {self.seed}.")
        if self.min_nodes < 4 or self.min_features < 1:
            raise InvalidValueError(f"Training needs >= 4 nodes and >= 1 feature, not {self.min_nodes} and {self.min_features}.")
        if not 3 <= self.min_votes <= 5 or self.min_vote_effect < 0:
            raise InvalidValueError(
                f"The vote needs 3..5 votes and an effect >= 0, got {self.min_votes}, {self.min_vote_effect}."
            )


@dataclass(frozen=True)
class PredictSettings:
    """When a prediction carries a warning."""

    indeterminate_margin: float = 0.1
    """A node is called indeterminate when |score| is below this share of the distance between the two centers (the largest
    score possible), i.e. when it lies in the middle tenth of the way from center to center."""

    far_sd: float = 3.0
    """A feature lies far outside the training data when it exceeds the range of the training nodes by more than this many
    training SD."""

    def __post_init__(self) -> None:
        if not 0 <= self.indeterminate_margin < 1:
            raise InvalidValueError(f"The indeterminate margin lies in 0..1, not {self.indeterminate_margin}.")
        if not self.far_sd >= 0:
            raise InvalidValueError(f"The limit of far values is a number of SD >= 0, not {self.far_sd}.")


@dataclass(frozen=True)
class PatientRule:
    """How the nodes of one axilla make one call.

    ==============  ==================================  ========================================
    name            metastatic when                     score of the patient
    ==============  ==================================  ========================================
    any             any node is in group 2              highest node score
    at_least_k      at least `k` nodes are in group 2   k-th highest node score
    share           share of group 2 >= `min_share`     share of nodes in group 2
    max_score       highest node score > `min_score`    highest node score
    noisy_or        1 - prod(1 - p) >= `min_noisy_or`   1 - prod(1 - p), p the node probabilities
    ==============  ==================================  ========================================

    The name ``chosen`` stands for the rule that the training patients choose (:func:`axilla.evaluate.choose_rule`).
    """

    name: str = "any"
    """The paper does not state its rule; ``any`` is what the words mean (an axilla is metastatic when a node is) and fits
    its counts if false positives cluster in patients. ``chosen`` takes the rule that the training patients choose, with its
    parameter (section ``rule_choice``)."""

    k: int = 2
    """Nodes asked for by ``at_least_k``; 2 forgives one false positive node."""

    min_share: float = 0.25
    """Share asked for by ``share``; between the paper's share of group 2 in benign (0.11) and in training patients (0.38)."""

    min_score: float = 0.0
    """Node score to exceed for ``max_score``; at 0 the rule equals ``any``."""

    min_noisy_or: float = 0.5
    """Probability asked for by ``noisy_or``; more likely than not."""

    def __post_init__(self) -> None:
        if self.name not in (*RULES, CHOSEN):
            raise InvalidValueError(f"A patient rule is one of {(*RULES, CHOSEN)}, not {self.name!r}.")
        if self.k < 1:
            raise InvalidValueError(f"The rule at_least_k needs k >= 1, not {self.k}.")
        if not (0 < self.min_share <= 1 and 0 < self.min_noisy_or <= 1):
            raise InvalidValueError(f"Rule thresholds lie in 0..1, not {self.min_share} and {self.min_noisy_or}.")

    @property
    def text(self) -> str:
        """The rule with its parameter, as written in ``patients.csv``."""
        parameter = {
            "at_least_k": f"at_least_{self.k}",
            "share": f"share>={self.min_share:g}",
            "max_score": f"max_score>{self.min_score:g}",
            "noisy_or": f"noisy_or>={self.min_noisy_or:g}",
        }
        return parameter.get(self.name, self.name)
