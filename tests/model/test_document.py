"""The model as JSON: exact, and refused with a sentence when anything is wrong."""

from __future__ import annotations

import copy
import json

import pandas as pd
import pytest

from axilla.errors import InputRefusedError, InvalidValueError
from axilla.model import Model, model_from_dict, model_to_dict, predict, train


@pytest.fixture(scope="module")
def model(tables):
    return train(
        tables(), is_synthetic=True, feature_settings={"bin_width_hu": 25.0, "resampled_mm": None, "interpolator": "spline"}
    )


@pytest.fixture
def document(model):
    return json.loads(json.dumps(model_to_dict(model)))


def test_round_trip_is_exact(model, document, tables):
    again = model_from_dict(document)
    assert json.dumps(model_to_dict(again)) == json.dumps(document)
    for name in ("mean", "sd", "centers", "z_low", "z_high"):
        assert getattr(again, name).tobytes() == getattr(model, name).tobytes()
    table = tables(30, seed=8)
    pd.testing.assert_frame_equal(predict(model, table), predict(again, table), check_exact=True)


def test_added_keys_are_accepted(model, document):
    document["later"] = {"x": 1}
    document["features"][0]["later"] = 2
    document["provenance"]["later"] = "y"
    document["settings"]["later"] = 3
    assert json.dumps(model_to_dict(model_from_dict(document))) == json.dumps(model_to_dict(model))


def paths(value, prefix=()):
    """Every place in the document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*prefix, key)
        yield from paths(child, (*prefix, key))


def replaced(document, path, value):
    changed = copy.deepcopy(document)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def may_be_null(path):
    return path[:2] == ("provenance", "feature_settings") or (path[0] == "votes" and path[-1] == "agrees")


def may_be_absent(path):
    """Entries of free lists and mappings, and the answer of a feature that abstains."""
    is_entry = path[0] in ("dropped", "group_means") or path[:2] in (
        ("provenance", "feature_settings"),
        ("provenance", "versions"),
    )
    depth = 1 if path[0] in ("dropped", "group_means") else 2
    return isinstance(path[-1], int) or path[-1] == "agrees" or (is_entry and len(path) > depth)


@pytest.mark.parametrize("value", [None, float("nan"), [[]]], ids=["null", "nan", "list"])
def test_a_wrong_value_anywhere_is_refused(document, value):
    """Every single place of the document is damaged in turn."""
    for path in paths(document):
        if value is None and may_be_null(path) and path != ("provenance", "feature_settings"):
            continue
        with pytest.raises(InputRefusedError) as caught:
            model_from_dict(replaced(document, path, value))
        assert str(caught.value).endswith((".", "again."))


def test_every_key_is_needed(document):
    for path in paths(document):
        if may_be_absent(path):
            continue
        changed = copy.deepcopy(document)
        place = changed
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
        with pytest.raises(InputRefusedError):
            model_from_dict(changed)


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        (("schema",), 2, "schema 2"),
        (("schema",), True, "schema True"),
        (("kind",), "something", "kind 'something'"),
        (("features", 0, "sd"), 0.0, "must be positive"),
        (("features", 0, "mean"), "12", "mean must be a finite number, not '12'"),
        (("features", 0, "mean"), True, "finite number"),
        (("provenance", "is_synthetic"), 0, "is_synthetic must be true or false"),
        (("provenance", "n_nodes"), 7, "do not make 7 training nodes"),
        (("settings", "keep"), "best", "which|Which"),
        (("mixture", "weight_2"), 1.5, "weight_2"),
        (("group_means", "original_glcm_Idn"), [1.0], "two numbers"),
    ],
)
def test_refusals_say_what_is_wrong(document, path, value, match):
    with pytest.raises(InputRefusedError, match=match):
        model_from_dict(replaced(document, path, value))


@pytest.mark.parametrize("value", [None, [], "model", 3, {}])
def test_what_is_no_model_is_refused(value):
    with pytest.raises(InputRefusedError):
        model_from_dict(value)


def test_a_feature_twice_is_refused(document):
    document["features"][1]["name"] = document["features"][0]["name"]
    with pytest.raises(InputRefusedError, match="each named once"):
        model_from_dict(document)


def test_the_model_is_immutable(model):
    with pytest.raises(ValueError, match="read-only"):
        model.centers[0, 0] = 1.0
    with pytest.raises(TypeError):
        model.dropped["x"] = "y"


def test_coinciding_centers_are_refused(model):
    values = {name: getattr(model, name) for name in Model.__dataclass_fields__}
    values["centers"] = [model.centers[0], model.centers[0]]
    with pytest.raises(InvalidValueError, match="coincide"):
        Model(**values)
