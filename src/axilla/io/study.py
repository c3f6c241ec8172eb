"""The study folder: what the user decided, the catalog, the journal, and where each file lies.

``study.toml`` is written once and then belongs to the user; ``study.db`` (SQLite) is axilla's; ``key.csv`` maps pseudonyms to
hospital identifiers, is readable by its owner only and never leaves the folder.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import io
import json
import os
import sqlite3
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from axilla._version import __version__
from axilla.cohort import Patient
from axilla.errors import CannotWriteError, InputRefusedError, StudyBusyError, UsageError
from axilla.io.files import check_can_write, replacing, write_text
from axilla.io.tables import read_sheet

SCHEMA = 1

SettingsT = TypeVar("SettingsT")

_TEMPLATE = """\
# What the user of this study decided. axilla never rewrites this file.
schema = {schema}
title = {title}

# Settings stand at their defaults unless named here, for example:
# [settings.selection]
# detection_threshold = 0.5
# [settings.model]
# seed = 1
# [settings.rule]
# name = "at_least_k"
"""


@dataclass(frozen=True)
class StudyDecisions:
    """``study.toml``, checked."""

    title: str
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def check_sections(self, known: Iterable[str]) -> None:
        """Refuse sections of ``[settings]`` that no stage has.

        Raises
        ------
        InputRefusedError
            Naming them, and the known ones.
        """
        names = list(known)
        unknown = sorted(set(self.settings) - set(names))
        if unknown:
            raise InputRefusedError(f"study.toml: no stage [settings.{unknown[0]}]; known are {', '.join(names)}.")

    def apply(self, section: str, defaults: SettingsT) -> SettingsT:
        """`defaults` (a frozen settings dataclass) with what ``[settings.<section>]`` overrides.

        Raises
        ------
        InputRefusedError
            If a name is unknown, or a value has another type than the default.
        """
        overrides = dict(self.settings.get(section, {}))
        fields = {f.name for f in dataclasses.fields(defaults)}  # type: ignore[arg-type]
        unknown = sorted(set(overrides) - fields)
        if unknown:
            known = ", ".join(sorted(fields))
            raise InputRefusedError(
                f"study.toml, [settings.{section}]: unknown setting(s) {', '.join(unknown)}; known are {known}."
            )
        for name, value in overrides.items():
            overrides[name] = _as_type_of(getattr(defaults, name), value, f"study.toml, [settings.{section}] {name}")
        try:
            return dataclasses.replace(defaults, **overrides)  # type: ignore[type-var]
        except (UsageError, TypeError, ValueError) as error:  # every setting's own check, and Python's where it comes first
            raise InputRefusedError(f"study.toml, [settings.{section}]: {error}") from error


@dataclass(frozen=True)
class StudyFolder:
    """Where each file of a study lies."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> StudyFolder:
        """An existing study.

        Raises
        ------
        InputRefusedError
            If the folder is not a study.
        """
        folder = cls(root)
        if not folder.decisions_path.is_file() or not folder.database_path.is_file():
            raise InputRefusedError(
                f"{root} is not a study (no study.toml or study.db); make one with: axilla import SRC... --study {root}"
            )
        return folder

    @classmethod
    def create(cls, root: Path, title: str = "") -> StudyFolder:
        """A study folder, made if absent; what exists is left as it is."""
        folder = cls(root)
        check_can_write(root, folder=True)
        root.mkdir(parents=True, exist_ok=True)
        if not folder.decisions_path.exists():
            text = _TEMPLATE.format(schema=SCHEMA, title=json.dumps(title or root.resolve().name, ensure_ascii=False))
            write_text(folder.decisions_path, text)
        with folder.database():
            pass
        return folder

    @property
    def decisions_path(self) -> Path:
        """``study.toml``."""
        return self.root / "study.toml"

    @property
    def database_path(self) -> Path:
        """``study.db``."""
        return self.root / "study.db"

    @property
    def key_path(self) -> Path:
        """``key.csv``: pseudonym to hospital identifier."""
        return self.root / "key.csv"

    @property
    def model_path(self) -> Path:
        """``model/model.json``."""
        return self.root / "model" / "model.json"

    @property
    def results(self) -> Path:
        """``results/``."""
        return self.root / "results"

    @property
    def figures(self) -> Path:
        """``figures/``."""
        return self.root / "figures"

    @property
    def report_path(self) -> Path:
        """``report/index.html``."""
        return self.root / "report" / "index.html"

    @property
    def features_path(self) -> Path:
        """``features.parquet``: all nodes' features, where the study was made from feature tables."""
        return self.root / "features.parquet"

    @property
    def nodes_path(self) -> Path:
        """``nodes.csv``: the side of each row of ``features.parquet``, as far as it was told."""
        return self.root / "nodes.csv"

    @property
    def is_of_tables(self) -> bool:
        """Whether the study was made from feature tables."""
        return self.features_path.is_file()

    def patient(self, patient_id: str) -> Path:
        """``patients/<pseudonym>/``."""
        return self.root / "patients" / patient_id

    def decisions(self) -> StudyDecisions:
        """Read ``study.toml``.

        Raises
        ------
        InputRefusedError
            If it is not TOML, of another schema, or holds an unknown entry.
        """
        try:
            content = tomllib.loads(self.decisions_path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputRefusedError(f"{self.decisions_path} is not valid TOML: {error}.") from error
        if content.get("schema") != SCHEMA:
            raise InputRefusedError(
                f"{self.decisions_path} has schema {content.get('schema')}; this axilla reads schema {SCHEMA}."
            )
        unknown = sorted(set(content) - {"schema", "title", "settings"})
        if unknown:
            raise InputRefusedError(f"{self.decisions_path}: unknown entries {', '.join(unknown)}.")
        settings = content.get("settings", {})
        if not isinstance(settings, dict) or not all(isinstance(section, dict) for section in settings.values()):
            raise InputRefusedError(f"{self.decisions_path}: [settings] holds one table per stage, e.g. [settings.model].")
        return StudyDecisions(str(content.get("title", "")), MappingProxyType(settings))

    @contextlib.contextmanager
    def database(self) -> Iterator[StudyDatabase]:
        """Open ``study.db``; closed at the end of the block."""
        connection = sqlite3.connect(self.database_path, timeout=30, isolation_level=None)
        try:
            database = StudyDatabase(connection)
            database.prepare()
            yield database
        except sqlite3.DatabaseError as error:
            raise InputRefusedError(
                f"{self.database_path} cannot be used ({error}); is it on a full or read-only disk?"
            ) from error
        finally:
            connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the study for one writer; the lock (SQLite's, on ``study.lock``) ends with the process, however it ends.

        Raises
        ------
        StudyBusyError
            If another process holds it.
        """
        connection = sqlite3.connect(self.root / "study.lock", timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise StudyBusyError(f"Another axilla is working on {self.root}; wait until it has ended.") from error
            raise CannotWriteError(f"{self.root} cannot be written ({error}); is it on a full or read-only disk?") from error
        try:
            yield
        finally:
            connection.close()

    def write_key(self, pseudonyms: Mapping[str, str]) -> None:
        """Write ``key.csv`` (hospital identifier by pseudonym), readable by its owner only."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("patient_id", "hospital_id"))
        writer.writerows(sorted(pseudonyms.items()))
        with replacing(self.key_path) as temporary:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(stream.getvalue())

    def read_key(self) -> dict[str, str]:
        """Hospital identifier by pseudonym; empty before the first import."""
        if not self.key_path.is_file():
            return {}
        return {row["patient_id"]: row["hospital_id"] for row in read_sheet(self.key_path)}


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
CREATE TABLE IF NOT EXISTS journal (
  stage TEXT NOT NULL, patient_id TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL,
  finished_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (stage, patient_id)
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
        """Hash of the files' paths, sizes and times of change.

        Raises
        ------
        InputRefusedError
            If a file is no longer there.
        """
        parts = []
        for name in self.files:
            try:
                state = Path(name).stat()
            except OSError as error:
                raise InputRefusedError(
                    f"{len(self.files)} file(s) of this CT were cataloged, but one is gone or unreadable now; "
                    "bring the folder or disc back, or import it anew."
                ) from error
            parts.append((name, state.st_size, state.st_mtime_ns))
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class JournalRow:
    """What became of a stage for a patient (empty patient: the whole study)."""

    stage: str
    patient_id: str
    fingerprint: str
    state: str
    message: str


class StudyDatabase:
    """Reads and writes ``study.db``. Each method is one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def prepare(self) -> None:
        """Make the tables, check the schema number, and ask for durable writes."""
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_TABLES)
        self._connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (str(SCHEMA),))
        self._connection.execute("INSERT OR IGNORE INTO meta VALUES ('axilla', ?)", (__version__,))
        found = self._connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()[0]
        if found != str(SCHEMA):
            raise InputRefusedError(f"study.db has schema {found}; this axilla reads schema {SCHEMA}.")

    def save_catalog(self, patients: Sequence[Patient], series: Sequence[SeriesRow]) -> None:
        """Replace the catalog: all patients and series, or nothing."""
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

    def record(self, row: JournalRow) -> None:
        """Write or replace the outcome of a stage for a patient."""
        with self._transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO journal (stage, patient_id, fingerprint, state, message) VALUES (?, ?, ?, ?, ?)",
                dataclasses.astuple(row),
            )

    def journal(self) -> tuple[JournalRow, ...]:
        """All outcomes."""
        query = "SELECT stage, patient_id, fingerprint, state, message FROM journal ORDER BY stage, patient_id"
        return tuple(JournalRow(*row) for row in self._connection.execute(query).fetchall())

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _as_type_of(default: Any, value: Any, where: str) -> Any:
    """`value` as the type of `default`, allowing an integer where a float stands and a list where a tuple stands."""
    if isinstance(default, bool) or isinstance(value, bool):
        fits = isinstance(default, bool) and isinstance(value, bool)
    elif isinstance(default, float) and isinstance(value, int):
        return float(value)
    elif isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    else:
        fits = default is None or isinstance(value, type(default))
    if not fits:
        raise InputRefusedError(f"{where}: expected {type(default).__name__}, got {type(value).__name__} {value!r}.")
    return value
