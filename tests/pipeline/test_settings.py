"""``study.toml`` reaches every stage."""

from __future__ import annotations

import dataclasses

import pytest

from axilla.errors import InputRefusedError
from axilla.io.decisions import StudyDecisions
from axilla.pipeline.settings import SETTINGS, StudySettings, plain_settings
from axilla.pipeline.stages import STAGES


def test_without_overrides_every_stage_has_its_defaults() -> None:
    assert StudySettings.from_decisions(StudyDecisions("")) == StudySettings()


def test_each_section_reaches_its_stage() -> None:
    decisions = StudyDecisions(
        "",
        {
            "anatomy": {"body_hu": -250},
            "segment": {"snap_mm": 4.0},
            "locate": {"min_score": 0.6},
            "radiomics": {"bin_width": 10.0},
            "selection": {"detection_threshold": 0.7},
            "model": {"seed": 4},
            "predict": {"far_sd": 5.0},
            "rule": {"name": "at_least_k", "k": 3},
            "rule_choice": {"target_sensitivity": 0.9},
            "evaluate": {"n_resamples": 500, "level": 0.9},
        },
    )
    settings = StudySettings.from_decisions(decisions)
    assert settings.case.locate.anatomy.body_hu == -250.0
    assert settings.case.locate.segment.snap_mm == 4.0
    assert settings.case.locate.min_score == 0.6
    assert settings.case.radiomics.bin_width == 10.0
    assert settings.selection.detection_threshold == 0.7
    assert (settings.model.seed, settings.predict.far_sd, settings.rule.k) == (4, 5.0, 3)
    assert settings.rule_choice.target_sensitivity == 0.9
    assert (settings.evaluate.n_resamples, settings.evaluate.level) == (500, 0.9)


@pytest.mark.parametrize("section", ["modell", "locate"])
def test_unknown_names_are_refused(section: str) -> None:
    with pytest.raises(InputRefusedError, match="known are"):
        StudySettings.from_decisions(StudyDecisions("", {section: {"nonsense": 1}}))


def test_settings_are_plain_for_json() -> None:
    plain = plain_settings(StudySettings())
    assert set(plain) == {field.name for field in dataclasses.fields(StudySettings)}
    assert isinstance(plain["case"]["atlas"]["context_spacing_mm"], dict)
    assert set(SETTINGS) >= {"locate", "radiomics", "model"}


def test_every_section_makes_some_stage_run_again() -> None:
    assert set(SETTINGS) == {section for stage in STAGES for section in stage.settings} - {"criteria"}
