"""Feature tables by other tools: who and which node each row is of, values and units, and what cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.io.tables.cases import RADII_ZYX, case

from axilla.errors import InputRefusedError
from axilla.io.mirp import MIRP_NAMES, mirp_features
from axilla.io.tables import read_feature_source, read_features
from axilla.node import Segmentation
from axilla.radiomics import FEATURE_NAMES, extract
from axilla.table import FeatureTable
from axilla.volume import Geometry, Volume

MIRP = Path(__file__).parent / "tables" / "mirp.csv"
SETTINGS = "{'minimumROIDimensions': 2, 'binWidth': 25, 'label': %d}"

WITHOUT_MIRP = {
    "original_shape_Maximum2DDiameterColumn",
    "original_shape_Maximum2DDiameterRow",
    "original_shape_Maximum2DDiameterSlice",
    "original_glcm_MCC",
}
MESH = {f"original_shape_{name}" for name in ("MeshVolume", "SurfaceArea", "SurfaceVolumeRatio", "Sphericity")}
AXES = {f"original_shape_{name}AxisLength" for name in ("Least", "Minor", "Major")}


def written(frame: pd.DataFrame, path: Path, **more: object) -> Path:
    frame.to_csv(path, index=False, **more)  # type: ignore[call-overload]
    return path


def pyradiomics(n: int, **columns: object) -> pd.DataFrame:
    """A batch table of `n` rows: its input's columns, its own of how it measured, the features."""
    values = np.random.default_rng(n).normal(size=(n, len(FEATURE_NAMES)))
    made = {
        "diagnostics_Versions_PyRadiomics": "v3.0.1",
        "diagnostics_Configuration_Settings": [SETTINGS % i for i in range(n)],
    }
    return pd.concat([pd.DataFrame({**columns, **made}), pd.DataFrame(values, columns=list(FEATURE_NAMES))], axis=1)


def names(table: FeatureTable) -> list[tuple[str, str]]:
    return list(zip(table.frame["patient_id"], table.frame["node_id"], strict=True))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        # a column of the input names the patient, the mask the node
        ({"patient_id": ["007", "007"], "Mask": ["m/R01.nrrd", "m/R02.nrrd"]}, [("007", "R01"), ("007", "R02")]),
        # nodes named outright
        ({"Patient": ["a", "b"], "node_id": ["NA", "x"]}, [("a", "NA"), ("b", "x")]),
        # one mask with several labels
        ({"ID": ["a", "a"], "Mask": ["m.nrrd", "m.nrrd"], "Label": [1, 2]}, [("a", "m#1"), ("a", "m#2")]),
        # nothing but the image tells the patient
        ({"Image": ["d/P1.nii.gz", "d/P2.nii.gz"], "Mask": ["m1.nrrd", "m1.nrrd"]}, [("P1", "m1"), ("P2", "m1")]),
        # nothing tells the patient: the file is one patient's
        ({"Mask": ["R01.nrrd", "R02.nrrd"]}, [("P0009", "R01"), ("P0009", "R02")]),
        # neither patient nor node: rows are numbered
        ({"subject": ["a", "a"]}, [("a", "#1.1"), ("a", "#1.2")]),
    ],
)
def test_whose_row_it_is(tmp_path: Path, columns: dict[str, object], expected: list[tuple[str, str]]) -> None:
    source = read_feature_source(written(pyradiomics(2, **columns), tmp_path / "P0009.csv"))
    assert names(source.table) == expected
    assert source.tool == "PyRadiomics v3.0.1"
    assert source.settings == {"minimumROIDimensions": "2", "binWidth": "25"}
    assert not source.is_synthetic


def test_images_of_one_name_do_not_tell_patients_apart(tmp_path: Path) -> None:
    path = written(pyradiomics(2, Image=["a/ct.nii.gz", "b/ct.nii.gz"], Mask=["m.nrrd"] * 2), tmp_path / "t.csv")
    with pytest.raises(InputRefusedError, match=r"t\.csv: Several images .* called ct.* add a column patient_id"):
        read_features(path)


def test_a_node_measured_twice_is_refused(tmp_path: Path) -> None:
    path = written(pyradiomics(2, ID=["a", "a"], Mask=["m.nrrd"] * 2, Label=[1, 1]), tmp_path / "t.csv")
    with pytest.raises(InputRefusedError, match="twice"):
        read_features(path)


def test_rows_measured_differently_are_refused(tmp_path: Path) -> None:
    frame = pyradiomics(2, ID=["a", "b"])
    frame.loc[1, "diagnostics_Configuration_Settings"] = "{'minimumROIDimensions': 2, 'binWidth': 32}"
    with pytest.raises(InputRefusedError, match="binWidth = 25 and 32"):
        read_features(written(frame, tmp_path / "t.csv"))


def test_decimal_commas_are_refused(tmp_path: Path) -> None:
    path = written(pyradiomics(2, ID=["a", "b"]), tmp_path / "t.csv", sep=";", decimal=",")
    with pytest.raises(InputRefusedError, match="decimal comma"):
        read_features(path)


def test_a_column_side_is_kept(tmp_path: Path) -> None:
    source = read_feature_source(
        written(pyradiomics(2, ID=["a", "b"], node_id=["x", "y"], Side=["L", "right"]), tmp_path / "t.csv")
    )
    assert source.sides == {("a", "x"): "L", ("b", "y"): "right"}


SEGMENTS = ("Nodes_segment_R01", "Nodes_segment_node B", "Map_label_7")
VALUES = np.random.default_rng(3).normal(size=(len(FEATURE_NAMES), len(SEGMENTS)))


