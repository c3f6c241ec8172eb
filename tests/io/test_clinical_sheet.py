"""The clinical sheet as XLSX: what a spreadsheet does to data is read as shown, or refused by name."""

from __future__ import annotations

import contextlib
import csv
import datetime
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet

from axilla.cohort import screen
from axilla.errors import InputRefusedError
from axilla.io import workbooks
from axilla.io.clinical import COLUMNS, REQUIRED, read_clinical_sheet
from axilla.io.tables import read_numbered_sheet

HEADER = [*REQUIRED, "invasive", "age", "ki67", "note"]
GOOD = ["A1", "L", "cN+", 5, 2, "yes", 51, 20, "seen"]


def row(**changes: Any) -> list[Any]:
    return list({**dict(zip(HEADER, GOOD, strict=True)), **changes}.values())


def save(path: Path, rows: list[list[Any]], change: Callable[[Worksheet], object] = lambda sheet: None) -> Path:
    book = openpyxl.Workbook()
    for cells in rows:
        book.active.append(cells)
    change(book.active)
    book.save(path)
    return path


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_parts(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputRefusedError) as caught:
        read_clinical_sheet(path)
    return str(caught.value)


def test_a_workbook_is_the_csv_it_came_from(tmp_path: Path) -> None:
    """Numbers are floats in a spreadsheet; empty rows are skipped and counted, those at the end ignored."""
    rows = [HEADER, row(), [], row(patient_id="A2", nodes_examined=3.0, nodes_positive=0.0, age=60.5, ki67=None)]
    book = save(tmp_path / "c.xlsx", rows, lambda sheet: sheet.cell(40, 3, None).__setattr__("number_format", "0.00"))
    (tmp_path / "c.csv").write_text(",".join(HEADER) + "\nA1,L,cN+,5,2,yes,51,20,seen\n\nA2,L,cN+,3,0,yes,60.5,,seen\n")
    assert read_clinical_sheet(book) == read_clinical_sheet(tmp_path / "c.csv")
    assert [number for number, _ in read_numbered_sheet(book)] == [2, 4]


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        ("00123", "@", "00123"),
        (123, "00000", "00123"),
        (123.0, "General", "123"),
        (0.1 + 0.2, "General", "0.3"),
        (1 / 3, "0.00", "0.333333333333333"),
        (0.2, "0.0%", "20%"),
        (123456789012345, "General", "123456789012345"),
        (1234567890123456789, "0", "1.23456789012346E+18"),
        (True, "General", "TRUE"),
        (datetime.datetime(2024, 3, 1), "dd.mm.yyyy", "2024-03-01"),
        (datetime.datetime(2024, 3, 1, 8, 30), "dd.mm.yyyy hh:mm", "2024-03-01 08:30:00"),
        (datetime.time(8, 30), "hh:mm", "08:30:00"),
        ("  two\u00a0", "General", "two"),
        ("#N/A", "General", "#N/A"),
        ("=1+1", "General", "=1+1"),
        (-4, "00", "-4"),
    ],
)
def test_a_cell_is_what_a_person_sees(tmp_path: Path, value: Any, number_format: str, shown: str) -> None:
    def put(sheet: Worksheet) -> None:
        sheet["A2"].value, sheet["A2"].number_format = value, number_format

    assert read_numbered_sheet(save(tmp_path / "c.xlsx", [["a"], ["?"]], put)) == [(2, {"a": shown})]


