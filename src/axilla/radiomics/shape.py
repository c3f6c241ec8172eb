"""Shape: the form of the region, whatever its gray values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.radiomics._registry import feature
from axilla.radiomics.mesh import Surface, measure_surface
from axilla.radiomics.resampling import Region
from axilla.volume import FloatArray

_NEGATIVE_ROUNDING = -1e-10
"""An eigenvalue between this and 0 is rounding and counts as 0; one below gives NaN (PyRadiomics' rule)."""

_AXES = "The covariance is divided by the number of voxels N; IBSI's values come from N - 1, sqrt(N / (N - 1)) as long."
_PLANES = "Between mesh vertices that share the coordinate, as in PyRadiomics; IBSI defines no planar diameter."


@dataclass(frozen=True)
class Shape:
    """A region's form.

    Parameters
    ----------
    surface : Surface
        Of its mesh.
    voxel_volume_mm3 : float
        Number of voxels times the volume of one.
    eigenvalues : ndarray, shape (3,)
        Of the covariance of the voxel centers (divided by N), ascending, mm2; NaN where negative beyond rounding.
    """

    surface: Surface
    voxel_volume_mm3: float
    eigenvalues: FloatArray

    @classmethod
    def of(cls, region: Region) -> Shape:
        """Of a region."""
        z, y, x = region.spacing_zyx_mm
        return cls(
            measure_surface(region.mask, region.spacing_zyx_mm),
            float(np.count_nonzero(region.mask) * (z * x * y)),
            principal_variances((np.argwhere(region.mask) + 1) * np.asarray(region.spacing_zyx_mm)),
        )


def principal_variances(points_mm: FloatArray) -> FloatArray:
    """Eigenvalues of the covariance (divided by N) of points ``(n, 3)``, ascending.

    For a flat region the smallest is rounding, and a root makes 1e-17 of it visible; PyRadiomics' own steps are followed (a
    general, not a symmetric solver; points counted from 1), so that on one machine both programs round alike.
    """
    centered = points_mm - np.mean(points_mm, axis=0)
    centered /= np.sqrt(len(points_mm))
    eigenvalues = np.linalg.eigvals(np.dot(centered.T.copy(), centered))
    eigenvalues[(eigenvalues < 0) & (eigenvalues > _NEGATIVE_ROUNDING)] = 0.0
    eigenvalues[eigenvalues < 0] = np.nan
    return np.asarray(np.sort(eigenvalues))


@feature("shape", "Elongation", ibsi="Q3CK")
def elongation(s: Shape) -> float:
    """``sqrt(minor / major)`` of the eigenvalues: 1 for a sphere, 0 for a line."""
    return float(np.sqrt(s.eigenvalues[1] / s.eigenvalues[2]))


@feature("shape", "Flatness", ibsi="N17B")
def flatness(s: Shape) -> float:
    """``sqrt(least / major)`` of the eigenvalues: 1 for a sphere, 0 for a plane."""
    return float(np.sqrt(s.eigenvalues[0] / s.eigenvalues[2]))


@feature("shape", "LeastAxisLength", unit="mm", ibsi="7J51", differs=_AXES)
def least_axis_length(s: Shape) -> float:
    """``4 sqrt(least eigenvalue)``: the least axis.

    An evenly filled ellipsoid has axes sqrt(5) / 2 times as long as these.
    """
    return float(np.sqrt(s.eigenvalues[0]) * 4)


@feature("shape", "MajorAxisLength", unit="mm", ibsi="TDIC", differs=_AXES)
def major_axis_length(s: Shape) -> float:
    """``4 sqrt(largest eigenvalue)``."""
    return float(np.sqrt(s.eigenvalues[2]) * 4)


@feature("shape", "Maximum2DDiameterColumn", unit="mm", differs=_PLANES)
def maximum_2d_diameter_column(s: Shape) -> float:
    """Largest distance between mesh vertices of equal y (coronal plane of an axial CT)."""
    return s.surface.diameters_in_plane_zyx_mm[1]


@feature("shape", "Maximum2DDiameterRow", unit="mm", differs=_PLANES)
def maximum_2d_diameter_row(s: Shape) -> float:
    """Largest distance between mesh vertices of equal x (sagittal plane of an axial CT)."""
    return s.surface.diameters_in_plane_zyx_mm[2]


@feature("shape", "Maximum2DDiameterSlice", unit="mm", differs=_PLANES)
def maximum_2d_diameter_slice(s: Shape) -> float:
    """Largest distance between mesh vertices of equal z (axial plane of an axial CT)."""
    return s.surface.diameters_in_plane_zyx_mm[0]


@feature("shape", "Maximum3DDiameter", unit="mm", ibsi="L0JK")
def maximum_3d_diameter(s: Shape) -> float:
    """Largest distance between mesh vertices."""
    return s.surface.diameter_mm


@feature("shape", "MeshVolume", unit="mm3", ibsi="RNU0")
def mesh_volume(s: Shape) -> float:
    """``sum(a . (b x c)) / 6`` over the triangles abc of the mesh."""
    return s.surface.volume_mm3


@feature("shape", "MinorAxisLength", unit="mm", ibsi="P9VJ", differs=_AXES)
def minor_axis_length(s: Shape) -> float:
    """``4 sqrt(middle eigenvalue)``."""
    return float(np.sqrt(s.eigenvalues[1]) * 4)


@feature("shape", "Sphericity", ibsi="QCFX")
def sphericity(s: Shape) -> float:
    """``(36 pi V**2)**(1/3) / A`` with the mesh's volume V and area A: 1 for a sphere, less otherwise."""
    return float((36 * np.pi * s.surface.volume_mm3**2) ** (1.0 / 3.0) / s.surface.area_mm2)


@feature("shape", "SurfaceArea", unit="mm2", ibsi="C0JK")
def surface_area(s: Shape) -> float:
    """``sum(|(b - a) x (c - a)|) / 2`` over the triangles abc of the mesh."""
    return s.surface.area_mm2


@feature("shape", "SurfaceVolumeRatio", unit="1/mm", ibsi="2PR5")
def surface_volume_ratio(s: Shape) -> float:
    """Mesh area over mesh volume."""
    return s.surface.area_mm2 / s.surface.volume_mm3


@feature("shape", "VoxelVolume", unit="mm3", ibsi="YEKZ")
def voxel_volume(s: Shape) -> float:
    """Number of voxels times the volume of one."""
    return s.voxel_volume_mm3
