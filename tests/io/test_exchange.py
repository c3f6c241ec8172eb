"""Masks from other programs onto the CT's grid."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from axilla.errors import InputRefusedError
from axilla.io.contours import fill
from axilla.io.exchange import read_mask
from axilla.io.images import read_labels, write_labels
from axilla.node import Segmentation
from axilla.volume import Geometry, Labels, to_canonical

GRID = Geometry((8, 20, 24), (0.8, 0.7, 1.5), (-20.0, 30.0, -100.0))


def _two(grid: Geometry = GRID) -> Labels:
    array = np.zeros(grid.shape_zyx, dtype=np.uint16)
    array[2:5, 3:9, 4:10] = 3
    array[5, 12, 13] = 7
    return Labels(array, grid, {3: "R01", 7: "tiny"})


def _voxels(segmentation: Segmentation) -> dict[int, np.ndarray]:
    return {s.label: s.indices_zyx() for s in segmentation.segments}


def _assert_same(found: Segmentation, expected: Segmentation) -> None:
    assert found.geometry.is_same_grid(expected.geometry)
    a, b = _voxels(found), _voxels(expected)
    assert a.keys() == b.keys()
    for label in a:
        np.testing.assert_array_equal(a[label], b[label])


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "seg.nrrd", "mha"])
def test_label_image_on_the_same_grid(tmp_path: Path, ending: str) -> None:
    write_labels(_two(), tmp_path / f"m.{ending}")
    reading = read_mask(tmp_path / f"m.{ending}", GRID)
    _assert_same(reading.segmentation, Segmentation.from_labels(_two()))
    assert reading.notes == ()
    assert [s.name for s in reading.segmentation.segments] == (["R01", "tiny"] if "nrrd" in ending else ["", ""])


def test_boxes_of_labels_are_those_of_scipy() -> None:
    from scipy.ndimage import find_objects

    from axilla.io import exchange

    rng = np.random.default_rng(7)
    for kind in (np.uint8, np.uint16):
        labels = (rng.integers(0, 9, (9, 7, 8)) * (rng.random((9, 7, 8)) < 0.03)).astype(kind)
        expected = {value: box for value, box in enumerate(find_objects(labels), start=1) if box is not None}
        assert vars(exchange)["_boxes"](labels) == expected


def test_overlapping_slicer_segments_stay_whole(tmp_path: Path) -> None:
    layers = np.zeros((*GRID.shape_zyx, 2), dtype=np.uint8)
    layers[2:6, 3:9, 3:9, 0] = 1
    layers[4:7, 6:12, 6:12, 1] = 1
    image = sitk.GetImageFromArray(layers, isVector=True)
    image.SetSpacing(GRID.spacing_xyz_mm)
    image.SetOrigin(GRID.origin_xyz_mm)
    for number, name in enumerate(("one", "two", "nothing")):
        image.SetMetaData(f"Segment{number}_ID", f"S{number}")
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_LabelValue", "2" if name == "nothing" else "1")
        image.SetMetaData(f"Segment{number}_Layer", str(min(number, 1)))
    sitk.WriteImage(image, str(tmp_path / "m.seg.nrrd"))
    reading = read_mask(tmp_path / "m.seg.nrrd", GRID)
    assert [(s.label, s.name, s.n_voxels) for s in reading.segmentation.segments] == [
        (1, "one", 144),
        (2, "two", 108),
        (3, "nothing", 0),
    ]
    assert reading.notes == ("1 segment(s) of the mask hold no voxel.",)


def test_cropped_and_turned_grids_are_brought_over_exactly(tmp_path: Path) -> None:
    labels = _two()
    box = (slice(1, 7), slice(2, 15), slice(3, 20))
    cropped = Labels(labels.array[box], GRID.crop(box))
    flipped = sitk.Flip(_image(cropped), (True, True, False))
    permuted = sitk.PermuteAxes(flipped, (2, 0, 1))
    for name, image in (("crop", _image(cropped)), ("flip", flipped), ("permute", permuted)):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
        reading = read_mask(tmp_path / f"{name}.nrrd", GRID)
        _assert_same(reading.segmentation, Segmentation.from_labels(replace(labels, names={})))
        assert "voxel by voxel" in reading.notes[0]


def _image(labels: Labels) -> sitk.Image:
    image = sitk.GetImageFromArray(labels.array)
    image.SetSpacing(labels.geometry.spacing_xyz_mm)
    image.SetOrigin(labels.geometry.origin_xyz_mm)
    image.SetDirection(np.ravel(labels.geometry.direction).tolist())
    return image


def test_voxels_outside_the_ct_are_refused(tmp_path: Path) -> None:
    write_labels(_two(), tmp_path / "m.nii.gz")
    smaller = GRID.crop((slice(0, 5), slice(0, 20), slice(0, 24)))
    with pytest.raises(InputRefusedError, match=r"1 voxel\(s\) of the mask lie outside the CT"):
        read_mask(tmp_path / "m.nii.gz", smaller)
    assert "left out" in read_mask(tmp_path / "m.nii.gz", smaller, resample=True).notes[1]


def test_another_grid_is_refused_with_both_shown_or_resampled(tmp_path: Path) -> None:
    write_labels(_two(), tmp_path / "m.nii.gz")
    other = replace(GRID.resampled((0.5, 0.5, 1.0)), direction=((0.8, -0.6, 0), (0.6, 0.8, 0), (0, 0, 1)))
    with pytest.raises(
        InputRefusedError, match=r"Mask: 24 x 20 x 8 voxels of 0.8 x 0.7 x 1.5 mm.*CT: 39 x 28 x 12 voxels of 0.5"
    ):
        read_mask(tmp_path / "m.nii.gz", other)
    reading = read_mask(tmp_path / "m.nii.gz", other, resample=True)
    assert "resampled (nearest neighbor)" in reading.notes[0]
    reference = sitk.Image(other.shape_zyx[::-1], sitk.sitkUInt16)
    reference.SetSpacing(other.spacing_xyz_mm)
    reference.SetOrigin(other.origin_xyz_mm)
    reference.SetDirection(np.ravel(other.direction).tolist())
    expected = sitk.GetArrayFromImage(sitk.Resample(_image(_two()), reference, sitk.Transform(), sitk.sitkNearestNeighbor))
    found = reading.segmentation.to_labels().array
    assert (expected > 0).sum() > 100
    assert np.count_nonzero(found != expected) == 0
    far = replace(GRID, origin_xyz_mm=(500.3, 0.1, 0.1))
    with pytest.raises(InputRefusedError, match="does not meet the CT at all"):
        read_mask(tmp_path / "m.nii.gz", far, resample=True)


def _rtstruct(path: Path, regions: dict[str, list[np.ndarray]], kind: str = "CLOSED_PLANAR") -> Path:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.3", "2.25.1"
    dataset.Modality = "RTSTRUCT"
    names, contours = [], []
    for number, (name, polygons) in enumerate(regions.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        drawn.ReferencedROINumber = number
        items = []
        for points in polygons:
            item = Dataset()
            item.ContourGeometricType, item.NumberOfContourPoints = kind, len(points)
            item.ContourData = [f"{v:.4f}" for v in np.ravel(points)]
            items.append(item)
        drawn.ContourSequence = Sequence(items)
        names.append(roi)
        contours.append(drawn)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = Sequence(names), Sequence(contours)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, "2.25.1"
    dataset.save_as(path, enforce_file_format=True)
    return path


def _square(z: float, low: float, high: float) -> np.ndarray:
    return GRID.to_mm([(z, low, low), (z, low, high), (z, high, high), (z, high, low)])


def test_rtstruct_fills_even_odd_with_holes_and_tiny_contours(tmp_path: Path) -> None:
    regions = {
        "ring": [_square(2, 3.5, 12.5), _square(2, 6.5, 9.5)],
        "tiny": [_square(3, 5.1, 5.3)],
        "point": [GRID.to_mm([(4, 7, 8)])],
        "islands": [_square(5, 1.5, 3.5), _square(5, 7.5, 9.5)],
        "none": [],
    }
    reading = read_mask(_rtstruct(tmp_path / "rt.dcm", regions), GRID)
    assert {s.name: s.n_voxels for s in reading.segmentation.segments} == {
        "ring": 81 - 9,
        "tiny": 1,
        "point": 1,
        "islands": 8,
        "none": 0,
    }
    tiny, point = (s for s in reading.segmentation.segments if s.name in {"tiny", "point"})
    assert tiny.indices_zyx().tolist() == [[3, 5, 5]]
    assert point.indices_zyx().tolist() == [[4, 7, 8]]
    assert reading.notes == ("1 segment(s) of the mask hold no voxel.",)


def test_rtstruct_off_the_slices_is_refused_or_moved(tmp_path: Path) -> None:
    path = _rtstruct(tmp_path / "rt.dcm", {"a": [_square(2.4, 3.5, 6.5)]})
    with pytest.raises(InputRefusedError, match="1 of 1 contours of the RTSTRUCT do not lie in the CT's slices"):
        read_mask(path, GRID)
    reading = read_mask(path, GRID, resample=True)
    assert reading.segmentation.segments[0].offset_zyx == (2, 4, 4)
    assert "moved to the nearest slice" in reading.notes[0]
    with pytest.raises(InputRefusedError, match="lie outside the CT"):
        read_mask(_rtstruct(tmp_path / "out.dcm", {"a": [_square(30, 3.5, 6.5)]}), GRID)
    with pytest.raises(InputRefusedError, match="no closed contour"):
        read_mask(_rtstruct(tmp_path / "open.dcm", {"a": [_square(2, 3, 6)]}, kind="OPEN_PLANAR"), GRID)


def test_fill_agrees_with_counting_rays() -> None:
    """Star-shaped polygons off the pixel centers, against a point-in-polygon test written out."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 15))
        radius = rng.uniform(2, 11, 15)
        polygon = np.stack([12.013 + radius * np.sin(angles), 13.017 + radius * np.cos(angles)], axis=1)
        found = fill([polygon], (25, 27))
        expected = np.array([[_inside(polygon, y, x) for x in range(27)] for y in range(25)])
        differing = np.argwhere(found != expected)
        assert all(found[y, x] for y, x in differing)
        assert len(differing) <= 3


