"""Image files in and out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import SimpleITK as sitk

from axilla.errors import CannotWriteError, InputRefusedError
from axilla.io import read_ct
from axilla.io.images import ImageSettings, read_image, read_labels, write_image, write_labels
from axilla.volume import Geometry, Labels, Volume

OBLIQUE = ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
WRITTEN = ("nii.gz", "nii", "nrrd", "mha")


def _same_grid(a: Geometry, b: Geometry) -> None:
    np.testing.assert_allclose(a.corners_mm(), b.corners_mm(), atol=1e-3)
    assert a.is_same_grid(b)


@pytest.mark.parametrize("ending", WRITTEN)
@pytest.mark.parametrize("direction", [OBLIQUE, ((1, 0, 0), (0, -1, 0), (0, 0, -1)), ((0, 1, 0), (1, 0, 0), (0, 0, 1))])
def test_ct_round_trip(make: ModuleType, tmp_path: Path, ending: str, direction: tuple) -> None:
    volume = make.block(direction=direction)
    path = tmp_path / f"ct.{ending}"
    write_image(volume, path)
    found = read_ct(path)
    np.testing.assert_array_equal(found.volume.array, volume.array)
    assert found.volume.array.dtype == np.int16
    _same_grid(found.volume.geometry, volume.geometry)
    assert found.series is None
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", WRITTEN)
def test_synthetic_mark_survives(make: ModuleType, tmp_path: Path, ending: str) -> None:
    volume = make.block()
    write_image(volume, tmp_path / f"real.{ending}")
    volume = replace(volume, acquisition=replace(volume.acquisition, is_synthetic=True))
    write_image(volume, tmp_path / f"made.{ending}")
    assert read_image(tmp_path / f"made.{ending}").acquisition.is_synthetic
    assert not read_image(tmp_path / f"real.{ending}").acquisition.is_synthetic


@pytest.mark.parametrize("ending", WRITTEN)
def test_labels_round_trip(tmp_path: Path, ending: str) -> None:
    array = np.zeros((4, 5, 6), dtype=np.uint16)
    array[1, 2, 3], array[2, 2, 2] = 1, 65535
    labels = Labels(array, Geometry(array.shape, (0.7, 0.8, 2.0), (1, 2, 3), OBLIQUE), {1: "R01", 65535: "last"})
    path = tmp_path / f"nodes.{ending}"
    write_labels(labels, path)
    found = read_labels(path)
    np.testing.assert_array_equal(found.array, array)
    _same_grid(found.geometry, labels.geometry)
    assert dict(found.names) == (dict(labels.names) if ending == "nrrd" else {})
    assert sitk.ReadImage(str(path)).GetPixelIDValue() == sitk.sitkUInt16


def test_same_labels_same_bytes(tmp_path: Path) -> None:
    labels = Labels(np.eye(3, dtype=np.uint16)[None], Geometry((1, 3, 3)))
    for name in ("a", "b"):
        write_labels(labels, tmp_path / name / "nodes.nii.gz")
    assert (tmp_path / "a/nodes.nii.gz").read_bytes() == (tmp_path / "b/nodes.nii.gz").read_bytes()


def test_metaimage_with_separate_raw_and_detached_nrrd(make: ModuleType, tmp_path: Path) -> None:
    volume = make.block()
    image = sitk.GetImageFromArray(volume.array)
    for name in ("x.mhd", "y.nhdr"):
        sitk.WriteImage(image, str(tmp_path / name))
        np.testing.assert_array_equal(read_image(tmp_path / name).array, volume.array)


def test_float_with_whole_numbers_is_integer_ct_and_fractions_stay(tmp_path: Path) -> None:
    array = np.linspace(-1000, 400, 60).reshape(3, 4, 5)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "a.nrrd"))
    sitk.WriteImage(sitk.GetImageFromArray(np.rint(array)), str(tmp_path / "b.nrrd"))
    assert read_image(tmp_path / "a.nrrd").array.dtype == np.float64
    assert read_image(tmp_path / "b.nrrd").array.dtype == np.int16


def _nan() -> sitk.Image:
    array = np.full((3, 4, 5), -1000.0)
    array[1, 2, 3] = np.nan
    return sitk.GetImageFromArray(array)


def _picture() -> sitk.Image:
    return sitk.GetImageFromArray(np.arange(60, dtype=np.uint8).reshape(3, 4, 5) * 4)


REFUSED = {
    "NaN": (_nan, r"1 voxel\(s\).*NaN.*\(1, 2, 3\)"),
    "picture": (_picture, "values run from 0 to 236"),
    "2D": (lambda: sitk.Image(4, 5, sitk.sitkInt16), "this file is 2D"),
    "4D": (lambda: sitk.Image([4, 5, 3, 2], sitk.sitkInt16), "this file is 4D"),
    "vector": (lambda: sitk.Image([4, 5, 3], sitk.sitkVectorFloat32, 3), "this image has 3"),
    "constant": (lambda: sitk.Image([4, 5, 3], sitk.sitkInt16), "every voxel is 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path: Path, name: str) -> None:
    build, sentence = REFUSED[name]
    path = tmp_path / "x.nrrd"
    sitk.WriteImage(build(), str(path))
    with pytest.raises(InputRefusedError, match=sentence):
        read_ct(path)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_nan_in_nifti_is_refused_though_itk_reads_0(tmp_path: Path, ending: str, kind: type) -> None:
    array = np.full((3, 4, 5), -1000, dtype=kind)
    array[1, 2, 3], array[2, 2, 2] = np.nan, np.inf
    path = tmp_path / f"x.{ending}"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[1, 2, 3] == 0
    with pytest.raises(InputRefusedError, match=r"2 voxel\(s\) of the image are NaN or infinite"):
        read_image(path)


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8"])
@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_nifti_is_read_as_itk_reads_it(tmp_path: Path, ending: str, kind: str) -> None:
    """Every type, both byte orders, plain and scaled."""
    import gzip
    import struct

    image = sitk.GetImageFromArray(np.arange(60).reshape(3, 4, 5).astype(kind))
    sitk.WriteImage(image, str(tmp_path / "a.nii"))
    plain = (tmp_path / "a.nii").read_bytes()
    scaled = plain[:112] + struct.pack("<2f", 2.0, -30.0) + plain[120:]
    swapped = bytearray(plain[:352] + np.frombuffer(plain[352:], f"<{kind}").astype(f">{kind}").tobytes())
    for start, stop, size in ((0, 4, 4), (32, 36, 4), (36, 38, 2), (40, 56, 2), (56, 68, 4), (68, 76, 2), (76, 120, 4),
                              (120, 122, 2), (124, 148, 4), (252, 256, 2), (256, 328, 4)):  # fmt: skip
        part = np.frombuffer(bytes(plain[start:stop]), f"<u{size}")
        swapped[start:stop] = part.byteswap().tobytes()
    for data in (plain, scaled, bytes(swapped)):
        path = tmp_path / f"b.{ending}"
        path.write_bytes(gzip.compress(data) if ending == "nii.gz" else data)
        expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        found = read_image(path, ImageSettings(must_be_hu=False, keep_floats=True))
        np.testing.assert_array_equal(found.array, expected)


def test_sheared_axes_are_refused(make: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "x.nrrd"
    write_image(make.block(), path)
    data = path.read_bytes()
    head, body = data.split(b"\n\n", 1)
    lines = [
        b"space directions: (0.8,0,0) (0.3,0.7,0) (0,0,1.5)" if line.startswith(b"space directions") else line
        for line in head.split(b"\n")
    ]
    path.write_bytes(b"\n".join(lines) + b"\n\n" + body)
    with pytest.raises(InputRefusedError, match="right angles"):
        read_image(path)


@pytest.mark.parametrize("ending", WRITTEN)
def test_cut_off_files_are_refused(make: ModuleType, tmp_path: Path, ending: str) -> None:
    """ITK reads a cut-off NIfTI without a word, and invents the rest."""
    path = tmp_path / f"x.{ending}"
    write_image(make.block(n=40), path)
    data = path.read_bytes()
    for kept in (len(data) - 1, len(data) // 2, 200):
        path.write_bytes(data[:kept])
        with pytest.raises(InputRefusedError, match=r"cut off"):
            read_image(path)


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
def test_damaged_compressed_files_are_refused(make: ModuleType, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    write_image(make.block(n=40), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputRefusedError, match="damaged"):
        read_image(path)


def test_text_empty_absent_and_unknown(make: ModuleType, tmp_path: Path) -> None:
    for name in ("text.nrrd", "text.nii", "text.mha", "text.nii.gz"):
        (tmp_path / name).write_text("hello")
        with pytest.raises(InputRefusedError, match="damaged"):
            read_image(tmp_path / name)
    (tmp_path / "empty.mha").touch()
    with pytest.raises(InputRefusedError, match="empty"):
        read_image(tmp_path / "empty.mha")
    with pytest.raises(InputRefusedError, match="There is no image file"):
        read_image(tmp_path / "absent.nii")
    with pytest.raises(InputRefusedError, match="written as one of"):
        write_image(make.block(), tmp_path / "x.png")


def test_nifti_2_and_other_byte_order(tmp_path: Path) -> None:
    """Headers as the NIfTI-1 and NIfTI-2 definitions lay them out."""
    import struct

    from axilla.io._whole import check_whole

    voxels = bytes(3 * 4 * 5 * 2)
    for order in "<>":
        one = bytearray(352)
        one[:4], one[40:56] = struct.pack(order + "i", 348), struct.pack(order + "8h", 3, 5, 4, 3, 1, 1, 1, 1)
        one[72:74], one[108:112], one[344:348] = struct.pack(order + "h", 16), struct.pack(order + "f", 352), b"n+1\0"
        two = bytearray(544)
        two[:8], two[14:16] = struct.pack(order + "i", 540) + b"n+2\0", struct.pack(order + "h", 16)
        two[16:80], two[168:176] = struct.pack(order + "8q", 3, 5, 4, 3, 1, 1, 1, 1), struct.pack(order + "q", 544)
        for header in (one, two):
            (tmp_path / "x.nii").write_bytes(bytes(header) + voxels)
            check_whole(tmp_path / "x.nii")
            (tmp_path / "x.nii").write_bytes(bytes(header) + voxels[:-1])
            with pytest.raises(InputRefusedError, match="cut off"):
                check_whole(tmp_path / "x.nii")


@pytest.mark.parametrize(
    ("value", "sentence"), [(0.5, "probabilities"), (1.5, "fractions"), (-1.0, "0..65535"), (70000.0, "0..65535")]
)
def test_labels_refused(tmp_path: Path, value: float, sentence: str) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((3, 4, 5), value)), str(tmp_path / "x.nrrd"))
    with pytest.raises(InputRefusedError, match=sentence):
        read_labels(tmp_path / "x.nrrd")


def test_failed_write_leaves_the_old_file(make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.nii.gz"
    volume: Volume = make.block()
    write_image(volume, path)
    before = path.read_bytes()

    def broken(*args: object, **kwargs: object) -> None:
        Path(str(args[1])).write_bytes(b"half")
        raise RuntimeError("disk full")

    monkeypatch.setattr(sitk, "WriteImage", broken)
    with pytest.raises(CannotWriteError, match="is the disk full"):
        write_image(volume, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.nii.gz"]
