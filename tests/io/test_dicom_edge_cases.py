"""The awkward real files: every one has a row with its expected answer, and a file without a row fails the test."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from axilla.errors import InputRefusedError
from axilla.io import read_ct
from axilla.io.dicom import StackSettings, read_series, scan
from axilla.io.dicom.choose import refusal_reason
from axilla.io.exchange import read_mask
from axilla.volume import Geometry

FOLDERS = {
    "ge_tilt_variable_spacing": "gantry is tilted by 18.5 degrees.*spacing varies between 1.081 and 6.999 mm",
    "dicom2nifti_failing/gantrytilting/001": "gantry is tilted by 14.0 degrees",
    "dicom2nifti_failing/notavolume/001": "too few slices to be a volume: 4 at 1 position",
    "dicom2nifti_failing/slicecount/001": r"not CT \(MR\)",
    "dicom2nifti_failing/sliceincrement/001": r"1 slice\(s\) missing at one place \(spacing 5 mm\)",
    "dicom2nifti_failing/sliceincrement/002": r"tilted by 15.5 degrees.*1 slice\(s\) missing",
    "dicom2nifti_failing/sliceorientation/001": r"None of the 2 series.*not CT \(MR\).*not CT \(MR\)",
    "seg/ct-3slice": "",
}
"""Series, one per folder: what the refusal says, or nothing where it is read."""

ONE_SLICE = "too few slices to be a volume: 1"
DERIVED = "derived images"
_T = "transfer_syntaxes/"
_C = "transfer_syntaxes/CTImage.dcm"

FILES = {
    "eCT_Supplemental.dcm": "computed map .perfusion",
    "nometa/ExplVR_LitEndNoMeta.dcm": r"not CT \(RTPLAN\)",
    "nometa/MR_truncated.dcm": r"not CT \(MR\); also cut off",
    "nometa/no_meta.dcm": "unread: not DICOM",
    "nometa/rtstruct.dcm": r"not CT \(RTSTRUCT\)",
    "seg/liver.dcm": r"not CT \(SEG\)",
    "seg/partial_overlaps.dcm": r"not CT \(SEG\)",
    "seg/sparse-labelmap-noppv.dcm": r"not CT \(SEG\)",
    "seg/sparse-labelmap-ppv5.dcm": r"not CT \(SEG\)",
    _T + "CT0012.fragmented_no_bot_jpeg_baseline.51.dcm": "computed map .perfusion",
    _T + "CT1_J2KR": DERIVED,
    _T + "CT2_J2KR": DERIVED,
    _T + "no-pixel-data.dcm": r"not CT \(SR\)",
    _T + "no-pixel-spacing.dcm": r"not CT \(US\)",
    _C: ONE_SLICE,
    _C + "_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm": ONE_SLICE,
    _C + "_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm": ONE_SLICE,
    _C + "_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm": ONE_SLICE,
    _C + "_JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91.dcm": DERIVED,
    _C + "_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm": ONE_SLICE,
    _C + "_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm": DERIVED,
    _C + "_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm": DERIVED,
    _C + "_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm": ONE_SLICE,
    _C + "_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57.dcm": ONE_SLICE,
    _C + "_JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50.dcm": DERIVED,
    _C + "_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm": DERIVED,
    _C + "_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm": DERIVED,
    _C + "_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm": ONE_SLICE,
    _C + "_LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2.dcm": ONE_SLICE,
    _C + "_RLELosslessTransferSyntax_1.2.840.10008.1.2.5.dcm": ONE_SLICE,
}
"""Single files: why the automatic choice leaves them."""

LOSSLESS = [name for name, answer in FILES.items() if name.startswith(_C) and answer == ONE_SLICE]
DECODED_LOSSY = {"4.91.dcm": 5, "4.81.dcm": 1, "4.50.dcm": 65}
"""Lossy forms that can be decoded, and the largest error they bring, HU."""
UNDECODABLE = ("4.51.dcm", "4.53.dcm", "4.55.dcm")

SEGMENTATIONS = {
    "seg/liver.dcm": [("Liver", 107098)],
    "seg/partial_overlaps.dcm": [
        ("GREEN", 9602),
        ("ORANGE", 11888),
        ("PURPLE", 10743),
        ("LIGHT_BLUE", 6693),
        ("DARK_BLUE", 4713),
    ],
}


def test_every_file_has_an_expected_answer(edge: Path) -> None:
    found = {p.relative_to(edge).as_posix() for p in edge.rglob("*") if p.is_file()}
    answered = {name for name in found if name in FILES or any(name.startswith(f + "/") for f in FOLDERS)}
    assert found - answered == set()
    assert set(FILES) <= found
    assert len(found) == 83


@pytest.mark.parametrize("folder", FOLDERS)
def test_series(edge: Path, folder: str) -> None:
    if FOLDERS[folder]:
        with pytest.raises(InputRefusedError, match=FOLDERS[folder]) as refusal:
            read_ct(edge / folder)
        assert "\n" not in str(refusal.value)
    else:
        assert read_ct(edge / folder).volume.array.shape == (3, 512, 512)


@pytest.mark.parametrize("name", FILES)
def test_single_file(edge: Path, name: str) -> None:
    catalog = scan(edge / name)
    reasons = [refusal_reason(s) for s in catalog.series] + [f"unread: {u.reason}" for u in catalog.unread]
    assert len(reasons) == 1

    assert re.search(FILES[name], reasons[0])
    with pytest.raises(InputRefusedError):
        read_ct(edge / name)


def _one_slice(path: Path) -> np.ndarray:
    """The slice with its two neighbors made up, so that only decoding is asked."""
    from axilla.io.dicom.pixels import ReadSettings, _decoded

    return next(iter(_decoded(scan(path).series[0].slices[:1], ReadSettings()))).hu


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_transfer_syntaxes_agree_in_every_pixel(edge: Path, name: str) -> None:
    assert not scan(edge / name).series[0].first.is_lossy
    reference = _one_slice(edge / _C)
    assert reference.dtype == np.int16
    assert (reference.min(), reference.max()) == (-1024, 1378)
    np.testing.assert_array_equal(_one_slice(edge / name), reference)


def test_lossy_files_are_known_as_such(edge: Path) -> None:
    reference = _one_slice(edge / _C).astype(float)
    for name in FILES:
        ending = name[-8:]
        if name.startswith(_C) and ending in DECODED_LOSSY:
            assert scan(edge / name).series[0].first.is_lossy
            assert abs(np.abs(_one_slice(edge / name) - reference).max() - DECODED_LOSSY[ending]) < 1
        elif name.startswith(_C) and ending in UNDECODABLE:
            assert scan(edge / name).series[0].first.is_lossy
            with pytest.raises(InputRefusedError, match="cannot be decoded"):
                _one_slice(edge / name)


def test_the_whole_collection_holds_several_patients(edge: Path) -> None:
    with pytest.raises(InputRefusedError, match=r"CT of \d+ patients"):
        read_ct(edge)


def test_a_stack_repeated_over_time_is_refused_even_when_named(edge: Path) -> None:
    series = scan(edge / "dicom2nifti_failing/notavolume").series
    with pytest.raises(InputRefusedError, match="repeated over time"):
        read_series(series[0], stack_settings=StackSettings(min_slices=2))


@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_dicom_seg_on_its_ct(edge: Path, name: str) -> None:
    geometry = read_ct(edge / "seg/ct-3slice").volume.geometry
    found = read_mask(edge / name, geometry).segmentation
    assert [(s.name, s.n_voxels) for s in found.segments] == SEGMENTATIONS[name]


def test_overlapping_segments_stay_whole(edge: Path) -> None:
    geometry = read_ct(edge / "seg/ct-3slice").volume.geometry
    segments = read_mask(edge / "seg/partial_overlaps.dcm", geometry).segmentation.segments
    count = np.zeros(geometry.shape_zyx, dtype=int)
    for segment in segments:
        count[segment.slices_zyx] += segment.mask
    assert count.max() == 3


def test_sparse_labelmaps_with_and_without_padding_value_agree(edge: Path) -> None:
    grid = Geometry((6, 38, 24), (0.7, 0.7, 1.0), (46.46, 5.02, -177.75))
    found = []
    for name in ("seg/sparse-labelmap-noppv.dcm", "seg/sparse-labelmap-ppv5.dcm"):
        with pytest.raises(InputRefusedError, match=r"another grid.*24 x 38 x 6 voxels.*CT: 24 x 38 x 9"):
            read_mask(edge / name, Geometry((9, 38, 24), (0.7, 0.7, 1.0), (0.0, 5.02, -177.3)))
        reading = read_mask(edge / name, grid, resample=True)
        assert [s.name for s in reading.segmentation.segments] == ["Liver"]
        found.append(reading.segmentation.segments[0])
    assert found[0].n_voxels > 0
    np.testing.assert_array_equal(found[0].indices_zyx(), found[1].indices_zyx())


def test_rtstruct_without_contours_is_refused(edge: Path) -> None:
    with pytest.raises(InputRefusedError, match="contour"):
        read_mask(edge / "nometa/rtstruct.dcm", Geometry((3, 4, 5)))


def test_damaged_bytes_never_raise_anything_but_a_refusal(edge: Path, tmp_path: Path) -> None:
    """Cut and overwritten copies of the small real files, the same ones each time."""
    rng = np.random.default_rng(20)
    files = [edge / name for name in sorted(FILES) if (edge / name).stat().st_size < 150_000]
    path = tmp_path / "x.dcm"
    n_refused = 0
    for round_ in range(120):
        data = bytearray(files[round_ % len(files)].read_bytes())
        if round_ % 3 == 0:
            data = data[: rng.integers(1, len(data))]
        else:
            for at in rng.integers(0, min(len(data), (600, 4000)[round_ % 2]), size=5):
                data[at] = rng.integers(0, 256)
        path.write_bytes(data)
        for attempt in (lambda: read_ct(path), lambda: read_mask(path, Geometry((3, 512, 512)))):
            try:
                attempt()
            except InputRefusedError:
                n_refused += 1
    assert n_refused > 150
