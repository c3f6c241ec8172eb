"""``study.toml``: what the user of a study decided; written once by axilla, and never again."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from axilla.errors import InputRefusedError, UsageError

SCHEMA = 1

SettingsT = TypeVar("SettingsT")

_TEMPLATE = """\
# What the user of this study decided. axilla never rewrites this file.
schema = {schema}
title = {title}

# Settings stand at their defaults unless named here, for example:
# [settings.selection]
# detection_threshold = 0.5
# [settings.model]
# seed = 1
# [settings.rule]
# name = "at_least_k"  # or "chosen": the rule that the training patients choose
"""


@dataclass(frozen=True)
class StudyDecisions:
    """``study.toml``, checked."""

    title: str
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def check_sections(self, known: Iterable[str]) -> None:
        """Refuse sections of ``[settings]`` that no stage has.

        Raises
        ------
        InputRefusedError
            Naming them, and the known ones.
        """
        names = list(known)
        unknown = sorted(set(self.settings) - set(names))
        if unknown:
            raise InputRefusedError(f"study.toml: no stage [settings.{unknown[0]}]; known are {', '.join(names)}.")

    def apply(self, section: str, defaults: SettingsT) -> SettingsT:
        """`defaults` (a frozen settings dataclass) with what ``[settings.<section>]`` overrides.

        Raises
        ------
        InputRefusedError
            If a name is unknown, or a value has another type than the default.
        """
        overrides = dict(self.settings.get(section, {}))
        fields = {f.name for f in dataclasses.fields(defaults)}  # type: ignore[arg-type]
        unknown = sorted(set(overrides) - fields)
        if unknown:
            known = ", ".join(sorted(fields))
            raise InputRefusedError(
                f"study.toml, [settings.{section}]: unknown setting(s) {', '.join(unknown)}; known are {known}."
            )
        for name, value in overrides.items():
            overrides[name] = _as_type_of(getattr(defaults, name), value, f"study.toml, [settings.{section}] {name}")
        try:
            return dataclasses.replace(defaults, **overrides)  # type: ignore[type-var]
        except (UsageError, TypeError, ValueError) as error:  # every setting's own check, and Python's where it comes first
            raise InputRefusedError(f"study.toml, [settings.{section}]: {error}") from error


def new_decisions(title: str) -> str:
    """The text of a new ``study.toml``."""
    return _TEMPLATE.format(schema=SCHEMA, title=json.dumps(title, ensure_ascii=False))


def read_decisions(path: Path) -> StudyDecisions:
    """Read ``study.toml``.

    Raises
    ------
    InputRefusedError
        If it is not TOML, of another schema, or holds an unknown entry.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputRefusedError(f"{path} is not valid TOML: {error}.") from error
    if content.get("schema") != SCHEMA:
        raise InputRefusedError(f"{path} has schema {content.get('schema')}; this axilla reads schema {SCHEMA}.")
    unknown = sorted(set(content) - {"schema", "title", "settings"})
    if unknown:
        raise InputRefusedError(f"{path}: unknown entries {', '.join(unknown)}.")
    settings = content.get("settings", {})
    if not isinstance(settings, dict) or not all(isinstance(section, dict) for section in settings.values()):
        raise InputRefusedError(f"{path}: [settings] holds one table per stage, e.g. [settings.model].")
    return StudyDecisions(str(content.get("title", "")), MappingProxyType(settings))


def _as_type_of(default: Any, value: Any, where: str) -> Any:
    """`value` as the type of `default`, allowing an integer where a float stands and a list where a tuple stands."""
    if isinstance(default, bool) or isinstance(value, bool):
        fits = isinstance(default, bool) and isinstance(value, bool)
    elif isinstance(default, float) and isinstance(value, int):
        return float(value)
    elif isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    else:
        fits = default is None or isinstance(value, type(default))
    if not fits:
        raise InputRefusedError(f"{where}: expected {type(default).__name__}, got {type(value).__name__} {value!r}.")
    return value
