"""The settings of a whole study: one section per stage, as `study.toml` names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from axilla.anatomy import AnatomySettings, PectoralSettings, SkeletonSettings, VesselSettings
from axilla.atlas import AtlasSettings
from axilla.cohort import PAPER_CRITERIA, Criterion
from axilla.errors import InvalidValueError
from axilla.evaluate import EvaluateSettings, RuleChoiceSettings
from axilla.io.decisions import StudyDecisions
from axilla.locate import LocateSettings
from axilla.model import ModelSettings, PatientRule, PredictSettings
from axilla.radiomics import RadiomicsSettings
from axilla.segment import SegmentSettings


@dataclass(frozen=True)
class SelectionSettings:
    """Which located nodes count in training, status and patient calls."""

    detection_threshold: float = 0.5
    """Smallest detection_score; nodes below it are shown, never used. Half-way: more likely a node than not."""

    def __post_init__(self) -> None:
        if not 0 <= self.detection_threshold <= 1:
            raise InvalidValueError(f"The detection threshold lies in 0..1, not {self.detection_threshold}.")


@dataclass(frozen=True)
class CaseSettings:
    """Settings of every stage that works on one CT."""

    locate: LocateSettings = field(default_factory=LocateSettings)
    radiomics: RadiomicsSettings = field(default_factory=RadiomicsSettings)
    atlas: AtlasSettings = field(default_factory=AtlasSettings)


@dataclass(frozen=True)
class StudySettings:
    """Settings of every stage of a study, and who enters it."""

    criteria: tuple[Criterion, ...] = PAPER_CRITERIA
    case: CaseSettings = field(default_factory=CaseSettings)
    selection: SelectionSettings = field(default_factory=SelectionSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    predict: PredictSettings = field(default_factory=PredictSettings)
    rule: PatientRule = field(default_factory=PatientRule)
    rule_choice: RuleChoiceSettings = field(default_factory=RuleChoiceSettings)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)

    @classmethod
    def from_decisions(cls, decisions: StudyDecisions) -> StudySettings:
        """The defaults with what ``study.toml`` overrides.

        Raises
        ------
        InputRefusedError
            If a section or setting is unknown, or a value is not allowed.
        """
        decisions.check_sections(SETTINGS)
        chosen = {name: decisions.apply(name, make()) for name, make in SETTINGS.items()}
        parts = {name: chosen.pop(name) for name in ("skeleton", "pectorals", "vessels")}
        anatomy = replace(chosen.pop("anatomy"), **parts)
        located = replace(chosen.pop("locate"), anatomy=anatomy, segment=chosen.pop("segment"))
        case = CaseSettings(locate=located, radiomics=chosen.pop("radiomics"), atlas=chosen.pop("atlas"))
        return cls(criteria=decisions.criteria(), case=case, **chosen)


SETTINGS: Mapping[str, type[Any]] = {
    "anatomy": AnatomySettings,
    "skeleton": SkeletonSettings,
    "pectorals": PectoralSettings,
    "vessels": VesselSettings,
    "segment": SegmentSettings,
    "locate": LocateSettings,
    "radiomics": RadiomicsSettings,
    "atlas": AtlasSettings,
    "selection": SelectionSettings,
    "model": ModelSettings,
    "predict": PredictSettings,
    "rule": PatientRule,
    "rule_choice": RuleChoiceSettings,
    "evaluate": EvaluateSettings,
}
"""Section of ``study.toml`` and the dataclass that holds its defaults."""


def plain_settings(settings: object) -> dict[str, Any]:
    """Settings as JSON types, nested as the dataclasses are."""
    return {name: _plain(value) for name, value in dataclasses.asdict(settings).items()}  # type: ignore[call-overload]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
