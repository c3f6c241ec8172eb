"""Reading CT series: what comes back exactly, and what is refused with which sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axilla.errors import InputRefusedError, InvalidValueError
from axilla.io import read_ct
from axilla.io.dicom import WriteSettings, make_uid, read_series, scan, write_ct
from axilla.volume import Geometry, Volume


def _read(folder: Path) -> Volume:
    (series,) = scan(folder).series
    return read_series(series)


def _rotation(angles_deg: tuple[float, float, float]) -> tuple[tuple[float, ...], ...]:
    a, b, c = np.deg2rad(angles_deg)
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return tuple(tuple(row) for row in (z @ y @ x).tolist())


ORIENTATIONS = {
    "supine, head first": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "prone": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "slices from head to feet": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "oblique": _rotation((10, -5, 20)),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("feet_last", [False, True])
def test_written_series_comes_back_exactly(make: ModuleType, tmp_path: Path, name: str, feet_last: bool) -> None:
    volume = make.block(direction=ORIENTATIONS[name])
    numbers = (9, 2, 40, 1, 7, 3)
    make.put(tmp_path, volume, settings=WriteSettings(feet_last=feet_last, instance_numbers=numbers))
    found = _read(tmp_path)
    np.testing.assert_array_equal(found.array, volume.array)
    assert found.array.dtype == np.int16
    assert found.geometry.is_same_grid(volume.geometry)
    np.testing.assert_allclose(found.geometry.affine_lps, volume.geometry.affine_lps, atol=1e-6)
    assert [s.instance_number for s in found.slices] == list(numbers[::-1] if feet_last else numbers)
    assert len({s.sop_instance_uid for s in found.slices}) == 6
    assert found.acquisition == volume.acquisition
    assert found.warnings == ()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 5)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    order=st.permutations(range(4)),
)
def test_any_orthogonal_grid_comes_back(
    make: ModuleType, tmp_path_factory: pytest.TempPathFactory, angles: tuple, spacing: tuple, origin: tuple, order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("series")
    volume = make.block(n=4, spacing_xyz_mm=spacing, origin_xyz_mm=origin, direction=_rotation(angles))
    make.put(folder, volume)
    for place, path in zip(order, sorted(folder.iterdir()), strict=True):
        path.rename(folder / f"{place}_{path.name}")
    found = _read(folder)
    np.testing.assert_array_equal(found.array, volume.array)
    np.testing.assert_allclose(found.geometry.corners_mm(), volume.geometry.corners_mm(), atol=1e-4)


def test_real_ct(shared: Path) -> None:
    reading = read_ct(shared / "data" / "ct_chest_C3N-00249.zip")
    volume = reading.volume
    assert volume.geometry.shape_zyx == (102, 512, 512)
    assert volume.geometry.spacing_xyz_mm == (0.8828125, 0.8828125, 3.0)
    assert volume.array.dtype == np.int16
    assert volume.array.min() == -1024
    assert 0.2 < np.mean((volume.array > -150) & (volume.array < 250)) < 0.5
    assert [s.instance_number for s in volume.slices] == list(range(102, 0, -1))
    assert [w for w in volume.warnings if "3 mm thick" in w]
    assert len(volume.warnings) == 1
    assert volume.acquisition.kernel == "B40f"
    assert not volume.acquisition.is_synthetic
    assert reading.others == ()
    assert reading.unread == ()
    assert "C3N" not in reading.patient_key


def test_real_ct_agrees_with_gdcm(shared: Path, tmp_path: Path) -> None:
    """SimpleITK's GDCM reader answers the same pixels (below -1024 clipped) and the same grid."""
    import zipfile

    import SimpleITK as sitk

    with zipfile.ZipFile(shared / "data" / "ct_chest_C3N-00249.zip") as archive:
        archive.extractall(tmp_path)
    folder = next(p for p in tmp_path.iterdir() if p.is_dir())
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    volume = read_ct(tmp_path).volume
    np.testing.assert_array_equal(volume.array, np.maximum(sitk.GetArrayFromImage(image), -1024))
    np.testing.assert_allclose(volume.geometry.spacing_xyz_mm, image.GetSpacing(), atol=1e-9)
    np.testing.assert_allclose(volume.geometry.origin_xyz_mm, image.GetOrigin(), atol=1e-9)
    np.testing.assert_allclose(np.ravel(volume.geometry.direction), image.GetDirection(), atol=1e-9)


def _set(**values: object):
    return lambda dataset, index: [setattr(dataset, k, v) for k, v in values.items()] and None


def _drop(*keywords: str):
    return lambda dataset, index: [delattr(dataset, k) for k in keywords] and None


