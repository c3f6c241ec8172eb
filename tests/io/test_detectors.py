"""Detectors from outside: what they are asked, what they may answer, what is kept of them, and how they are refused."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from axilla.detectors import MOST_NODES, Detector, location_of
from axilla.errors import InputRefusedError, UsageError
from axilla.io.detectors import INSTALL_NNUNET, CommandDetector, ExternalSettings, NnunetDetector, detector_from
from axilla.io.images import write_labels
from axilla.node import Segment, Segmentation
from axilla.volume import Geometry, Labels, Volume, from_canonical, to_canonical

GRID = Geometry((30, 40, 50), (1.0, 1.0, 1.5), (-25.0, -20.0, 100.0))
FEET_LAST = Geometry((30, 40, 50), (1.0, 1.0, 1.5), (24.0, -20.0, 143.5), ((-1, 0, 0), (0, 1, 0), (0, 0, -1)))
PYTHON = sys.executable


def ball(center_zyx: tuple[int, int, int], radius: float = 3.5) -> np.ndarray:
    return np.sum((np.indices(GRID.shape_zyx) - np.reshape(center_zyx, (3, 1, 1, 1))) ** 2, axis=0) < radius**2


BALLS = [ball((8, 20, 12)), ball((22, 20, 12)), ball((15, 20, 38))]
"""Right and low, right and high, left (on the grid in LPS order)."""


def ct(geometry: Geometry = GRID) -> Volume:
    hu = np.full(GRID.shape_zyx, -100, dtype=np.int16)
    hu[:, :, 0] = -1000
    for mask in BALLS:
        hu[mask] = 50
    return Volume(np.ascontiguousarray(from_canonical(hu, geometry)), geometry)


def names_by_place(location) -> dict[str, tuple[int, ...]]:
    return {node.node_id: tuple(np.rint(node.center_xyz_mm).astype(int).tolist()) for node in location.nodes}


EXPECTED = {"R01": (-13, 0, 133), "R02": (-13, 0, 112), "L01": (13, 0, 122)}


def segmentation(*values: int) -> Segmentation:
    array = np.zeros(GRID.shape_zyx, dtype=np.uint16)
    for mask, value in zip(BALLS, values, strict=True):
        array[mask] = value
    return Segmentation.from_labels(Labels(array, GRID))


@pytest.mark.parametrize("values", [(1, 1, 1), (4, 2, 3), (255, 255, 255)], ids=["binary", "instances", "binary of 255"])
def test_nodes_are_separated_and_numbered_by_side_then_head_to_foot(values: tuple[int, ...]) -> None:
    location = location_of(ct(), segmentation(*values))
    assert names_by_place(location) == EXPECTED
    assert [node.label for node in location.nodes] == [1, 2, 3]
    assert [segment.name for segment in location.segmentation.segments] == list(EXPECTED)
    volumes = [segment.n_voxels * 1.5 for segment in location.segmentation.segments]
    assert [node.volume_mm3 for node in location.nodes] == volumes


def test_parts_that_touch_at_a_corner_are_one_and_labels_in_pieces_stay_one() -> None:
    array = np.zeros(GRID.shape_zyx, dtype=np.uint16)
    array[5:8, 5:8, 5:8] = array[8:11, 8:11, 8:11] = 1
    assert len(location_of(ct(), Segmentation.from_labels(Labels(array, GRID))).nodes) == 1
    array[20:23, 5:8, 5:8] = 1
    array[20:23, 25:28, 40:43] = 2
    assert len(location_of(ct(), Segmentation.from_labels(Labels(array, GRID))).nodes) == 2


def test_overlaps_and_speckle_are_refused() -> None:
    cube = np.ones((3, 3, 3), dtype=bool)
    with pytest.raises(InputRefusedError, match="overlaps"):
        location_of(ct(), Segmentation(GRID, (Segment(1, (2, 2, 2), cube), Segment(2, (3, 3, 3), cube))))
    speckle = np.zeros(GRID.shape_zyx, dtype=np.uint16)
    speckle[::2, ::2, ::2] = 1
    assert speckle.sum() > MOST_NODES
    with pytest.raises(InputRefusedError, match="separate objects"):
        location_of(ct(), Segmentation.from_labels(Labels(speckle, GRID)))


def test_a_mask_file_is_a_detector_whose_name_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "Doe_Jane.nii.gz"
    write_labels(segmentation(1, 1, 1).to_labels(), path)
    detector = detector_from(f"mask:{path}")
    assert isinstance(detector, Detector)
    assert names_by_place(detector.detect(ct())) == EXPECTED
    assert "Doe" not in str(detector.provenance)
    assert len(detector.provenance.sha256) == 64
    with pytest.raises(InputRefusedError, match="does not exist"):
        detector_from(f"mask:{tmp_path / 'none.nii.gz'}")


THRESHOLD = """
import sys
import SimpleITK as sitk
image = sitk.ReadImage(sys.argv[1])
sitk.WriteImage(sitk.Cast(image > 0, sitk.sitkUInt8), sys.argv[2])
print("Doe^Jane")
"""


def command(tmp_path: Path, program: str, words: str = "{ct} {out}", timeout_s: float = 60.0) -> Detector:
    script = tmp_path / "a program.py"
    script.write_text(program)
    return detector_from(
        f"command:'{PYTHON}' '{script}' {words}", allow_external=True, external=ExternalSettings(timeout_s=timeout_s)
    )


@pytest.mark.skipif(os.name != "posix", reason="quotes as in a POSIX shell")
class TestCommand:
    def test_its_mask_becomes_nodes_in_any_orientation(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        detector = command(tmp_path, THRESHOLD)
        for geometry in (GRID, FEET_LAST):
            location = detector.detect(ct(geometry))
            assert names_by_place(location) == EXPECTED
            assert location.segmentation.geometry == geometry
        assert any("no detection scores" in sentence for sentence in location.warnings)
        assert capfd.readouterr() == ("", "")  # what it prints goes nowhere
        assert detector.provenance.command.endswith("{ct} {out}")

    def test_it_needs_the_users_consent(self, tmp_path: Path) -> None:
        for name in ("command:true {ct} {out}", f"nnunet:{tmp_path}"):
            with pytest.raises(UsageError, match="--allow-external-detector"):
                detector_from(name)

    @pytest.mark.parametrize(
        ("line", "said"),
        [("", "needs what follows"), ("cp {ct}", "lacks {out}"), ("cp 'x {ct} {out}", "quotes")],
    )
    def test_a_line_that_cannot_work_is_wrong_usage(self, line: str, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            detector_from(f"command:{line}", allow_external=True)

    def test_a_program_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(InputRefusedError, match="not found"):
            detector_from("command:no-such-program-here {ct} {out}", allow_external=True)

    @pytest.mark.parametrize(
        ("program", "said"),
        [
            ("import sys; print('reading'); sys.exit('no license for this')", "status 1; its last words: no license for this"),
            ("pass", "wrote no {out} file"),
            ("import sys; open(sys.argv[2], 'w').write('mask')", "cannot be used"),
            ("import sys, shutil; shutil.copy(sys.argv[1], sys.argv[2])", "cannot be used"),
            ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ],
    )
    def test_failures_are_one_sentence(self, tmp_path: Path, program: str, said: str) -> None:
        with pytest.raises(InputRefusedError) as refused:
            command(tmp_path, program).detect(ct())
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)

    def test_no_shell_reads_the_line(self, tmp_path: Path) -> None:
        seen = tmp_path / "seen.txt"
        program = f"import sys, pathlib; pathlib.Path({str(seen)!r}).write_text(repr(sys.argv[3:]))"
        with pytest.raises(InputRefusedError):
            command(tmp_path, program, "{ct} {out} $HOME ';' touch '*'").detect(ct())
        assert seen.read_text() == repr(["$HOME", ";", "touch", "*"])

    def test_it_is_stopped_in_time_with_what_it_started_and_leaves_no_folder(self, tmp_path: Path) -> None:
        place, late = tmp_path / "place.txt", tmp_path / "late.txt"
        child = f"import time, pathlib; time.sleep(4); pathlib.Path({str(late)!r}).touch()"
        program = f"""
