"""The stage: features of every segment of a segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd

from axilla.errors import InputRefusedError, UsageError
from axilla.node import Segment, Segmentation
from axilla.radiomics.catalog import FEATURE_NAMES
from axilla.radiomics.measurement import Sums, features_of, summarize
from axilla.radiomics.resampling import Region, sample_region
from axilla.radiomics.settings import RadiomicsSettings
from axilla.table import NONFINITE, OK, REFUSED, FeatureTable
from axilla.volume import FloatArray, Volume

_DEFAULTS = RadiomicsSettings()
_COLUMNS = pd.Index(FEATURE_NAMES)

_BATCH = 256
"""Regions whose features are computed together: enough to share what a call of NumPy costs, 2 MB of sums."""


def extract(
    volume: Volume,
    segmentation: Segmentation,
    settings: RadiomicsSettings = _DEFAULTS,
    patient_id: str = "",
    jobs: int = 1,
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
    jobs : int
        Threads; the kernels run side by side, and the result is the same for any number.

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
    UsageError
        If `jobs` is not positive.
    """
    if not volume.geometry.is_same_grid(segmentation.geometry):
        raise InputRefusedError(
            f"The mask is not on the CT's grid: CT {_describe(volume)}, mask {_describe(segmentation)}; resample the mask first."
        )
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, not {jobs}.")
    segments = segmentation.segments
    work = partial(_summarize_or_refuse, volume, settings)
    features, status = np.full((len(segments), len(FEATURE_NAMES)), np.nan), []
    with ThreadPoolExecutor(jobs) as pool:
        each = map if jobs == 1 or len(segments) < 2 else pool.map
        for start in range(0, len(segments), _BATCH):
            outcomes = list(each(work, segments[start : start + _BATCH]))
            rows = features[start : start + _BATCH]
            rows[:] = _features_of_outcomes(outcomes)
            status += [_status(outcome, values) for outcome, values in zip(outcomes, rows, strict=True)]
    nodes = {
        "patient_id": [patient_id] * len(segments),
        "node_id": [segment.name or str(segment.label) for segment in segments],
        "feature_status": [word for word, _ in status],
        "reason": [reason for _, reason in status],
    }
    return FeatureTable.of_values(nodes, [segment.label for segment in segments], _COLUMNS, features)


def measure(region: Region, settings: RadiomicsSettings = _DEFAULTS) -> dict[str, float]:
    """The 107 features of one region, by column; not-a-number where one has no value.

    Raises
    ------
    InputRefusedError
        If resegmentation leaves too few voxels.
    """
    return dict(zip(FEATURE_NAMES, features_of([summarize(region, settings)])[0].tolist(), strict=True))


def _summarize_or_refuse(volume: Volume, settings: RadiomicsSettings, segment: Segment) -> Sums | str:
    """A segment's sums, or why it has none."""
    try:
        return summarize(sample_region(volume, segment, settings), settings)
    except InputRefusedError as refusal:
        return str(refusal)


def _features_of_outcomes(outcomes: Sequence[Sums | str]) -> FloatArray:
    """One row of features per outcome ``(n, 107)``; NaN where there are no sums."""
    features = np.full((len(outcomes), len(FEATURE_NAMES)), np.nan)
    measured = [row for row, outcome in enumerate(outcomes) if isinstance(outcome, Sums)]
    if measured:
        features[measured] = features_of([outcome for outcome in outcomes if isinstance(outcome, Sums)])
    return features


def _status(outcome: Sums | str, values: FloatArray) -> tuple[str, str]:
    if isinstance(outcome, str):
        return REFUSED, outcome
    nonfinite = [name for name, is_finite in zip(FEATURE_NAMES, np.isfinite(values), strict=True) if not is_finite]
    return (NONFINITE, f"not a finite number: {', '.join(nonfinite)}") if nonfinite else (OK, "")


def _describe(item: Volume | Segmentation) -> str:
    geometry = item.geometry
    return f"{geometry.shape_zyx} voxels (z, y, x) of {geometry.spacing_xyz_mm} mm (x, y, z) from {geometry.origin_xyz_mm}"
