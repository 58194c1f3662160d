"""Admission: candidates that have passed become items of the bank, with an id for good and a place for the key.

All that is to be written is first written down as a plan beside the questions. What is cut off before that leaves the
bank as it was; what is cut off later is carried out when the same command, or another admission, is given.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from akb.bank import checks, readings
from akb.bank.making import dealt
from akb.errors import AkbError
from akb.files import explained, file_sha256, write_whole
from akb.strict import Strict, parse, read_jsonl, read_text
from akb.tasks.items import Item, Review, read_items

READERS = 2  # blind ones, of the version as it is, that must agree
PLAN = "admitting.json"

Row = dict[str, Any]


@dataclass(frozen=True)
class Admission:
    """What was admitted, by its id as a candidate, and what was not, each with why."""

    admitted: Mapping[str, Item]
    refused: Mapping[str, str]


class Write(Strict):
    """A file as it is to be; `text` is None where it goes.

    Attributes:
        before: hash of its bytes as they were (of nothing where it was not there).
    """

    path: str
    before: str
    text: str | None


class Plan(Strict):
    """An admission that was begun.

    Attributes:
        given: the files and logs that it was asked for.
    """

    given: tuple[str, ...]
    admitted: dict[str, Item]
    refused: dict[str, str]
    writes: tuple[Write, ...]


def admit(bank: Path, files: Sequence[Path], logs: Sequence[Path] = ()) -> Admission:
    """Move candidates into a bank's folder: into `questions/CATEGORY/SUBCATEGORY.jsonl`, out of their files. The logs
    in `reviews/` follow them, and what `logs` say of them is copied there.

    Args:
        logs: of readings that count as reviews of the candidates whose words they are of. So do those in `reviews/`.

    Raises:
        AkbError: a file is damaged, or there is nothing to admit.
    """
    given = tuple(str(path.resolve()) for path in (*files, *logs))
    begun = _finish(bank)
    if begun is not None and begun.given == given:
        return Admission(begun.admitted, begun.refused)
    there = [item for _, item in read_items(sorted(bank.glob("questions/*/*.jsonl")))]
    candidates = [item for _, item in read_items(files)]
    rows = _logs(bank, logs, {item.id: item for item in candidates})
    found = _reviewed(candidates, [row for own in rows.values() for row in own])
    said = readings.read(logs)
    refused = {item.id: why + _uncounted(item, said) for item in found if (why := obstacle(item))}
    passed = [item for item in found if item.id not in refused]
    if not passed:
        told = "; ".join(f"{name}: {why}" for name, why in list(refused.items())[:5])
        raise AkbError(f"no candidate can be admitted: {told or 'there are none'}", where="akb bank admit")
    placed = dealt(passed, there, f"admitted to {len(there)}")
    admitted = dict(_numbered(placed, there))
    writes = _changes({
        **_log_texts(rows, {item.id: item for item in passed}, admitted),
        **_question_texts(bank, there, admitted.values()),
        **_rest_texts(files, refused),
    })  # fmt: skip
    plan = Plan(given=given, admitted=admitted, refused=refused, writes=writes)
    write_whole(bank / PLAN, plan.model_dump_json() + "\n")
    _finish(bank)
    return Admission(admitted, refused)


def obstacle(item: Item) -> str:
    """Why a candidate cannot be admitted; empty if it can: its proof holds, and everything that is not proved without
    doubt was read blind by two who agree with its key, in the version that it is now."""
    if item.check is not None:
        right = checks.prove(item.check, item.options, item.id)
        if [place for place, ok in enumerate(right) if ok] != [item.answer]:
            return "its check does not find the key, or more than the key"
    if item.kind == "computed" and item.category != "phonetic":
        return ""
    reviews = item.reviews[_mended(item) :]
    readers = {review.by for review in reviews if review.blind and review.verdict == "agrees"}
    against = [review.by for review in reviews if review.verdict in {"disagrees", "ambiguous"}]
    accepted = any(review.verdict == "accepted" for review in reviews)
    if against and not accepted:
        return f"a reader disagrees ({against[0]})"
    return "" if len(readers) >= READERS or accepted else f"{len(readers)} blind readers agree, {READERS} are wanted"


def _mended(item: Item) -> int:
    """How many reviews are of earlier versions."""
    return max((n for n, review in enumerate(item.reviews, 1) if review.verdict == "mended"), default=0)


def line(item: Item) -> str:
    """An item as a line of a data file."""
    return json.dumps(item.model_dump(mode="json"), ensure_ascii=False) + "\n"


def _numbered(items: Iterable[Item], there: Iterable[Item]) -> Iterator[tuple[str, Item]]:
    """Candidates under their id for good: the next numbers of their subcategories."""
    last: dict[str, int] = defaultdict(int)
    for item in there:
        last[item.subcategory] = max(last[item.subcategory], int(item.id.rpartition("-")[2]))
    for item in items:
        last[item.subcategory] += 1
        yield item.id, item.model_copy(update={"id": f"{item.subcategory}-{last[item.subcategory]:03d}"})


def _logs(bank: Path, logs: Sequence[Path], items: Mapping[str, Item]) -> dict[Path, list[Row]]:
    """The rows of the logs in `reviews/`, with what the named ones say of these items; what a reader has read before,
    in the same round and version, is replaced."""
    folder = bank / "reviews"
    found = {path: [row for _, row in read_jsonl(path)] for path in sorted(folder.glob("*.jsonl"))}
    own = {path.resolve() for path in found}
    for log in (log for log in logs if log.resolve() not in own):
        read = [one for one in readings.read([log]) if one.item in items and one.about(items[one.item])]
        if read:
            old = found.get(folder / log.name, [])
            rows = [*old, *(one.model_dump(mode="json") for one in read)]
            found[folder / log.name] = list({_reading_key(row): row for row in rows}.values())
    return found


def _reading_key(row: Row) -> tuple[object, ...]:
    return row["round"], row["by"], row["item"], row["version"]


def _reviewed(candidates: Iterable[Item], rows: Iterable[Row]) -> list[Item]:
    """The candidates with the reviews that readings of their very words make; what they name already is not added."""
    of: dict[str, list[readings.Reading]] = defaultdict(list)
    for row in rows:
        if row.get("words"):
            of[row["item"]].append(parse(readings.Reading, row, "reviews"))
    found = []
    for item in candidates:
        more = [one.review() for one in of[item.id] if one.about(item)]
        known = {_said(review) for review in item.reviews[_mended(item) :]}
        new = tuple(review for review in more if _said(review) not in known)
        found.append(item.model_copy(update={"reviews": (*item.reviews, *new)}))
    return found


def _said(review: Review) -> tuple[object, ...]:
    return review.kind, review.by, review.verdict, review.blind


def _uncounted(item: Item, said: Iterable[readings.Reading]) -> str:
    """How many readings name a candidate but are not of its words: why they do not count."""
    other = [one for one in said if one.item == item.id and not one.about(item)]
    return f" ({len(other)} readings of it are of another version or other words)" if other else ""


def _log_texts(rows: Mapping[Path, Sequence[Row]], old: Mapping[str, Item], new: Mapping[str, Item]) -> dict[Path, str]:
    """Readings name items by their ids and options by their places, so they follow both; those of an earlier version
    had other options, and keep their places."""
    return {
        path: "".join(json.dumps(_followed(row, old, new), ensure_ascii=False) + "\n" for row in own)
        for path, own in rows.items()
    }


def _followed(row: Row, old: Mapping[str, Item], new: Mapping[str, Item]) -> Row:
    name, answer = row["item"], row["answer"]
    if name not in new:
        return row
    row = {**row, "item": new[name].id}
    if row["version"] != new[name].version:
        return row
    order = [new[name].options.index(option) for option in old[name].options]
    row |= {"answer": None if answer is None else order[answer], "key": order[row["key"]]}
    return row | {"words": readings.words(new[name])} if row.get("words") == readings.words(old[name]) else row


def _question_texts(bank: Path, there: Iterable[Item], new: Iterable[Item]) -> dict[Path, str]:
    groups: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in (*there, *new):
        groups[item.category, item.subcategory].append(item)
    return {
        bank / "questions" / category / f"{subcategory}.jsonl": "".join(map(line, items))
        for (category, subcategory), items in groups.items()
    }


def _rest_texts(files: Iterable[Path], refused: Mapping[str, str]) -> dict[Path, str | None]:
    """What stays in the files of candidates; a file in which none stays goes."""
    rest = {path: [item for _, item in read_items([path]) if item.id in refused] for path in files}
    return {path: "".join(map(line, items)) if items else None for path, items in rest.items()}


# -- written whole, or not at all --------------------------------------------------------------------------------


def _changes(texts: Mapping[Path, str | None]) -> tuple[Write, ...]:
    found = [Write(path=str(path.resolve()), before=file_sha256(path), text=text) for path, text in texts.items()]
    return tuple(write for write in found if write.before != _after(write))


def _after(write: Write) -> str:
    return sha256((write.text or "").encode()).hexdigest()


def _finish(bank: Path) -> Plan | None:
    """Carry out the plan that lies in the bank's folder, if there is one.

    Raises:
        AkbError: a file that it would write has been changed by others since.
    """
    path = bank / PLAN
    if not path.exists():
        return None
    plan = parse(Plan, json.loads(read_text(path)), str(path))
    todo = [write for write in plan.writes if file_sha256(Path(write.path)) != _after(write)]
    for write in todo:
        if file_sha256(Path(write.path)) != write.before:
            raise AkbError(
                "this file was changed after an admission was cut off", where=write.path,
                fix=f"Put it back as it was, or remove {path} and look how much of the admission is done.",
            )  # fmt: skip
    for write in todo:
        _carry_out(Path(write.path), write.text)
    with explained(path):
        path.unlink()
    return plan


def _carry_out(path: Path, text: str | None) -> None:
    with explained(path):
        path.unlink() if text is None else path.parent.mkdir(parents=True, exist_ok=True)
    if text is not None:
        write_whole(path, text)