def _move(index_of: dict[int, tuple[float, float, float]]):
    def change(dataset: pydicom.Dataset, index: int) -> None:
        shift = index_of.get(index, (0, 0, 0))
        dataset.ImagePositionPatient = [float(p) + s for p, s in zip(dataset.ImagePositionPatient, shift, strict=True)]

    return change


def _tilt(dataset: pydicom.Dataset, index: int) -> None:
    dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:1], 30.5 + 0.4 * index, dataset.ImagePositionPatient[2]]


def _duplicate_other_pixels(dataset: pydicom.Dataset, index: int) -> None:
    if index == 3:
        dataset.ImagePositionPatient = [-20.0, 30.5, -98.75]


def _turn(dataset: pydicom.Dataset, index: int) -> None:
    if index >= 3:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]


def _drift(dataset: pydicom.Dataset, index: int) -> None:
    angle = np.deg2rad(0.3 * index)
    dataset.ImageOrientationPatient = [1, 0, 0, 0, float(np.cos(angle)), float(np.sin(angle))]


def _cut_pixels(dataset: pydicom.Dataset, index: int) -> None:
    if index == 2:
        dataset.PixelData = dataset.PixelData[:100]


REFUSED = {
    "missing slice": (lambda d, i: i != 2, r"1 slice\(s\) missing at one place \(spacing 1.5 mm\)"),
    "two gaps": (lambda d, i: i not in {1, 4}, r"2 slice\(s\) missing at 2 places"),
    "variable spacing": (_move({3: (0, 0, 0.7), 4: (0, 0, 0.7)}), "slice spacing varies between"),
    "tilted gantry": (_tilt, "gantry is tilted by 14.9 degrees"),
    "displaced slice": (_move({2: (1.0, 0, 0)}), "displaced sideways by up to 1.0 mm"),
    "other pixels at one position": (lambda d, i: _duplicate_other_pixels(d, i) if i in {1, 3} else None, "missing|duplicate"),
    "mixed orientations": (_turn, "mixed orientations"),
    "drifting orientation": (_drift, "mixed orientations"),
    "not CT": (_set(SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR"), "modality MR"),
    "too few slices": (lambda d, i: i < 2, "too few slices to be a volume: 2"),
    "no spacing": (_drop("PixelSpacing"), "6 of 6 images of the series have no PixelSpacing"),
    "no position": (_drop("ImagePositionPatient"), "no position"),
    "no orientation": (_drop("ImageOrientationPatient"), "no orientation"),
    "no pixels": (_drop("PixelData"), "no pixel data"),
    "no rescale": (_drop("RescaleSlope", "RescaleIntercept"), "not HU"),
    "slope zero": (_set(RescaleSlope=0), "not HU"),
    "other unit": (_set(RescaleType="HUMOD_X"), "hold HUMOD_X values, not HU"),
    "unspecified unit that is no HU": (_set(RescaleType="US", RescaleIntercept=2000), "do not look like HU"),
    "not at right angles": (_set(ImageOrientationPatient=[1, 0, 0, 0.2, 0.98, 0]), "not at right angles"),
    "cut-off pixels": (_cut_pixels, "are cut off"),
    "empty": (lambda d, i: setattr(d, "PixelData", bytes(len(d.PixelData))), "Every voxel"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_one_sentence(make: ModuleType, tmp_path: Path, name: str) -> None:
    change, sentence = REFUSED[name]
    make.put(tmp_path, patient_id="SECRET77", patient_name="DOE^JANE")
    make.edit(tmp_path, change)
    if name == "cut-off pixels":
        path = sorted(tmp_path.iterdir())[2]
        path.write_bytes(path.read_bytes()[:-100])
    series = max(scan(tmp_path).series, key=lambda s: len(s.slices))
    with pytest.raises(InputRefusedError, match=sentence) as refusal:
        read_series(series)
    for secret in ("SECRET77", "DOE", "JANE", "20000101", "2.25."):
        assert secret not in str(refusal.value)
    with pytest.raises(InputRefusedError):
        read_ct(tmp_path)


def test_duplicates_identical_are_dropped_and_told(make: ModuleType, tmp_path: Path) -> None:
    volume = make.block()
    make.put(tmp_path / "a", volume)
    make.put(tmp_path / "b", volume)
    found = _read(tmp_path)
    np.testing.assert_array_equal(found.array, volume.array)
    assert [w for w in found.warnings if "6 identical copies" in w]


def test_duplicates_with_other_pixels_are_refused(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path / "a", make.block())
    make.put(tmp_path / "b", make.block(seed=2))
    with pytest.raises(InputRefusedError, match="duplicate slices: different images at one position"):
        _read(tmp_path)


def test_phases_in_one_series_are_told_apart(make: ModuleType, tmp_path: Path) -> None:
    volumes = [make.block(seed=1), make.block(seed=2)]
    for number, volume in enumerate(volumes, start=1):
        make.put(tmp_path / str(number), volume)
        make.edit(tmp_path / str(number), _set(AcquisitionNumber=number))
    found = scan(tmp_path).series
    assert [(s.part, s.n_parts) for s in found] == [(1, 2), (2, 2)]
    for series, volume in zip(found, volumes, strict=True):
        np.testing.assert_array_equal(read_series(series).array, volume.array)
        assert scan(tmp_path).find(series.choice_id) == (series,)
        (alone,) = scan([item.source.path for item in series.slices]).find(series.choice_id)
        np.testing.assert_array_equal(read_series(alone).array, volume.array)
    assert scan(tmp_path).find(found[0].series_uid) == found


def test_acquisition_number_per_slice_does_not_split(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path)
    make.edit(tmp_path, lambda d, i: setattr(d, "AcquisitionNumber", i + 1))
    assert _read(tmp_path).array.shape[0] == 6


def test_localizer_in_the_same_series_is_set_apart(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path / "a")
    make.put(tmp_path / "b", make.block(n=1, seed=3), settings=WriteSettings(image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")))
    make.edit(tmp_path / "b", _set(ImageOrientationPatient=[1, 0, 0, 0, 0, -1]))
    axial, localizer = scan(tmp_path).series
    assert read_series(axial).array.shape[0] == 6
    assert localizer.info.n_slices == 1


def test_rounded_positions_are_accepted(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path, make.block(n=20, spacing_mm=0.625))
    make.edit(tmp_path, lambda d, i: setattr(d, "ImagePositionPatient", [round(float(v), 1) for v in d.ImagePositionPatient]))
    assert abs(_read(tmp_path).geometry.spacing_xyz_mm[2] - 0.625) < 0.005


def test_slope_per_slice_and_fractions(make: ModuleType, tmp_path: Path) -> None:
    volume = make.block()
    make.put(tmp_path, volume)
    stored = volume.array.astype(float) + 1024
    make.edit(tmp_path, lambda d, i: setattr(d, "RescaleSlope", 1 + i / 8))
    found = _read(tmp_path).array
    expected = np.stack([s * (1 + i / 8) - 1024 for i, s in enumerate(stored)])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_padding_becomes_air(make: ModuleType, tmp_path: Path) -> None:
    volume = make.block()
    make.put(tmp_path, volume)

    def change(dataset: pydicom.Dataset, index: int) -> None:
        pixels = dataset.pixel_array.copy()
        pixels[0, :3] = (-2000, -1990, -1500)
        dataset.PixelData = pixels.tobytes()
        dataset.PixelPaddingValue, dataset.PixelPaddingRangeLimit = -2000, -1990
        dataset["PixelPaddingValue"].VR = dataset["PixelPaddingRangeLimit"].VR = "SS"

    make.edit(tmp_path, change)
    found = _read(tmp_path)
    assert (found.array[:, 0, :3] == -1024).all()
    np.testing.assert_array_equal(found.array[:, 1:], volume.array[:, 1:])
    assert found.array.min() == -1024


def test_padding_value_among_tissue_is_not_believed(make: ModuleType, tmp_path: Path) -> None:
    volume = make.block()
    make.put(tmp_path, volume)

    def change(dataset: pydicom.Dataset, index: int) -> None:
        dataset.PixelPaddingValue = int(dataset.pixel_array[0, 0]) if index == 0 else 1064
        dataset["PixelPaddingValue"].VR = "SS"

    make.edit(tmp_path, change)
    array = volume.array.copy()
    array[0, 0, 0] = 40
    make.put(tmp_path, replace(volume, array=array))
    make.edit(tmp_path, change)
    found = _read(tmp_path)
    np.testing.assert_array_equal(found.array, array)
    assert [w for w in found.warnings if "padding" in w]


WARNED = {
    "Slices are 3 mm thick": (lambda make: make.block(spacing_mm=3.0), None),
    "Slices overlap: 3 mm thick, 1.5 mm apart": (lambda make: make.block(), _set(SliceThickness=3)),
    "gaps between slices: 1 mm thick, 1.5 mm apart": (lambda make: make.block(), _set(SliceThickness=1)),
    r"kernel \(B70f\) is sharp": (lambda make: make.block(), _set(ConvolutionKernel="B70f")),
    "unit unspecified": (lambda make: make.block(), _set(RescaleType="US")),
    "derived": (lambda make: make.block(), _set(ImageType=["DERIVED", "PRIMARY", "AXIAL"])),
    "compressed with loss": (lambda make: make.block(), _set(LossyImageCompression="01")),
    "gantry tilt of 10 degrees, but": (lambda make: make.block(), _set(GantryDetectorTilt=10)),
    "No contrast enhancement was measured": (lambda make: make.thorax(45), None),
}


@pytest.mark.parametrize("sentence", WARNED)
def test_warned(make: ModuleType, tmp_path: Path, sentence: str) -> None:
    build, change = WARNED[sentence]
    make.put(tmp_path, build(make))
    if change is not None:
        make.edit(tmp_path, change)
    import re

    assert [w for w in _read(tmp_path).warnings if re.search(sentence, w)]


def test_enhanced_chest_is_not_warned_about(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path, make.thorax(150))
    assert not [w for w in _read(tmp_path).warnings if "enhancement" in w]


def test_enhanced_multi_frame_file(make: ModuleType, tmp_path: Path) -> None:
    volume = make.block()
    make.put(tmp_path / "classic", volume)
    order = [3, 0, 5, 1, 4, 2]
    make.enhanced(tmp_path / "classic", tmp_path / "multi.dcm", order)
    found = _read(tmp_path / "multi.dcm")
    np.testing.assert_array_equal(found.array, volume.array)
    assert found.geometry.is_same_grid(volume.geometry)
    assert [s.instance_number for s in found.slices] == [order.index(i) + 1 for i in range(6)]
    assert found.acquisition.kernel == "B40f"
    assert found.acquisition.slice_thickness_mm == 1.5


def test_enhanced_multi_frame_with_a_missing_frame_is_refused(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path / "classic")
    make.enhanced(tmp_path / "classic", tmp_path / "multi.dcm", [0, 1, 2, 4, 5])
    with pytest.raises(InputRefusedError, match=r"1 slice\(s\) missing"):
        _read(tmp_path / "multi.dcm")


def test_synthetic_mark_survives(make: ModuleType, tmp_path: Path) -> None:
    volume = make.block()
    volume = replace(volume, acquisition=replace(volume.acquisition, is_synthetic=True))
    make.put(tmp_path, volume, series_description="arterial")
    assert _read(tmp_path).acquisition.is_synthetic
    dataset = pydicom.dcmread(next(tmp_path.iterdir()))
    assert dataset.SeriesDescription == "SYNTHETIC axilla phantom arterial"
    assert "SYNTHETIC" in dataset.ImageComments


def test_same_input_same_bytes(make: ModuleType, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        write_ct(make.block(), tmp_path / name, patient_id="P0001", uid_seed=seed)
    a, b, c = ([p.read_bytes() for p in sorted((tmp_path / n).iterdir())] for n in "abc")
    assert a == b
    assert a != c
    assert make_uid("x") == make_uid("x") != make_uid("y")


def test_run_length_encoding_comes_back(make: ModuleType, tmp_path: Path) -> None:
    volume = make.block()
    make.put(tmp_path, volume, settings=WriteSettings(rle=True))
    assert pydicom.dcmread(next(tmp_path.iterdir())).file_meta.TransferSyntaxUID.name == "RLE Lossless"
    np.testing.assert_array_equal(_read(tmp_path).array, volume.array)


def test_written_files_hold_what_ct_image_storage_requires(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path)
    dataset = pydicom.dcmread(next(tmp_path.iterdir()))
    required = [
        "SOPClassUID", "SOPInstanceUID", "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
        "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
        "Modality", "SeriesInstanceUID", "SeriesNumber", "FrameOfReferenceUID", "PositionReferenceIndicator",
        "Manufacturer", "InstanceNumber", "ImageType", "PixelSpacing", "ImageOrientationPatient",
        "ImagePositionPatient", "SliceThickness", "SamplesPerPixel", "PhotometricInterpretation", "Rows",
        "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleIntercept",
        "RescaleSlope", "KVP", "AcquisitionNumber", "PatientPosition", "PixelData",
    ]  # fmt: skip
    assert [k for k in required if k not in dataset] == []
    assert dataset.is_little_endian
    assert all(len(str(v)) <= 16 for v in dataset.ImagePositionPatient)


def test_left_handed_volume_is_not_written(make: ModuleType, tmp_path: Path) -> None:
    volume = make.block(direction=((1, 0, 0), (0, 1, 0), (0, 0, -1)))
    with pytest.raises(InvalidValueError, match="right-handed"):
        make.put(tmp_path, volume)
    too_high = replace(make.block(), array=np.full((6, 12, 16), 40_000, dtype=np.int32))
    with pytest.raises(InvalidValueError, match="16-bit"):
        make.put(tmp_path, too_high)


def test_geometry_of_read_series_is_float64_and_right_handed(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path, make.block(direction=ORIENTATIONS["slices from head to feet"]))
    geometry: Geometry = _read(tmp_path).geometry
    assert np.linalg.det(np.asarray(geometry.direction)) > 0.999
    assert geometry.direction[2][2] == -1
