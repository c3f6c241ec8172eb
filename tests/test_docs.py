"""What the pages say is true: examples run, links lead somewhere, commands and settings exist."""

from __future__ import annotations

import dataclasses
import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

from axilla.pipeline.settings import SETTINGS

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(REPOSITORY)) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_examples_run(page: Path) -> None:
    assert doctest.testfile(str(page), module_relative=False, encoding="utf-8").failed == 0


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_and_options_exist(page: Path) -> None:
    commands = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    for name in re.findall(r"^(?:\$ |.*`)axilla ([a-z]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        assert f"## `axilla {name}" in commands, name


def test_generated_pages_are_current() -> None:
    check = subprocess.run(
        [sys.executable, str(REPOSITORY / "docs" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stdout


@pytest.mark.parametrize("section", SETTINGS)
def test_every_setting_says_what_and_why(section: str) -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = page.split(f"## `[settings.{section}]`", 1)[1].split("\n## ", 1)[0]
    own = [f for f in dataclasses.fields(SETTINGS[section]) if not dataclasses.is_dataclass(getattr(SETTINGS[section](), f.name))]
    for field in own:
        row = next(line for line in rows.splitlines() if line.startswith(f"| `{field.name}` |"))
        assert len(row.rsplit("|", 2)[1].strip()) > 15, field.name
