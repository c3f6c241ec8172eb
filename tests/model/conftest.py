"""Feature tables with two overlapping groups, made from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from axilla.model import VOTERS
from axilla.table import FeatureTable

OTHERS = (
    "original_shape_Sphericity", "original_shape_MeshVolume", "original_firstorder_Mean", "original_firstorder_Entropy",
    "original_firstorder_Energy", "original_glrlm_RunEntropy", "original_glszm_ZoneEntropy", "original_gldm_DependenceEntropy",
    "original_ngtdm_Busyness",
)  # fmt: skip


def make_table(n: int = 120, seed: int = 1, effect: float = 2.0, per_patient: int = 6) -> FeatureTable:
    """Nodes whose last 40 % are metastatic: voters and half of the others shifted by `effect` SD.

    MeshVolume is Energy in other units (correlated), so that the filter has something to drop.
    """
    rng = np.random.default_rng(seed)
    names = [*VOTERS, *OTHERS]
    metastatic = np.arange(n) >= 0.6 * n
    shift = np.array([1.0 if way == "higher" else -1.0 for way in VOTERS.values()] + [0.8, 0, 0.8, 0, 0, 0.8, 0, 0.8, 0])
    values = rng.normal(size=(n, len(names))) + metastatic[:, None] * shift * effect
    values[:, names.index("original_shape_MeshVolume")] = values[:, names.index("original_firstorder_Energy")] * 3 + 1
    scale = np.random.default_rng(99).lognormal(0, 3, len(names))
    frame = pd.DataFrame(values * scale + 10, columns=names)
    frame.insert(0, "patient_id", [f"P{i // per_patient + 1:04d}" for i in range(n)])
    frame.insert(1, "node_id", [f"R{i % per_patient + 1:02d}" for i in range(n)])
    frame.insert(2, "label", np.arange(n) % per_patient + 1)
    return FeatureTable(frame.assign(feature_status="ok", reason=""))


@pytest.fixture(scope="session")
def tables() -> Callable[..., FeatureTable]:
    """The maker of tables."""
    return make_table
