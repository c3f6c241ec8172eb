"""The study folder: decisions, catalog, journal, key, clinical sheet."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from axilla.cohort import PAPER_CRITERIA, Patient
from axilla.errors import InputRefusedError, UnfinishedError
from axilla.io.clinical import read_clinical_sheet
from axilla.io.database import JournalRow, SeriesRow
from axilla.io.study import StudyFolder, check_is_held
from axilla.pipeline.settings import StudySettings


@dataclass(frozen=True)
class Example:
    number: float = 1.0
    names: tuple[str, ...] = ("a",)
    flag: bool = False


def with_toml(tmp_path: Path, extra: str) -> StudyFolder:
    folder = StudyFolder.create(tmp_path / "study", "A title")
    folder.decisions_path.write_text(folder.decisions_path.read_text() + extra)
    return folder


def test_create_keeps_what_the_user_wrote(tmp_path: Path) -> None:
    folder = with_toml(tmp_path, "\n[settings.example]\nnumber = 2\nnames = ['b', 'c']\n")
    again = StudyFolder.create(folder.root, "Another title")
    assert again.decisions().title == "A title"
    assert again.decisions().apply("example", Example()) == Example(2.0, ("b", "c"))
    assert StudyFolder.open(folder.root).decisions().apply("other", Example()) == Example()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("\n[settings.example]\nnumbr = 2\n", "unknown setting(s) numbr"),
        ("\n[settings.example]\nnumber = 'two'\n", 'expected a number, got "two".'),
        ("\n[settings.example]\nflag = 1\n", "expected true or false, got 1."),
        ("\n[settings]\nexample = 3\n", "one table per stage"),
        ("\nnumber = 3\n", "unknown entries number"),
        ("\n[settings\n", "not valid TOML"),
    ],
)
def test_faulty_decisions_are_refused_by_name(tmp_path: Path, extra: str, said: str) -> None:
    folder = with_toml(tmp_path, extra)
    with pytest.raises(InputRefusedError) as refusal:
        folder.decisions().apply("example", Example())
    assert said in str(refusal.value)


def test_the_papers_criteria_hold_unless_changed(tmp_path: Path) -> None:
    assert StudyFolder.create(tmp_path / "new").decisions().criteria() == PAPER_CRITERIA
    changes = """
        [criteria.neoadjuvant]
        use = false
        [criteria.ct_interval]
        at_most = 60
        [criteria.surgery]
        allowed = ["ALND", "TAD"]
        [criteria.adult]
        column = "Age"
        at_least = 18
        reason = "younger than {at_least}"
    """
    criteria = {criterion.name: criterion for criterion in with_toml(tmp_path, changes).decisions().criteria()}
    assert list(criteria) == [c.name for c in PAPER_CRITERIA if c.name != "neoadjuvant"] + ["adult"]
    assert criteria["ct_interval"].reason == "CT not within 60 days before surgery"
    assert criteria["surgery"].allowed == ("ALND", "TAD")
    assert (criteria["adult"].column, criteria["adult"].reason) == ("age", "younger than 18")


def test_the_examples_in_a_new_study_toml_hold(tmp_path: Path) -> None:
    """What stands there as a comment can be used as it is."""
    folder = StudyFolder.create(tmp_path)
    text = folder.decisions_path.read_text()
    examples = [line.removeprefix("# ") for line in text.splitlines() if re.match(r"# (\[|\w+ = )", line)]
    folder.decisions_path.write_text(text + "\n".join(examples))
    settings = StudySettings.from_decisions(folder.decisions())
    assert "ct_interval: ct_days_before_surgery is 0 to 31" in text
    assert settings.rule.name == "at_least_k"
    assert [criterion.reason for criterion in settings.criteria if criterion.name == "adult"] == ["younger than 18"]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("[criteria.ct_intervall]\nat_most = 60\n", "[criteria.ct_intervall]: no such criterion; known are invasive"),
        ("[criteria.ct_interval]\nmost = 60\n", "unknown most; known are use, column"),
        ("[criteria.ct_interval]\nat_most = '60'\n", 'expected a number, got "60".'),
        ("[criteria.ct_interval]\nat_most = -1\n", "lets no value pass: 0 to -1"),
        ("[criteria.ct_interval]\nat_most = nan\n", "lets no value pass"),
        ("[criteria.invasive]\nallowed = []\n", "asks for nothing"),
        ("[criteria.invasive]\nallowed = [true]\n", "expected text, got true."),
        ("[criteria.own]\ncolumn = 'age'\n", "asks for nothing"),
        ("[criteria]\ninvasive = false\n", "one table per criterion"),
    ],
)
def test_faulty_criteria_are_refused_by_name(tmp_path: Path, extra: str, said: str) -> None:
    with pytest.raises(InputRefusedError) as refusal:
        with_toml(tmp_path, "\n" + extra).decisions().criteria()
    assert said in str(refusal.value)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path)
    folder.decisions_path.write_text("schema = 99\n")
    with pytest.raises(InputRefusedError, match="schema 99"):
        folder.decisions()


def test_decisions_may_be_written_before_axilla_writes_them(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.toml").write_text("[criteria.invasive]\nuse = false\n")
    decisions = StudyFolder.create(tmp_path / "study").decisions()
    assert (decisions.title, decisions.criteria()) == ("study", PAPER_CRITERIA[1:])


def test_what_is_not_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="is not a study"):
        StudyFolder.open(tmp_path)


def test_catalog_and_journal_round_trip(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path)
    patients = [Patient("P0002", "cN0", "L", 3, 0, {"age": "51"}), Patient("P0001")]
    series = [SeriesRow("P0001", "1.2.3", True, "", ("some/where", "else"), 100, "axial")]
    with folder.database() as database:
        database.save_catalog(patients, series)
        done = JournalRow("locate", "P0002", "done", "", {"CT": "1"}, {"nodes.csv": "2"})
        database.record("P0002", [done])
        database.record("P0001", [JournalRow("locate", "P0001", "done"), JournalRow("extract", "P0001", "started")])
        database.record("P0001", [JournalRow("locate", "P0001", "failed", "why")])
    with folder.database() as database:
        assert database.patients() == (patients[1], patients[0])
        assert database.series() == tuple(series)
        assert database.journal() == (JournalRow("locate", "P0001", "failed", "why"), done)


def test_a_worker_knows_whether_it_sees_the_study_that_is_written(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path / "study")
    with folder.writing("test") as holder:
        check_is_held(folder.root, holder)
        with pytest.raises(UnfinishedError, match="need the same disk"):
            check_is_held(tmp_path, holder)
    with folder.writing("test"), pytest.raises(UnfinishedError, match="does not see the study"):
        check_is_held(folder.root, holder)


def test_a_broken_database_is_refused(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path)
    folder.database_path.write_bytes(b"not a database" * 100)
    with pytest.raises(InputRefusedError, match="cannot be used"), folder.database():
        pass


@pytest.mark.parametrize(("disk", "journal"), [("local", "wal"), ("removable", "wal"), ("network", "delete")])
def test_a_share_gets_a_journal_that_works_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: str, journal: str
) -> None:
    folder = StudyFolder.create(tmp_path)  # made on a disk of one's own, then moved
    monkeypatch.setattr("axilla.io.study.kind_of_disk", lambda root: disk)
    with folder.database() as database:
        database.save_catalog([Patient("P0001")], [])
        assert database._connection.execute("PRAGMA journal_mode").fetchone()[0] == journal
        assert database._connection.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert (tmp_path / "study.db-wal").exists() == (journal == "wal")
    with folder.database() as database:
        assert database.patients() == (Patient("P0001"),)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no owner-only mode bits")
def test_the_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path)
    key = {"P0001": "Doe^Jane, 1", "P0002": "=cmd()"}
    folder.write_key(key)
    folder.write_key(key)
    assert stat.S_IMODE(folder.key_path.stat().st_mode) == 0o600
    assert folder.read_key() == key


SHEET = "patient_id;operated_side;clinical_n;nodes_examined;nodes_positive;Age\n"


def test_a_clinical_sheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "clinical.csv"
    path.write_text("\ufeff" + SHEET + "A1;left;cN0;3;0;50\n\nA2;both;cN+;10;10;61\nA3;;;;;\n", encoding="utf-8")
    patients = read_clinical_sheet(path)
    assert list(patients) == ["A1", "A2", "A3"]
    assert (patients["A1"].operated_side, patients["A1"].role, patients["A1"].facts["age"]) == ("L", "cN0", "50")
    assert (patients["A2"].operated_side, patients["A2"].facts["bilateral"]) == ("", "yes")
    assert patients["A3"].nodes_examined is None


def test_every_faulty_row_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clinical.csv"
    path.write_text(SHEET + "A1;up;cN0;3;0;\nA2;L;cN0;3;4;\nA3;L;cN9;3;0;\nA4;L;cN0;x;0;\nA5;L;cN0;3;0;\nA5;L;cN0;3;0;\n")
    with pytest.raises(InputRefusedError) as refusal:
        read_clinical_sheet(path)
    said = str(refusal.value)
    assert "5 faulty row(s)" in said
    for row in (2, 3, 4, 5, 7):
        assert f"row {row}:" in said


def test_rows_are_numbered_as_a_spreadsheet_does(tmp_path: Path) -> None:
    (tmp_path / "clinical.csv").write_text(SHEET + "A1;L;cN0;3;0;\n\n;;;;;\nA2;up;cN0;3;0;\n")
    with pytest.raises(InputRefusedError, match="row 5: operated_side"):
        read_clinical_sheet(tmp_path / "clinical.csv")


def test_every_fault_of_a_row_is_told(tmp_path: Path) -> None:
    header = "patient_id,operated_side,clinical_n,nodes_examined,nodes_positive,invasive,bilateral,ct_days_before_surgery\n"
    (tmp_path / "clinical.csv").write_text(header + ",up,cNx,3,4,perhaps,0,soon\nA2,L,cN0,3,,Yes,NO,-4\nA3,L,cN0,3,0,Yes,NO,4\n")
    with pytest.raises(InputRefusedError) as refusal:
        read_clinical_sheet(tmp_path / "clinical.csv")
    first, second = str(refusal.value).split(" | ")
    for column in ("patient_id", "operated_side", "clinical_n", "4 positive", "invasive", "bilateral", "ct_days_before_surgery"):
        assert column in first
    assert second == "row 3: nodes_examined and nodes_positive belong together; one is missing"


def test_yes_and_no_are_read_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "clinical.csv").write_text(
        "patient_id,operated_side,clinical_n,nodes_examined,nodes_positive,invasive\nA,l,CN0,,,Yes\n"
    )
    patient = read_clinical_sheet(tmp_path / "clinical.csv")["A"]
    assert (patient.facts["invasive"], patient.clinical, patient.operated_side) == ("yes", "cN0", "L")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "lacks the column(s) patient_id"),
        (SHEET, "any patient row"),
        ("a,a\n1,2\n", "a name of its own"),
        (SHEET + "1;2;3;4;5;6;7\n", "row 2: 7 cells under 6"),
        (SHEET + "1;L;cN0;;\n", "row 2: 5 cells under 6"),
    ],
)
def test_a_sheet_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "clinical.csv"
    path.write_text(text)
    with pytest.raises(InputRefusedError) as refusal:
        read_clinical_sheet(path)
    assert said in str(refusal.value)


@pytest.mark.parametrize("note", ['"left open\nP2,L,cN0,3,0,x\n', '"' + "x" * 200_000 + '"\n'])
def test_an_open_quotation_mark_swallows_no_patients(tmp_path: Path, note: str) -> None:
    sheet = tmp_path / "clinical.csv"
    sheet.write_text("patient_id,operated_side,clinical_n,nodes_examined,nodes_positive,note\nP1,R,cN+,5,2," + note)
    with pytest.raises(InputRefusedError, match="quotation mark"):
        read_clinical_sheet(sheet)
