"""STARD 2015: where a study's report answers each item, and what its authors must add.

Bossuyt PM, Reitsma JB, Bruns DE et al., "STARD 2015: an updated list of essential items for reporting diagnostic accuracy
studies", BMJ 2015;351:h5527. The items stand here in our own words; the list itself is the one to cite.
"""

from __future__ import annotations

from dataclasses import dataclass

from axilla.errors import InvalidValueError

AUTHORS = "to be reported by the authors"

SECTIONS = {
    "short": "In short",
    "flow": "Patients",
    "node-level": "Node level",
    "patient-level": "Patient level",
    "patients": "Patient by patient",
    "model": "Model card",
    "methods": "Methods",
    "settings": "Settings in force",
    "warnings": "Read first",
}
"""Parts of a study's report by the anchor that leads there."""


@dataclass(frozen=True)
class Item:
    """One item of a checklist.

    Parameters
    ----------
    number : str
        As in the list.
    part : str
        Part of a paper it belongs to.
    words : str
        What is asked for.
    anchors : tuple of str
        Sections of the report that answer it (:data:`SECTIONS`); empty where it does not.
    rest : str
        What the authors must add; empty where nothing is left.

    Raises
    ------
    InvalidValueError
        If a section is unknown, or nobody answers the item.
    """

    number: str
    part: str
    words: str
    anchors: tuple[str, ...] = ()
    rest: str = ""

    def __post_init__(self) -> None:
        unknown = set(self.anchors) - set(SECTIONS)
        if unknown or not (self.anchors or self.rest):
            raise InvalidValueError(f"Item {self.number}: sections {sorted(unknown)} are unknown, or nobody answers it.")

    @property
    def answer(self) -> str:
        """Where it is answered, in words."""
        here = ", ".join(SECTIONS[anchor] for anchor in self.anchors)
        return "; ".join(filter(None, (here, self.rest)))


STARD_2015 = (
    Item(
        "1", "Title, abstract", "Say that this is a study of diagnostic accuracy, with at least one of its measures", (), AUTHORS
    ),
    Item(
        "2",
        "Title, abstract",
        "Structured abstract: design, methods, results, conclusions",
        ("short",),
        "the abstract itself: " + AUTHORS,
    ),
    Item(
        "3", "Introduction", "Background; what the test is for and its place in the clinic", ("model",), "background: " + AUTHORS
    ),
    Item("4", "Introduction", "Aims and hypotheses", (), AUTHORS),
    Item("5", "Design", "Whether data were gathered before or after test and reference were done", (), AUTHORS),
    Item("6", "Participants", "Who was eligible", ("methods",)),
    Item("7", "Participants", "How eligible patients were found (symptoms, earlier results, registry)", (), AUTHORS),
    Item("8", "Participants", "Where and when they were found", (), AUTHORS),
    Item("9", "Participants", "Consecutive, random or by convenience", (), AUTHORS),
    Item("10a", "Test methods", "Index test, in enough detail to repeat it", ("methods", "settings"), "CT protocol: " + AUTHORS),
    Item(
        "10b",
        "Test methods",
        "Reference standard, in enough detail to repeat it",
        ("methods",),
        "work-up of the pathology: " + AUTHORS,
    ),
    Item("11", "Test methods", "Why this reference standard, if there are others", (), AUTHORS),
    Item(
        "12a",
        "Test methods",
        "Cut-offs of the index test, and whether set beforehand",
        ("methods", "settings"),
        "when they were set: " + AUTHORS,
    ),
    Item("12b", "Test methods", "Cut-offs of the reference standard, and whether set beforehand", ("methods",)),
    Item(
        "13a",
        "Test methods",
        "Whether those who did the index test knew clinic and pathology",
        (),
        "for outlining or review of nodes: " + AUTHORS,
    ),
    Item("13b", "Test methods", "Whether the pathologists knew clinic and index test", (), AUTHORS),
    Item("14", "Analysis", "How accuracy was estimated or compared", ("methods",)),
    Item("15", "Analysis", "How indeterminate results were handled", ("methods",)),
    Item("16", "Analysis", "How missing data were handled", ("methods", "flow")),
    Item(
        "17",
        "Analysis",
        "How accuracy was seen to vary; planned or not",
        ("patient-level",),
        "subgroups, and whether planned: " + AUTHORS,
    ),
    Item("18", "Analysis", "Number of patients meant to be included, and why", (), AUTHORS),
    Item("19", "Participants", "Flow of patients, as a diagram", ("flow",)),
    Item("20", "Participants", "Who the patients were", ("flow",)),
    Item("21a", "Participants", "How severe the disease was in those who had it", ("flow",)),
    Item("21b", "Participants", "What those without the disease had instead", (), AUTHORS),
    Item(
        "22",
        "Participants",
        "Time between test and reference, and treatment in between",
        ("methods",),
        "treatment in between: " + AUTHORS,
    ),
    Item("23", "Results", "Index test against reference standard, as a cross table", ("node-level", "patient-level")),
    Item("24", "Results", "Accuracy with its precision", ("node-level", "patient-level")),
    Item("25", "Results", "Harm done by test or reference", (), AUTHORS),
    Item(
        "26",
        "Discussion",
        "Limits: bias, uncertainty, how far it holds elsewhere",
        ("short", "warnings"),
        "of their own study: " + AUTHORS,
    ),
    Item("27", "Discussion", "What it means for practice", (), AUTHORS),
    Item("28", "Other", "Registration: number and registry", (), AUTHORS),
    Item("29", "Other", "Where the full protocol can be read", ("settings",), "the protocol: " + AUTHORS),
    Item("30", "Other", "Who paid and what part they had", (), AUTHORS),
)
"""Every item, in the order of the list."""
