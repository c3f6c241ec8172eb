"""All features, in the order of the table's columns."""

from __future__ import annotations

from axilla.radiomics import firstorder, shape, texture
from axilla.radiomics._registry import Feature, registered

SOURCES = (shape, firstorder, texture.glcm, texture.glrlm, texture.glszm, texture.gldm, texture.ngtdm)
"""Modules that define features; importing them registers what they define."""

FEATURES: tuple[Feature, ...] = registered()
"""The 107 features."""

FEATURE_NAMES: tuple[str, ...] = tuple(entry.column for entry in FEATURES)
"""Their columns."""