def slicer_wide() -> pd.DataFrame:
    """As the module shows it: a row per feature, a column per segment, what it calls diagnostics first."""
    rows = [
        ["diagnostics", "Versions", "PyRadiomics", *["v3.0.1"] * 3],
        ["diagnostics", "Configuration", "Settings", *[SETTINGS % label for label in (1, 1, 7)]],
        *(["original", *name.split("_")[1:], *map(repr, row)] for name, row in zip(FEATURE_NAMES, VALUES.tolist(), strict=True)),
    ]
    return pd.DataFrame(rows, columns=["Image type", "Feature Class", "Feature Name", *SEGMENTS])


def slicer_long() -> pd.DataFrame:
    """As older versions show it: a row per value."""
    long = slicer_wide().melt(id_vars=["Image type", "Feature Class", "Feature Name"], var_name="Label", value_name="Value")
    return long[["Label", "Image type", "Feature Class", "Feature Name", "Value"]]


def write_transposed(path: Path) -> Path:
    """The table turned over: a row per segment under three rows of keys."""
    wide = slicer_wide()
    return written(pd.DataFrame([wide.columns, *wide.to_numpy().tolist()]).T, path, header=False)


@pytest.mark.parametrize(
    "write", [lambda path: written(slicer_wide(), path), lambda path: written(slicer_long(), path), write_transposed]
)
def test_slicers_tables_are_read_whichever_way_they_lie(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    source = read_feature_source(write(tmp_path / "P0004.csv"))
    assert names(source.table) == [("P0004", "R01"), ("P0004", "node B"), ("P0004", "label_7")]
    assert source.table.frame["label"].tolist() == [1, 2, 7]
    assert source.table.feature_names == FEATURE_NAMES
    np.testing.assert_array_equal(source.table.values(), VALUES.T)
    assert source.tool == "Slicer's Radiomics module, PyRadiomics v3.0.1"
    assert source.settings["binWidth"] == "25"


def test_segments_of_one_name_keep_their_whole_names(tmp_path: Path) -> None:
    frame = slicer_wide().rename(columns={"Nodes_segment_node B": "Others_segment_R01"})
    table = read_features(written(frame, tmp_path / "P1.csv"))
    assert table.frame["node_id"].tolist() == ["Nodes_segment_R01", "Others_segment_R01", "Map_label_7"]


def test_a_slicer_value_given_twice_is_refused(tmp_path: Path) -> None:
    long = pd.concat([slicer_long()] * 2)
    with pytest.raises(InputRefusedError, match="stands twice"):
        read_features(written(long, tmp_path / "t.csv"))


@pytest.fixture(scope="module")
def ours() -> FeatureTable:
    """What axilla says of the regions MIRP measured."""
    tables = []
    for patient_id in RADII_ZYX:
        hu, mask = case(patient_id)
        grid = Geometry(hu.shape, (1.0, 1.0, 1.0))
        tables.append(extract(Volume(hu, grid), Segmentation.from_masks(grid, [("R01", mask > 0)]), patient_id=patient_id))
    return FeatureTable.concatenate(tables)


def test_mirp_has_every_feature_but_four() -> None:
    source = read_feature_source(MIRP)
    assert names(source.table) == [("P1", "R01"), ("P2", "R01"), ("P3", "R01")]
    assert set(FEATURE_NAMES) - set(source.table.feature_names) == WITHOUT_MIRP
    assert source.tool == "MIRP"


def test_mirps_values_are_pyradiomics(ours: FeatureTable) -> None:
    """MIRP 2.7.0 on the same voxels (tables/make_mirp.py); it computes with 32-bit intensities."""
    theirs = read_features(MIRP)
    for name in theirs.feature_names:
        tolerance = 0.03 if name in MESH else 1e-3 if name in AXES else 1e-5
        np.testing.assert_allclose(theirs.values([name]), ours.values([name]), rtol=tolerance, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("cm_inv_diff_mom_norm_d1_3d_avg_fbs_w25.0", "glcm_Idmn"),
        ("cm_inv_diff_mom_d1_2.5d_d_mrg_fbn_n32", "glcm_Idm"),
        ("ngl_lde_d1_a0.0_3d_fbs_w25.0", "gldm_SmallDependenceEmphasis"),
        ("morph_av", "shape_SurfaceVolumeRatio"),
        ("wavelet_hhh_stat_mean", ""),
        ("stat_mean_of_something", ""),
    ],
)
def test_mirps_names(column: str, name: str) -> None:
    found = list(mirp_features(pd.DataFrame({column: [1.0]})).columns)
    assert found == ([f"original_{name}"] if name else [])


def test_mirps_names_are_features_and_each_once() -> None:
    assert len(set(MIRP_NAMES.values())) == len(MIRP_NAMES)
    assert {f"original_{name}" for name in MIRP_NAMES.values()} <= set(FEATURE_NAMES)


def test_mirp_with_two_settings_is_refused(tmp_path: Path) -> None:
    frame = pd.read_csv(MIRP)
    frame = pd.concat([frame, frame[["cm_corr_d1_3d_avg_fbs_w25.0"]].rename(columns=lambda name: name[:-4] + "10.0")], axis=1)
    with pytest.raises(InputRefusedError, match="several settings"):
        read_features(written(frame, tmp_path / "t.csv"))


def test_mirp_without_a_patient_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="sample_name is empty"):
        read_features(written(pd.read_csv(MIRP).assign(sample_name=""), tmp_path / "t.csv"))


def test_mirps_regions_of_one_mask_are_told_by_their_label(tmp_path: Path) -> None:
    frame = pd.read_csv(MIRP).assign(sample_name="007", image_mask_label=["region_1", "region_2", "region_5"])
    table = read_features(written(frame, tmp_path / "t.csv"))
    assert names(table) == [("007", "region_1"), ("007", "region_2"), ("007", "region_5")]
    assert table.frame["label"].tolist() == [1, 2, 5]
