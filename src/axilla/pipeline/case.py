"""One CT, from voxels to nodes, features and atlas, and the files that hold them."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
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
from axilla.io.database import SeriesRow
from axilla.io.dicom import read_series, scan
from axilla.io.files import remove_leftovers, write_json
from axilla.io.images import write_labels
from axilla.io.tables import nodes_frame, write_features, write_table
from axilla.locate import describe, locate, warnings_about
from axilla.node import Node, Segmentation
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline.pictures import write_pictures
from axilla.pipeline.settings import CaseSettings, plain_settings
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
    names = {node.label: node.node_id for node in nodes}
    segments = tuple(replace(s, name=names[s.label]) for s in segmentation.segments if s.label in names)
    named = Segmentation(segmentation.geometry, segments)
    warnings = (*volume.warnings, *notes, *warnings_about(volume, anatomy))
    return Located(volume, named, nodes, context_masks(volume, anatomy, settings.locate.anatomy), anatomy.coverage, warnings)


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
    """One patient of a study to work through."""

    patient_id: str
    series: SeriesRow
    folder: Path
    settings: CaseSettings

    def is_complete(self) -> bool:
        """Whether every file of the patient is there."""
        return all((self.folder / name).is_file() for name in CASE_FILES)


CASE_FILES = ("ct.json", "nodes.nii.gz", "nodes.csv", "atlas.json", "atlas.glb", "features.parquet", "pictures/pictures.json")


def run_case(task: CaseTask) -> str:
    """Read, locate, measure, draw and write one patient; the reason why not, or empty.

    Only what the patient's data break is caught: the others go on.

    Raises
    ------
    CannotWriteError
        If the study folder cannot be written to: no other patient would fare better.
    """
    remove_leftovers(task.folder)
    try:
        volume = _read_chosen(task.series)
        located = locate_nodes(volume, task.settings)
        table = measure(located, task.settings, task.patient_id)
        write_located(located, build(located, task.settings), task.folder)
        pictures = [node_picture(volume, located.segmentation, node, settings=SMALL) for node in located.nodes]
        write_pictures(pictures, task.folder / "pictures")
        write_measured(table, located, task.folder / "features.parquet")
        write_json(task.folder / "ct.json", describe_ct(located))
    except CannotWriteError:
        raise
    except AxillaError as error:
        return str(error)
    except (ArithmeticError, IndexError, KeyError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"unexpected {type(error).__name__} in {frame.name} ({Path(frame.filename).name}:{frame.lineno}): {error}"
    return ""


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