def _inside(polygon: np.ndarray, y: float, x: float) -> bool:
    odd = False
    for (y0, x0), (y1, x1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            odd = not odd
    return odd


def test_the_104_regions_agree_with_the_masks_they_were_drawn_from(shared: Path, tmp_path: Path) -> None:
    """Every voxel. The contours lie 16/19 mm apart: the program that drew them spread its 20 slices evenly."""
    with zipfile.ZipFile(shared / "data" / "dicom_rtstruct_104.zip") as archive:
        archive.extractall(tmp_path)
    grid = Geometry((20, 512, 512), (0.683, 0.683, 16 / 19), (-192.626, -174.658, -821.001))
    reading = read_mask(next(tmp_path.rglob("rt-struct*.dcm")), grid)
    assert len(reading.segmentation.segments) == 104
    differing, total = 0, 0
    for segment in reading.segmentation.segments:
        truth = read_labels(next(tmp_path.rglob(f"{segment.name}.nii.gz")))
        mask = to_canonical(truth.array, truth.geometry) > 0
        drawn = np.zeros(grid.shape_zyx, dtype=bool)
        drawn[segment.slices_zyx] = segment.mask
        differing += int(np.count_nonzero(drawn != mask))
        total += int(np.count_nonzero(mask))
    assert total == 1_389_506
    assert differing == 0


def test_their_ct_lacks_a_slice(shared: Path) -> None:
    from axilla.io import read_ct

    with pytest.raises(InputRefusedError, match=r"1 slice\(s\) missing at one place \(spacing 0.8 mm\)"):
        read_ct(shared / "data" / "dicom_rtstruct_104.zip")


@pytest.fixture
def series(make, tmp_path: Path) -> tuple[list[Dataset], Geometry]:
    volume = make.block(n=6)
    make.put(tmp_path / "ct", volume)
    return [pydicom.dcmread(p) for p in sorted((tmp_path / "ct").iterdir())], volume.geometry


def _describe(number: int, name: str) -> hd.seg.SegmentDescription:
    code = hd.sr.CodedConcept("59441001", "SCT", "Lymph node")
    return hd.seg.SegmentDescription(number, name, code, code, hd.seg.SegmentAlgorithmTypeValues.MANUAL)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP", "FRACTIONAL"])
def test_dicom_seg_written_by_highdicom(series: tuple, tmp_path: Path, kind: str) -> None:
    slices, grid = series
    masks = np.zeros((*grid.shape_zyx, 2), dtype=np.uint8)
    masks[1:3, 2:6, 3:9, 0] = 1
    masks[5, 4:9, 5:8, 1] = 1
    if kind != "LABELMAP":
        masks[2, 4:9, 5:8, 1] = 1
    pixels = masks.astype(float) if kind == "FRACTIONAL" else masks
    seg = hd.seg.Segmentation(
        slices, pixels, kind, [_describe(1, "R01"), _describe(2, "L01")], hd.UID(), 9, hd.UID(), 1, "m", "m", "1", "1"
    )
    seg.save_as(tmp_path / "seg.dcm")
    found = read_mask(tmp_path / "seg.dcm", grid).segmentation
    assert [s.name for s in found.segments] == ["R01", "L01"]
    for number, segment in enumerate(found.segments):
        drawn = np.zeros(grid.shape_zyx, dtype=bool)
        drawn[segment.slices_zyx] = segment.mask
        np.testing.assert_array_equal(drawn, masks[..., number] > 0)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_fractional_seg_is_refused(series: tuple, tmp_path: Path) -> None:
    slices, grid = series
    pixels = np.full((*grid.shape_zyx, 1), 0.5)
    seg = hd.seg.Segmentation(slices, pixels, "FRACTIONAL", [_describe(1, "R01")], hd.UID(), 9, hd.UID(), 1, "m", "m", "1", "1")
    seg.save_as(tmp_path / "seg.dcm")
    with pytest.raises(InputRefusedError, match="fractional"):
        read_mask(tmp_path / "seg.dcm", grid)


def test_what_is_no_mask_is_refused(series: tuple, tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="DICOM of modality CT; give the mask"):
        read_mask(next((tmp_path / "ct").iterdir()), GRID)
    (tmp_path / "x.bin").write_bytes(b"hello")
    with pytest.raises(InputRefusedError, match="neither an image nor usable DICOM"):
        read_mask(tmp_path / "x.bin", GRID)
    with pytest.raises(InputRefusedError, match="There is no"):
        read_mask(tmp_path / "absent.dcm", GRID)
