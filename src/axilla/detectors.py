"""Detectors: whatever turns a CT into node masks, behind one protocol, so that another can be plugged in."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from axilla._version import __version__
from axilla.errors import UsageError
from axilla.locate import LocateSettings, Location, locate
from axilla.volume import Volume

ENTRY_POINT_GROUP = "axilla.detectors"
"""Packages register a detector's factory (called without arguments) under this group of entry points."""

BUILT_IN = "built-in"
"""Name of the training-free detector that comes with axilla."""


@dataclass(frozen=True)
class Provenance:
    """Where a detector and its weights come from; shown beside every result it made."""

    name: str
    version: str
    license: str
    trained_on: str = ""
    """What data its weights were fitted to; empty for a detector without training."""


@runtime_checkable
class Detector(Protocol):
    """Something that locates nodes."""

    @property
    def provenance(self) -> Provenance:
        """What it is and where it comes from."""

    def detect(self, volume: Volume) -> Location:
        """The nodes of a CT, on its own grid."""


@dataclass(frozen=True)
class BuiltInDetector:
    """The training-free method of :func:`axilla.locate.locate`."""

    settings: LocateSettings = field(default_factory=LocateSettings)

    @property
    def provenance(self) -> Provenance:
        """What it is and where it comes from."""
        return Provenance(BUILT_IN, __version__, "Apache-2.0")

    def detect(self, volume: Volume) -> Location:
        """The nodes of a CT, on its own grid."""
        return locate(volume, self.settings)


def detector_names() -> tuple[str, ...]:
    """Names that :func:`get_detector` knows: the built-in one first, then those of installed packages."""
    return (BUILT_IN, *sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)} - {BUILT_IN}))


def get_detector(name: str = BUILT_IN) -> Detector:
    """The detector of a name.

    Raises
    ------
    UsageError
        If no installed package offers it, or what it offers is no detector.
    """
    if name == BUILT_IN:
        return BuiltInDetector()
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            detector = point.load()()
            if not isinstance(detector, Detector):
                raise UsageError(
                    f"'{name}' was expected to be a detector with `provenance` and `detect`; ask its package's authors."
                )
            return detector
    raise UsageError(f"There is no detector '{name}'; installed are {', '.join(detector_names())}.")
