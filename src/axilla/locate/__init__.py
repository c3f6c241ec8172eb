"""Find, separate, segment and describe the axillary lymph nodes of a CT."""

from axilla.locate.axes import AxialAxes, axial_axes
from axilla.locate.describe import describe
from axilla.locate.find import Location, locate, warnings_about
from axilla.locate.settings import LocateSettings

__all__ = ["AxialAxes", "LocateSettings", "Location", "axial_axes", "describe", "locate", "warnings_about"]
