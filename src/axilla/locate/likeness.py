"""How much a hypothesis looks like a node: boosted decision trees over named measurements, fitted to synthetic nodes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from axilla.errors import InvalidValueError
from axilla.kernels.trees import sum_of_leaves
from axilla.locate.features import GROUPS, NAMES
from axilla.volume import FloatArray

_GROUP_OF = np.array([list(GROUPS).index(group) for group, names in GROUPS.items() for _ in names])


@dataclass(frozen=True)
class NodeModel:
    """Trees, each a table of its nodes; log odds are the intercept plus the value of the leaf reached in every tree.

    Parameters
    ----------
    intercept : float
        Log odds before any measurement.
    feature : ndarray of int, shape (trees, nodes)
        Column of `NAMES` that a node asks for; -1 at a leaf.
    threshold : ndarray, shape (trees, nodes)
        A value at most this goes left.
    left, right : ndarray of int, shape (trees, nodes)
        The nodes below; a leaf names itself.
    value : ndarray, shape (trees, nodes)
        Log odds of the training hypotheses that reached the node, against the intercept: the answer at a leaf, and what was known
        so far above it.
    """

    intercept: float
    feature: npt.NDArray[np.int64]
    threshold: FloatArray
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    value: FloatArray

    def log_odds(self, values: FloatArray) -> FloatArray:
        """Of being a node, for each row of measurements: ``(n, len(NAMES))`` in, ``(n,)`` out."""
        tables = (self.feature, self.threshold, self.left, self.right, self.value)
        return self.intercept + sum_of_leaves(np.ascontiguousarray(values), *tables)

    def evidence(self, row: FloatArray) -> dict[str, float]:
        """Log odds that each group of measurements adds or takes; with the intercept they sum to the answer.

        Every question on the way to a leaf changes what is known; the change counts for the group of the measurement asked for
        (Saabas' attribution, treeinterpreter, 2014).
        """
        gained = np.zeros(len(GROUPS))
        for tree in range(len(self.feature)):
            at = 0
            while (column := self.feature[tree, at]) >= 0:
                below = self.left[tree, at] if row[column] <= self.threshold[tree, at] else self.right[tree, at]
                gained[_GROUP_OF[column]] += self.value[tree, below] - self.value[tree, at]
                at = int(below)
        return dict(zip(GROUPS, gained.tolist(), strict=True))


@cache
def node_model() -> NodeModel:
    """The model that comes with axilla (``node_model.json`` beside this module says what it was fitted to)."""
    return parse_model(resources.files("axilla.locate").joinpath("node_model.json").read_text(encoding="utf-8"))


def parse_model(text: str) -> NodeModel:
    """A model from its JSON.

    Raises
    ------
    InvalidValueError
        If it asks for measurements that this version does not make.
    """
    data = json.loads(text)
    unknown = sorted(set(data["measurements"]) - set(NAMES))
    if unknown:
        raise InvalidValueError(f"The node model asks for measurements this version does not make: {', '.join(unknown)}.")
    column = np.array([-1, *(NAMES.index(name) for name in data["measurements"])])
    n = max(len(tree["feature"]) for tree in data["trees"])

    def table(key: str, fill: float) -> FloatArray:
        return np.array([tree[key] + [fill] * (n - len(tree[key])) for tree in data["trees"]], dtype=np.float64)

    return NodeModel(
        float(data["intercept"]), column[table("feature", -1).astype(np.int64) + 1], table("threshold", 0.0),
        table("left", 0).astype(np.int64), table("right", 0).astype(np.int64), table("value", 0.0),
    )  # fmt: skip
