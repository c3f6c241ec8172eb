"""Detectors from outside, each behind the protocol of :mod:`axilla.detectors`: a mask file, a command, an nnU-Net model folder.

``mask:FILE``      nodes segmented elsewhere; nothing is run.
``command:...``    a program that reads ``{ct}`` (NIfTI, HU) and writes ``{out}`` (NIfTI: 0 background, nodes 1 or 1, 2, ...).
``nnunet:FOLDER``  a trained nnU-Net v2 model: ``dataset.json, plans.json, fold_*/checkpoint_*.pth``.

The last two run code that came with them (PyTorch's checkpoints can hold code), so they need the user's consent.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from axilla.detectors import BUILT_IN, BuiltInDetector, Detector, Provenance, detector_names, get_detector, location_of
from axilla.errors import AxillaError, InputRefusedError, UsageError
from axilla.io.exchange import read_mask
from axilla.io.images import write_image
from axilla.locate import LocateSettings, Location
from axilla.node import Segmentation
from axilla.volume import Labels, Volume, from_canonical, to_canonical

MASK, COMMAND, NNUNET = "mask:", "command:", "nnunet:"
"""How the detectors from outside are named; what follows the colon is the file, the program, the folder."""

MASK_NAME = "mask"
"""Name, in the provenance, of nodes that were read from a file."""

INSTALL_NNUNET = "pip install 'axilla[nnunet]'"

_CHUNK = 1 << 20
_CONSENT = "--allow-external-detector"
_NO_SCORES = "The detector gives no detection scores: every node it found is shown with 1."


@dataclass(frozen=True)
class ExternalSettings:
    """How programs from outside are run."""

    timeout_s: float = 1800.0
    """Seconds after which a program is stopped. Half an hour: a large network on a laptop without a GPU takes minutes."""


_EXTERNAL = ExternalSettings()
_LOCATE = LocateSettings()


def detector_from(
    name: str = BUILT_IN,
    *,
    allow_external: bool = False,
    settings: LocateSettings = _LOCATE,
    external: ExternalSettings = _EXTERNAL,
) -> Detector:
    """The detector a user names.

    Parameters
    ----------
    name : str
        ``built-in``, the name of an installed one, ``mask:FILE``, ``command:PROGRAM ... {ct} ... {out}`` or ``nnunet:FOLDER``.
    allow_external : bool
        Whether the user consents to running a program or a model from outside.
    settings : LocateSettings
    external : ExternalSettings

    Raises
    ------
    UsageError
        If there is no such detector, or the consent is missing.
    InputRefusedError
        If the file, the program or the model folder is not there or not complete, or nnU-Net is not installed.
    """
    if name == BUILT_IN:
        return BuiltInDetector(settings)
    if name.startswith(MASK):
        return MaskDetector.of(Path(_after(name, MASK, "FILE")), settings)
    if name.startswith((COMMAND, NNUNET)) and not allow_external:
        kind = "a program" if name.startswith(COMMAND) else "a model file, which can hold code,"
        raise UsageError(f"This detector runs {kind} from outside axilla; add {_CONSENT} if you trust it.")
    if name.startswith(COMMAND):
        return CommandDetector.of(_after(name, COMMAND, "PROGRAM ... {ct} ... {out}"), settings, external)
    if name.startswith(NNUNET):
        return NnunetDetector.of(Path(_after(name, NNUNET, "FOLDER")), settings)
    if name not in detector_names():
        raise UsageError(
            f"There is no detector '{name}'; give {', '.join(detector_names())}, mask:FILE, 'command:PROGRAM {{ct}} {{out}}' "
            "or nnunet:FOLDER."
        )
    return get_detector(name)


def _after(name: str, kind: str, what: str) -> str:
    rest = name.removeprefix(kind).strip()
    if not rest:
        raise UsageError(f"The detector '{kind}' needs what follows the colon: {kind}{what}.")
    return rest


@dataclass(frozen=True)
class MaskDetector:
    """Nodes of a mask file; the file is read, nothing is run."""

    path: Path
    provenance: Provenance
    settings: LocateSettings = field(default_factory=LocateSettings)

    @classmethod
    def of(cls, path: Path, settings: LocateSettings = _LOCATE) -> MaskDetector:
        """The detector of a mask file.

        Raises
        ------
        InputRefusedError
            If there is no such file.
        """
        if not path.is_file():
            raise InputRefusedError(f"The mask file {path} does not exist; check the path.")
        # The file's name stays out: it may name the patient.
        return cls(path, Provenance(MASK_NAME, "", "", sha256=_fingerprint([path], path.parent)), settings)

    def detect(self, volume: Volume) -> Location:
        """The mask's nodes, on the CT's grid."""
        brought = read_mask(self.path, volume.geometry)
        return _located(volume, brought.segmentation, brought.notes, self.settings)


@dataclass(frozen=True)
class CommandDetector:
    """A program that reads a CT and writes a mask, run without a shell in a folder that is removed afterwards."""

    arguments: tuple[str, ...]
    provenance: Provenance
    settings: LocateSettings = field(default_factory=LocateSettings)
    external: ExternalSettings = field(default_factory=ExternalSettings)

    @classmethod
    def of(cls, command: str, settings: LocateSettings = _LOCATE, external: ExternalSettings = _EXTERNAL) -> CommandDetector:
        """The detector of a command line with the placeholders ``{ct}`` and ``{out}``.

        Raises
        ------
        UsageError
            If the line cannot be split into words, or lacks a placeholder.
        InputRefusedError
            If there is no such program.
        """
        try:
            words = tuple(shlex.split(command, posix=os.name == "posix"))
        except ValueError as error:
            raise UsageError(f"The detector's command cannot be split into words ({error}); check its quotes.") from error
        missing = [place for place in ("{ct}", "{out}") if not any(place in word for word in words)]
        if missing:
            raise UsageError(f"The detector's command lacks {' and '.join(missing)}: the CT to read and the mask to write.")
        program = shutil.which(words[0])
        if program is None:
            raise InputRefusedError(f"The detector's program '{words[0]}' was not found; check its name or path.")
        return cls(
            (str(Path(program).absolute()), *words[1:]), Provenance("command", "", "", command=command), settings, external
        )

    def detect(self, volume: Volume) -> Location:
        """Run the program and take the nodes of what it wrote.

        Raises
        ------
        InputRefusedError
            If it fails, takes too long, or leaves no usable mask.
        """
        with tempfile.TemporaryDirectory(prefix="axilla-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            ct, out = folder / "ct.nii.gz", folder / "out.nii.gz"
            write_image(volume, ct)
            words = [word.replace("{ct}", str(ct)).replace("{out}", str(out)) for word in self.arguments]
            _run(words, folder, self.external.timeout_s)
            if not out.is_file():
                raise InputRefusedError("The detector's program ended well but wrote no {out} file; check its command.")
            try:
                brought = read_mask(out, volume.geometry)
            except AxillaError as error:
                raise InputRefusedError(f"The mask that the detector's program wrote cannot be used: {error}") from error
        return _located(volume, brought.segmentation, (*brought.notes, _NO_SCORES), self.settings)


def _run(words: list[str], folder: Path, timeout_s: float) -> None:
    """Run a program to its end; what it prints goes nowhere but, its last line, into the refusal."""
    with (folder / "output.txt").open("wb+") as printed:
        try:
            process = subprocess.Popen(  # noqa: S603 - a list of words, no shell, and the user's consent
                words, cwd=folder, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            raise InputRefusedError(f"The detector's program cannot be started ({error.strerror or error}).") from error
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise InputRefusedError(
                f"The detector's program was stopped after {timeout_s:g} s; give it more time with --detector-timeout."
            ) from error
        finally:
            _stop(process)
        if status:
            how = f"with status {status}" if status > 0 else f"by signal {-status}"
            raise InputRefusedError(f"The detector's program failed {how}{_last_line(folder / 'output.txt')}.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started, where they still run."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _last_line(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 4096))
        lines = [line.strip() for line in stream.read().decode("utf-8", "replace").splitlines()]
    said = next((line for line in reversed(lines) if line), "")
    return f"; its last words: {said[:200].rstrip('.')}" if said else ""


@dataclass(frozen=True)
class NnunetDetector:
    """A trained nnU-Net v2 model (Isensee et al., Nat Methods 2021;18:203-11), run in this process."""

    folder: Path
    folds: tuple[str, ...]
    checkpoint: str
    label: int
    is_turned: bool
    """Whether the model saw images as RAS arrays (its reader re-oriented them) and not in DICOM's order."""
    notes: tuple[str, ...]
    provenance: Provenance
    settings: LocateSettings = field(default_factory=LocateSettings)

    @classmethod
    def of(cls, folder: Path, settings: LocateSettings = _LOCATE) -> NnunetDetector:
        """The detector of a model folder, as nnU-Net leaves it after training.

        Raises
        ------
        InputRefusedError
            If the folder is not complete, the model needs more than one image or knows no single kind of node, or nnU-Net is
            not installed.
        """
        dataset, plans = (_read_json(folder / name) for name in ("dataset.json", "plans.json"))
        folds, checkpoint = _weights(folder)
        label, notes = _node_label(dataset)
        channels = dataset.get("channel_names") or dataset.get("modality") or {}
        if len(channels) != 1:
            raise InputRefusedError(f"The model needs {len(channels)} images, but there is one CT; give a model for CT alone.")
        kind = str(next(iter(channels.values())))
        if kind.upper() != "CT":
            notes = (*notes, f"The model's dataset.json calls its input '{kind}', not CT; check that it was trained on CT.")
        if importlib.util.find_spec("nnunetv2") is None:
            raise InputRefusedError(f"nnU-Net is not installed; install it with: {INSTALL_NNUNET}")
        files = [folder / "dataset.json", folder / "plans.json", *(folder / fold / checkpoint for fold in folds)]
        provenance = Provenance(
            "nnunet",
            _nnunet_version(),
            _license(folder, dataset),
            _trained_on(dataset, plans),
            sha256=_fingerprint(files, folder),
        )
        is_turned = plans.get("image_reader_writer") == "NibabelIOWithReorient"
        return cls(folder, folds, checkpoint, label, is_turned, notes, provenance, settings)

    def detect(self, volume: Volume) -> Location:
        """The nodes the model finds.

        Raises
        ------
        InputRefusedError
            If nnU-Net fails, or answers with another grid.
        """
        array = to_canonical(volume.array, volume.geometry).astype(np.float32)
        array = np.ascontiguousarray(array[:, ::-1, ::-1] if self.is_turned else array)
        properties = {"spacing": list(volume.geometry.canonical().spacing_zyx_mm)}
        with _silence():
            try:
                answer = np.asarray(self._predictor().predict_single_npy_array(array[None], properties, None, None, False))
            except Exception as error:  # a network's own failures are of every kind
                raise InputRefusedError(f"nnU-Net failed ({type(error).__name__}: {_first_words(error)}).") from error
        if answer.shape != array.shape:
            raise InputRefusedError(f"nnU-Net answered with a mask of shape {answer.shape} for a CT of shape {array.shape}.")
        answer = answer[:, ::-1, ::-1] if self.is_turned else answer
        mask = np.ascontiguousarray(from_canonical(answer == self.label, volume.geometry)).astype(np.uint16)
        found = Segmentation.from_labels(Labels(mask, volume.geometry))
        return _located(volume, found, (*self.notes, _NO_SCORES), self.settings)

    def _predictor(self) -> Any:
        torch = importlib.import_module("torch")
        inference = importlib.import_module("nnunetv2.inference.predict_from_raw_data")
        has_gpu = bool(torch.cuda.is_available())
        predictor = inference.nnUNetPredictor(
            device=torch.device("cuda" if has_gpu else "cpu"), perform_everything_on_device=has_gpu, allow_tqdm=False
        )
        folds = tuple(fold.removeprefix("fold_") for fold in self.folds)
        predictor.initialize_from_trained_model_folder(str(self.folder), folds, self.checkpoint)
        return predictor


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputRefusedError(
            f"{path.parent} is no nnU-Net v2 model folder: {path.name} is missing; give the folder that holds dataset.json, "
            "plans.json and fold_0 (or other folds)."
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputRefusedError(f"{path} cannot be read as JSON; copy the model folder again.") from error
    if not isinstance(found, dict):
        raise InputRefusedError(f"{path} does not hold what nnU-Net writes there; copy the model folder again.")
    return found


def _weights(folder: Path) -> tuple[tuple[str, ...], str]:
    """Folds and checkpoint to use: the final ones where there are any, else the best ones; single folds before ``fold_all``."""
    for checkpoint in ("checkpoint_final.pth", "checkpoint_best.pth"):
        folds = sorted(path.parent.name for path in folder.glob(f"fold_*/{checkpoint}"))
        single = tuple(fold for fold in folds if fold.removeprefix("fold_").isdigit())
        if single or "fold_all" in folds:
            return single or ("fold_all",), checkpoint
    raise InputRefusedError(
        f"{folder} is no trained nnU-Net v2 model: no fold_*/checkpoint_final.pth or checkpoint_best.pth; copy it again, whole."
    )


def _node_label(dataset: dict[str, Any]) -> tuple[int, tuple[str, ...]]:
    """The label that means node, and what to say about the others."""
    labels = dataset.get("labels")
    named = {str(name): value for name, value in labels.items()} if isinstance(labels, dict) else {}
    foreground = {name: value for name, value in named.items() if isinstance(value, int) and value > 0 and name != "ignore"}
    if any(isinstance(value, list) for value in named.values()) or not foreground:
        raise InputRefusedError("The model's dataset.json names no plain labels (regions are not supported); give another model.")
    nodes = {name: value for name, value in foreground.items() if "node" in name.lower()}
    if len(foreground) > 1 and len(nodes) != 1:
        raise InputRefusedError(
            f"The model knows {len(foreground)} labels ({', '.join(list(foreground)[:5])}), and not exactly one is named a node; "
            "give a model of lymph nodes."
        )
    name, value = next(iter((nodes or foreground).items()))
    others = [other for other in foreground if other != name]
    notes = (f"Of the model's labels only '{name}' is used; left out: {', '.join(others)}.",) if others else ()
    return value, notes


def _license(folder: Path, dataset: dict[str, Any]) -> str:
    """The licence the model folder states: in dataset.json, or the first words of its licence file."""
    for key in ("licence", "license"):
        if str(dataset.get(key) or "").strip():
            return str(dataset[key]).strip()[:200]
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.lower().startswith(("license", "licence", "copying")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            return next((line.strip()[:200] for line in lines if line.strip()), "")
    return ""


def _trained_on(dataset: dict[str, Any], plans: dict[str, Any]) -> str:
    name = str(dataset.get("name") or plans.get("dataset_name") or "").strip()
    number = dataset.get("numTraining")
    return f"{name} ({number} training cases)" if name and number else name


def _nnunet_version() -> str:
    try:
        return version("nnunetv2")
    except PackageNotFoundError:
        return ""


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """nnU-Net prints; standard output belongs to the command's result."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _first_words(error: Exception) -> str:
    words = " ".join(str(error).split())
    return words[:200].rstrip(".") or "no reason given"


def _fingerprint(paths: list[Path], root: Path) -> str:
    """SHA-256 of one file, or of several with their names."""
    digest = hashlib.sha256()
    for path in paths:
        if len(paths) > 1:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _located(volume: Volume, segmentation: Segmentation, notes: tuple[str, ...], settings: LocateSettings) -> Location:
    is_empty = not any(segment.mask.any() for segment in segmentation.segments)
    return location_of(volume, segmentation, (*notes, *(("The detector found no node.",) if is_empty else ())), settings)
