"""Pictures and charts. Each function returns a :class:`Drawing`: the image, a text for those who cannot see it, its numbers."""

from axilla.figures.characterization import CLASS_NAMES, characterization, feature_class
from axilla.figures.ct import SMALL, PictureSettings, contact_sheet, node_picture
from axilla.figures.drawing import Drawing
from axilla.figures.flow import CohortFlow, FlowCounts, flow_diagram
from axilla.figures.groups import GroupedNodes, cluster_plot
from axilla.figures.performance import node_level, patient_level, roc_points
from axilla.figures.scene import SceneSettings, overview

__all__ = [
    "CLASS_NAMES",
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
    "feature_class",
    "flow_diagram",
    "node_level",
    "node_picture",
    "overview",
    "patient_level",
    "roc_points",
]
