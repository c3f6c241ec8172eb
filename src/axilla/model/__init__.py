"""The unsupervised model: train on unlabeled nodes, predict new ones, call the patient.

Qu et al., Int J Surg 2024;110:5363-5373, doi 10.1097/JS9.0000000000001778.
"""

from axilla.model._clusterer import AxillaClusterer
from axilla.model._document import model_from_dict, model_to_dict
from axilla.model._mixture import Mixture, fit_mixture
from axilla.model._model import Model, Provenance, Vote
from axilla.model._patient import BENIGN, CALLS, METASTATIC, NOT_EVALUABLE, PATIENT_COLUMNS, apply_patient_rule, call_axilla
from axilla.model._predict import PREDICTION_COLUMNS, predict, withheld_reason
from axilla.model._selection import registry_order
from axilla.model._settings import CHOSEN, KEEP_RULES, RULES, ModelSettings, PatientRule, PredictSettings
from axilla.model._train import VOTERS, train

__all__ = [
    "BENIGN",
    "CALLS",
    "CHOSEN",
    "KEEP_RULES",
    "METASTATIC",
    "NOT_EVALUABLE",
    "PATIENT_COLUMNS",
    "PREDICTION_COLUMNS",
    "RULES",
    "VOTERS",
    "AxillaClusterer",
    "Mixture",
    "Model",
    "ModelSettings",
    "PatientRule",
    "PredictSettings",
    "Provenance",
    "Vote",
    "apply_patient_rule",
    "call_axilla",
    "fit_mixture",
    "model_from_dict",
    "model_to_dict",
    "predict",
    "registry_order",
    "train",
    "withheld_reason",
]
