"""The HTML reports: of one CT and of a study, each a single file that opens from a stick."""

from axilla.report.nouns import FIGURES, PatientEntry, PredictionReport, StudyReport
from axilla.report.render import data_uri, render_prediction, render_study
from axilla.report.tables import Table, study_tables

__all__ = [
    "FIGURES",
    "PatientEntry",
    "PredictionReport",
    "StudyReport",
    "Table",
    "data_uri",
    "render_prediction",
    "render_study",
    "study_tables",
]
