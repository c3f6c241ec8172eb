"""What the feature benchmark measures: ellipsoid nodes in noisy fat, on a whole CT and in crops around single nodes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

SPACING_XYZ_MM = (0.8, 0.8, 1.0)
SHAPE_ZYX = (300, 512, 512)
DIAMETERS_MM = (4, 5, 5, 6, 7, 8, 9, 10, 10, 11, 12, 14, 15, 16, 18, 20, 20, 22, 26, 30)
SIZES = {5: 3, 10: 9, 20: 16, 30: 20}
"""Diameter in mm: label of the node of that size on the whole CT."""

MARGIN_VOX = 10
"""Voxels kept around a node in its crop."""


def whole_ct(folder: Path) -> tuple[Path, Path, str]:
    """CT and mask of 20 nodes, 512 x 512 x 300 voxels, and who made them: the shared ``make_synth_ct.py`` if it is there."""
    script = Path(os.environ.get("AXILLA_SHARED", "../shared")) / "reference" / "make_synth_ct.py"
    if script.is_file():
        subprocess.run([sys.executable, str(script), str(folder)], check=True)
        return folder / "synth_ct.nii.gz", folder / "synth_labels.nii.gz", script.name
    centers = [(150, 64 + 96 * (i // 4), 64 + 128 * (i % 4)) for i in range(len(DIAMETERS_MM))]
    image, labels = paint(SHAPE_ZYX, list(zip(centers, DIAMETERS_MM, strict=True)))
    write(image, folder / "ct.nii.gz")
    write(labels, folder / "labels.nii.gz")
    return folder / "ct.nii.gz", folder / "labels.nii.gz", "our own generator"


def paint(shape: tuple[int, int, int], nodes: list[tuple[tuple[int, int, int], float]]) -> tuple[sitk.Image, sitk.Image]:
    """Fat with noise, and in it nodes (center z, y, x in voxels; diameter in mm) with a texture of their own."""
    rng = np.random.default_rng(5)
    array = rng.normal(-100, 25, shape).astype(np.float32)
    array[:, :3] = -1000
    labels = np.zeros(shape, dtype=np.uint8)
    spacing = np.array(SPACING_XYZ_MM[::-1])
    for label, (center, diameter_mm) in enumerate(nodes, start=1):
        reach = np.ceil(diameter_mm / spacing).astype(int)
        box = tuple(slice(max(0, c - r), min(n, c + r + 1)) for c, r, n in zip(center, reach, shape, strict=True))
        offsets = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij"), -1) - center
        inside = ((offsets * spacing / (np.array([0.9, 1.1, 1.0]) * diameter_mm / 2)) ** 2).sum(-1) < 1
        texture = ndimage.gaussian_filter(rng.normal(0, 60, inside.shape), 1.0) + rng.normal(70, 20, inside.shape)
        array[box] = np.where(inside, texture, array[box])
        labels[box][inside] = label
    return _image(np.rint(array).astype(np.int16)), _image(labels)


def _image(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING_XYZ_MM)
    image.SetOrigin((-200.0, -180.0, -1000.0))
    return image


def write(image: sitk.Image, path: Path) -> Path:
    """Write an image."""
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def crop(ct: Path, mask: Path, label: int, folder: Path, *, as_1_mm: bool = False) -> tuple[Path, Path]:
    """CT and mask around one node, which becomes label 1; `as_1_mm` gives voxels of 1 mm, so that nothing is resampled."""
    image, labels = sitk.ReadImage(str(ct)), sitk.ReadImage(str(mask)) == label
    found = sitk.LabelShapeStatisticsImageFilter()
    found.Execute(labels)
    start, size = np.reshape(found.GetBoundingBox(1), (2, 3))
    low = np.maximum(0, start - MARGIN_VOX)
    high = np.minimum(image.GetSize(), start + size + MARGIN_VOX)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    parts = [image[box], labels[box]]
    for part in parts:
        if as_1_mm:
            part.SetSpacing((1.0, 1.0, 1.0))
    stem = f"{label}_{'1mm' if as_1_mm else 'own'}"
    return write(parts[0], folder / f"ct_{stem}.nii.gz"), write(parts[1], folder / f"mask_{stem}.nii.gz")
