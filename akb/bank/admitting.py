"""Admission: candidates that have passed become items of the bank, with an id for good and a place for the key."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akb.bank import checks
from akb.bank.making import dealt
from akb.errors import AkbError
from akb.files import write_whole
from akb.strict import read_jsonl
from akb.tasks.items import Item, read_items

READERS = 2  # blind ones, of the version as it is, that must agree


@dataclass(frozen=True)
class Admission:
    """What was admitted, by its id as a candidate, and what was not, each with why."""

    admitted: Mapping[str, Item]
    refused: Mapping[str, str]


def admit(bank: Path, files: Sequence[Path]) -> Admission:
    """Move candidates into a bank's folder: into `questions/CATEGORY/SUBCATEGORY.jsonl`, out of their files; the logs
    in `reviews/` follow them.

    Raises:
        AkbError: a file is damaged, or there is nothing to admit.
    """
    there = [item for _, item in read_items(sorted(bank.glob("questions/*/*.jsonl")))]
    found = [item for _, item in read_items(files)]
    refused = {item.id: why for item in found if (why := obstacle(item))}
    passed = [item for item in found if item.id not in refused]
    if not passed:
        told = "; ".join(f"{name}: {why}" for name, why in list(refused.items())[:5])
        raise AkbError(f"no candidate can be admitted: {told or 'there are none'}", where="akb bank admit")
    placed = dealt(passed, there, f"admitted to {len(there)}")
    admitted = dict(_numbered(placed, there))
    orders = {old.id: _order(old, new) for old, new in zip(passed, placed, strict=True)}
    _write_logs(bank, admitted, orders)
    _write_questions(bank, there, admitted.values())
    for path in files:
        rest = [item for _, item in read_items([path]) if item.id in refused]
        write_whole(path, map(line, rest)) if rest else path.unlink()
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
    mended = max((n for n, review in enumerate(item.reviews, 1) if review.verdict == "mended"), default=0)
    readers = {review.by for review in item.reviews[mended:] if review.blind and review.verdict == "agrees"}
    against = [review.by for review in item.reviews[mended:] if review.verdict in {"disagrees", "ambiguous"}]
    accepted = any(review.verdict == "accepted" for review in item.reviews[mended:])
    if against and not accepted:
        return f"a reader disagrees ({against[0]})"
    return "" if len(readers) >= READERS or accepted else f"{len(readers)} blind readers agree, {READERS} are wanted"


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


def _order(old: Item, new: Item) -> list[int]:
    """Where each option of the old order stands in the new one."""
    return [new.options.index(option) for option in old.options]


def _write_questions(bank: Path, there: Iterable[Item], new: Iterable[Item]) -> None:
    groups: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in (*there, *new):
        groups[item.category, item.subcategory].append(item)
    for (category, subcategory), items in groups.items():
        write_whole(bank / "questions" / category / f"{subcategory}.jsonl", map(line, items))


def _write_logs(bank: Path, admitted: Mapping[str, Item], orders: Mapping[str, Sequence[int]]) -> None:
    """Readings name items by their ids and options by their places, so they follow both; those of an earlier version
    had other options, and keep their places."""
    for path in sorted((bank / "reviews").glob("*.jsonl")):
        rows = [_followed(row, admitted, orders) for _, row in read_jsonl(path)]
        write_whole(path, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _followed(row: dict[str, Any], admitted: Mapping[str, Item], orders: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    name, answer = row["item"], row["answer"]
    if name not in admitted:
        return row
    row = {**row, "item": admitted[name].id}
    if row["version"] != admitted[name].version:
        return row
    order = orders[name]
    return {**row, "answer": None if answer is None else order[answer], "key": order[row["key"]]}
