"""``study.db`` (SQLite): a study's patients, its series and why each was or was not chosen, and the journal of its runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from axilla._version import __version__
from axilla.cohort import Patient
from axilla.errors import InputRefusedError

SCHEMA = 2

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS patients (
  patient_id TEXT PRIMARY KEY, clinical TEXT NOT NULL, operated_side TEXT NOT NULL,
  nodes_examined INTEGER, nodes_positive INTEGER, facts TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS series (
  patient_id TEXT NOT NULL, series_uid TEXT NOT NULL, chosen INTEGER NOT NULL, reason TEXT NOT NULL, files TEXT NOT NULL,
  n_slices INTEGER NOT NULL, description TEXT NOT NULL, PRIMARY KEY (patient_id, series_uid)
);
CREATE TABLE IF NOT EXISTS masks (patient_id TEXT PRIMARY KEY, path TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS journal (
  stage TEXT NOT NULL, patient_id TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL,
  inputs TEXT NOT NULL, outputs TEXT NOT NULL, finished_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (stage, patient_id)
);
"""


@dataclass(frozen=True)
class SeriesRow:
    """One cataloged series: `series_uid` as the user names it, `reason` why it was not chosen, `files` or archives it lies in."""

    patient_id: str
    series_uid: str
    is_chosen: bool
    reason: str
    files: tuple[str, ...]
    n_slices: int
    description: str

    def fingerprint(self) -> str:
        """Hash of the files' names, sizes and times of change: a folder that was moved as it is counts as unchanged.

        Raises
        ------
        InputRefusedError
            If a file is no longer there.
        """
        gone = f"{len(self.files)} file(s) of this CT were cataloged, but one is gone or unreadable now; "
        return _state_of(self.files, gone + "bring the folder or disc back, or import it anew.")


@dataclass(frozen=True)
class MaskRow:
    """The mask of a patient's nodes that the user brought, and the file it lies in."""

    patient_id: str
    path: str

    def fingerprint(self) -> str:
        """Hash of the file's name, size and time of change.

        Raises
        ------
        InputRefusedError
            If the file is no longer there.
        """
        gone = "The mask of this patient's nodes is gone or unreadable now; bring it back, or import the masks anew."
        return _state_of((self.path,), gone)


def _state_of(files: Iterable[str], gone: str) -> str:
    """Hash of files' names, sizes and times of change; `gone` is what a refusal says where one cannot be looked at."""
    parts = []
    for name in files:
        try:
            state = Path(name).stat()
        except OSError as error:
            raise InputRefusedError(gone) from error
        parts.append((Path(name).name, state.st_size, state.st_mtime_ns))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class JournalRow:
    """What became of a stage for a patient (empty patient: the whole study).

    Parameters
    ----------
    stage, patient_id : str
    state : str
        ``"started"``, ``"done"`` or ``"failed"``.
    message : str
        Why it failed; else empty.
    inputs, outputs : mapping of str to str
        Digest by name of what it was made of, and of the files it wrote (names in the patient's folder).
    """

    stage: str
    patient_id: str
    state: str
    message: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


class StudyDatabase:
    """Reads and writes ``study.db``. Each method is one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def prepare(self, *, is_on_network: bool = False) -> None:
        """Make the tables, check the schema number, and ask for durable writes; a write-ahead log needs a disk of one's own."""
        self._connection.execute(f"PRAGMA journal_mode = {'DELETE' if is_on_network else 'WAL'}")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_TABLES)
        self._connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (str(SCHEMA),))
        self._connection.execute("INSERT OR IGNORE INTO meta VALUES ('axilla', ?)", (__version__,))
        found = self._connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()[0]
        if found != str(SCHEMA):
            raise InputRefusedError(
                f"study.db has schema {found}, this axilla reads schema {SCHEMA}; import the DICOM into a new study."
            )

    def save_catalog(self, patients: Sequence[Patient], series: Sequence[SeriesRow], masks: Sequence[MaskRow] = ()) -> None:
        """Replace the catalog: all patients, series and masks, or nothing."""
        rows = [
            (
                p.patient_id,
                p.clinical,
                p.operated_side,
                p.nodes_examined,
                p.nodes_positive,
                json.dumps(dict(p.facts), ensure_ascii=False),
            )
            for p in patients
        ]
        with self._transaction():
            self._connection.execute("DELETE FROM patients")
            self._connection.execute("DELETE FROM series")
            self._connection.execute("DELETE FROM masks")
            self._connection.executemany("INSERT INTO masks VALUES (?, ?)", [(mask.patient_id, mask.path) for mask in masks])
            self._connection.executemany("INSERT INTO patients VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._connection.executemany(
                "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (s.patient_id, s.series_uid, int(s.is_chosen), s.reason, json.dumps(s.files), s.n_slices, s.description)
                    for s in series
                ],
            )

    def patients(self) -> tuple[Patient, ...]:
        """All patients, by pseudonym."""
        rows = self._connection.execute("SELECT * FROM patients ORDER BY patient_id").fetchall()
        return tuple(Patient(r[0], r[1], r[2], r[3], r[4], json.loads(r[5])) for r in rows)

    def series(self) -> tuple[SeriesRow, ...]:
        """All cataloged series."""
        rows = self._connection.execute("SELECT * FROM series ORDER BY patient_id, series_uid").fetchall()
        return tuple(SeriesRow(r[0], r[1], bool(r[2]), r[3], tuple(json.loads(r[4])), r[5], r[6]) for r in rows)

    def masks(self) -> dict[str, MaskRow]:
        """The masks the user brought, by pseudonym; the nodes of other patients are to be located."""
        rows = self._connection.execute("SELECT patient_id, path FROM masks ORDER BY patient_id").fetchall()
        return {patient_id: MaskRow(patient_id, path) for patient_id, path in rows}

    def record(self, patient_id: str, rows: Iterable[JournalRow]) -> None:
        """Replace all of a patient's rows (empty patient: the whole study's)."""
        values = [(row.stage, patient_id, row.state, row.message, _text(row.inputs), _text(row.outputs)) for row in rows]
        with self._transaction():
            self._connection.execute("DELETE FROM journal WHERE patient_id = ?", (patient_id,))
            self._connection.executemany(
                "INSERT INTO journal (stage, patient_id, state, message, inputs, outputs) VALUES (?, ?, ?, ?, ?, ?)", values
            )

    def journal(self) -> tuple[JournalRow, ...]:
        """All outcomes, by patient and stage."""
        query = "SELECT stage, patient_id, state, message, inputs, outputs FROM journal ORDER BY patient_id, stage"
        rows = self._connection.execute(query).fetchall()
        return tuple(JournalRow(r[0], r[1], r[2], r[3], json.loads(r[4]), json.loads(r[5])) for r in rows)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _text(digests: Mapping[str, str]) -> str:
    return json.dumps(dict(digests), ensure_ascii=False, sort_keys=True)
