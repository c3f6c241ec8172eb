"""The patients of a run: which of them have something to do, who does it, and what the journal says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from axilla.cohort import Patient
from axilla.errors import InputRefusedError
from axilla.io.database import JournalRow, MaskRow, SeriesRow, StudyDatabase
from axilla.io.study import StudyFolder
from axilla.pipeline._progress import Progress
from axilla.pipeline._workers import Watch, Workers, run_tasks
from axilla.pipeline.case import CaseTask, run_case
from axilla.pipeline.settings import CaseSettings
from axilla.pipeline.stages import NO_MASK, OUTSIDE, PATIENT_STAGES, Stage, why_again


@dataclass(frozen=True)
class CasesDone:
    """How a run of the patients ended."""

    failed: Mapping[str, str]
    """Patients that could not be finished, and why."""
    notes: tuple[str, ...]
    """What is worth saying: why something was done again, what was tried twice, whose CT is not there any more."""


def run_cases(
    folder: StudyFolder,
    database: StudyDatabase,
    patients: Iterable[Patient],
    settings: CaseSettings,
    workers: Workers,
    holder: str,
    progress: Progress,
) -> CasesDone:
    """Do what is not up to date of the patients' own stages; what is finished is journaled at once.

    Raises
    ------
    UnfinishedError
        If the work was broken off from outside.
    CannotWriteError
        If the study folder cannot be written to.
    """
    plan = _Plan(folder, database, settings, holder)
    for patient in patients:
        plan.add(patient.patient_id)
    watch = _Journal(database, plan, progress)
    run_tasks(run_case, [task for task, _ in plan.todo], workers, watch)
    return CasesDone(dict(sorted(watch.failed.items())), (*plan.notes(), *watch.notes()))


def failed_before(
    folder: StudyFolder, database: StudyDatabase, patients: Iterable[Patient], settings: CaseSettings
) -> dict[str, str]:
    """Patients that failed in the last run, and why.

    Raises
    ------
    InputRefusedError
        If a patient is not finished, or what was made of it is not up to date: a report would not say what is in force.
    """
    plan = _Plan(folder, database, settings, "")
    failed = {patient.patient_id: plan.failure(patient.patient_id) for patient in patients}
    for patient_id, reason in failed.items():
        if not reason and plan.look_at(patient_id)[1]:
            raise InputRefusedError(f"{patient_id} is not up to date; run the study first: axilla run {folder.root}")
    return {patient_id: reason for patient_id, reason in failed.items() if reason}


class _Plan:
    """Who has something to do, and from which stage on."""

    def __init__(self, folder: StudyFolder, database: StudyDatabase, settings: CaseSettings, holder: str) -> None:
        self._folder, self._settings, self._holder, self._database = folder, settings, holder, database
        series = database.series()
        self._masks = database.masks()
        self._chosen = {row.patient_id: row for row in series if row.is_chosen}
        self._reasons = {row.patient_id: row.reason for row in series if not row.is_chosen}
        self._journal: dict[str, dict[str, JournalRow]] = {}
        for row in database.journal():
            self._journal.setdefault(row.patient_id, {})[row.stage] = row
        self.todo: list[tuple[CaseTask, tuple[Stage, ...]]] = []
        self.failed: dict[str, str] = {}
        self.n_current = 0
        self._again: Counter[str] = Counter()
        self._without_ct: list[str] = []

    def add(self, patient_id: str) -> None:
        """See what there is to do for a patient; one whose CT or files do not allow it has failed."""
        try:
            task, outdated, gone = self.look_at(patient_id)
            if outdated and gone:
                raise InputRefusedError(gone)
        except InputRefusedError as error:
            self.failed[patient_id] = str(error)
            self._database.record(patient_id, [JournalRow(PATIENT_STAGES[0].name, patient_id, "failed", str(error))])
            return
        if outdated:
            self.todo.append((task, outdated))
            why = why_again(task.journal.get(outdated[0].name), task.inputs(outdated[0]))
            self._again.update([f"{outdated[0].name}: {why}"] if why else [])
        else:
            self.n_current += 1
            self._without_ct += [patient_id] if gone else []

    def look_at(self, patient_id: str) -> tuple[CaseTask, tuple[Stage, ...], str]:
        """A patient's task, the stages that are not up to date, and why CT or mask cannot be had (empty: they can).

        Raises
        ------
        InputRefusedError
            If the patient has no CT, or a file was changed by hand.
        """
        series = self._chosen.get(patient_id)
        if series is None:
            raise InputRefusedError(self._reasons.get(patient_id, "no CT was imported for this patient"))
        mask = self._masks.get(patient_id)
        outside, gone = _outside(series, mask)
        journal = self._journal.get(patient_id, {})
        folder = self._folder.patient(patient_id)
        task = CaseTask(patient_id, series, folder, self._settings, outside, journal, self._holder, mask)
        return task, task.outdated(), gone

    def failure(self, patient_id: str) -> str:
        """Why the patient failed in the last run, by the journal; empty if it did not."""
        return next((row.message for row in self._journal.get(patient_id, {}).values() if row.state == "failed"), "")

    def notes(self) -> list[str]:
        """Why patients were done again, and whose results stand although the CT is gone."""
        again = [f"done again from {why} changed: {number} patient(s)" for why, number in sorted(self._again.items())]
        if not self._without_ct:
            return again
        return [
            *again,
            f"CT or mask of {', '.join(self._without_ct)} is no longer where it was imported from; what was made of it stands, "
            "but it cannot be looked at or done again: bring the folder or disc back, or import it anew.",
        ]


def _outside(series: SeriesRow, mask: MaskRow | None) -> tuple[dict[str, str], str]:
    """Digests of what lies outside the study folder, and why one could not be had."""
    found, gone = {"series": series.series_uid}, ""
    for name, row in zip(OUTSIDE, (series, mask), strict=True):
        try:
            found[name] = row.fingerprint() if row else NO_MASK
        except InputRefusedError as error:
            gone = str(error)
    return found, gone


class _Journal(Watch[CaseTask, tuple[JournalRow, ...]]):
    """Writes down what becomes of each patient, and tells how far each stage is."""

    def __init__(self, database: StudyDatabase, plan: _Plan, progress: Progress) -> None:
        self._database, self._progress = database, progress
        self._outdated = {task.patient_id: {stage.name for stage in outdated} for task, outdated in plan.todo}
        self._done = {stage.name: plan.n_current for stage in PATIENT_STAGES}
        self._total = plan.n_current + len(plan.todo)
        for stage in PATIENT_STAGES:
            self._done[stage.name] += sum(stage.name not in names for names in self._outdated.values())
            progress(stage.name, self._done[stage.name], self._total)
        self._told: set[tuple[str, str]] = set()
        self._twice: list[str] = []
        self.failed = dict(plan.failed)

    def started(self, task: CaseTask) -> None:
        """Until the patient is finished, the journal does not vouch for the files of outdated stages."""
        kept = [row for name, row in task.journal.items() if name not in self._outdated[task.patient_id]]
        begun = [JournalRow(name, task.patient_id, "started") for name in sorted(self._outdated[task.patient_id])]
        self._database.record(task.patient_id, [*kept, *begun])

    def told(self, task: CaseTask, stage: str, done: int, total: int) -> None:
        """A stage of a patient is done."""
        key = (task.patient_id, stage)
        if done == total and stage in self._outdated[task.patient_id] and key not in self._told:
            self._told.add(key)
            self._done[stage] += 1
            self._progress(stage, self._done[stage], self._total)

    def retried(self, task: CaseTask) -> None:
        """Once more in another worker."""
        self._twice.append(task.patient_id)

    def finished(self, task: CaseTask, result: tuple[JournalRow, ...]) -> None:
        """Write the patient's rows."""
        self._database.record(task.patient_id, result)
        for name in sorted(self._outdated[task.patient_id]):
            self.told(task, name, 1, 1)
        if result[-1].state == "failed":
            self.failed[task.patient_id] = result[-1].message

    def lost(self, task: CaseTask, reason: str) -> tuple[JournalRow, ...]:
        """The patient's workers were ended every time."""
        return (JournalRow(PATIENT_STAGES[0].name, task.patient_id, "failed", reason),)

    def notes(self) -> list[str]:
        """Who was tried again."""
        return [f"tried again after the worker process was ended from outside: {name}" for name in self._twice]
