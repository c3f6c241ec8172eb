"""Who is called what: pseudonyms are given once and kept."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from axilla.errors import InputRefusedError

_PSEUDONYM = re.compile(r"P\d{4,}")

_SHORTEST_IDENTIFIER = 3
"""A patient called 7 is told by nobody from a node called 7."""


def pseudonyms(existing: Mapping[str, str], hospital_ids: Sequence[str]) -> dict[str, str]:
    """Pseudonym by hospital identifier; known ones keep theirs (`existing`: identifier by pseudonym)."""
    key = {hospital_id: pseudonym for pseudonym, hospital_id in existing.items()}
    used = max((int(pseudonym.removeprefix("P")) for pseudonym in existing), default=0)
    for hospital_id in hospital_ids:
        if hospital_id not in key:
            used += 1
            key[hospital_id] = f"P{used:04d}"
    return key


def kept_pseudonyms(existing: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """`existing`, and names that are pseudonyms already (P0001) as they are, unless another patient has them."""
    return {**{name: name for name in names if _PSEUDONYM.fullmatch(name)}, **existing}


def without_identifier(text: str, hospital_id: str, pseudonym: str) -> str:
    """`text` with the pseudonym where the identifier stands as a word of its own."""
    if len(hospital_id) < _SHORTEST_IDENTIFIER:
        return text
    return re.sub(rf"(?<![0-9A-Za-z]){re.escape(hospital_id)}(?![0-9A-Za-z])", pseudonym, text, flags=re.IGNORECASE)


def check_zeros(sheet: Collection[str], found: Collection[str], where: str) -> None:
    """Refuse a clinical sheet whose identifiers lost the leading zeros that they have in the data.

    Raises
    ------
    InputRefusedError
        Naming the first patients, the number of all, and `where` they are called otherwise.
    """
    bare = {name.lstrip("0"): name for name in found if name.startswith("0") and name not in sheet}
    lost = [(name, bare[name]) for name in sheet if name in bare and name not in found]
    if lost:
        told = ", ".join(f"{bare} for {whole}" for bare, whole in lost[:3])
        raise InputRefusedError(
            f"The clinical sheet has lost the leading zeros that {len(lost)} patient_id(s) have in {where} ({told}); make the "
            "column text in the spreadsheet program and type them anew."
        )


def check_shared(sheet: Collection[str], sheet_name: str, found: Collection[str], where: str) -> None:
    """Refuse a clinical sheet that names nobody of the data.

    Raises
    ------
    InputRefusedError
        Naming the first patient of each; and a pair that differs only in letters' case, zeros or spaces, if there is one.
    """
    if set(sheet) & set(found):
        return
    plain = {_plain(name): name for name in found}
    alike = next(((name, plain[_plain(name)]) for name in sheet if _plain(name) in plain), None)
    hint = f" {alike[0]!r} and {alike[1]!r} differ only in the case of letters, zeros or spaces." if alike else ""
    raise InputRefusedError(
        f"None of the {len(sheet)} patients of {sheet_name} (first {next(iter(sheet))!r}) is in {where} (first "
        f"{next(iter(found))!r}); the sheet's patient_id is the PatientID there.{hint}"
    )


def _plain(name: str) -> str:
    """An identifier without what gets lost or added where it is typed."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", "".join(name.split()).lower())
