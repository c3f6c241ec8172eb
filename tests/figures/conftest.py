"""A small CT with two nodes whose places and sizes are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from axilla.node import Node, Segmentation
from axilla.volume import Acquisition, Geometry, Volume


@dataclass(frozen=True)
class SmallCase:
    volume: Volume
    segmentation: Segmentation
    nodes: tuple[Node, ...]


def make_case(axes=(0, 1, 2), flips=(False, False, False)) -> SmallCase:
    """A body of fat with a bright node on the patient's right, stored along any array axes and directions."""
    canonical = Geometry((20, 60, 80), (1.0, 1.0, 3.0), (-40.0, -30.0, 0.0))
    hu = np.full(canonical.shape_zyx, -1000, dtype=np.int16)
    hu[:, 5:55, 5:75] = -100
    masks = {"R01": np.zeros(hu.shape, dtype=bool), "L01": np.zeros(hu.shape, dtype=bool)}
    masks["R01"][9:12, 20:30, 14:26] = True  # right: small x
    masks["L01"][6:8, 30:36, 60:66] = True
    hu[masks["R01"]], hu[masks["L01"]] = 90, 60

    def stored(array):
        return np.flip(np.transpose(array, np.argsort(axes)), [axes[a] for a in range(3) if flips[a]])

    geometry = _stored_grid(canonical, axes, flips)
    segmentation = Segmentation.from_masks(geometry, [(name, stored(mask)) for name, mask in masks.items()])
    nodes = []
    for label, name in enumerate(masks, start=1):
        index = np.argwhere(stored(masks[name]))
        center = geometry.to_mm(index.mean(axis=0))
        volume = float(len(index) * geometry.voxel_volume_mm3)
        z = int(np.bincount(index[:, 0]).argmax())
        nodes.append(Node(name, label, name[0], "I", tuple(center), 6.0, 10.0, volume, 50.0, 0.8, z, z + 1, f"2.25.{z}"))
    return SmallCase(Volume(np.ascontiguousarray(stored(hu)), geometry, Acquisition()), segmentation, tuple(nodes))


def _stored_grid(canonical: Geometry, axes, flips) -> Geometry:
    """The grid whose ``canonical_permutation`` is `axes` and `flips`."""
    shape, spacing, columns = [0, 0, 0], [0.0, 0.0, 0.0], np.zeros((3, 3))
    start = np.zeros(3)
    for row, axis in enumerate(axes):
        shape[axis], spacing[axis] = canonical.shape_zyx[row], canonical.spacing_zyx_mm[row]
        columns[2 - row, axis] = -1 if flips[row] else 1  # LPS component 2 - row along array axis `axis`
        start[row] = canonical.shape_zyx[row] - 1 if flips[row] else 0
    direction = columns[:, ::-1]
    return Geometry(tuple(shape), tuple(spacing[::-1]), tuple(canonical.to_mm(start)), tuple(map(tuple, direction)))


@pytest.fixture
def small_case() -> SmallCase:
    return make_case()


@pytest.fixture
def case_maker():
    return make_case
