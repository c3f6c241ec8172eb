"""All features, in the order of the table's columns, and how the shared quantities of their classes are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from axilla.radiomics import firstorder, shape
from axilla.radiomics._registry import Feature, registered
from axilla.radiomics.discretization import GrayLevels
from axilla.radiomics.resampling import Region
from axilla.radiomics.texture import glcm, gldm, glrlm, glszm, ngtdm

_Preparation: TypeAlias = Callable[[Region, GrayLevels], Any]

FEATURES: tuple[Feature, ...] = registered()
"""The 107 features."""

FEATURE_NAMES: tuple[str, ...] = tuple(entry.column for entry in FEATURES)
"""Their columns."""

PREPARATIONS: dict[str, _Preparation] = {
    "shape": lambda region, levels: shape.Shape.of(region),  # noqa: ARG005
    "firstorder": firstorder.FirstOrder.of,
    "glcm": lambda region, levels: glcm.Glcm.of(levels),  # noqa: ARG005
    "glrlm": lambda region, levels: glrlm.Glrlm.of(levels),  # noqa: ARG005
    "glszm": lambda region, levels: glszm.Glszm.of(levels),  # noqa: ARG005
    "gldm": lambda region, levels: gldm.Gldm.of(levels),  # noqa: ARG005
    "ngtdm": lambda region, levels: ngtdm.Ngtdm.of(levels),  # noqa: ARG005
}
"""By class: from a region to what its features share; done once per region."""
