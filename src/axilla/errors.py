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


class CannotWriteError(AxillaError):
    """A result cannot be written where it was asked for; not the fault of any patient's data, so the whole command ends."""


class UnfinishedError(AxillaError):
    """The work was broken off from outside; what was finished is kept, and running again continues."""


class StudyBusyError(AxillaError):
    """Another process is writing to the study; two writers would undo each other's work."""
