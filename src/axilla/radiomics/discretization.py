"""Gray levels: which bin each voxel falls into, and which voxels count."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from axilla.errors import InputRefusedError
from axilla.radiomics.resampling import Region, check_mask
from axilla.radiomics.settings import RadiomicsSettings
from axilla.volume import BoolArray, bounding_box

MOST_BINS = 1_000_000
"""Bins from the lowest to the highest value; more come from values that are no Hounsfield units."""


def resegment(region: Region, settings: RadiomicsSettings) -> tuple[Region, Region]:
    """The region whose shape is measured, and the region whose gray values are.

    Voxels outside the resegmentation range, then outliers, are left out of the latter. PyRadiomics then also cuts the shape to
    its box.

    Raises
    ------
    InputRefusedError
        If too few voxels are left.
    """
    if settings.resegment_range is None and settings.outlier_sigma is None:
        return region, region
    kept = region.mask.copy()
    kept[region.mask] = _is_kept(region.voxels, settings)
    if np.count_nonzero(kept) <= 1:
        raise InputRefusedError(f"resegmentation leaves {np.count_nonzero(kept)} voxel(s), of which no features can be measured")
    box = bounding_box(kept)
    left = Region(np.where(kept, region.values, region.values.dtype.type(0))[box], kept[box], region.spacing_zyx_mm)
    check_mask(left.mask, settings)
    if settings.resegment_shape:
        return left, left
    if settings.convention == "ibsi":
        return region, left
    return Region(region.values[box], region.mask[box], region.spacing_zyx_mm), left


def _is_kept(voxels: npt.NDArray[Any], settings: RadiomicsSettings) -> BoolArray:
    """Which gray values ``(n,)`` stay: those within the range, and of them those that are no outliers."""
    is_kept = np.ones(len(voxels), dtype=bool)
    if settings.resegment_range is not None:
        low, high = settings.resegment_range
        if settings.resegment_mode == "relative":
            low, high = voxels.max() * low, voxels.max() * high
        elif settings.resegment_mode == "sigma":
            low, high = (np.mean(voxels) + np.std(voxels) * end for end in (low, high))
        is_kept = (voxels >= low) & (voxels <= high)
    if settings.outlier_sigma is not None and is_kept.any():
        left = voxels[is_kept].astype(np.float64)
        is_kept &= np.abs(voxels - left.mean()) <= settings.outlier_sigma * left.std()
    return is_kept


def bin_edges(values: npt.NDArray[Any], settings: RadiomicsSettings) -> npt.NDArray[Any]:
    """Lower edges of the gray levels' bins: by default ``floor(x / w) - floor(min / w) + 1`` is the level of a value x.

    Bins lie at the multiples of `bin_width`, from the one at or below the lowest value to beyond the highest. With `bin_count`
    they divide the way from the lowest to the highest value, which belongs to the last. IBSI's fixed bin size (Q3RU) starts the
    first bin at the resegmentation range or the lowest value. The edges are summed up in the image's own type, as PyRadiomics
    does, which decides about a floating value that lies on an edge.

    Parameters
    ----------
    values : ndarray, shape (n,)
    settings : RadiomicsSettings

    Returns
    -------
    ndarray, shape (n_bins,) or longer

    Raises
    ------
    InputRefusedError
        If the values reach over too many bins.
    """
    if values.dtype.kind in "iu":
        values = values.astype(np.int64)
    low, high = values.min(), values.max()
    if settings.bin_count is not None:
        return np.histogram_bin_edges(np.stack([low, high]), settings.bin_count)[:-1]
    if float(high) - float(low) > MOST_BINS * settings.bin_width:
        raise InputRefusedError(
            f"the region's values reach from {low} to {high}, over more than {MOST_BINS} bins: use wider ones"
        )
    width = int(settings.bin_width) if float(settings.bin_width).is_integer() else settings.bin_width
    start = low - low % width
    if settings.convention == "ibsi":
        start = low
        if (
            settings.resegment_range is not None
            and settings.resegment_mode == "absolute"
            and np.isfinite(settings.resegment_range[0])
        ):
            start = settings.resegment_range[0]
    return np.arange(start, high + 2 * width, width)
