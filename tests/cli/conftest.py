"""One CT with two regions, in every form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tests.cli import mask_writers

from axilla.io.dicom import write_ct
from axilla.io.images import write_image
from axilla.volume import Acquisition, Geometry, Labels, Volume


@pytest.fixture(scope="session")
def writers() -> ModuleType:
    """How masks are written in every format."""
    return mask_writers


@dataclass(frozen=True)
class Drawn:
    """A CT on disk, and regions drawn on it."""

    folder: Path
    volume: Volume
    labels: Labels

    @property
    def ct(self) -> Path:
        return self.folder / "ct.nii.gz"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory, writers: ModuleType) -> Drawn:
    """Two nodes in fat: a ball with a dent, and a wedge. Spacing and origin are the same in every format's numbers."""
    folder = tmp_path_factory.mktemp("drawn")
    grid = Geometry((20, 32, 40), (0.75, 0.75, 1.5), (-20.0, 30.5, -100.25))
    rng = np.random.default_rng(3)
    z, y, x = np.indices(grid.shape_zyx)
    ball = ((z - 9) * 1.5) ** 2 + ((y - 15) * 0.75) ** 2 + ((x - 15) * 0.75) ** 2 < 36
    ball &= ~((z == 9) & (y > 20) & (x > 14))
    wedge = (z > 5) & (z < 12) & (y > 8) & (y < 18) & (x > 26) & (x < 24 + y)  # rows of growing length
    labels = Labels(np.where(wedge, 2, ball).astype(np.uint16), grid, {1: "R01", 2: "left, level I"})
    array = np.where(labels.array > 0, 60, -100) + np.rint(rng.normal(0, 15, grid.shape_zyx)).astype(int)
    array[:, 0] = -1000
    acquisition = Acquisition(manufacturer="SIEMENS", kernel="B40f", kvp=120.0, slice_thickness_mm=1.5, patient_position="HFS")
    volume = Volume(array.astype(np.int16), grid, acquisition)
    write_ct(volume, folder / "dicom", patient_id="P0001")
    writers.zipped(folder / "dicom", folder / "ct.zip")
    for ending in ("nii.gz", "nii", "nrrd", "mha"):
        write_image(replace(volume, acquisition=Acquisition()), folder / f"ct.{ending}")
    writers.label_map(labels, folder / "dicom", folder / "m.nii.gz")
    return Drawn(folder, volume, labels)
