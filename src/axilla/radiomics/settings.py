"""What a feature extraction may be told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.errors import UsageError
from axilla.volume import TripleFloat


@dataclass(frozen=True)
class RadiomicsSettings:
    """Settings of a feature extraction; the defaults are those of Qu et al. 2024 (PyRadiomics' defaults at 1 mm voxels).

    Raises
    ------
    UsageError
        If a value cannot be used.
    """

    voxel_spacing_xyz_mm: TripleFloat = (1.0, 1.0, 1.0)
    """Voxel size every node is resampled to, mm; equal for all nodes, because texture depends on it. An axis along which
    the region is one voxel thick keeps its own spacing."""

    bin_width: float = 25.0
    """Width of a gray-level bin, in the units of the image (HU); bin edges lie at its multiples. 25 HU gives nodes 10 to 20
    gray levels."""

    minimum_dimensions: int = 2
    """Smallest number of axes along which the resampled region must be longer than one voxel. Texture of a line means
    nothing."""

    def __post_init__(self) -> None:
        spacing = np.asarray(self.voxel_spacing_xyz_mm, dtype=np.float64)
        if spacing.shape != (3,) or not np.isfinite(spacing).all() or (spacing <= 0).any():
            raise UsageError(f"voxel_spacing_xyz_mm must be three positive numbers in mm, not {self.voxel_spacing_xyz_mm}.")
        if not (np.isfinite(self.bin_width) and self.bin_width > 0):
            raise UsageError(f"bin_width must be a positive number, not {self.bin_width}.")
        if self.minimum_dimensions not in (1, 2, 3):
            raise UsageError(f"minimum_dimensions must be 1, 2 or 3, not {self.minimum_dimensions}.")
        object.__setattr__(self, "voxel_spacing_xyz_mm", tuple(spacing.tolist()))
