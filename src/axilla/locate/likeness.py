"""How much a lump looks like a node: a logistic model of readable terms, fitted to synthetic nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

import numpy as np

from axilla.locate.crop import SideCrop
from axilla.locate.features import Lump
from axilla.locate.score import enhancement
from axilla.locate.star import Star

_GROUPS = {
    "size": ("log_thickness_mm", "log_volume_mm3", "log_below_3.6_mm", "log_below_2_slices"),
    "shape": (
        "log_elongation", "log_flatness", "log_flatness_over_1.4", "log_length_mm", "log_bend", "solidity", "through_share",
    ),
    "fat": ("fat_contact", "fat_contact_x_log_radius", "pad_share"),
    "neck": ("neck", "neck_over_0.4", "wall_neck", "opposition"),
    "density": ("density_above_fat", "enhancement", "enhancement_over_0.7"),
}  # fmt: skip
"""The terms by what a person would call them."""


@dataclass(frozen=True)
class NodeModel:
    """Weights of the terms: log odds = intercept + sum of weight * (value - typical value)."""

    intercept: float
    weights: Mapping[str, float]
    typical: Mapping[str, float]

    def evidence(self, terms: Mapping[str, float]) -> dict[str, float]:
        """Log odds that each group of terms adds or takes, against a typical lump."""
        return {
            group: float(sum(self.weights[name] * (terms[name] - self.typical[name]) for name in names))
            for group, names in _GROUPS.items()
        }

    def probability(self, evidence: Mapping[str, float]) -> float:
        """0-1."""
        return float(1 / (1 + np.exp(-np.clip(self.intercept + sum(evidence.values()), -50, 50))))


@cache
def node_model() -> NodeModel:
    """The model that comes with axilla (``node_model.json`` beside this module says what it was fitted to)."""
    data = json.loads(resources.files("axilla.locate").joinpath("node_model.json").read_text(encoding="utf-8"))
    terms = data["terms"]
    return NodeModel(
        float(data["intercept"]),
        MappingProxyType({name: float(term["weight"]) for name, term in terms.items()}),
        MappingProxyType({name: float(term["typical"]) for name, term in terms.items()}),
    )


def terms(lump: Lump, star: Star, opposition: float, crop: SideCrop) -> dict[str, float]:
    """The model's terms of one lump.

    Parameters
    ----------
    lump : Lump
    star : Star
    opposition : float
        Least cosine between the directions of two neighbors: -1 where something runs through, 1 with fewer than two.
    crop : SideCrop
    """
    share = enhancement(lump, crop)
    share = 0.0 if np.isnan(share) else float(np.clip(share, -1, 1.5))
    long, middle, short = lump.lengths_mm
    diameter = (6 * lump.volume_mm3 / np.pi) ** (1 / 3)
    flatness = float(np.log(middle / short))
    return {
        "log_thickness_mm": float(np.log(max(star.thickness_mm, 0.5))),
        "log_volume_mm3": float(np.log(lump.volume_mm3)),
        "fat_contact": lump.fat_contact,
        "fat_contact_x_log_radius": lump.fat_contact * float(np.log(lump.radius_mm)),
        "neck": lump.neck,
        "neck_over_0.4": float(np.clip(lump.neck - 0.4, 0, 1)),
        "log_elongation": float(np.log(lump.elongation)),
        "log_flatness": flatness,
        "log_flatness_over_1.4": max(0.0, flatness - float(np.log(1.4))),
        "solidity": lump.solidity,
        "log_bend": float(np.log(lump.bend)),
        "density_above_fat": float(np.clip((lump.peak_hu - crop.fat_hu) / (crop.muscle_hu - crop.fat_hu), 0, 1.3)),
        "enhancement": share,
        "enhancement_over_0.7": max(0.0, share - 0.7),
        "pad_share": lump.pad_share,
        "wall_neck": lump.wall_neck,
        "through_share": star.through_share,
        "opposition": opposition,
        "log_length_mm": float(np.log(long)),
        "log_below_3.6_mm": float(np.clip(np.log(3.6 / diameter), 0, 1)),
        "log_below_2_slices": float(np.clip(np.log(2 * crop.native_slice_mm / diameter), 0, 1)),
    }
