"""From regions to their features: per region a few sums, made by kernels; then every feature of a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from axilla.errors import InputRefusedError
from axilla.kernels import gray, sums, surface, texture
from axilla.radiomics.catalog import FEATURES
from axilla.radiomics.discretization import bin_edges, resegment
from axilla.radiomics.firstorder import FirstOrder
from axilla.radiomics.mesh import cube_measures
from axilla.radiomics.resampling import IntArray, Region
from axilla.radiomics.settings import RadiomicsSettings
from axilla.radiomics.shape import Shape
from axilla.radiomics.texture.glcm import Glcm, maximal_correlations
from axilla.radiomics.texture.gldm import Gldm
from axilla.radiomics.texture.glrlm import Glrlm
from axilla.radiomics.texture.glszm import Glszm
from axilla.radiomics.texture.ngtdm import Ngtdm
from axilla.radiomics.texture.steps import UNIT_STEPS_ZYX, steps_at
from axilla.volume import BoolArray, FloatArray, TripleFloat

_NEGATIVE_ROUNDING = -1e-10
"""An eigenvalue between this and 0 is rounding and counts as 0; one below gives NaN (PyRadiomics' rule)."""

_FLAT = 1e-9
"""Below this ratio of the least to the largest eigenvalue, rounding is what the least one consists of."""


MOST_LEVELS = 2000
"""Gray levels of one region; their matrices of a square of this size are what memory allows."""

_MATRIX_CELLS = 1_000_000
"""Cells of the co-occurrence matrices held at a time: 8 MB, or one matrix."""


class Sums(NamedTuple):
    """What the features of one region are made of; each as the class of the same name takes it, without the regions' axis."""

    shape: FloatArray
    firstorder: FloatArray
    glcm: FloatArray
    glrlm: FloatArray
    glszm: FloatArray
    gldm: FloatArray
    ngtdm: FloatArray


def summarize(region: Region, settings: RadiomicsSettings) -> Sums:
    """The sums of one region.

    Raises
    ------
    InputRefusedError
        If resegmentation leaves too few voxels, or none can have a neighbor.
    """
    outlined, region = resegment(region, settings)
    steps = steps_at(settings.distances)
    if not (np.abs(steps) < region.mask.shape).all(axis=1).any():
        raise InputRefusedError(f"the region is too small for neighbors at distances {settings.distances}")
    values = region.voxels.astype(np.float64)
    edges = bin_edges(region.voxels, settings).astype(np.float64)
    mask = np.array(region.mask, order="C")  # of one layout, for which the kernel is compiled
    ranks, levels, counts = gray.discretize(values, edges, mask, max(settings.distances))
    if len(levels) > MOST_LEVELS:
        raise InputRefusedError(f"{len(levels)} gray levels occur, at most {MOST_LEVELS} can be measured: use wider bins")
    pairs, runs, zones, dependences, differences = texture.texture_cells(
        ranks, levels, steps, UNIT_STEPS_ZYX, float(settings.gldm_alpha), settings.symmetrical_glcm
    )
    n_voxels = differences[:, 1 if settings.convention == "ibsi" else 0].copy()
    return Sums(
        _shape_sums(outlined.mask, outlined.spacing_zyx_mm, settings),
        _value_sums(region, values, counts, settings),
        _glcm_sums(*pairs, levels),
        sums.size_sums(*runs, levels),
        sums.size_sums(*zones, levels),
        sums.size_sums(*dependences, levels),
        sums.difference_sums(n_voxels, differences[:, 2].copy(), levels),
    )


def features_of(regions: Sequence[Sums]) -> FloatArray:
    """All features of some regions ``(n_regions, 107)``, in the order of the columns; NaN where one has no value."""
    stacked = Sums(*(np.stack(column) for column in zip(*regions, strict=True)))
    shared = {
        "shape": Shape.of(stacked.shape),
        "firstorder": FirstOrder.of(stacked.firstorder),
        "glcm": Glcm.of(stacked.glcm),
        "glrlm": Glrlm.of(stacked.glrlm),
        "glszm": Glszm.of(stacked.glszm),
        "gldm": Gldm.of(stacked.gldm),
        "ngtdm": Ngtdm.of(stacked.ngtdm),
    }
    columns = []
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is reported, not warned of
        for name, quantities in shared.items():
            values = np.stack([entry.function(quantities) for entry in FEATURES if entry.feature_class == name])
            columns.append(values if values.ndim == 2 else _mean_over_directions(values))
    return np.concatenate(columns).T


def _mean_over_directions(values: FloatArray) -> FloatArray:
    """Mean over the last axis; a direction without a value is left out."""
    is_number = ~np.isnan(values)
    n = is_number.sum(axis=-1)
    total = np.where(is_number, values, 0.0).sum(axis=-1)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _glcm_sums(cells: IntArray, n_cells: IntArray, levels: FloatArray) -> FloatArray:
    """In the order of the fields of `Glcm`, per direction; few directions at a time where there are many levels."""
    at_once = max(1, _MATRIX_CELLS // len(levels) ** 2)
    parts = []
    for start in range(0, len(cells), at_once):
        per_direction, q = sums.pair_sums(cells[start : start + at_once], n_cells[start : start + at_once], levels)
        parts.append(np.column_stack([per_direction, maximal_correlations(q)]))
    return np.concatenate(parts)


def _shape_sums(mask: BoolArray, spacing_zyx_mm: TripleFloat, settings: RadiomicsSettings) -> FloatArray:
    """In the order of the fields of `Shape`."""
    padded = np.pad(mask, 1)
    cubes, moments = surface.mesh_counts(padded)
    area, volume = cube_measures(spacing_zyx_mm)
    diameters = np.sqrt(surface.squared_diameters(padded, np.asarray(spacing_zyx_mm) / 2))
    z, y, x = spacing_zyx_mm
    n = moments[0]
    variances = principal_variances(mask, moments, spacing_zyx_mm)
    if settings.convention == "ibsi":
        variances = variances * (n / (n - 1))
    return np.concatenate([[cubes[:, 0] @ area, (cubes * volume).sum()], diameters, [n * (z * x * y)], variances])


def principal_variances(mask: BoolArray, moments: FloatArray, spacing_zyx_mm: TripleFloat) -> FloatArray:
    """Eigenvalues of the covariance (divided by N) of a mask's voxel centers, ascending, mm2.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
    moments : ndarray, shape (10,)
        Of `axilla.kernels.surface.mesh_counts`.
    spacing_zyx_mm : tuple of float
    """
    n, first = moments[0], moments[1:4]
    zz, yy, xx, zy, zx, yx = moments[4:]
    scatter = n * np.array([[zz, zy, zx], [zy, yy, yx], [zx, yx, xx]]) - np.outer(first, first)
    eigenvalues = np.linalg.eigvalsh(scatter * np.outer(spacing_zyx_mm, spacing_zyx_mm) / n**2)
    if eigenvalues[0] < _FLAT * eigenvalues[2]:
        return _principal_variances_of_flat((np.argwhere(mask) + 1) * np.asarray(spacing_zyx_mm))
    return eigenvalues


def _principal_variances_of_flat(points_mm: FloatArray) -> FloatArray:
    """The same of points ``(n, 3)`` in a plane.

    The smallest is rounding, and a root makes 1e-17 of it visible; PyRadiomics' own steps are followed (a general, not a
    symmetric solver; points counted from 1), so that on one machine both programs round alike.
    """
    centered = points_mm - np.mean(points_mm, axis=0)
    centered /= np.sqrt(len(points_mm))
    eigenvalues = np.linalg.eigvals(np.dot(centered.T.copy(), centered))
    eigenvalues[(eigenvalues < 0) & (eigenvalues > _NEGATIVE_ROUNDING)] = 0.0
    eigenvalues[eigenvalues < 0] = np.nan
    return np.asarray(np.sort(eigenvalues))


def _value_sums(region: Region, values: FloatArray, counts: FloatArray, settings: RadiomicsSettings) -> FloatArray:
    """In the order of the fields of `FirstOrder`."""
    z, y, x = region.spacing_zyx_mm
    p = counts / len(values)
    entropy = -np.sum(p * np.log2(p + sums.EPSILON))
    offset = 3.0 if settings.convention == "ibsi" else 0.0
    # NumPy's mean decides whether a flat region has a variance: PyRadiomics uses it too
    moments = gray.value_sums(np.sort(region.voxels).astype(np.float64), float(values.mean()), float(settings.voxel_array_shift))
    return np.concatenate([moments, [entropy, np.sum(p**2), x * y * z, offset]])
