"""The model as a JSON document: readable, exact to the last bit, checked word by word when read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from axilla.errors import AxillaError, InputRefusedError
from axilla.model._mixture import Mixture
from axilla.model._model import Model, Provenance, Vote
from axilla.model._settings import ModelSettings

SCHEMA = 1
KIND = "axilla model"


def model_to_dict(model: Model) -> dict[str, Any]:
    """The model as JSON-ready values; ``json`` writes floats so that they read back to the same bits."""
    features = [
        {"name": name, "mean": mean, "sd": sd, "center_1": c1, "center_2": c2, "z_low": low, "z_high": high}
        for name, mean, sd, c1, c2, low, high in zip(
            model.feature_names,
            *(a.tolist() for a in (model.mean, model.sd, model.centers[0], model.centers[1], model.z_low, model.z_high)),
            strict=True,
        )
    ]
    provenance = model.provenance
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "warnings": list(model.warnings),
        "provenance": {
            **{f.name: getattr(provenance, f.name) for f in fields(Provenance) if f.name not in ("feature_settings", "versions")},
            "feature_settings": dict(provenance.feature_settings),
            "versions": dict(provenance.versions),
        },
        "settings": asdict(model.settings),
        "votes": [asdict(vote) for vote in model.votes],
        "mixture": asdict(model.mixture),
        "distance_limit": model.distance_limit,
        "features": features,
        "dropped": dict(model.dropped),
        "group_means": {name: list(pair) for name, pair in model.group_means.items()},
    }


def model_from_dict(document: object) -> Model:
    """Read what :func:`model_to_dict` wrote; added keys are ignored.

    Raises
    ------
    InputRefusedError
        If it is no axilla model, of an unknown schema, or a value is missing, of the wrong type or not finite.
    """
    root = _mapping(document, "the model")
    if root.get("kind") != KIND:
        raise InputRefusedError(f"Expected a model written by axilla (kind {KIND!r}), got kind {root.get('kind')!r}.")
    if root.get("schema") != SCHEMA or isinstance(root.get("schema"), bool):
        raise InputRefusedError(
            f"Expected a model of schema {SCHEMA}, got schema {root.get('schema')!r}; read it with the axilla that wrote it, "
            "or train again."
        )
    try:
        return _model(root)
    except InputRefusedError:
        raise
    except AxillaError as error:
        raise InputRefusedError(f"The model file contradicts itself: {error}") from error


def _model(root: Mapping[str, Any]) -> Model:
    features = [_mapping(f, "a feature") for f in _get(root, "features", _sequence)]

    def column(key: str) -> list[float]:
        return [_get(f, key, _number) for f in features]

    return Model(
        feature_names=tuple(_get(f, "name", _text) for f in features),
        mean=column("mean"),  # type: ignore[arg-type]
        sd=column("sd"),  # type: ignore[arg-type]
        centers=[column("center_1"), column("center_2")],  # type: ignore[arg-type]
        z_low=column("z_low"),  # type: ignore[arg-type]
        z_high=column("z_high"),  # type: ignore[arg-type]
        distance_limit=_get(root, "distance_limit", _number),
        dropped={name: _text(why, name) for name, why in _get(root, "dropped", _mapping).items()},
        group_means={name: _pair(pair, name) for name, pair in _get(root, "group_means", _mapping).items()},
        votes=tuple(_vote(_mapping(v, "a vote")) for v in _get(root, "votes", _sequence)),
        mixture=_read(Mixture, _get(root, "mixture", _mapping)),
        settings=_read(ModelSettings, _get(root, "settings", _mapping)),
        provenance=_provenance(_get(root, "provenance", _mapping)),
        warnings=tuple(_text(w, "a warning") for w in _get(root, "warnings", _sequence)),
    )


def _provenance(found: Mapping[str, Any]) -> Provenance:
    counts = {key: _get(found, key, _count) for key in ("n_nodes", "n_patients", "n_not_evaluable", "n_group_1", "n_group_2")}
    settings = _get(found, "feature_settings", _mapping)
    for key, value in settings.items():
        if not isinstance(value, str | int | float | bool | None) or (isinstance(value, float) and not math.isfinite(value)):
            raise InputRefusedError(f"The model's feature setting {key} must be a plain value, not {value!r}.")
    return Provenance(
        **counts,
        is_synthetic=_get(found, "is_synthetic", _truth),
        data_sha256=_get(found, "data_sha256", _text),
        feature_settings=settings,
        versions={name: _text(version, name) for name, version in _get(found, "versions", _mapping).items()},
    )


def _vote(found: Mapping[str, Any]) -> Vote:
    agrees = found.get("agrees")
    return Vote(
        feature=_get(found, "feature", _text),
        expected=_get(found, "expected", _text),
        mean_z_1=_get(found, "mean_z_1", _number),
        mean_z_2=_get(found, "mean_z_2", _number),
        agrees=None if agrees is None else _truth(agrees, "agrees"),
    )


def _read(kind: type[Any], found: Mapping[str, Any]) -> Any:
    """A dataclass of plain numbers and texts from its fields, each checked by its annotation."""
    readers: dict[str, Callable[[Any, str], Any]] = {"float": _number, "int": _count, "str": _text}
    return kind(**{f.name: _get(found, f.name, readers[str(f.type)]) for f in fields(kind)})


def _get(found: Mapping[str, Any], key: str, reader: Callable[[Any, str], Any]) -> Any:
    if key not in found:
        raise InputRefusedError(f"The model file lacks {key!r}; it is damaged or was not written by axilla.")
    return reader(found[key], key)


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(name, "an object", value)
    return value


def _sequence(value: object, name: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise _wrong(name, "a list", value)
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong(name, "a text", value)
    return value


def _truth(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value)
    return value


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong(name, "a count", value)
    return value


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(name, "a finite number", value)
    return float(value)


def _pair(value: object, name: str) -> tuple[float, float]:
    numbers = [_number(v, name) for v in _sequence(value, name)]
    if len(numbers) != 2:
        raise _wrong(name, "two numbers", value)
    return (numbers[0], numbers[1])


def _wrong(name: str, words: str, value: object) -> InputRefusedError:
    return InputRefusedError(f"In the model file {name} must be {words}, not {value!r:.60}.")
