"""Where the body's parts lie: body, lungs, bones, muscle, and the axilla of each side with how much of it is in the field."""

from axilla.anatomy.find import find_anatomy
from axilla.anatomy.noun import COVERAGES, Anatomy, CoarseGrid, VesselTrace
from axilla.anatomy.settings import AnatomySettings, PectoralSettings, SkeletonSettings, VesselSettings

__all__ = [
    "COVERAGES",
    "Anatomy",
    "AnatomySettings",
    "CoarseGrid",
    "PectoralSettings",
    "SkeletonSettings",
    "VesselSettings",
    "VesselTrace",
    "find_anatomy",
]