import os, pathlib, subprocess, sys, time
pathlib.Path({str(place)!r}).write_text(os.getcwd())
subprocess.Popen([sys.executable, "-c", {child!r}])
time.sleep(60)
"""
        start = time.monotonic()
        with pytest.raises(InputRefusedError, match="stopped after 2 s"):
            command(tmp_path, program, timeout_s=2).detect(ct())
        assert time.monotonic() - start < 30
        assert not Path(place.read_text()).exists()
        time.sleep(4)
        assert not late.exists()

    def test_nothing_found_is_an_answer(self, tmp_path: Path) -> None:
        location = command(tmp_path, THRESHOLD.replace("image > 0", "image > 5000")).detect(ct())
        assert location.nodes == ()
        assert "The detector found no node." in location.warnings

    def test_the_program_is_found_before_the_ct_is_read(self) -> None:
        assert Path(CommandDetector.of("cp {ct} {out}").arguments[0]).is_absolute()


FAKE_PREDICTOR = """
import json, pathlib
import numpy as np

class nnUNetPredictor:
    def __init__(self, device, perform_everything_on_device, allow_tqdm):
        assert device == "device:cpu" and not perform_everything_on_device and not allow_tqdm

    def initialize_from_trained_model_folder(self, folder, use_folds, checkpoint_name):
        print("noise that must not reach the result")
        self.folder = pathlib.Path(folder)
        for fold in use_folds:
            assert (self.folder / f"fold_{fold}" / checkpoint_name).is_file()
        (self.folder / "seen.json").write_text(json.dumps([list(use_folds), checkpoint_name]))

    def predict_single_npy_array(self, image, properties, previous, output, probabilities):
        assert image.dtype == np.float32 and image.shape == (1, 30, 40, 50)
        assert properties == {"spacing": [1.5, 1.0, 1.0]}
        if (self.folder / "fail").exists():
            raise MemoryError("out of memory")
        first = image[0, 22, 20]
        expects_turned = (self.folder / "turned").exists()
        assert (first[12] > 0) != expects_turned
        return (image[0] > 0).astype(np.uint8) * int((self.folder / "label").read_text())
