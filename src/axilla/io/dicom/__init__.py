"""DICOM in and out: scan sources into a catalog, choose a patient's series, read it as a volume, write one."""

from axilla.io.dicom.catalog import Catalog, Series, SeriesInfo, scan
from axilla.io.dicom.choose import Choice, ChoiceSettings, choose_series
from axilla.io.dicom.pixels import ReadSettings, read_series
from axilla.io.dicom.sources import SourceSettings, Unread
from axilla.io.dicom.stack import StackSettings
from axilla.io.dicom.write import WriteSettings, make_uid, write_ct

__all__ = [
    "Catalog",
    "Choice",
    "ChoiceSettings",
    "ReadSettings",
    "Series",
    "SeriesInfo",
    "SourceSettings",
    "StackSettings",
    "Unread",
    "WriteSettings",
    "choose_series",
    "make_uid",
    "read_series",
    "scan",
    "write_ct",
]
