"""Gray levels: which bin each voxel falls into, and which voxels count."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from axilla.errors import InputRefusedError
from axilla.radiomics.resampling import Region, check_mask
from axilla.radiomics.settings import RadiomicsSettings
from axilla.volume import bounding_box


def resegment(region: Region, settings: RadiomicsSettings) -> tuple[Region, Region]:
    """The region whose shape is measured, and the region whose gray values are.

    Voxels outside the resegmentation range are left out of the latter. PyRadiomics then also cuts the shape to its box.

    Raises
    ------
    InputRefusedError
        If too few voxels are left.
    """
    if settings.resegment_range is None:
        return region, region
    voxels, low, high = region.voxels, *settings.resegment_range
    if settings.resegment_mode == "relative":
        low, high = voxels.max() * low, voxels.max() * high
    elif settings.resegment_mode == "sigma":
        low, high = (np.mean(voxels) + np.std(voxels) * end for end in (low, high))
    kept = region.mask.copy()
    kept[region.mask] = (voxels >= low) & (voxels <= high)
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
    """
    if values.dtype.kind in "iu":
        values = values.astype(np.int64)
    low, high = values.min(), values.max()
    if settings.bin_count is not None:
        return np.histogram_bin_edges(np.stack([low, high]), settings.bin_count)[:-1]
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
