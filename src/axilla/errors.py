"""The errors axilla raises on purpose.

Each message is one clear sentence: what was expected, what came, and what to do.
The command line turns each class into its exit status; anything else is a bug.
"""

from __future__ import annotations


class AxillaError(Exception):
    """Base of every error axilla raises on purpose."""

    exit_status = 3


class InvalidValueError(AxillaError, ValueError):
    """A noun was given values that contradict each other or its definition."""


class InputRefusedError(AxillaError):
    """An input (file, folder, series, table, mask) cannot be used safely, and is therefore not used at all."""


class UsageError(AxillaError):
    """The caller asked for something that does not exist or does not fit together."""

    exit_status = 2
