"""The study folder: what the user decided, the catalog, the journal, and where each file lies.

``study.toml`` is written once and then belongs to the user; ``study.db`` (SQLite) is axilla's; ``key.csv`` maps pseudonyms to
hospital identifiers, is readable by its owner only and never leaves the folder.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import platform
import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from axilla.errors import CannotWriteError, InputRefusedError, StudyBusyError, UnfinishedError
from axilla.io.database import StudyDatabase
from axilla.io.decisions import StudyDecisions, new_decisions, read_decisions
from axilla.io.disks import NETWORK, kind_of_disk
from axilla.io.files import check_can_write, json_text, replacing, write_text
from axilla.io.tables import read_sheet


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
            write_text(folder.decisions_path, new_decisions(title or root.resolve().name))
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
    def dicom(self) -> Path:
        """``dicom/``: copies of the CTs, where they were brought in; readable by their owner only."""
        return self.root / "dicom"

    @property
    def masks(self) -> Path:
        """``masks/``: copies of the masks, where they were brought in."""
        return self.root / "masks"

    @property
    def model_path(self) -> Path:
        """``model/model.json``."""
        return self.root / "model" / "model.json"

    @property
    def results(self) -> Path:
        """``results/``."""
        return self.root / "results"

    @property
    def tables(self) -> Path:
        """``results/tables/``: what the report prints."""
        return self.results / "tables"

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
        """``study.toml``, checked.

        Raises
        ------
        InputRefusedError
            As :func:`axilla.io.decisions.read_decisions`.
        """
        return read_decisions(self.decisions_path)

    @contextlib.contextmanager
    def database(self) -> Iterator[StudyDatabase]:
        """Open ``study.db``; closed at the end of the block."""
        connection = sqlite3.connect(self.database_path, timeout=30, isolation_level=None)
        try:
            database = StudyDatabase(connection)
            database.prepare(is_on_network=kind_of_disk(self.root) == NETWORK)
            yield database
        except sqlite3.DatabaseError as error:
            raise InputRefusedError(
                f"{self.database_path} cannot be used ({error}); is it on a full or read-only disk?"
            ) from error
        finally:
            connection.close()

    @contextlib.contextmanager
    def writing(self, doing: str) -> Iterator[str]:
        """Hold the study for one writer; the lock (SQLite's, on ``study.lock``) ends with the process, however it ends.

        Parameters
        ----------
        doing : str
            What is done, for whom it keeps waiting.

        Yields
        ------
        str
            What ``study.holder.json`` says of this writer, as :func:`check_is_held` wants it.

        Raises
        ------
        StudyBusyError
            If another process holds it: which one.
        """
        connection = sqlite3.connect(self.root / "study.lock", timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise StudyBusyError(f"{_holder_of(self.root)} {self.root}; wait until it has ended.") from error
            raise CannotWriteError(f"{self.root} cannot be written ({error}); is it on a full or read-only disk?") from error
        path = self.root / HOLDER
        try:
            holder = {"doing": doing, "process": os.getpid(), "computer": platform.node(), "token": uuid.uuid4().hex}
            text = json_text({**holder, "since": time.strftime("%Y-%m-%d %H:%M:%S")})
            write_text(path, text)
            yield text
        finally:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
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


HOLDER = "study.holder.json"
"""Who is writing to a study at present; one that a killed process left behind is written over by the next."""


def check_is_held(root: Path, holder: str) -> None:
    """Check, in a worker, that `root` is the study that `holder` (from :meth:`StudyFolder.writing`) writes to.

    Raises
    ------
    UnfinishedError
        If not: the worker sees another disk, or a folder that is no study.
    """
    try:
        seen = (root / HOLDER).read_text(encoding="utf-8")
    except OSError:
        seen = ""
    if seen != holder:
        raise UnfinishedError(
            f"A worker on {platform.node()} does not see the study at {root}; all workers need the same disk under the same name."
        )


def _holder_of(root: Path) -> str:
    """Who works on a study, as far as it is told."""
    try:
        told = json.loads((root / HOLDER).read_text(encoding="utf-8"))
        return (
            f"Another axilla ({told['doing']}, process {told['process']} on {told['computer']}, since {told['since']}) works on"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "Another axilla works on"
