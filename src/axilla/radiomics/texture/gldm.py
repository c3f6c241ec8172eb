"""Gray-level dependence: how many neighbors a voxel has that are like it.

Defined by Sun & Wee 1983, Comput Vis Graph Image Process 23:341-352.

``N(i, j)`` voxels have level i and j - 1 of their 26 neighbors at the same level, ``N`` voxels in all. IBSI calls it the
neighboring gray-level dependence matrix.
"""

from __future__ import annotations

from axilla.radiomics._registry import feature
from axilla.radiomics.texture.table import SizeTable
from axilla.volume import FloatArray


class Gldm(SizeTable):
    """Voxels by gray level and dependence; one matrix."""


@feature("gldm", "DependenceEntropy", unit="bit", ibsi="FCBV")
def dependence_entropy(t: Gldm) -> FloatArray:
    """``-sum(p log2(p + eps))`` with ``p = N(i, j) / N``."""
    return t.entropy


@feature("gldm", "DependenceNonUniformity", ibsi="Z87G")
def dependence_nonuniformity(t: Gldm) -> FloatArray:
    """``sum_j(sum_i(N(i, j))**2) / N``."""
    return t.size_nonuniformity


@feature("gldm", "DependenceNonUniformityNormalized", ibsi="OKJI")
def dependence_nonuniformity_normalized(t: Gldm) -> FloatArray:
    """``sum_j(sum_i(N(i, j))**2) / N**2``."""
    return t.size_nonuniformity / t.total


@feature("gldm", "DependenceVariance", ibsi="DNX2")
def dependence_variance(t: Gldm) -> FloatArray:
    """``sum(p(i, j) (j - mu)**2)`` with ``p = N(i, j) / N``, ``mu = sum(p j)``."""
    return t.size_variance


@feature("gldm", "GrayLevelNonUniformity", ibsi="FP8K")
def gray_level_nonuniformity(t: Gldm) -> FloatArray:
    """``sum_i(sum_j(N(i, j))**2) / N``."""
    return t.level_nonuniformity


@feature("gldm", "GrayLevelVariance", ibsi="1PFV")
def gray_level_variance(t: Gldm) -> FloatArray:
    """``sum(p(i, j) (i - mu)**2)`` with ``p = N(i, j) / N``, ``mu = sum(p i)``."""
    return t.level_variance


@feature("gldm", "HighGrayLevelEmphasis", ibsi="OAE7")
def high_gray_level_emphasis(t: Gldm) -> FloatArray:
    """``sum(N(i, j) i**2) / N``."""
    return t.high


@feature("gldm", "LargeDependenceEmphasis", ibsi="IMOQ")
def large_dependence_emphasis(t: Gldm) -> FloatArray:
    """``sum(N(i, j) j**2) / N``."""
    return t.long


@feature("gldm", "LargeDependenceHighGrayLevelEmphasis", ibsi="9QMG")
def large_dependence_high_gray_level_emphasis(t: Gldm) -> FloatArray:
    """``sum(N(i, j) i**2 j**2) / N``."""
    return t.long_high


@feature("gldm", "LargeDependenceLowGrayLevelEmphasis", ibsi="NBZI")
def large_dependence_low_gray_level_emphasis(t: Gldm) -> FloatArray:
    """``sum(N(i, j) j**2 / i**2) / N``."""
    return t.long_low


@feature("gldm", "LowGrayLevelEmphasis", ibsi="TL9H")
def low_gray_level_emphasis(t: Gldm) -> FloatArray:
    """``sum(N(i, j) / i**2) / N``."""
    return t.low


@feature("gldm", "SmallDependenceEmphasis", ibsi="SODN")
def small_dependence_emphasis(t: Gldm) -> FloatArray:
    """``sum(N(i, j) / j**2) / N``."""
    return t.short


@feature("gldm", "SmallDependenceHighGrayLevelEmphasis", ibsi="JA6D")
def small_dependence_high_gray_level_emphasis(t: Gldm) -> FloatArray:
    """``sum(N(i, j) i**2 / j**2) / N``."""
    return t.short_high


@feature("gldm", "SmallDependenceLowGrayLevelEmphasis", ibsi="EQ3F")
def small_dependence_low_gray_level_emphasis(t: Gldm) -> FloatArray:
    """``sum(N(i, j) / (i**2 j**2)) / N``."""
    return t.short_low
