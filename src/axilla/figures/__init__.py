"""Pictures and charts. Each function returns a :class:`Drawing`: the image, a text for those who cannot see it, its numbers."""

from axilla.figures.ct import SMALL, PictureSettings, contact_sheet, node_picture
from axilla.figures.drawing import Drawing
from axilla.figures.flow import CohortFlow, FlowCounts, flow_diagram
from axilla.figures.groups import GroupedNodes, characterization, cluster_plot, group_profile
from axilla.figures.performance import node_level, patient_level, roc_points
from axilla.figures.scene import SceneSettings, overview

__all__ = [
    "SMALL",
    "CohortFlow",
    "Drawing",
    "FlowCounts",
    "GroupedNodes",
    "PictureSettings",
    "SceneSettings",
    "characterization",
    "cluster_plot",
    "contact_sheet",
    "flow_diagram",
    "group_profile",
    "node_level",
    "node_picture",
    "overview",
    "patient_level",
    "roc_points",
]
