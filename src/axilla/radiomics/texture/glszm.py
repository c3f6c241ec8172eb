"""Gray-level size zones: how large the patches of one level are (Thibault 2009, Pattern Recogn Inform Process 140-145).

Zones are connected over faces, edges and corners. ``N(i, j)`` zones have level i and j voxels, ``N`` zones in all, ``Nv`` voxels.
"""

from __future__ import annotations

from axilla.radiomics._registry import feature
from axilla.radiomics.texture.table import SizeTable
from axilla.volume import FloatArray


class Glszm(SizeTable):
    """Zones by gray level and number of voxels; one matrix."""


@feature("glszm", "GrayLevelNonUniformity", ibsi="JNSA")
def gray_level_nonuniformity(t: Glszm) -> FloatArray:
    """``sum_i(sum_j(N(i, j))**2) / N``."""
    return t.level_nonuniformity


@feature("glszm", "GrayLevelNonUniformityNormalized", ibsi="Y1RO")
def gray_level_nonuniformity_normalized(t: Glszm) -> FloatArray:
    """``sum_i(sum_j(N(i, j))**2) / N**2``."""
    return t.level_nonuniformity / t.total


@feature("glszm", "GrayLevelVariance", ibsi="BYLV")
def gray_level_variance(t: Glszm) -> FloatArray:
    """``sum(p(i, j) (i - mu)**2)`` with ``p = N(i, j) / N``, ``mu = sum(p i)``."""
    return t.level_variance


@feature("glszm", "HighGrayLevelZoneEmphasis", ibsi="5GN9")
def high_gray_level_zone_emphasis(t: Glszm) -> FloatArray:
    """``sum(N(i, j) i**2) / N``."""
    return t.high


@feature("glszm", "LargeAreaEmphasis", ibsi="48P8")
def large_area_emphasis(t: Glszm) -> FloatArray:
    """``sum(N(i, j) j**2) / N``."""
    return t.long


@feature("glszm", "LargeAreaHighGrayLevelEmphasis", ibsi="J17V")
def large_area_high_gray_level_emphasis(t: Glszm) -> FloatArray:
    """``sum(N(i, j) i**2 j**2) / N``."""
    return t.long_high


@feature("glszm", "LargeAreaLowGrayLevelEmphasis", ibsi="YH51")
def large_area_low_gray_level_emphasis(t: Glszm) -> FloatArray:
    """``sum(N(i, j) j**2 / i**2) / N``."""
    return t.long_low


@feature("glszm", "LowGrayLevelZoneEmphasis", ibsi="XMSY")
def low_gray_level_zone_emphasis(t: Glszm) -> FloatArray:
    """``sum(N(i, j) / i**2) / N``."""
    return t.low


@feature("glszm", "SizeZoneNonUniformity", ibsi="4JP3")
def size_zone_nonuniformity(t: Glszm) -> FloatArray:
    """``sum_j(sum_i(N(i, j))**2) / N``."""
    return t.size_nonuniformity


@feature("glszm", "SizeZoneNonUniformityNormalized", ibsi="VB3A")
def size_zone_nonuniformity_normalized(t: Glszm) -> FloatArray:
    """``sum_j(sum_i(N(i, j))**2) / N**2``."""
    return t.size_nonuniformity / t.total


@feature("glszm", "SmallAreaEmphasis", ibsi="5QRC")
def small_area_emphasis(t: Glszm) -> FloatArray:
    """``sum(N(i, j) / j**2) / N``."""
    return t.short


@feature("glszm", "SmallAreaHighGrayLevelEmphasis", ibsi="HW1V")
def small_area_high_gray_level_emphasis(t: Glszm) -> FloatArray:
    """``sum(N(i, j) i**2 / j**2) / N``."""
    return t.short_high


@feature("glszm", "SmallAreaLowGrayLevelEmphasis", ibsi="5RAI")
def small_area_low_gray_level_emphasis(t: Glszm) -> FloatArray:
    """``sum(N(i, j) / (i**2 j**2)) / N``."""
    return t.short_low


@feature("glszm", "ZoneEntropy", unit="bit", ibsi="GU8N")
def zone_entropy(t: Glszm) -> FloatArray:
    """``-sum(p log2(p + eps))`` with ``p = N(i, j) / N``."""
    return t.entropy


@feature("glszm", "ZonePercentage", ibsi="P30P")
def zone_percentage(t: Glszm) -> FloatArray:
    """``N / Nv``."""
    return t.total / t.n_voxels


@feature("glszm", "ZoneVariance", ibsi="3NSA")
def zone_variance(t: Glszm) -> FloatArray:
    """``sum(p(i, j) (j - mu)**2)`` with ``p = N(i, j) / N``, ``mu = sum(p j)``."""
    return t.size_variance
