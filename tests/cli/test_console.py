"""Progress in a log: when a stage starts, now and then how long it may take, when it ends."""

from __future__ import annotations

import pytest

from axilla.cli._console import _PlainProgress


def test_a_long_stage_says_how_long_it_may_take(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = _PlainProgress(lambda: now[0])
    progress("locate", 100, 400)
    for done in range(101, 401):
        now[0] += 10.0
        progress("locate", done, 400)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "locate: 100/400 are up to date"
    assert lines[1] == "locate: 102/400, about 50 min left"
    assert "locate: 394/400, about 60 s left" in lines
    assert lines[-1] == "locate: 400/400 in 3000.0 s"
    assert len(lines) < 160


def test_a_short_stage_says_that_it_starts_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    progress = _PlainProgress(lambda: 0.0)
    progress("learn", 0, 1)
    progress("learn", 1, 1)
    assert capsys.readouterr().err.splitlines() == ["learn ...", "learn: 1/1 in 0.0 s"]
