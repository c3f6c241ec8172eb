"""Gray-level run lengths: how long voxels of one level line up (Galloway 1975, Comput Graph Image Process 4:172-179).

One table per direction; every feature is computed per direction and averaged over the directions along which some line holds
two voxels of the region (IBSI: "averaged over 3D directions", ITBB). ``N(i, j)`` runs have level i and length j, ``N`` runs in
all, ``Nv`` voxels.
"""

from __future__ import annotations

from axilla.radiomics._registry import feature
from axilla.radiomics.texture.table import SizeTable
from axilla.volume import FloatArray


class Glrlm(SizeTable):
    """Runs by gray level and length, one matrix per direction."""


@feature("glrlm", "GrayLevelNonUniformity", ibsi="R5YN")
def gray_level_nonuniformity(t: Glrlm) -> FloatArray:
    """``sum_i(sum_j(N(i, j))**2) / N``."""
    return t.level_nonuniformity


@feature("glrlm", "GrayLevelNonUniformityNormalized", ibsi="OVBL")
def gray_level_nonuniformity_normalized(t: Glrlm) -> FloatArray:
    """``sum_i(sum_j(N(i, j))**2) / N**2``."""
    return t.level_nonuniformity / t.total


@feature("glrlm", "GrayLevelVariance", ibsi="8CE5")
def gray_level_variance(t: Glrlm) -> FloatArray:
    """``sum(p(i, j) (i - mu)**2)`` with ``p = N(i, j) / N``, ``mu = sum(p i)``."""
    return t.level_variance


@feature("glrlm", "HighGrayLevelRunEmphasis", ibsi="G3QZ")
def high_gray_level_run_emphasis(t: Glrlm) -> FloatArray:
    """``sum(N(i, j) i**2) / N``."""
    return t.high


@feature("glrlm", "LongRunEmphasis", ibsi="W4KF")
def long_run_emphasis(t: Glrlm) -> FloatArray:
    """``sum(N(i, j) j**2) / N``."""
    return t.long


@feature("glrlm", "LongRunHighGrayLevelEmphasis", ibsi="3KUM")
def long_run_high_gray_level_emphasis(t: Glrlm) -> FloatArray:
    """``sum(N(i, j) i**2 j**2) / N``."""
    return t.long_high


@feature("glrlm", "LongRunLowGrayLevelEmphasis", ibsi="IVPO")
def long_run_low_gray_level_emphasis(t: Glrlm) -> FloatArray:
    """``sum(N(i, j) j**2 / i**2) / N``."""
    return t.long_low


@feature("glrlm", "LowGrayLevelRunEmphasis", ibsi="V3SW")
def low_gray_level_run_emphasis(t: Glrlm) -> FloatArray:
    """``sum(N(i, j) / i**2) / N``."""
    return t.low


@feature("glrlm", "RunEntropy", unit="bit", ibsi="HJ9O")
def run_entropy(t: Glrlm) -> FloatArray:
    """``-sum(p log2(p + eps))`` with ``p = N(i, j) / N``."""
    return t.entropy


@feature("glrlm", "RunLengthNonUniformity", ibsi="W92Y")
def run_length_nonuniformity(t: Glrlm) -> FloatArray:
    """``sum_j(sum_i(N(i, j))**2) / N``."""
    return t.size_nonuniformity


@feature("glrlm", "RunLengthNonUniformityNormalized", ibsi="IC23")
def run_length_nonuniformity_normalized(t: Glrlm) -> FloatArray:
    """``sum_j(sum_i(N(i, j))**2) / N**2``."""
    return t.size_nonuniformity / t.total


@feature("glrlm", "RunPercentage", ibsi="9ZK5")
def run_percentage(t: Glrlm) -> FloatArray:
    """``N / Nv``."""
    return t.total / t.n_voxels


@feature("glrlm", "RunVariance", ibsi="SXLW")
def run_variance(t: Glrlm) -> FloatArray:
    """``sum(p(i, j) (j - mu)**2)`` with ``p = N(i, j) / N``, ``mu = sum(p j)``."""
    return t.size_variance


@feature("glrlm", "ShortRunEmphasis", ibsi="22OV")
def short_run_emphasis(t: Glrlm) -> FloatArray:
    """``sum(N(i, j) / j**2) / N``."""
    return t.short


@feature("glrlm", "ShortRunHighGrayLevelEmphasis", ibsi="GD3A")
def short_run_high_gray_level_emphasis(t: Glrlm) -> FloatArray:
    """``sum(N(i, j) i**2 / j**2) / N``."""
    return t.short_high


@feature("glrlm", "ShortRunLowGrayLevelEmphasis", ibsi="HTZT")
def short_run_low_gray_level_emphasis(t: Glrlm) -> FloatArray:
    """``sum(N(i, j) / (i**2 j**2)) / N``."""
    return t.short_low
