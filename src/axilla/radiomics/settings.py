"""What a feature extraction may be told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.errors import UsageError
from axilla.volume import TripleFloat

INTERPOLATORS = ("bspline", "linear", "nearest")
RESEGMENT_MODES = ("absolute", "relative", "sigma")
CONVENTIONS = ("pyradiomics", "ibsi")


@dataclass(frozen=True)
class RadiomicsSettings:
    """Settings of a feature extraction; the defaults are those of Qu et al. 2024 (PyRadiomics' defaults at 1 mm voxels).

    Raises
    ------
    UsageError
        If a value cannot be used.
    """

    voxel_spacing_xyz_mm: TripleFloat | None = (1.0, 1.0, 1.0)
    """Voxel size every node is resampled to, mm; equal for all nodes, because texture depends on it. An axis along which
    the region is one voxel thick keeps its own spacing. None: not resampled."""

    interpolator: str = "bspline"
    """How the CT is sampled on the new grid: bspline (cubic; PyRadiomics' default), linear or nearest."""

    bin_width: float = 25.0
    """Width of a gray-level bin, in the units of the image (HU); bin edges lie at its multiples. 25 HU gives nodes 10 to 20
    gray levels."""

    bin_count: int | None = None
    """Number of gray-level bins from the region's lowest to its highest value, instead of a width. None: by width, so that
    a level means the same in every node."""

    resegment_range: tuple[float, float] | None = None
    """Voxels whose value lies outside this closed range are left out, in HU or as `resegment_mode` says. None: all stay, as in
    the paper."""

    resegment_mode: str = "absolute"
    """What the range's ends are: absolute (values), relative (fractions of the region's highest value) or sigma (standard
    deviations from the region's mean)."""

    resegment_shape: bool = False
    """Whether the shape is that of the voxels left by resegmentation. PyRadiomics and IBSI keep the outlined shape."""

    outlier_sigma: float | None = None
    """Voxels farther than this many standard deviations from the mean are left out (IBSI 7ACA, which takes 3); mean and deviation
    are those of the voxels within the range. None: all stay, as in the paper."""

    convention: str = "pyradiomics"
    """Whose definitions hold where they differ: pyradiomics (the paper's) or ibsi (grid centered on the CT's, values of integer
    CT rounded, mask by linear interpolation, first bin at the lowest value, axis lengths over N - 1, excess kurtosis)."""

    distances: tuple[int, ...] = (1,)
    """Chebyshev distances, in voxels, at which two voxels are neighbors for co-occurrence, dependence and gray-tone difference.
    PyRadiomics' default: the 26 voxels around."""

    minimum_dimensions: int = 2
    """Smallest number of axes along which the resampled region must be longer than one voxel. Texture of a line means
    nothing."""

    minimum_size: int | None = None
    """A region must have more voxels than this after resampling. None: no such limit (PyRadiomics' default)."""

    gldm_alpha: float = 0.0
    """Largest difference of gray levels at which a neighbor still counts as alike (gldm); 0: the same level."""

    symmetrical_glcm: bool = True
    """Whether co-occurrences are counted both ways (IBSI, PyRadiomics' default)."""

    voxel_array_shift: float = 0.0
    """Added to the values in Energy, TotalEnergy and RootMeanSquared, HU; PyRadiomics' voxelArrayShift. 0: as IBSI defines
    them."""

    def __post_init__(self) -> None:
        if self.voxel_spacing_xyz_mm is not None:
            spacing = np.asarray(self.voxel_spacing_xyz_mm, dtype=np.float64)
            if spacing.shape != (3,) or not np.isfinite(spacing).all() or (spacing <= 0).any():
                raise UsageError(f"voxel_spacing_xyz_mm must be three positive numbers in mm, not {self.voxel_spacing_xyz_mm}.")
            object.__setattr__(self, "voxel_spacing_xyz_mm", tuple(spacing.tolist()))
        self._check_choices()
        self._check_numbers()
        if self.resegment_range is not None:
            ends = tuple(sorted(float(end) for end in self.resegment_range))
            if len(ends) != 2 or np.isnan(ends).any():
                raise UsageError(f"resegment_range must be two numbers, not {self.resegment_range}.")
            object.__setattr__(self, "resegment_range", ends)
        object.__setattr__(self, "distances", tuple(sorted({int(d) for d in self.distances})))

    def _check_choices(self) -> None:
        for name, choices in (
            ("interpolator", INTERPOLATORS),
            ("resegment_mode", RESEGMENT_MODES),
            ("convention", CONVENTIONS),
            ("minimum_dimensions", (1, 2, 3)),
        ):
            if getattr(self, name) not in choices:
                raise UsageError(f"{name} must be one of {', '.join(map(str, choices))}, not {getattr(self, name)}.")

    def _check_numbers(self) -> None:
        if not (np.isfinite(self.bin_width) and self.bin_width > 0):
            raise UsageError(f"bin_width must be a positive number, not {self.bin_width}.")
        if self.bin_count is not None and not (isinstance(self.bin_count, int) and self.bin_count >= 1):
            raise UsageError(f"bin_count must be a whole number of at least 1, not {self.bin_count}.")
        if self.minimum_size is not None and not (isinstance(self.minimum_size, int) and self.minimum_size >= 0):
            raise UsageError(f"minimum_size must be a whole number, not negative: {self.minimum_size}.")
        if self.outlier_sigma is not None and not (np.isfinite(self.outlier_sigma) and self.outlier_sigma > 0):
            raise UsageError(f"outlier_sigma must be a positive number, not {self.outlier_sigma}.")
        if not self.distances or any(d < 1 or int(d) != d for d in self.distances):
            raise UsageError(f"distances must be whole numbers of at least 1, not {self.distances}.")
        if not (np.isfinite(self.gldm_alpha) and self.gldm_alpha >= 0):
            raise UsageError(f"gldm_alpha must not be negative, not {self.gldm_alpha}.")
        if not np.isfinite(self.voxel_array_shift):
            raise UsageError(f"voxel_array_shift must be a finite number, not {self.voxel_array_shift}.")
