"""A browser for tests of pages, and reports to look at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from axilla.figures import CohortFlow, Drawing, FlowCounts, contact_sheet, flow_diagram, node_picture
from axilla.node import Node, Segmentation
from axilla.report import PatientEntry, PredictionReport, StudyReport
from axilla.report.nouns import CLASS_NEEDS
from axilla.volume import Acquisition, Geometry, Volume

HOSTILE = "<script>alert(1)</script>\"'><img src=http://evil.example/x onerror=alert(2)>{{ 7*7 }}"


@pytest.fixture(scope="session")
def model_document() -> dict:
    """What ``model_to_dict`` gives, shortened."""
    return {
        "kind": "axilla model",
        "schema": 1,
        "warnings": ["The model was trained on synthetic data; its groups say nothing about real patients."],
        "provenance": {
            "n_nodes": 160,
            "n_patients": 20,
            "n_not_evaluable": 3,
            "n_group_1": 98,
            "n_group_2": 62,
            "is_synthetic": True,
            "data_sha256": "d16570e9f6efb914" + "0" * 48,
            "versions": {"axilla": "0.1.0"},
        },
        "settings": {"correlation_threshold": 0.9, "n_init": 50, "seed": 20240723},
        "votes": [{"feature": "original_glcm_Idm", "expected": "higher", "mean_z_1": -0.6, "mean_z_2": 0.9, "agrees": True}],
        "features": [{"name": "original_glcm_Idm"}, {"name": "original_shape_Flatness"}],
        "dropped": {"original_firstorder_Range": "correlated"},
        "group_means": {
            "original_glcm_Idm": [-0.6, 0.9],
            "original_shape_Flatness": [-0.3, 0.5],
            "original_shape_Elongation": [0.2, 0.1],
        },
    }


@pytest.fixture(scope="session")
def prediction_report(model_document) -> PredictionReport:
    """Two nodes on a 3 mm CT; one grouped, one not evaluable; hostile words wherever words come from outside."""
    geometry = Geometry((12, 60, 80), (1.0, 1.0, 3.0))
    hu = np.full(geometry.shape_zyx, -100, dtype=np.int16)
    masks = {"R01": (slice(4, 7), slice(20, 30), slice(10, 20)), "L01": (slice(5, 8), slice(20, 26), slice(60, 66))}
    nodes, named = [], []
    for label, (name, box) in enumerate(masks.items(), start=1):
        mask = np.zeros(geometry.shape_zyx, dtype=bool)
        mask[box] = True
        hu[mask] = 60
        index = np.argwhere(mask)
        center = tuple(geometry.to_mm(index.mean(axis=0)))
        nodes.append(
            Node(name, label, name[0], "I", center, 6.0, 10.0, len(index) * 3.0, 60, 0.8, int(index[0, 0]), 31, "2.25.7777")
        )
        named.append((name, mask))
    segmentation = Segmentation.from_masks(geometry, named)
    acquisition = Acquisition(manufacturer=HOSTILE, model_name="Model", kernel="B30f", slice_thickness_mm=3.0)
    volume = Volume(hu, geometry, acquisition)
    predictions = pd.DataFrame(
        {
            "patient_id": HOSTILE,
            "node_id": ["R01", "L01"],
            "label": [1, 2],
            "group": pd.array([2, pd.NA], dtype="Int64"),
            "score": [3.214, np.nan],
            "probability": [0.973, np.nan],
            "distance_1": [5.0, np.nan],
            "distance_2": [2.0, np.nan],
            "warnings": ["", f"not evaluable: {HOSTILE}"],
        }
    )
    patients = pd.DataFrame(
        {
            "patient_id": HOSTILE,
            "side": ["R", "L"],
            "rule": "any",
            "call": ["metastatic", "not evaluable"],
            "score": [3.2, np.nan],
            "n_nodes": [1, 1],
            "n_not_evaluable": [0, 1],
            "warnings": ["operated side unknown", ""],
        }
    )
    return PredictionReport(
        geometry=geometry,
        acquisition=acquisition,
        nodes=tuple(nodes),
        coverage={"R": "whole", "L": "partial"},
        pictures={node.node_id: node_picture(volume, segmentation, node) for node in nodes},
        contact_sheet=contact_sheet(volume, segmentation, nodes),
        predictions=predictions,
        patients=patients,
        model=model_document,
        warnings=(HOSTILE,),
        settings={"locate": {HOSTILE: HOSTILE}, "radiomics": {"voxel_spacing_xyz_mm": (1.0, 1.0, 1.0), "bin_width": 25.0}},
        versions={"numpy": "2.4"},
        patient_id=HOSTILE,
    )


def quantity(estimate: float) -> dict:
    return {"estimate": estimate, "low": max(0.0, estimate - 0.1), "high": min(1.0, estimate + 0.1), "method": "Wilson"}


def differences(**changes: tuple[float, float, float]) -> pd.DataFrame:
    """Flatness higher and Elongation lower in group 2; `changes` gives effect, low and high of a cohort."""
    rows = []
    for cohort in ("training", "validation"):
        for name, sign in (("Flatness", 1), ("Elongation", -1)):
            effect, low, high = changes.get(cohort, (0.9, 0.7, 1.1))
            ends = sorted((sign * low, sign * high))
            named = {"cohort": cohort, "feature": f"original_shape_{name}", "feature_class": "shape"}
            medians = {"median_1": 0.5, "median_2": 0.5 + 0.1 * sign}
            found = {"effect": sign * effect, "low": ends[0], "high": ends[1], "p_holm": 1e-9}
            rows.append({**named, **medians, **found, "method": "Hedges' g", "test": "Mann-Whitney"})
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def make_differences():
    return differences


@pytest.fixture(scope="session")
def study_report(model_document, prediction_report) -> StudyReport:
    """A study with a failed patient, an empty cohort and hostile words."""
    counts = {"tp": 28, "fn": 10, "tn": 83, "fp": 7}
    names = ("ccr", "sensitivity", "specificity", "ppv", "npv", "fpr", "fnr")
    rates = {name: quantity(0.867) for name in names}
    missing = {"estimate": None, "low": None, "high": None, "method": None, "reason": "no benign case"}
    level = {
        "label": "clinically node-negative patients",
        "n": 128,
        "counts": counts,
        "rates": rates,
        "not_evaluable": 3,
        "clinical": {"call": "benign", "ccr": quantity(0.703)},
        "mcnemar": {"model_only_correct": 28, "clinical_only_correct": 7, "p_value": 5.08e-4},
    }
    empty = {
        "n": 0,
        "counts": dict.fromkeys(counts, 0),
        "rates": dict.fromkeys(names, missing),
        "not_evaluable": 2,
        "reason": "no call",
    }
    pictures = tuple(prediction_report.pictures.values())
    flow = FlowCounts(6, {HOSTILE: 2}, {"slices missing": 1}, (CohortFlow("cN0", 3, 1, 12, 4),))
    return StudyReport(
        results={
            "schema": 1,
            "node_level": {
                "n": 128,
                "n_patients": 30,
                "counts": counts,
                "rates": rates | {"specificity": missing},
                "auc_hard_label": quantity(0.847),
                "auc_score": quantity(0.901),
                "not_evaluable": 5,
            },
            "patient_level": {"cN0": level, "cN+ without training patients": empty},
            "is_synthetic": True,
            "warnings": ["Few patients."],
        },
        patients=(
            PatientEntry("P0001", "cN0", "R", "cN0", "benign", "benign", -1.5, 4, 1, pictures=pictures),
            PatientEntry(HOSTILE, "cN0", "L", "cN0", "metastatic", "not evaluable", None, 0, 0, warnings=(HOSTILE,)),
            PatientEntry("P0003", failure=f"slices missing {HOSTILE}"),
        ),
        cohorts=pd.DataFrame({"cohort": ["cN0"], "patients": [3], "nodes": [12]}),
        baseline=pd.DataFrame({"variable": [HOSTILE], "cN0": ["52 [46-60]"]}),
        figures={"flow": flow_diagram(flow)},
        differences=differences(),
        class_summary=pd.DataFrame(
            [dict(zip(CLASS_NEEDS, ("training", "shape", 14, 2, 1, 1, 0.5, "shape_Flatness", 0.9), strict=True))]
        ),
        model=model_document,
        settings={"evaluate": {"n_resamples": 2000, "seed": 11}},
        versions={"numpy": "2.4"},
        seed=7,
        warnings=(HOSTILE,),
    )


@pytest.fixture(scope="session")
def reports(prediction_report, study_report) -> dict[str, str]:
    from axilla.report import render_prediction, render_study

    return {"prediction": render_prediction(prediction_report), "study": render_study(study_report)}


@pytest.fixture(scope="session")
def drawing(prediction_report) -> Drawing:
    return prediction_report.pictures["R01"]
