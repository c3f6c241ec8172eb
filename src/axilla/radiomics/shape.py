"""Shape: the form of the region, whatever its gray values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from axilla.radiomics._registry import feature
from axilla.volume import FloatArray

_AXES = "The covariance is divided by the number of voxels N; IBSI's values come from N - 1, sqrt(N / (N - 1)) as long."
_PLANES = "Between mesh vertices that share the coordinate, as in PyRadiomics; IBSI defines no planar diameter."


@dataclass(frozen=True)
class Shape:
    """The form of many regions, each ``(n_regions,)``.

    Parameters
    ----------
    area_mm2, volume_mm3 : ndarray
        Of the mesh.
    diameter_mm, diameter_z_mm, diameter_y_mm, diameter_x_mm : ndarray
        Largest distance between two vertices of the mesh: over all, over those of equal z, equal y, equal x.
    voxel_volume_mm3 : ndarray
        Number of voxels times the volume of one.
    least, minor, major : ndarray
        Eigenvalues of the covariance of the voxel centers, mm2; NaN where negative beyond rounding.
    """

    area_mm2: FloatArray
    volume_mm3: FloatArray
    diameter_mm: FloatArray
    diameter_z_mm: FloatArray
    diameter_y_mm: FloatArray
    diameter_x_mm: FloatArray
    voxel_volume_mm3: FloatArray
    least: FloatArray
    minor: FloatArray
    major: FloatArray

    @classmethod
    def of(cls, sums: FloatArray) -> Self:
        """Of sums ``(n_regions, 10)`` in this order."""
        return cls(*sums.T)


@feature("shape", "Elongation", ibsi="Q3CK")
def elongation(s: Shape) -> FloatArray:
    """``sqrt(minor / major)`` of the eigenvalues: 1 for a sphere, 0 for a line."""
    return np.asarray(np.sqrt(s.minor / s.major))


@feature("shape", "Flatness", ibsi="N17B")
def flatness(s: Shape) -> FloatArray:
    """``sqrt(least / major)`` of the eigenvalues: 1 for a sphere, 0 for a plane."""
    return np.asarray(np.sqrt(s.least / s.major))


@feature("shape", "LeastAxisLength", unit="mm", ibsi="7J51", differs=_AXES)
def least_axis_length(s: Shape) -> FloatArray:
    """``4 sqrt(least eigenvalue)``: the least axis.

    An evenly filled ellipsoid has axes sqrt(5) / 2 times as long as these.
    """
    return np.asarray(np.sqrt(s.least) * 4)


@feature("shape", "MajorAxisLength", unit="mm", ibsi="TDIC", differs=_AXES)
def major_axis_length(s: Shape) -> FloatArray:
    """``4 sqrt(largest eigenvalue)``."""
    return np.asarray(np.sqrt(s.major) * 4)


@feature("shape", "Maximum2DDiameterColumn", unit="mm", differs=_PLANES)
def maximum_2d_diameter_column(s: Shape) -> FloatArray:
    """Largest distance between mesh vertices of equal y (coronal plane of an axial CT)."""
    return s.diameter_y_mm


@feature("shape", "Maximum2DDiameterRow", unit="mm", differs=_PLANES)
def maximum_2d_diameter_row(s: Shape) -> FloatArray:
    """Largest distance between mesh vertices of equal x (sagittal plane of an axial CT)."""
    return s.diameter_x_mm


@feature("shape", "Maximum2DDiameterSlice", unit="mm", differs=_PLANES)
def maximum_2d_diameter_slice(s: Shape) -> FloatArray:
    """Largest distance between mesh vertices of equal z (axial plane of an axial CT)."""
    return s.diameter_z_mm


@feature("shape", "Maximum3DDiameter", unit="mm", ibsi="L0JK")
def maximum_3d_diameter(s: Shape) -> FloatArray:
    """Largest distance between mesh vertices."""
    return s.diameter_mm


@feature("shape", "MeshVolume", unit="mm3", ibsi="RNU0")
def mesh_volume(s: Shape) -> FloatArray:
    """``sum(a . (b x c)) / 6`` over the triangles abc of the mesh."""
    return s.volume_mm3


@feature("shape", "MinorAxisLength", unit="mm", ibsi="P9VJ", differs=_AXES)
def minor_axis_length(s: Shape) -> FloatArray:
    """``4 sqrt(middle eigenvalue)``."""
    return np.asarray(np.sqrt(s.minor) * 4)


@feature("shape", "Sphericity", ibsi="QCFX")
def sphericity(s: Shape) -> FloatArray:
    """``(36 pi V**2)**(1/3) / A`` with the mesh's volume V and area A: 1 for a sphere, less otherwise."""
    return (36 * np.pi * s.volume_mm3**2) ** (1.0 / 3.0) / s.area_mm2


@feature("shape", "SurfaceArea", unit="mm2", ibsi="C0JK")
def surface_area(s: Shape) -> FloatArray:
    """``sum(|(b - a) x (c - a)|) / 2`` over the triangles abc of the mesh."""
    return s.area_mm2


@feature("shape", "SurfaceVolumeRatio", unit="1/mm", ibsi="2PR5")
def surface_volume_ratio(s: Shape) -> FloatArray:
    """Mesh area over mesh volume."""
    return s.area_mm2 / s.volume_mm3


@feature("shape", "VoxelVolume", unit="mm3", ibsi="YEKZ")
def voxel_volume(s: Shape) -> FloatArray:
    """Number of voxels times the volume of one."""
    return s.voxel_volume_mm3
