"""Settings of a feature extraction from a file: our own keys, or a PyRadiomics parameter file (both YAML, so JSON too).

PyRadiomics' keys mean here what PyRadiomics 3.0.1 does with them (its ``featureextractor.py`` and ``imageoperations.py``), and
where such a file is silent, PyRadiomics' defaults hold, not the paper's: above all, nothing is resampled. A key that would
change a number and is not supported is refused by name, with the reason; a key that changes no number is passed over.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from reprlib import repr as short
from typing import Any

import yaml

from axilla.errors import InputRefusedError, UsageError
from axilla.radiomics import FEATURE_NAMES, RadiomicsSettings


@dataclass(frozen=True)
class SettingsReading:
    """Settings, and what the user should know of how the file was read."""

    settings: RadiomicsSettings
    notes: tuple[str, ...] = ()


def read_feature_settings(path: Path) -> SettingsReading:
    """Read settings from a YAML or JSON file.

    Raises
    ------
    InputRefusedError
        If the file is no such file, names a setting that is unknown or not supported, or gives a value that cannot be used.
    """
    content = _load(path)
    sections = sorted(set(content) & set(_SECTIONS))
    own = sorted(set(content) - set(_SECTIONS))
    try:
        if not sections:
            return SettingsReading(_settings({_own_name(name): _own_value(name, value) for name, value in content.items()}))
        if own:
            raise _RefusedError(f"beside the PyRadiomics section(s) {', '.join(sections)} stands {_named(own[0], _SECTIONS)}")
        return _from_pyradiomics(content)
    except _RefusedError as error:
        raise InputRefusedError(f"{path.name}: {error}.") from error


class _RefusedError(Exception):
    """What is wrong, without the file's name."""