"""


@pytest.fixture
def fake_nnunet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that answers like nnU-Net v2 and thresholds."""
    root = tmp_path / "site"
    inference = root / "nnunetv2" / "inference"
    inference.mkdir(parents=True)
    (root / "nnunetv2" / "__init__.py").touch()
    (inference / "__init__.py").touch()
    (inference / "predict_from_raw_data.py").write_text(FAKE_PREDICTOR)
    (root / "torch.py").write_text(
        "class cuda:\n    is_available = staticmethod(lambda: False)\n\n\ndef device(name):\n    return f'device:{name}'\n"
    )
    monkeypatch.syspath_prepend(str(root))
    for name in [name for name in sys.modules if name.split(".")[0] in {"nnunetv2", "torch"}]:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in {"nnunetv2", "torch"}]:
        del sys.modules[name]


def model_folder(path: Path, labels: dict | None = None, plans: dict | None = None, **dataset: object) -> Path:
    for fold in ("fold_0", "fold_2", "fold_all"):
        (path / fold).mkdir(parents=True)
        (path / fold / "checkpoint_final.pth").write_bytes(b"weights of " + fold.encode())
    labels = labels or {"background": 0, "axillary_lymph_node": 1}
    description = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 120, "name": "Nodes", **dataset}
    (path / "dataset.json").write_text(json.dumps(description))
    (path / "plans.json").write_text(json.dumps(plans or {"image_reader_writer": "SimpleITKIO"}))
    (path / "label").write_text("1")
    return path


def test_nnunet_runs_its_folds_and_keeps_its_provenance(tmp_path: Path, fake_nnunet: None, capsys) -> None:
    folder = model_folder(tmp_path / "model", licence="CC-BY-4.0")
    for geometry in (GRID, FEET_LAST):
        detector = detector_from(f"nnunet:{folder}", allow_external=True)
        assert names_by_place(detector.detect(ct(geometry))) == EXPECTED
    assert json.loads((folder / "seen.json").read_text()) == [["0", "2"], "checkpoint_final.pth"]
    assert capsys.readouterr().out == ""
    kept = detector.provenance
    assert (kept.name, kept.license, kept.trained_on) == ("nnunet", "CC-BY-4.0", "Nodes (120 training cases)")
    (folder / "fold_2" / "checkpoint_final.pth").write_bytes(b"other weights")
    assert NnunetDetector.of(folder).provenance.sha256 != kept.sha256


