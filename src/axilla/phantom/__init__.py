"""Synthetic chest CT with known axillary nodes, and synthetic cohorts in the paper's roles and proportions.

Everything here is made up and says so: ``Acquisition.is_synthetic`` is set on every volume.
"""

from axilla.phantom.cohort import PatientPlan, plan_cohort, render
from axilla.phantom.implant import ImplantSettings, implant
from axilla.phantom.nodes import NodePlan, plan_node
from axilla.phantom.render import CasePlan, SyntheticCase, TruthNode, render_case
from axilla.phantom.settings import PHANTOM_VERSION, SCANNERS, CohortSettings, PhantomSettings, ScannerProfile
from axilla.phantom.tissue import TISSUES

__all__ = [
    "PHANTOM_VERSION",
    "SCANNERS",
    "TISSUES",
    "CasePlan",
    "CohortSettings",
    "ImplantSettings",
    "NodePlan",
    "PatientPlan",
    "PhantomSettings",
    "ScannerProfile",
    "SyntheticCase",
    "TruthNode",
    "implant",
    "plan_cohort",
    "plan_node",
    "render",
    "render_case",
]