def _load(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputRefusedError(f"The settings file {path} cannot be read ({error.strerror}); check the path.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise InputRefusedError(f"{path.name} is no YAML or JSON file{line}; write settings as 'name: value' lines.") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise InputRefusedError(f"{path.name} holds no settings; write 'name: value' lines.")
    return content


def _settings(values: Mapping[str, Any]) -> RadiomicsSettings:
    try:
        return RadiomicsSettings(**values)
    except UsageError as error:
        raise _RefusedError(str(error).rstrip(".")) from error


def _named(name: str, known: Iterable[str]) -> str:
    """``an unknown 'name'``, and the one that may have been meant."""
    near = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f"an unknown {name!r}" + (f" (is {near[0]!r} meant?)" if near else "")


# Values


def _number(value: Any) -> float:
    return float(
        _checked(value, isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value), "a number")
    )


def _whole(value: Any) -> int:
    return int(_checked(value, isinstance(value, int) and not isinstance(value, bool), "a whole number"))


def _flag(value: Any) -> bool:
    return bool(_checked(value, isinstance(value, bool), "true or false"))


def _text(value: Any) -> str:
    return str(_checked(value, isinstance(value, str), "a word"))


def _triple(value: Any) -> tuple[float, ...]:
    return tuple(_number(v) for v in _checked(value, isinstance(value, list) and len(value) == 3, "three numbers"))


def _wholes(value: Any) -> tuple[int, ...]:
    return tuple(_whole(v) for v in _checked(value, isinstance(value, list), "a list of whole numbers"))


def _range(value: Any) -> tuple[float, float]:
    """Two ends; one alone is the lower, and null leaves a side open."""
    ends = _checked(value, isinstance(value, list) and len(value) in (1, 2), "one or two numbers")
    lower, upper = (*ends, None)[:2]
    return (-math.inf if lower is None else _number(lower), math.inf if upper is None else _number(upper))


def _checked(value: Any, is_fit: bool, expected: str) -> Any:
    if not is_fit:
        raise _RefusedError(f"expected {expected}, not {short(value)}")
    return value


def _converted(name: str, convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except _RefusedError as error:
        raise _RefusedError(f"{name}: {error}") from error


# Our own keys

_OWN: Mapping[str, Callable[[Any], Any]] = {
    "voxel_spacing_xyz_mm": _triple,
    "interpolator": _text,
    "bin_width": _number,
    "bin_count": _whole,
    "resegment_range": _range,
    "resegment_mode": _text,
    "resegment_shape": _flag,
    "outlier_sigma": _number,
    "convention": _text,
    "distances": _wholes,
    "minimum_dimensions": _whole,
    "minimum_size": _whole,
    "gldm_alpha": _number,
    "symmetrical_glcm": _flag,
    "voxel_array_shift": _number,
}
_MAY_BE_NOTHING = {field.name for field in fields(RadiomicsSettings) if "None" in str(field.type)}


def _own_name(name: str) -> str:
    if name not in _OWN:
        raise _RefusedError(_named(name, [*_OWN, *_SECTIONS]))
    return name


def _own_value(name: str, value: Any) -> Any:
    return None if value is None and name in _MAY_BE_NOTHING else _converted(name, _OWN[name], value)


# PyRadiomics' keys


def _spacing(value: Any) -> tuple[float, ...]:
    spacing = _triple(value)
    if 0 in spacing:
        raise _RefusedError("a spacing of 0 (keep that axis) is not supported: give the spacing itself")
    return spacing


def _interpolator(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value not in _INTERPOLATORS:
        raise _RefusedError(f"{short(value)} is not supported; B-spline, linear and nearest neighbor are")
    return _INTERPOLATORS[value]


_SECTIONS = ("setting", "imageType", "featureClass", "voxelSetting")

_INTERPOLATORS: Mapping[Any, str] = {
    "sitkNearestNeighbor": "nearest",
    "sitkLinear": "linear",
    "sitkBSpline": "bspline",
    1: "nearest",
    2: "linear",
    3: "bspline",
}
"""By name, or by the number SimpleITK gives them."""

_MEANT: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "binWidth": ("bin_width", _number),
    "binCount": ("bin_count", _whole),
    "resampledPixelSpacing": ("voxel_spacing_xyz_mm", _spacing),
    "interpolator": ("interpolator", _interpolator),
    "resegmentRange": ("resegment_range", _range),
    "resegmentMode": ("resegment_mode", _text),
    "resegmentShape": ("resegment_shape", _flag),
    "distances": ("distances", _wholes),
    "minimumROIDimensions": ("minimum_dimensions", _whole),
    "minimumROISize": ("minimum_size", _whole),
    "gldm_a": ("gldm_alpha", _number),
    "symmetricalGLCM": ("symmetrical_glcm", _flag),
    "voxelArrayShift": ("voxel_array_shift", _number),
}
"""PyRadiomics' name: ours, and how its value is read."""

_OF_FEATURE_CLASSES = ("binWidth", "binCount", "distances", "gldm_a", "symmetricalGLCM", "voxelArrayShift")
"""Settings that PyRadiomics also heeds when they stand under ``imageType: Original:``."""

_UNSUPPORTED: Mapping[str, str] = {
    "normalize": "features are measured in the CT's own units (HU), which need no normalization",
    "force2D": "features are measured in 3D",
    "weightingNorm": "every direction counts alike",
    "correctMask": "a mask on another grid is brought over with --resample-mask, and said so",
}
"""Refused unless false or null."""

_WITHOUT_EFFECT = {
    "label",
    "label_channel",
    "additionalInfo",
    "enableCExtensions",
    "geometryTolerance",
    "preCrop",
    "padDistance",
    "normalizeScale",
    "removeOutliers",
    "force2Ddimension",
    "sigma",
    "start_level",
    "level",
    "wavelet",
    "gradientUseSpacing",
    "lbp2DRadius",
    "lbp2DSamples",
    "lbp2DMethod",
    "lbp3DLevels",
    "lbp3DIcosphereRadius",
    "lbp3DIcosphereSubdivision",
}
"""Settings that change no number here: of which label, of files and memory, and of filters and steps refused above."""


def _from_pyradiomics(content: Mapping[str, Any]) -> SettingsReading:
    given = _section(content, "setting")
    values: dict[str, Any] = {"voxel_spacing_xyz_mm": None, **_read(given, "setting")}
    if "interpolator" in given and given["interpolator"] is None:  # PyRadiomics' word for: do not resample
        values["voxel_spacing_xyz_mm"] = None
    for name, special in _section(content, "imageType").items():
        if name != "Original":
            raise _RefusedError(f"imageType {name} is not supported: features are measured on the original image only")
        values |= _read(_of_original(special), "imageType Original")
    notes = (*_notes_on_classes(_section(content, "featureClass")), *_remarks(given))
    return SettingsReading(_settings(values), notes)


def _section(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = content.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict) or not all(isinstance(key, str) for key in section):
        raise _RefusedError(f"{name}: expected 'name: value' lines, not {short(section)}")
    return section


def _read(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Our names and values of one section's settings; null is as if not given."""
    values = {}
    for name, value in given.items():
        if name in _UNSUPPORTED:
            if value not in (None, False):
                raise _RefusedError(f"{where} {name} is not supported: {_UNSUPPORTED[name]}; set it to null or leave it out")
        elif name in _MEANT:
            if value is not None:
                ours, convert = _MEANT[name]
                values[ours] = _converted(f"{where} {name}", convert, value)
        elif name not in _WITHOUT_EFFECT:
            known = (*_MEANT, *_UNSUPPORTED, *_WITHOUT_EFFECT)
            raise _RefusedError(f"{where} has {_named(name, known)}")
    return values


def _of_original(special: Any) -> Mapping[str, Any]:
    given = _section({"imageType Original": special}, "imageType Original")
    idle = [name for name in given if name in _MEANT and name not in _OF_FEATURE_CLASSES]
    if idle:
        raise _RefusedError(f"imageType Original: {idle[0]} has no effect there in PyRadiomics; move it to the section 'setting'")
    return given


def _remarks(given: Mapping[str, Any]) -> tuple[str, ...]:
    """What a file asks for that is done otherwise, though no definition changes."""
    found = []
    if given.get("label") not in (None, 1):
        found.append(f"The parameter file asks for label {short(given['label'])}; every label is measured.")
    if given.get("padDistance") not in (None, 5):
        found.append("The parameter file's padDistance is taken as 5: without filters it decides only how positions are rounded.")
    return tuple(found)


def _notes_on_classes(wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Refuse what cannot be measured; say so where more is measured than was asked for."""
    features: dict[str, set[str]] = {"shape2D": set()}
    for column in FEATURE_NAMES:
        _, feature_class, name = column.split("_")
        features.setdefault(feature_class, set()).add(name)
    is_all = set(features) - {"shape2D"} <= set(wanted)
    for feature_class, names in wanted.items():
        if feature_class not in features:
            raise _RefusedError(f"featureClass has {_named(feature_class, features)}")
        chosen = _checked(names or [], isinstance(names or [], list), "a list of feature names")
        is_all &= not chosen
        absent = [name for name in chosen if name not in features[feature_class] and feature_class != "shape2D"]
        if absent:
            raise _RefusedError(f"featureClass {feature_class}: {short(absent[0])} is not among the 107 features measured here")
    return () if is_all or not wanted else ("The parameter file asks for some features; all 107 were measured.",)
