"""Pictures and charts. Each function returns a :class:`Drawing`: the image, a text for those who cannot see it, its numbers."""

from axilla.figures.ct import SMALL, PictureSettings, contact_sheet, node_picture
from axilla.figures.drawing import Drawing
from axilla.figures.scene import SceneSettings, overview

__all__ = ["SMALL", "Drawing", "PictureSettings", "SceneSettings", "contact_sheet", "node_picture", "overview"]