def test_a_formula_with_a_result_is_its_result(tmp_path: Path) -> None:
    path = save(tmp_path / "c.xlsx", [["a", "b"], ["=1+1", "=1/0"]])
    parts = parts_of(path)
    sheet = parts["xl/worksheets/sheet1.xml"].replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>")
    sheet = sheet.replace(b'<c r="B2"><f>1/0</f><v />', b'<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v>')
    write_parts(path, {**parts, "xl/worksheets/sheet1.xml": sheet})
    assert read_numbered_sheet(path) == [(2, {"a": "2", "b": "#DIV/0!"})]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"patient_id": datetime.date(2024, 3, 1)},
            "patient_id is an identifier, not '2024-03-01', which a spreadsheet made of what was typed",
        ),
        ({"patient_id": 1234567890123456789}, "not '1.23456789012346E+18'"),
        ({"patient_id": None}, "patient_id is empty"),
        ({"nodes_examined": datetime.date(2024, 3, 12)}, "nodes_examined is a whole number or empty, not '2024-03-12'"),
        ({"nodes_positive": 1.5}, "nodes_positive is a whole number or empty, not '1.5'"),
        ({"nodes_positive": True}, "not 'TRUE'"),
        ({"nodes_positive": "=2*2"}, "nodes_positive holds a formula without a result"),
        ({"note": "=A2"}, "note holds a formula without a result"),
        ({"note": "#REF!"}, "note holds the spreadsheet's error #REF!"),
        ({"clinical_n": "#N/A"}, "clinical_n holds the spreadsheet's error #N/A"),
        ({"age": "51 years"}, "age is a number"),
        ({"age": 1961}, "age is a number from 0 to 120 (without a unit) or empty, not '1961'"),
        ({"age": -1}, "not '-1'"),
        ({"ki67": "12,5"}, "ki67 is a number (with a point"),
        ({"invasive": 1}, "invasive is yes, no or empty, not '1'"),
    ],
)
def test_what_a_spreadsheet_broke_is_refused_in_both_formats(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    book = save(tmp_path / "c.xlsx", [HEADER, row(), row(**{"patient_id": "A2", **changes})])
    assert "has 1 faulty row(s). row 3: " in refusal(book)
    assert said in refusal(book)
    stream = io.StringIO()
    csv.writer(stream).writerows([HEADER, *(list(cells.values()) for _, cells in read_numbered_sheet(book))])
    (tmp_path / "c.csv").write_text(stream.getvalue())
    assert refusal(tmp_path / "c.csv") == refusal(book).replace("c.xlsx", "c.csv")


def test_check_boxes_are_yes_and_no(tmp_path: Path) -> None:
    patients = read_clinical_sheet(
        save(tmp_path / "c.xlsx", [HEADER, row(invasive=True), row(patient_id="A2", invasive=False)])
    ).values()
    assert [patient.facts["invasive"] for patient in patients] == ["yes", "no"]


def test_a_date_in_a_column_of_ones_own_is_kept(tmp_path: Path) -> None:
    path = save(tmp_path / "c.xlsx", [HEADER, row(note=datetime.date(2024, 3, 1))])
    assert read_clinical_sheet(path)["A1"].facts["note"] == "2024-03-01"


def test_merged_cells_and_hidden_rows_are_refused_by_place(tmp_path: Path) -> None:
    rows = [HEADER, row(), row(patient_id="A2"), row(patient_id="A3")]
    merged = save(tmp_path / "m.xlsx", rows, lambda sheet: sheet.merge_cells("I2:I3"))
    assert "the cells I2:I3 are merged" in refusal(merged)
    hidden = save(tmp_path / "h.xlsx", rows, lambda sheet: sheet.row_dimensions[3].__setattr__("hidden", True))
    assert "1 row(s) with data are hidden (3)" in refusal(hidden)


def test_hidden_columns_empty_hidden_rows_and_empty_merged_cells_do_no_harm(tmp_path: Path) -> None:
    def change(sheet: Worksheet) -> None:
        sheet.column_dimensions["G"].hidden = True
        sheet.row_dimensions[9].hidden = True
        sheet.merge_cells("A9:C9")

    assert read_clinical_sheet(save(tmp_path / "c.xlsx", [HEADER, row()], change))["A1"].facts["age"] == "51"


def test_which_sheet_is_read(tmp_path: Path) -> None:
    """The one with data; of several the one called clinical; hidden ones only by that name."""
    path = save(tmp_path / "c.xlsx", [HEADER, row()])
    book = openpyxl.load_workbook(path)
    book.create_sheet("empty")
    book.create_sheet("lists").append(["yes", "no"])
    book["lists"].sheet_state = "hidden"
    book.save(path)
    assert list(read_clinical_sheet(path)) == ["A1"]
    book["lists"].sheet_state = "visible"
    book.save(path)
    assert "several sheets with data ('Sheet', 'lists')" in refusal(path)
    book["Sheet"].title = "Clinical"
    book.save(path)
    assert list(read_clinical_sheet(path)) == ["A1"]
    assert "no visible sheet with data" in refusal(save(tmp_path / "none.xlsx", []))


def test_files_that_are_no_workbook_are_refused(tmp_path: Path) -> None:
    whole = save(tmp_path / "c.xlsx", [HEADER, row()]).read_bytes()
    other, bare = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("xl/workbook.xml", "<not xml")
    old = b"\xd0\xcf\x11\xe0" + bytes(600)
    cases = {
        "text.xlsx": (b"patient_id,operated_side\n", "not an XLSX workbook"),
        "cut.xlsx": (whole[: len(whole) // 2], "cut off"),
        "old.xls": (old, "of the old kind (XLS)"),
        "locked.xlsx": (old + "EncryptedPackage".encode("utf-16-le"), "encrypted with a password"),
        "open.ods": (other.getvalue(), "OpenDocument"),
        "bare.xlsx": (bare.getvalue(), "damaged workbook"),
        "empty.xlsx": (b"", "not an XLSX workbook"),
    }
    for name, (data, said) in cases.items():
        (tmp_path / name).write_bytes(data)
        assert said in refusal(tmp_path / name)
    (tmp_path / "sheet.csv").write_bytes(whole)
    assert list(read_clinical_sheet(tmp_path / "sheet.csv")) == ["A1"]


def test_a_workbook_made_to_exhaust_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "c.xlsx", [HEADER, row()])
    far = save(tmp_path / "far.xlsx", [HEADER, row()], lambda sheet: sheet.cell(1_048_576, 30, "").__setattr__("value", " "))
    assert "formatted down to row 1048576" in refusal(far)
    part = "xl/worksheets/sheet1.xml"
    parts = parts_of(path)
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    write_parts(path, {**parts, part: laughs + parts[part]})
    assert "damaged workbook" in refusal(path)
    monkeypatch.setattr(workbooks, "MOST_UNPACKED_BYTES", 1000)
    assert "more than the bound" in refusal(path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_damage_is_read_or_refused(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """To the archive as a whole, or to one of its parts."""
    folder = tmp_path_factory.mktemp("damaged")
    parts = parts_of(save(folder / "c.xlsx", [HEADER, row()]))
    whole = {"": (folder / "c.xlsx").read_bytes()} | parts
    name = data.draw(st.sampled_from(sorted(whole)))
    content = bytearray(whole[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 10**6)) % len(content)  # a workbook holds the time it was made: its length varies
        content[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=2))
    if name:
        write_parts(folder / "d.xlsx", {**parts, name: bytes(content)})
    else:
        (folder / "d.xlsx").write_bytes(content)
    with contextlib.suppress(InputRefusedError):
        read_clinical_sheet(folder / "d.xlsx")


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("[Content_Types].xml", b"sheet.main+xml", b"other+xml"),
        ("xl/workbook.xml", b"<workbook", b"<?xml version='1.0' encoding='UTX-8'?><workbook"),
        ("xl/worksheets/sheet1.xml", b"</sheetData>", b""),
    ],
)
def test_a_damaged_part_is_refused(tmp_path: Path, part: str, old: bytes, new: bytes) -> None:
    parts = parts_of(save(tmp_path / "c.xlsx", [HEADER, row()]))
    assert old in parts[part]
    assert "damaged workbook" in refusal(write_parts(tmp_path / "d.xlsx", {**parts, part: parts[part].replace(old, new)}))


@settings(max_examples=60, deadline=None)
@given(
    value=st.one_of(
        st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), max_size=20),
        st.integers(-(10**14), 10**14),
        st.floats(-1e300, 1e300),
        st.booleans(),
        st.dates(datetime.date(1900, 3, 1), datetime.date(2200, 1, 1)),
    )
)
def test_any_value_is_text_and_whole_numbers_have_no_point(value: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = save(tmp_path_factory.mktemp("cell") / "c.xlsx", [["a", "b"], [value, "x"]])
    ((_, cells),) = read_numbered_sheet(path)
    if isinstance(value, int) and not isinstance(value, bool):
        assert cells["a"] == str(value)
    elif isinstance(value, float):
        assert float(cells["a"]) == pytest.approx(value, rel=1e-14, abs=0)
    elif isinstance(value, str):
        assert cells["a"] == value.strip()


def test_every_column_says_what_it_is_for() -> None:
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    for column in COLUMNS:
        assert column.name == column.name.lower()
        assert column.meaning
        assert column.kind.words


def test_the_documented_example_is_eligible(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "clinical-sheet.md").read_text(encoding="utf-8")
    (tmp_path / "c.csv").write_text(page.split("## Example\n\n```\n")[1].split("```")[0])
    patients = read_clinical_sheet(tmp_path / "c.csv").values()
    assert screen(patients).patients == tuple(patients)
    assert [patient.role for patient in patients] == ["training", "cN0", "validation"]
