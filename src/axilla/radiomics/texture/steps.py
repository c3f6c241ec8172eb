"""Which voxels are neighbors."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import numpy.typing as npt


@lru_cache(maxsize=8)
def steps_at(distances: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Steps (z, y, x) to the voxels at some Chebyshev distances, one of each opposite pair, ``(n_steps, 3)``."""
    reach = range(max(distances), -max(distances) - 1, -1)
    steps = [s for s in itertools.product(reach, repeat=3) if s > (0, 0, 0) and max(map(abs, s)) in distances]
    return np.array(steps, dtype=np.int64)


UNIT_STEPS_ZYX = steps_at((1,))
"""The 13 directions of a 3D texture matrix: half of the 26 voxels around a voxel."""
