"""One CT, from voxels to nodes, features and atlas, and the files that hold them."""

from __future__ import annotations

import functools
import itertools
import shutil
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from axilla._version import __version__
from axilla.anatomy import find_anatomy
from axilla.anatomy.context import context_masks
from axilla.atlas import Atlas, build_atlas
from axilla.errors import AxillaError, CannotWriteError, InputRefusedError
from axilla.figures import SMALL, node_picture
from axilla.io.atlas import write_atlas
from axilla.io.database import JournalRow, MaskRow, SeriesRow
from axilla.io.dicom import read_series, scan
from axilla.io.exchange import read_mask
from axilla.io.files import remove_leftovers, write_json
from axilla.io.images import write_labels
from axilla.io.study import check_is_held
from axilla.io.tables import nodes_frame, read_nodes, write_features, write_table
from axilla.locate import describe, locate, warnings_about
from axilla.node import Node, Segmentation
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline.pictures import write_pictures
from axilla.pipeline.settings import CaseSettings, plain_settings
from axilla.pipeline.stages import EXTRACT, LOCATE, PATIENT_STAGES, Stage, inputs_of, is_current, outputs_of
from axilla.radiomics import RadiomicsSettings, extract
from axilla.table import FeatureTable
from axilla.volume import BoolArray, Volume


@dataclass(frozen=True)
class Located:
    """The nodes of one CT, found or brought by the user."""

    volume: Volume
    segmentation: Segmentation
    nodes: tuple[Node, ...]
    context: Mapping[str, BoolArray]
    """Masks around the nodes that the atlas shows: skin, lungs, bones."""
    coverage: Mapping[str, str]
    """Per side: is the axilla whole, partial or absent in the field of view."""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "context", MappingProxyType(dict(self.context)))
        object.__setattr__(self, "coverage", MappingProxyType(dict(self.coverage)))


def locate_nodes(volume: Volume, settings: CaseSettings, progress: Progress = silent) -> Located:
    """Find and segment the nodes."""
    progress("locate nodes", 0, 1)
    found = locate(volume, settings.locate)
    progress("locate nodes", 1, 1)
    warnings = (*volume.warnings, *found.warnings)
    return Located(
        volume,
        found.segmentation,
        found.nodes,
        context_masks(volume, found.anatomy, settings.locate.anatomy),
        found.coverage,
        warnings,
    )


def describe_nodes(volume: Volume, segmentation: Segmentation, notes: tuple[str, ...], settings: CaseSettings) -> Located:
    """Take the nodes from a segmentation the user brought.

    Raises
    ------
    InputRefusedError
        If no segment has a voxel, or two overlap: an atlas shows each voxel in one node.
    """
    anatomy = find_anatomy(volume, settings.locate.anatomy)
    nodes = describe(volume, segmentation, anatomy=anatomy)
    if not nodes:
        raise InputRefusedError("The mask has no voxel in any label; draw the nodes first, or leave --mask out.")
    named = _named(segmentation, {node.label: node.node_id for node in nodes})
    warnings = (*volume.warnings, *notes, *warnings_about(volume, anatomy))
    return Located(volume, named, nodes, context_masks(volume, anatomy, settings.locate.anatomy), anatomy.coverage, warnings)


def _named(segmentation: Segmentation, names: Mapping[int, str]) -> Segmentation:
    """The segments that are nodes, under the nodes' names."""
    segments = tuple(replace(s, name=names[s.label]) for s in segmentation.segments if s.label in names)
    return Segmentation(segmentation.geometry, segments)


def build(located: Located, settings: CaseSettings, progress: Progress = silent) -> Atlas:
    """The 3D atlas."""
    progress("build atlas", 0, 1)
    atlas = build_atlas(located.volume, located.segmentation, located.nodes, located.context, settings.atlas)
    progress("build atlas", 1, 1)
    return atlas


def measure(located: Located, settings: CaseSettings, patient_id: str, progress: Progress = silent) -> FeatureTable:
    """The 107 features of every node."""
    progress("extract features", 0, 1)
    table = extract(located.volume, located.segmentation, settings.radiomics, patient_id)
    progress("extract features", 1, 1)
    return table


def write_located(located: Located, atlas: Atlas, folder: Path, groups: Mapping[str, int] | None = None) -> None:
    """``nodes.nii.gz``, ``nodes.csv``, ``atlas.json``, ``atlas.glb``; `groups` by node_id color the nodes."""
    is_synthetic = located.volume.acquisition.is_synthetic
    write_labels(located.segmentation.to_labels(), folder / "nodes.nii.gz")
    write_table(nodes_frame(located.nodes), folder / "nodes.csv", "nodes", is_synthetic=is_synthetic)
    write_atlas(atlas, folder, groups)


def write_measured(table: FeatureTable, located: Located, path: Path) -> None:
    """``features.csv`` or ``features.parquet``."""
    write_features(table, path, is_synthetic=located.volume.acquisition.is_synthetic)


def feature_settings(settings: RadiomicsSettings) -> dict[str, str | float | bool | None]:
    """The feature settings as a model records them: plain values only."""
    plain = plain_settings(settings)
    return {name: value if isinstance(value, str | float | int | bool | None) else str(value) for name, value in plain.items()}


