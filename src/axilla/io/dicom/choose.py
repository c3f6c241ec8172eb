"""Choose one patient's series by a stated rule; give every other one a reason.

In order: original axial CT in HU that covers both axillae; soft-tissue kernel before sharp; enhancement measured on the
pixels before none (a contrast tag only breaks a tie); thinnest slices. Whether both axillae are really inside is answered
later, by the anatomy stage; here only what geometry tells: enough extent along the body and a field of view as wide as a
chest, and lungs seen on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from axilla.errors import InputRefusedError
from axilla.io.dicom.catalog import Series, SeriesInfo, with_reason
from axilla.io.dicom.enhancement import measure_enhancement
from axilla.io.dicom.headers import HU_TYPES
from axilla.io.dicom.pixels import ReadSettings, read_sample
from axilla.io.dicom.sharpness import is_sharp
from axilla.io.dicom.stack import StackSettings, build_stack

_MAP = re.compile(
    r"IODINE (?:MAP|OVERLAY|NO WATER)|WATER (?:MAP|IODINE|NO IODINE)|\bVNC\b|\bMONO(?:E|\+| |$)|\d ?KEV\b|"
    r"EFF(?:ECTIVE)? ?Z\b|\bZ ?EFF|"
    r"MATERIAL|VIRTUAL|PERFUSION|\bRCB[FV]\b|\bMTT\b|OVERLAY|SUBTRACT|ELECTRON DENSITY|URIC ACID|FAT FRACTION"
)
"""Words of computed maps, in ImageType and SeriesDescription with every separator a blank."""

_MAP_TYPE = re.compile(r"IODINE|WATER|CALCIUM|HYDROXYAPATITE|RHO|VMI|ENERGY")
"""Words that mean a map only in ImageType; a description may name iodine as the contrast agent."""

_SECOND_LOOK = re.compile(r"\b(?:MPR|REFORMAT\w*|MIP|MINIP|AVERAGE|PROJECTION|VRT|CSAMANIPULATED|RESAMPLED|CURVED)\b")

_SCOUT = re.compile(r"\b(?:LOCALIZER|SCOUT|TOPOGRAM|SCANOGRAM)\b")


@dataclass(frozen=True)
class ChoiceSettings:
    """What makes a series eligible."""

    least_extent_mm: float = 120.0
    """mm along the body. Both axillae span about 100-150 mm of the chest; a shorter stack cannot hold them whole."""
    least_field_of_view_mm: float = 280.0
    """mm. Both axillae lie about 300 mm apart or more; a heart or spine reconstruction is narrower."""
    sample_slices: int = 24
    """Slices read to measure enhancement, when several series compete."""


@dataclass(frozen=True)
class Choice:
    """The chosen series, every other one with its reason, and doubts about the choice."""

    series: Series
    info: SeriesInfo
    others: tuple[SeriesInfo, ...]
    warnings: tuple[str, ...] = ()


def choose_series(series: Sequence[Series], series_uid: str | None = None, settings: ChoiceSettings | None = None) -> Choice:
    """Choose among the series of one patient; `series_uid` (the user's choice) wins over the rule, not over the laws of geometry.

    Raises
    ------
    InputRefusedError
        If none is eligible (each is listed with its reason), or the named one is not there.
    """
    settings = settings or ChoiceSettings()
    if series_uid is not None:
        return _by_name(series, series_uid, settings)
    reasons = {id(s): refusal_reason(s) for s in series}
    candidates = [s for s in series if not reasons[id(s)]]
    if not candidates:
        raise InputRefusedError(_none_eligible(series, reasons))
    infos = {id(s): _measured(s, settings) if len(candidates) > 1 else s.info for s in candidates}
    candidates.sort(key=lambda s: _rank(s, infos[id(s)], settings))
    best = candidates[0]
    info = infos[id(best)]
    others = [with_reason(infos[id(s)], _why_behind(s, infos[id(s)], best, info, settings)) for s in candidates[1:]]
    others += [with_reason(s.info, reasons[id(s)]) for s in series if reasons[id(s)]]
    doubts = list(_coverage_doubts(info, settings))
    n_studies = len({s.first.study_uid for s in candidates})
    if n_studies > 1:
        doubts.append(f"The patient has CT from {n_studies} examinations; the rule looked at all. Give one, or name the series.")
    ties = [o for s, o in zip(candidates[1:], others, strict=False) if _rank(s, o, settings) == _rank(best, info, settings)]
    if ties:
        doubts.append(
            f"{len(ties)} other series is as suitable by the rule; the first was taken. "
            "Name another by its series UID if it is better."
        )
    return Choice(best, info, tuple(others), tuple(doubts))


def refusal_reason(series: Series) -> str:
    """Why the rule leaves a series; empty when it is eligible."""
    first = series.first
    kind = re.sub(r"[^A-Z0-9+]+", " ", " ".join(first.image_type))
    words = re.sub(r"[^A-Z0-9+]+", " ", f"{kind} {first.description.upper()}")
    if not series.is_ct:
        cut = "; also cut off" if first.is_truncated else ""
        return f"not CT ({first.modality or 'unknown modality'}){cut}"
    if _SCOUT.search(words):
        return "localizer (scout image)"
    if first.rescale_type not in HU_TYPES:
        return f"values are {first.rescale_type}, not HU"
    found = _MAP.search(words) or _MAP_TYPE.search(kind)
    if found:
        return f"dual-energy, perfusion or other computed map ({found.group().strip().lower()})"
    if _SECOND_LOOK.search(words):
        return "reformat or projection"
    if "ORIGINAL" not in first.image_type:
        return "derived images, not the scanner's original reconstruction"
    if any(s.is_lossy for s in series.slices):
        return "compressed with loss"
    try:
        build_stack(series, StackSettings())
    except InputRefusedError as error:
        return str(error)
    if series.info.plane != "axial":
        return f"not axial ({series.info.plane} slices)"
    return ""


def _by_name(series: Sequence[Series], series_uid: str, settings: ChoiceSettings) -> Choice:
    named = [s for s in series if series_uid in {s.choice_id, s.series_uid}]
    if not named:
        raise InputRefusedError("The named series UID is not among the series found; list them and name one of those.")
    chosen = max(named, key=lambda s: len(s.slices))
    if not chosen.is_ct:
        raise InputRefusedError(
            f"The named series is no CT but {chosen.first.modality or 'of unknown modality'}; name a CT series."
        )
    others = tuple(with_reason(s.info, refusal_reason(s) or "another series was named") for s in series if s is not chosen)
    reason = refusal_reason(chosen)
    warnings = [f"The named series is not one the rule would take: {reason}"] if reason else []
    return Choice(chosen, chosen.info, others, (*warnings, *_coverage_doubts(chosen.info, settings)))


def _measured(series: Series, settings: ChoiceSettings) -> SeriesInfo:
    try:
        sample = read_sample(series, settings.sample_slices)
    except InputRefusedError:
        return series.info
    return replace(series.info, enhancement_hu=measure_enhancement(sample.array, sample.geometry))


def _rank(series: Series, info: SeriesInfo, settings: ChoiceSettings) -> tuple[bool, bool, bool, bool, bool, float]:
    """Smaller is better, in the rule's order."""
    return (
        not _covers(info, settings),
        series.first.rescale_type == "US",
        is_sharp(series.first),
        not _is_enhanced(info),
        not info.has_contrast_tag and info.enhancement_hu is None,
        round(max(info.slice_spacing_mm or 99.0, info.slice_thickness_mm or 0.0), 2),
    )


def _covers(info: SeriesInfo, settings: ChoiceSettings) -> bool:
    return info.z_extent_mm >= settings.least_extent_mm and info.field_of_view_mm >= settings.least_field_of_view_mm


def _is_enhanced(info: SeriesInfo) -> bool:
    return info.enhancement_hu is not None and info.enhancement_hu >= ReadSettings().enhanced_hu


def _why_behind(series: Series, info: SeriesInfo, best: Series, best_info: SeriesInfo, settings: ChoiceSettings) -> str:
    """The first step of the rule at which it falls behind the chosen one."""
    own, chosen = _rank(series, info, settings), _rank(best, best_info, settings)
    step = next((i for i, (a, b) in enumerate(zip(own, chosen, strict=True)) if a != b), None)
    sentences = {
        0: f"covers only {info.z_extent_mm:.0f} mm with a field of view of {info.field_of_view_mm:.0f} mm",
        1: "its values' unit is unspecified (RescaleType US)",
        2: f"sharp kernel ({info.kernel})",
        3: "no enhancement measured" + ("" if info.enhancement_hu is None else f" (blood about {info.enhancement_hu:.0f} HU)"),
        4: "no sign of contrast",
        5: f"thicker slices ({own[5]:g} mm)",
    }
    return "as suitable as the chosen one; listed after it" if step is None else sentences[step]


def _coverage_doubts(info: SeriesInfo, settings: ChoiceSettings) -> tuple[str, ...]:
    if _covers(info, settings):
        return ()
    return (
        f"The series covers {info.z_extent_mm:.0f} mm along the body with a field of view of {info.field_of_view_mm:.0f} mm; "
        "both axillae may not be inside.",
    )


def _none_eligible(series: Sequence[Series], reasons: dict[int, str]) -> str:
    if len(series) == 1:
        reason = reasons[id(series[0])]
        if reason.endswith("."):
            return reason
        return (
            f"The only series found cannot be used: {reason}; give an original axial CT, or name the series by its UID to insist."
        )
    listed = "; ".join(f"series {s.first.series_number}: {reasons[id(s)].rstrip('.')}" for s in series[:8])
    more = f"; and {len(series) - 8} more" if len(series) > 8 else ""
    return (
        f"None of the {len(series)} series found is an original axial CT in HU ({listed}{more}); "
        "give one, or name one by its UID."
    )
