"""Slow twin of `axilla.kernels.surface`."""

import itertools

import numpy as np
from scipy.spatial.distance import pdist


def mesh_counts(padded):
    cubes = np.zeros((256, 4))
    corners = list(itertools.product((0, 1), repeat=3))
    for offset in np.ndindex(*(np.array(padded.shape) - 1)):
        code = sum(int(padded[tuple(np.add(offset, corner))]) << bit for bit, corner in enumerate(corners))
        if 0 < code < 255:
            cubes[code] += (1, *offset)
    z, y, x = np.argwhere(padded).T.astype(float)
    moments = [len(z), z.sum(), y.sum(), x.sum(), z @ z, y @ y, x @ x, z @ y, z @ x, y @ x]
    return cubes, np.array(moments)


def mesh_vertices(padded):
    """The middles of all edges from inside to outside, ``(n, 3)`` as (z, y, x) in half voxels."""
    vertices = []
    for axis in range(3):
        crossing = np.argwhere(np.diff(padded.astype(np.int8), axis=axis)) * 2
        crossing[:, axis] += 1
        vertices.append(crossing)
    return np.concatenate(vertices)


def squared_diameters(padded, half_zyx):
    vertices = mesh_vertices(padded)
    points = vertices * half_zyx
    in_planes = [
        max((pdist(points[vertices[:, axis] == place]).max(initial=0) for place in set(vertices[:, axis])), default=0)
        for axis in range(3)
    ]
    return np.array([pdist(points).max(), *in_planes]) ** 2
