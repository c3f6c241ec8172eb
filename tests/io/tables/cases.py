"""Three regions whose voxels are made from whole numbers alone, so that they are the same on every machine."""

from __future__ import annotations

import numpy as np

RADII_ZYX = {"P1": (9, 7, 6), "P2": (6, 5, 8), "P3": (10, 8, 9)}


def case(patient_id: str) -> tuple[np.ndarray, np.ndarray]:
    """CT (HU, from 0 upwards) and mask, ``(z, y, x)``, voxels of 1 mm: an ellipsoid with a hole off its center."""
    z, y, x = np.indices((34, 36, 40))
    a, b, c = RADII_ZYX[patient_id]
    inside = ((z - 16) * b * c) ** 2 + ((y - 18) * a * c) ** 2 + ((x - 20) * a * b) ** 2 < (a * b * c) ** 2
    hole = (z - 16) ** 2 + (y - 21) ** 2 + (x - 22) ** 2 < 9
    hu = ((z // 2) * 37 + (y // 3) * 53 + (x // 2) * 71 + a * x * y) % 130
    return hu.astype(np.int16), (inside & ~hole).astype(np.uint8)