@dataclass(frozen=True)
class CaseTask:
    """One patient of a study to work through.

    Parameters
    ----------
    patient_id : str
    series : SeriesRow
        The chosen CT.
    folder : Path
        ``patients/<pseudonym>``.
    settings : CaseSettings
    outside : mapping of str to str
        Digests of CT and mask, for the journal.
    journal : mapping of str to JournalRow
        By stage, what became of the patient before.
    holder : str
        What ``study.holder.json`` says: a worker that does not see it sees another disk.
    """

    patient_id: str
    series: SeriesRow
    folder: Path
    settings: CaseSettings
    outside: Mapping[str, str]
    journal: Mapping[str, JournalRow]
    holder: str = ""
    mask: MaskRow | None = None
    """The nodes as somebody drew them, instead of axilla's."""

    def inputs(self, stage: Stage) -> dict[str, str]:
        """What the stage would be made of now."""
        plain = plain_settings(self.settings)
        return inputs_of(stage, self.folder, {name: plain[name] for name in stage.settings if name in plain}, self.outside)

    def is_current(self, stage: Stage) -> bool:
        """Whether what the stage wrote stands.

        Raises
        ------
        InputRefusedError
            If a file was changed by hand.
        """
        return is_current(self.journal.get(stage.name), self.inputs(stage), self.folder)

    def outdated(self) -> tuple[Stage, ...]:
        """The first stage that is not up to date and those after it.

        Raises
        ------
        InputRefusedError
            If a file was changed by hand.
        """
        return tuple(itertools.dropwhile(self.is_current, PATIENT_STAGES))


def run_case(task: CaseTask, progress: Progress) -> tuple[JournalRow, ...]:
    """Do what is not up to date of one patient; a row per stage, the last one failed where the patient's data broke it.

    Raises
    ------
    CannotWriteError
        If the study folder cannot be written to: no other patient would fare better.
    UnfinishedError
        If this process sees another study folder than the one that sent it.
    """
    check_is_held(task.folder.parent.parent, task.holder)
    remove_leftovers(task.folder)
    volume = functools.cache(functools.partial(_read_chosen, task.series))
    rows: list[JournalRow] = []
    for stage in PATIENT_STAGES:
        row = task.journal.get(stage.name)
        if row is None or not task.is_current(stage):
            row = _done(stage, task, volume)
        rows.append(row)
        progress(stage.name, 1, 1)
        if row.state == "failed":
            break
    return tuple(rows)


def _done(stage: Stage, task: CaseTask, volume: Callable[[], Volume]) -> JournalRow:
    """Do a stage; only what the patient's data break is caught: the others go on."""
    try:
        _WORK[stage](task, volume())
    except CannotWriteError:
        raise
    except AxillaError as error:
        return JournalRow(stage.name, task.patient_id, "failed", str(error))
    except (ArithmeticError, IndexError, KeyError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        message = f"unexpected {type(error).__name__} in {frame.name} ({Path(frame.filename).name}:{frame.lineno}): {error}"
        return JournalRow(stage.name, task.patient_id, "failed", message)
    return JournalRow(stage.name, task.patient_id, "done", "", task.inputs(stage), outputs_of(stage, task.folder))


def _locate(task: CaseTask, volume: Volume) -> None:
    """Nodes, atlas, pictures."""
    if task.mask is None:
        located = locate_nodes(volume, task.settings)
    else:
        drawn = read_mask(Path(task.mask.path), volume.geometry, slices=volume.slices)
        located = describe_nodes(volume, drawn.segmentation, drawn.notes, task.settings)
    write_located(located, build(located, task.settings), task.folder)
    pictures = [node_picture(volume, located.segmentation, node, settings=SMALL) for node in located.nodes]
    shutil.rmtree(task.folder / "pictures", ignore_errors=True)
    write_pictures(pictures, task.folder / "pictures")
    write_json(task.folder / "ct.json", describe_ct(located))


def _extract(task: CaseTask, volume: Volume) -> None:
    """Features, of the nodes as they lie on the disk."""
    found = read_mask(task.folder / "nodes.nii.gz", volume.geometry).segmentation
    nodes = read_nodes(task.folder / "nodes.csv")
    named = _named(found, dict(zip(nodes["label"], nodes["node_id"], strict=True)))
    table = extract(volume, named, task.settings.radiomics, task.patient_id)
    write_features(table, task.folder / "features.parquet", is_synthetic=volume.acquisition.is_synthetic)


_WORK: Mapping[Stage, Callable[[CaseTask, Volume], None]] = {LOCATE: _locate, EXTRACT: _extract}


def _read_chosen(series: SeriesRow) -> Volume:
    found = scan([Path(name) for name in series.files]).find(series.series_uid)
    if len(found) != 1:
        raise InputRefusedError("The chosen series is no longer among its files; import them anew.")
    return read_series(found[0])


def describe_ct(located: Located) -> dict[str, Any]:
    """``ct.json``: grid, acquisition, coverage, warnings; no identity."""
    volume = located.volume
    grid = volume.geometry
    return {
        "schema": 1,
        "shape_zyx": list(grid.shape_zyx),
        "spacing_xyz_mm": list(grid.spacing_xyz_mm),
        "origin_xyz_mm": list(grid.origin_xyz_mm),
        "direction": [list(row) for row in grid.direction],
        "acquisition": plain_settings(volume.acquisition),
        "coverage": dict(located.coverage),
        "warnings": list(located.warnings),
        "axilla": __version__,
    }
