"""The HTML reports: of one CT and of a study, each a single file that opens from a stick."""

from axilla.report.nouns import FIGURES, PatientEntry, PredictionReport, StudyReport
from axilla.report.render import data_uri, render_prediction, render_study

__all__ = ["FIGURES", "PatientEntry", "PredictionReport", "StudyReport", "data_uri", "render_prediction", "render_study"]
