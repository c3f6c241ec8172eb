"""Numbers and values as they are printed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

DASH = "\u2013"
"""Shown where there is no value."""

MINUS = "\u2212"


def is_missing(value: object) -> bool:
    """Whether there is nothing to print."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def number(value: Any, digits: int = 1) -> str:
    """A number with fixed digits, or a dash."""
    if is_missing(value):
        return DASH
    words = f"{float(value):.{digits}f}"
    return words.replace("-", MINUS if float(words) else "")  # rounded to zero is zero


def short(value: Any) -> str:
    """A number with three significant digits, or a dash."""
    return DASH if is_missing(value) else f"{float(value):.3g}".replace("-", MINUS)


def percent(value: Any, digits: int = 1) -> str:
    """A share in percent, or a dash."""
    return DASH if is_missing(value) else f"{number(100 * float(value), digits)} %"


def p_value(value: Any) -> str:
    """A P value as journals print it."""
    if is_missing(value):
        return DASH
    return f"{float(value):.3f}" if float(value) >= 0.001 else f"{float(value):.1e}"


def p_short(value: Any) -> str:
    """A P value as far as its size tells anything, in tables of many."""
    return "<\u00a00.001" if not is_missing(value) and float(value) < 0.001 else p_value(value)


def p_words(value: Any) -> str:
    """``P = 0.012``, ``P < 0.001``."""
    return "P < 0.001" if float(value) < 0.001 else f"P = {float(value):.3f}"


def plain(value: Any) -> str:
    """Any plain value in words."""
    if is_missing(value):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {plain(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(plain, value))
    return str(value)


def counted(n: int, singular: str, plural: str = "") -> str:
    """``1 node``, ``2 nodes``."""
    return f"{n} {singular if n == 1 else plural or singular + 's'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def sentence(words: str) -> str:
    """Words as a sentence: capital first, full stop last."""
    return words[:1].upper() + words[1:].removesuffix(".") + "." if words else ""
