"""The four reference tables: every feature of every case, refusals included."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from axilla.node import Segmentation
from axilla.radiomics import extract
from axilla.volume import Labels, Volume

ROUNDING = {(f"two_voxels_diag@{spacing}", "original_shape_MinorAxisLength") for spacing in ("0.8x0.8x1", "1x1x1")}
"""Two diagonal voxels have one axis: the second is 0, and what both programs write is the root of rounding (1e-8), which
differs between processors. PyRadiomics itself does not reproduce its value on another one."""


def test_chest_nodes(
    shared: Path,
    tmp_path: Path,
    from_image: Callable[[Any], Volume],
    reference_table: Callable[[str], dict[str, dict[str, str]]],
    disagreements: Callable[..., list[str]],
) -> None:
    with zipfile.ZipFile(shared / "data" / "ct_chest_C3N-00249.zip") as archive:
        archive.extractall(tmp_path)
    folder = max({path.parent for path in tmp_path.rglob("*.dcm")}, key=lambda path: len(list(path.glob("*.dcm"))))
    volume = from_image(sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))))
    mask = sitk.ReadImage(str(shared / "data" / "ct_chest_C3N-00249_rois.nii.gz"))
    labels = Labels(sitk.GetArrayFromImage(mask).astype(np.uint16), volume.geometry)
    rows = extract(volume, Segmentation.from_labels(labels)).frame
    assert list(rows["label"]) == [1, 2, 3, 4, 5]
    expected = reference_table("chest_nodes")
    assert [disagreements(row, expected[name]) for (_, row), name in zip(rows.iterrows(), expected, strict=True)] == [[]] * 5


def test_sarcomas(
    shared: Path,
    tmp_path: Path,
    from_image: Callable[[Any], Volume],
    reference_table: Callable[[str], dict[str, dict[str, str]]],
    disagreements: Callable[..., list[str]],
) -> None:
    with zipfile.ZipFile(shared / "data" / "ct_sarcoma_rois.zip") as archive:
        archive.extractall(tmp_path)
    expected = reference_table("sarcoma")
    assert len(expected) == 8
    for case, answer in expected.items():
        volume = from_image(sitk.ReadImage(str(tmp_path / "sts" / case / "CT_image.nii.gz")))
        mask = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "sts" / case / "CT_mask.nii.gz"))) == 1
        rows = extract(volume, Segmentation.from_masks(volume.geometry, [(case, mask)])).frame
        assert disagreements(rows.iloc[0], answer) == [], case


@pytest.mark.parametrize("spacing_mm", [(0.8, 0.8, 1.0), (1.0, 1.0, 1.0), (0.8, 0.8, 5.0)])
def test_degenerate_regions(
    spacing_mm: tuple[float, float, float],
    shared: Path,
    load_module: Callable[[Path], ModuleType],
    from_image: Callable[[Any], Volume],
    reference_table: Callable[[str], dict[str, dict[str, str]]],
    disagreements: Callable[..., list[str]],
) -> None:
    image, masks = load_module(shared / "reference" / "make_degenerate.py").make_cases(spacing_mm)
    volume = from_image(image)
    segmentation = Segmentation.from_masks(volume.geometry, [(k, sitk.GetArrayFromImage(m) > 0) for k, m in masks.items()])
    rows = extract(volume, segmentation).frame
    assert list(rows["node_id"]) == list(masks)
    expected = reference_table("degenerate")
    for _, row in rows.iterrows():
        case = f"{row['node_id']}@{'x'.join(f'{s:g}' for s in spacing_mm)}"
        found = disagreements(row, expected[case])
        excused = [line for line in found if (case, line.split(":")[0]) in ROUNDING]
        assert [line for line in found if line not in excused] == [], case
        assert all(row[name] < 1e-7 for excused_case, name in ROUNDING if excused_case == case)


@pytest.mark.slow
def test_synthetic_ct(
    shared: Path,
    tmp_path: Path,
    from_image: Callable[[Any], Volume],
    reference_table: Callable[[str], dict[str, dict[str, str]]],
    disagreements: Callable[..., list[str]],
) -> None:
    subprocess.run([sys.executable, str(shared / "reference" / "make_synth_ct.py"), str(tmp_path)], check=True)
    volume = from_image(sitk.ReadImage(str(tmp_path / "synth_ct.nii.gz")))
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "synth_labels.nii.gz"))).astype(np.uint16)
    rows = extract(volume, Segmentation.from_labels(Labels(labels, volume.geometry))).frame
    expected = reference_table("synthetic")
    assert len(rows) == len(expected) == 20
    for _, row in rows.iterrows():
        assert disagreements(row, expected[f"synth_{row['label']:02d}"]) == [], row["label"]
