"""Prediction: each new node goes to the nearest center of the trained model; nothing is clustered anew."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from axilla.errors import InputRefusedError
from axilla.model._clusterer import distances
from axilla.model._model import Model
from axilla.model._settings import PredictSettings
from axilla.table import ID_COLUMNS, OK, FeatureTable
from axilla.volume import FloatArray

PREDICTION_COLUMNS = (*ID_COLUMNS, "group", "score", "probability", "distance_1", "distance_2", "warnings")
"""Columns of ``predictions.csv``."""

SEPARATOR = "; "
"""Between several warnings of one row."""


def predict(
    model: Model,
    table: FeatureTable,
    settings: PredictSettings = PredictSettings(),  # noqa: B008 - frozen
    *,
    withheld: str = "",
    feature_settings: Mapping[str, str | float | bool | None] | None = None,
) -> pd.DataFrame:
    """Group, score and probability of every node.

    Parameters
    ----------
    model : Model
    table : FeatureTable
        The nodes; it may hold more features than the model uses.
    settings : PredictSettings
    withheld : str
        A reason why no group may be given (see :func:`withheld_reason`); every row then carries it and stays empty.
    feature_settings : mapping, optional
        How these features were extracted; refused where it contradicts the model's.

    Returns
    -------
    DataFrame
        One row per row of `table`, in its order, with the columns :data:`PREDICTION_COLUMNS`. ``group`` (Int64) is 1
        (presumed benign) or 2 (presumed metastatic); ``score`` = ``distance_1 - distance_2``, the distances to the two
        centers in z-scores, larger = more metastatic. A node without features keeps its row with empty values and the
        reason in ``warnings``.

    Raises
    ------
    InputRefusedError
        If the table lacks a feature of the model, or was made with other feature settings.
    """
    missing = [name for name in model.feature_names if name not in table.feature_names]
    if missing:
        raise InputRefusedError(
            f"The model needs {len(model.feature_names)} features; the table lacks {len(missing)}: {', '.join(missing)}. "
            "Extract them with the model's settings."
        )
    _check_feature_settings(model, feature_settings or {})
    frame = table.frame
    evaluable = (frame["feature_status"] == OK).to_numpy() & (not withheld)
    z = model.z_scores(table.values(model.feature_names)[evaluable])
    to_centers = distances(z, model.centers)
    score = to_centers[:, 0] - to_centers[:, 1]
    warnings = frame["reason"].where(frame["feature_status"] != OK, withheld).to_numpy(dtype=object)
    warnings[evaluable] = _warnings(model, settings, z, to_centers)
    group = pd.Series(_spread(np.where(score > 0, 2.0, 1.0), evaluable)).astype("Int64")
    return pd.DataFrame(
        {
            **{column: frame[column].to_numpy() for column in ID_COLUMNS},
            "group": group.array,
            "score": _spread(score, evaluable),
            "probability": _spread(model.mixture.probability(score), evaluable),
            "distance_1": _spread(to_centers[:, 0], evaluable),
            "distance_2": _spread(to_centers[:, 1], evaluable),
            "warnings": [_not_evaluable(text, done) for text, done in zip(warnings, evaluable, strict=True)],
        }
    )


def withheld_reason(model: Model, *, is_synthetic_input: bool, allow_synthetic_model: bool) -> str:
    """Why no group may be given, or an empty string.

    A model trained on synthetic data says nothing about a real CT; it is applied to one only when the user insists.
    """
    if not model.provenance.is_synthetic or is_synthetic_input or allow_synthetic_model:
        return ""
    return (
        "no group given: the model was trained on synthetic data and this CT is not synthetic; "
        "use a model trained on real patients, or --allow-synthetic-model to try it out"
    )


def _warnings(model: Model, settings: PredictSettings, z: FloatArray, to_centers: FloatArray) -> list[str]:
    margin = settings.indeterminate_margin * model.center_distance
    beyond = np.maximum(model.z_low - z, z - model.z_high)
    worst = beyond.argmax(axis=1) if len(z) else np.zeros(0, dtype=np.int64)
    probability = model.mixture.probability(to_centers[:, 0] - to_centers[:, 1])
    sentences = []
    for row, (d1, d2) in enumerate(to_centers):
        found = []
        if abs(d1 - d2) < margin:
            found.append("indeterminate: score near zero")
        if (d1 > d2) != (probability[row] > 0.5):
            found.append("group and probability disagree: the mixture's border lies elsewhere than half-way between the centers")
        column = int(worst[row])
        if beyond[row, column] > settings.far_sd:
            found.append(f"far outside the training data ({model.feature_names[column]} at {z[row, column]:+.1f} SD)")
        elif min(d1, d2) > model.distance_limit:
            found.append("far outside the training data (farther from its center than any training node)")
        sentences.append(SEPARATOR.join(found))
    return sentences


def _not_evaluable(text: str, is_evaluable: bool) -> str:
    if is_evaluable or text.startswith("no group given"):
        return text
    return f"not evaluable: {text or 'no features'}"


def _spread(values: FloatArray, evaluable: npt.NDArray[np.bool_]) -> FloatArray:
    """Values at the evaluable rows, NaN elsewhere."""
    whole = np.full(evaluable.size, np.nan)
    whole[evaluable] = values
    return whole


def _check_feature_settings(model: Model, feature_settings: Mapping[str, str | float | bool | None]) -> None:
    trained = model.provenance.feature_settings
    for key in sorted(set(trained) & set(feature_settings)):
        if trained[key] != feature_settings[key]:
            raise InputRefusedError(
                f"The model was trained on features with {key} = {trained[key]}, these were made with {key} = "
                f"{feature_settings[key]}; extract them with the model's settings."
            )
