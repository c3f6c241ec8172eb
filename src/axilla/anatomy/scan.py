"""One CT with what is known of it once its chest is found: what the later steps share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from axilla.anatomy.chest import Chest
from axilla.anatomy.noun import CoarseGrid
from axilla.volume import BoolArray, FloatArray, TripleFloat

SIGN = {"R": -1.0, "L": 1.0}
"""Direction of each side along the canonical x axis, which grows to the patient's left."""


@dataclass(frozen=True)
class Scan:
    """The CT in canonical order, and on the coarse grid where not said otherwise."""

    canonical_hu: npt.NDArray[np.int16 | np.float32]
    """The CT's own voxels."""
    grid: CoarseGrid
    hu: npt.NDArray[np.float32]
    inner: BoolArray
    """The body without skin."""
    chest: Chest
    fat_hu: float
    muscle_hu: float
    blood_hu: float

    @property
    def spacing(self) -> TripleFloat:
        """Size of a coarse voxel (z, y, x), mm."""
        return self.grid.spacing_zyx_mm

    @property
    def half_width_mm(self) -> float:
        """Half width of the lungs, mm."""
        return self.chest.half_width_vox * self.spacing[2]

    def slices(self, below_apex_mm: float, above_apex_mm: float) -> slice:
        """Coarse slices between two heights."""
        apex, dz = self.chest.apex_vox, self.spacing[0]
        last = min(self.chest.hull.shape[0] - 1, int(apex + above_apex_mm / dz))
        return slice(max(0, int(apex - below_apex_mm / dz)), last + 1)

    def above_apex_mm(self, slices: slice) -> FloatArray:
        """Height of coarse slices above the lung apex, mm."""
        return np.asarray((np.arange(slices.start, slices.stop) - self.chest.apex_vox) * self.spacing[0], dtype=np.float64)
