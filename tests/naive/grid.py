"""Slow twin of `axilla.kernels.grid`."""

import numpy as np


def sample_mask(mask, mask_start, size, n_new, to_point, to_index):
    """Positions by one matrix product each, without ITK's way along a line."""
    nx, ny, nz = n_new
    inside, places = np.zeros((nz, ny, nx), dtype=bool), []
    for z, y, x in np.ndindex(nz, ny, nx):
        point = to_point[:, :3] @ (x, y, z) + to_point[:, 3]
        place = to_index[:, :3] @ (point - to_index[:, 3])
        nearest = np.floor(place + 0.5).astype(int) - mask_start
        in_image = np.all((place >= -0.5) & (place < size - 0.5))
        in_box = np.all((nearest >= 0) & (nearest < mask.shape[::-1]))
        if in_image and in_box and mask[tuple(nearest[::-1])]:
            inside[z, y, x] = True
            places.append(place)
    return inside, np.array(places).reshape(-1, 3)
