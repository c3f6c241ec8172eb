"""``study.toml``: what the user of a study decided; written once by axilla unless it is there, and never again."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from axilla.cohort import PAPER_CRITERIA, Criterion
from axilla.errors import InputRefusedError, InvalidValueError, UsageError

SCHEMA = 1

SettingsT = TypeVar("SettingsT")

_TEMPLATE = """\
# What the user of this study decided. axilla never rewrites this file.
schema = {schema}
title = {title}

# Who enters the study: whoever meets all criteria. Those of Qu et al. 2024 hold unless they are changed here:
{criteria}
# For example, to leave one out, to change a limit, to ask for a column of your own:
# [criteria.neoadjuvant]
# use = false
# [criteria.ct_interval]
# at_most = 60
# [criteria.adult]
# column = "age"
# at_least = 18
# reason = "younger than {{at_least}}"

# Settings stand at their defaults unless named here, for example:
# [settings.selection]
# detection_threshold = 0.5
# [settings.model]
# seed = 1
# [settings.rule]
# name = "at_least_k"  # or "chosen": the rule that the training patients choose
"""


_CRITERION_TYPES = {"use": bool, "column": str, "reason": str, "allowed": list, "at_least": float, "at_most": float}
"""What ``[criteria.<name>]`` may hold."""

_IN_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list", tuple: "a list"}


@dataclass(frozen=True)
class StudyDecisions:
    """``study.toml``, checked."""

    title: str
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """``[criteria]``, by name of the criterion."""

    def criteria(self, defaults: tuple[Criterion, ...] = PAPER_CRITERIA) -> tuple[Criterion, ...]:
        """`defaults` as ``[criteria]`` changes them, then the study's own, in the order of the file.

        Raises
        ------
        InputRefusedError
            If a name is unknown, a value has the wrong type, or a criterion asks for nothing or the impossible.
        """
        known = {criterion.name: criterion for criterion in defaults}
        found = {name: _criterion(name, known.get(name), self.changes.get(name, {})) for name in [*known, *self.changes]}
        return tuple(criterion for criterion in found.values() if criterion)

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
    criteria = "\n".join(f"#   {criterion.name}: {criterion.column} is {criterion.asks()}" for criterion in PAPER_CRITERIA)
    return _TEMPLATE.format(schema=SCHEMA, title=json.dumps(title, ensure_ascii=False), criteria=criteria)


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
    schema = content.get("schema", SCHEMA)  # absent where a user wrote the file before axilla did
    if schema != SCHEMA:
        raise InputRefusedError(f"{path} has schema {schema}; this axilla reads schema {SCHEMA}.")
    unknown = sorted(set(content) - {"schema", "title", "settings", "criteria"})
    if unknown:
        raise InputRefusedError(f"{path}: unknown entries {', '.join(unknown)}.")
    settings = _tables(content, "settings", f"{path}: [settings] holds one table per stage, e.g. [settings.model].")
    criteria = _tables(content, "criteria", f"{path}: [criteria] holds one table per criterion, e.g. [criteria.ct_interval].")
    return StudyDecisions(str(content.get("title", path.resolve().parent.name)), settings, criteria)


def _tables(content: Mapping[str, Any], name: str, refusal: str) -> Mapping[str, Mapping[str, Any]]:
    tables = content.get(name, {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise InputRefusedError(refusal)
    return MappingProxyType(tables)


def _criterion(name: str, default: Criterion | None, changes: Mapping[str, Any]) -> Criterion | None:
    """A criterion of the study; None where it is left out."""
    where = f"study.toml, [criteria.{name}]"
    unknown = sorted(set(changes) - set(_CRITERION_TYPES))
    if unknown:
        raise InputRefusedError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(_CRITERION_TYPES)}.")
    given = {key: _as_type_of(_CRITERION_TYPES[key](), value, f"{where} {key}") for key, value in changes.items()}
    if default is None and "column" not in given:
        known = ", ".join(criterion.name for criterion in PAPER_CRITERIA)
        raise InputRefusedError(f"{where}: no such criterion; known are {known}. One of your own names its column.")
    if not given.pop("use", True):
        return None
    if "allowed" in given:
        given["allowed"] = tuple(_as_type_of("", word, f"{where} allowed") for word in given["allowed"])
    if "column" in given:
        given["column"] = given["column"].strip().lower()  # as the sheet's column names are read
    if "reason" in given:
        given["wording"] = given.pop("reason")
    try:
        return Criterion(name, **given) if default is None else dataclasses.replace(default, **given)
    except InvalidValueError as error:
        raise InputRefusedError(f"{where}: {error}") from error


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
        expected = _IN_WORDS.get(type(default), type(default).__name__)
        raise InputRefusedError(f"{where}: expected {expected}, got {json.dumps(value, ensure_ascii=False, default=str)}.")
    return value