def test_nnunet_models_read_with_reorientation_see_ras_arrays(tmp_path: Path, fake_nnunet: None) -> None:
    folder = model_folder(tmp_path / "model", plans={"image_reader_writer": "NibabelIOWithReorient"})
    (folder / "turned").touch()
    detector = NnunetDetector.of(folder)
    assert names_by_place(detector.detect(ct())) == EXPECTED


def test_nnunet_takes_the_label_named_node(tmp_path: Path, fake_nnunet: None) -> None:
    folder = model_folder(tmp_path / "model", labels={"background": 0, "muscle": 1, "Lymph Node": 2})
    (folder / "label").write_text("2")
    location = NnunetDetector.of(folder).detect(ct())
    assert names_by_place(location) == EXPECTED
    assert any("left out: muscle" in sentence for sentence in location.warnings)


def test_nnunet_failure_is_one_sentence(tmp_path: Path, fake_nnunet: None) -> None:
    folder = model_folder(tmp_path / "model")
    (folder / "fail").touch()
    with pytest.raises(InputRefusedError, match=r"nnU-Net failed \(MemoryError: out of memory\)"):
        NnunetDetector.of(folder).detect(ct())


@pytest.mark.parametrize(
    ("labels", "dataset", "said"),
    [
        ({"background": 0, "a": 1, "b": 2}, {}, "not exactly one is named a node"),
        ({"background": 0, "whole": [1, 2]}, {}, "regions"),
        ({"background": 0}, {}, "no plain labels"),
        (None, {"channel_names": {"0": "CT", "1": "PET"}}, "needs 2 images"),
    ],
)
def test_nnunet_models_that_do_not_fit_are_refused(tmp_path: Path, fake_nnunet: None, labels, dataset, said: str) -> None:
    with pytest.raises(InputRefusedError, match=said):
        NnunetDetector.of(model_folder(tmp_path / "model", labels, **dataset))


def test_nnunet_folder_must_be_whole(tmp_path: Path, fake_nnunet: None) -> None:
    with pytest.raises(InputRefusedError, match=r"dataset\.json is missing"):
        NnunetDetector.of(tmp_path)
    folder = model_folder(tmp_path / "model")
    for path in folder.glob("fold_*/checkpoint_final.pth"):
        path.unlink()
    with pytest.raises(InputRefusedError, match="no fold_"):
        NnunetDetector.of(folder)
    (folder / "fold_all" / "checkpoint_best.pth").touch()
    assert NnunetDetector.of(folder).folds == ("fold_all",)
    (folder / "plans.json").write_text("{")
    with pytest.raises(InputRefusedError, match="JSON"):
        NnunetDetector.of(folder)


def test_nnunet_absent_names_the_install_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputRefusedError) as refused:
        NnunetDetector.of(model_folder(tmp_path / "model"))
    assert INSTALL_NNUNET in str(refused.value)


def test_license_file_is_read_where_the_dataset_says_nothing(tmp_path: Path, fake_nnunet: None) -> None:
    folder = model_folder(tmp_path / "model")
    assert NnunetDetector.of(folder).provenance.license == ""
    (folder / "LICENSE.txt").write_text("\nCreative Commons BY-NC 4.0\nmore")
    assert NnunetDetector.of(folder).provenance.license == "Creative Commons BY-NC 4.0"


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"built-in.*mask:FILE.*nnunet:FOLDER"):
        detector_from("builtin")
    assert detector_from().provenance.name == "built-in"
    assert "phantom" in detector_from().provenance.trained_on


def test_canonical_order_of_the_fixture() -> None:
    turned = ct(FEET_LAST)
    assert np.array_equal(to_canonical(turned.array, FEET_LAST), ct().array)
