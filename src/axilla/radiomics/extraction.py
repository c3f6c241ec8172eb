"""The stage: features of every segment of a segmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from axilla.errors import InputRefusedError
from axilla.node import Segment, Segmentation
from axilla.radiomics.catalog import FEATURE_NAMES, FEATURES, PREPARATIONS
from axilla.radiomics.discretization import discretize
from axilla.radiomics.resampling import Region, sample_region
from axilla.radiomics.settings import RadiomicsSettings
from axilla.table import ID_COLUMNS, NONFINITE, OK, REFUSED, STATUS_COLUMNS, FeatureTable
from axilla.volume import Volume

_DEFAULTS = RadiomicsSettings()


def extract(
    volume: Volume, segmentation: Segmentation, settings: RadiomicsSettings = _DEFAULTS, patient_id: str = ""
) -> FeatureTable:
    """Measure the 107 features of every segment.

    Parameters
    ----------
    volume : Volume
        The CT, HU. Whole, not cropped: the grid that nodes are resampled to hangs on its origin.
    segmentation : Segmentation
        The nodes, on the CT's grid. Each segment is one region, whatever its number of components; overlapping segments are each
        measured whole.
    settings : RadiomicsSettings
        How.
    patient_id : str
        Pseudonym written into each row.

    Returns
    -------
    FeatureTable
        One row per segment, in the order of the segments; `node_id` is the segment's name, or its label where it has none. A
        region that cannot be measured has a row of status ``refused`` whose reason says why; a feature that is not a finite
        number makes the row ``nonfinite`` and is named in the reason.

    Raises
    ------
    InputRefusedError
        If the segmentation is on another grid.
    """
    if not volume.geometry.is_same_grid(segmentation.geometry):
        raise InputRefusedError(
            f"The mask is not on the CT's grid: CT {_describe(volume)}, mask {_describe(segmentation)}; resample the mask first."
        )
    rows = [_row(volume, segment, settings, patient_id) for segment in segmentation.segments]
    return FeatureTable(pd.DataFrame(rows, columns=[*ID_COLUMNS, *FEATURE_NAMES, *STATUS_COLUMNS]))


def measure(region: Region, settings: RadiomicsSettings = _DEFAULTS) -> dict[str, float]:
    """The 107 features of one region, by column; not-a-number where one has no value."""
    levels = discretize(region, settings.bin_width)
    shared = {name: prepare(region, levels) for name, prepare in PREPARATIONS.items()}
    return {entry.column: _mean_over_directions(entry.function(shared[entry.feature_class])) for entry in FEATURES}


def _mean_over_directions(value: Any) -> float:
    """Mean of what is a number; a direction without a value is left out."""
    values = np.atleast_1d(np.asarray(value, dtype=np.float64))
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def _row(volume: Volume, segment: Segment, settings: RadiomicsSettings, patient_id: str) -> list[Any]:
    identity = [patient_id, segment.name or str(segment.label), segment.label]
    try:
        features = measure(sample_region(volume, segment, settings), settings)
    except InputRefusedError as refusal:
        return [*identity, *[float("nan")] * len(FEATURE_NAMES), REFUSED, str(refusal)]
    nonfinite = [name for name, value in features.items() if not np.isfinite(value)]
    status = NONFINITE if nonfinite else OK
    reason = f"not a finite number: {', '.join(nonfinite)}" if nonfinite else ""
    return [*identity, *features.values(), status, reason]


def _describe(item: Volume | Segmentation) -> str:
    geometry = item.geometry
    return f"{geometry.shape_zyx} voxels (z, y, x) of {geometry.spacing_xyz_mm} mm (x, y, z) from {geometry.origin_xyz_mm}"
