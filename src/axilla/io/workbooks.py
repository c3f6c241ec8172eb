"""Spreadsheets (XLSX) as rows of text: what a person sees in the cells, under the row numbers a person sees.

What a spreadsheet did to the data is not undone by guessing. A formula without a result stays a formula, an error stays
``#N/A``, a number too long for a spreadsheet stays ``1.23456789012346E+17``: the reader of the rows refuses them by name.
"""

from __future__ import annotations

import datetime
import io
import math
import re
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axilla.errors import InputRefusedError

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.cell import Cell, MergedCell
    from openpyxl.worksheet.worksheet import Worksheet

    AnyCell = Cell | MergedCell

PREFERRED = "clinical"
"""The sheet that is read where there are several with data."""

MOST_UNPACKED_BYTES = 2**28
"""A sheet of 10,000 patients unpacks to some 20 MB; far beyond, a file is made to exhaust the memory."""

MOST_CELLS = 2_000_000
"""Rows times columns down to the last formatted cell; a sheet formatted to its end has 10^10."""

DIGITS = 15
"""Significant digits that a spreadsheet keeps of a number."""

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_ENDINGS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".numbers")
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, LookupError, ValueError, TypeError, AttributeError, SyntaxError, EOFError, OSError,
    NotImplementedError, OverflowError,
)  # fmt: skip
"""What openpyxl raises on a file that is not what it says; the XML parser's errors are among them."""


def is_workbook(path: Path) -> bool:
    """Whether a file is a spreadsheet program's, by its first bytes or its name."""
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError:
        return False
    return start in (_ZIP, _OLE) or path.name.lower().endswith(_ENDINGS)


def read_workbook(path: Path) -> list[tuple[int, list[str]]]:
    """The rows that hold anything, each with its number in the spreadsheet.

    The sheet is the one called ``clinical``, else the only visible one with data. Hidden columns are read like others.

    Raises
    ------
    InputRefusedError
        If the file is no XLSX workbook, is encrypted or damaged, holds several sheets with data, or the sheet has merged cells
        or hidden rows with data.
    """
    data = path.read_bytes()
    _check_kind(path.name, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # openpyxl tells which parts of a sheet it leaves out; none is read
            values, formulas = _load(data, is_computed=True), _load(data, is_computed=False)
        sheet = _chosen(values, path.name)
        _check_plain(sheet, path.name)
        return _rows(sheet, formulas[sheet.title])
    except _DAMAGED as error:
        raise InputRefusedError(
            f"{path.name} is a damaged workbook ({type(error).__name__}); save it anew as XLSX or CSV."
        ) from error


def _load(data: bytes, *, is_computed: bool) -> Workbook:
    import openpyxl

    return openpyxl.load_workbook(io.BytesIO(data), data_only=is_computed, keep_links=False)


def _check_kind(name: str, data: bytes) -> None:
    """Refuse what is not XLSX, before anything in it is read."""
    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            raise InputRefusedError(f"{name} is encrypted with a password; save it without one.")
        raise InputRefusedError(f"{name} is a workbook of the old kind (XLS); save it as XLSX or CSV.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename for info in archive.infolist()}
            unpacked = sum(info.file_size for info in archive.infolist())
    except zipfile.BadZipFile as error:
        raise InputRefusedError(f"{name} is not an XLSX workbook, or is cut off; save it anew as XLSX or CSV.") from error
    if "xl/workbook.xml" not in members:
        raise InputRefusedError(f"{name} is not an XLSX workbook (OpenDocument, Numbers, a ZIP?); save it as XLSX or CSV.")
    if unpacked > MOST_UNPACKED_BYTES:
        raise InputRefusedError(
            f"{name} unpacks to {unpacked / 2**20:.0f} MiB, more than the bound of {MOST_UNPACKED_BYTES / 2**20:.0f}; "
            "save the clinical sheet alone, as XLSX or CSV."
        )


def _chosen(book: Workbook, name: str) -> Worksheet:
    """The sheet to read: every sheet's size is looked at first."""
    for sheet in book.worksheets:
        if sheet.max_row * sheet.max_column > MOST_CELLS:
            raise InputRefusedError(
                f"{name}: sheet {sheet.title!r} is formatted down to row {sheet.max_row}, column {sheet.max_column}; delete "
                "the empty rows and columns behind the patients."
            )
    called = [sheet for sheet in book.worksheets if sheet.title.strip().lower() == PREFERRED]
    filled = called or [sheet for sheet in book.worksheets if sheet.sheet_state == "visible" and _has_data(sheet)]
    if not filled:
        raise InputRefusedError(f"{name} has no visible sheet with data.")
    if len(filled) > 1:
        titles = ", ".join(repr(sheet.title) for sheet in filled)
        raise InputRefusedError(
            f"{name} has several sheets with data ({titles}); call the clinical one {PREFERRED!r}, or save it alone."
        )
    return filled[0]


def _has_data(sheet: Worksheet) -> bool:
    return any(value is not None for row in sheet.iter_rows(values_only=True) for value in row)


def _check_plain(sheet: Worksheet, name: str) -> None:
    """Refuse merged cells, whose value stands in one of them only, and rows with data that nobody sees."""
    areas = sheet.merged_cells.ranges
    merged = sorted(str(area) for area in areas if sheet.cell(area.min_row, area.min_col).value is not None)
    if merged:
        raise InputRefusedError(f"{name}: the cells {', '.join(merged)} are merged; unmerge them and fill in each cell.")
    hidden = [
        str(number)
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1)
        if any(value is not None for value in row) and sheet.row_dimensions[number].hidden
    ]
    if hidden:
        raise InputRefusedError(
            f"{name}: {len(hidden)} row(s) with data are hidden ({', '.join(hidden)}); show them (a filter?), or delete those "
            "that are not of the study."
        )


def _rows(values: Worksheet, formulas: Worksheet) -> list[tuple[int, list[str]]]:
    rows = []
    for number, (shown, written) in enumerate(zip(values.iter_rows(), formulas.iter_rows(), strict=True), start=1):
        texts = [_text(value, formula) for value, formula in zip(shown, written, strict=True)]
        if any(texts):
            rows.append((number, texts))
    return rows


def _text(cell: AnyCell, written: AnyCell) -> str:
    """What the cell shows; the formula where it has no result."""
    value: Any = cell.value
    if value is None and written.data_type == "f":
        formula: Any = written.value
        return str(getattr(formula, "text", None) or formula)
    return _shown(value, str(cell.number_format or ""))


def _shown(value: Any, number_format: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, number_format)
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(sep=" ")
    return str(value).strip()


def _number(value: float, number_format: str) -> str:
    """A number without the point that a spreadsheet gives every number, with the zeros and the % that its format shows."""
    if not math.isfinite(value):
        return str(value)
    if "%" in number_format:
        return f"{value * 100:.{DIGITS}g}%"
    if abs(value) >= 10**DIGITS:
        return f"{value:.{DIGITS - 1}E}"
    if value != int(value):
        return f"{value:.{DIGITS}g}"
    if value >= 0 and re.fullmatch(r"0{2,}", number_format):
        return f"{int(value):0{len(number_format)}d}"
    return str(int(value))
