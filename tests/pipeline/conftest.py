"""A small synthetic study, simulated, imported and run once for all tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from axilla.cli import run
from axilla.phantom import CohortSettings, PhantomSettings
from axilla.pipeline.simulate import simulate


@pytest.fixture(scope="session")
def coarse() -> CohortSettings:
    """Coarser than the demo's patients, to be quick, with training patients enough for a model; one of seven is not eligible."""
    phantom = PhantomSettings(shape_zyx=(84, 256, 256), spacing_xyz_mm=(1.7, 1.7, 2.0))
    return CohortSettings(phantom=phantom, role_counts=(3, 1, 1, 1), ineligible_share=1 / 7)


@dataclass(frozen=True)
class Run:
    """Where the simulated data and the study lie, and how the run ended."""

    source: Path
    study: Path
    status: int


@pytest.fixture(scope="session")
def finished(coarse: CohortSettings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The study, run to its report."""
    root = tmp_path_factory.mktemp("demo")
    simulate(root / "source", 7, 3, coarse, jobs=1)
    imported = run(
        [
            "import",
            str(root / "source" / "dicom"),
            "--study",
            str(root / "study"),
            "--clinical",
            str(root / "source" / "clinical.csv"),
        ]
    )
    assert imported == 0
    return Run(root / "source", root / "study", run(["run", str(root / "study"), "--jobs", "1"]))
