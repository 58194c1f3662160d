"""The log of readings: who answered which item how, before anything was mended; and how far readers agree."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from akb.files import write_whole
from akb.records import digest
from akb.stats import agreement
from akb.strict import Strict, parse, read_jsonl
from akb.tasks.items import Item, Review

Verdict = Literal["clear", "ambiguous", "none right", "more than one"]


class Reading(Strict):
    """One reader's answer to one item, from stem and options alone; a line of `reviews/*.jsonl`.

    Attributes:
        round: of building the bank.
        version: the item's, as it was read.
        by: the reader, the same for all that this reader read.
        answer: index of the option, as the item has them; None where none was named.
        key: the item's own, at that time.
        sure: how sure the reader was.
        judgement: of a human reader who was then shown the key; empty before that.
        comment: what is to be mended, or why it is rejected.
        words: what was read, as `words` has it; empty where that was not kept.
    """

    round: int = Field(ge=1)
    item: str
    version: int = Field(ge=1)
    category: str
    by: str
    kind: Literal["model", "human"]
    blind: bool
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    answer: int | None
    key: int
    verdict: Verdict
    sure: Literal["sure", "fairly", "guess", ""] = ""
    note: str = ""
    judgement: Literal["accepted", "rejected", "mend", ""] = ""
    comment: str = ""
    canary: str
    words: str = ""

    @property
    def label(self) -> Hashable:
        """What the reader said: the option, or what is wrong with the item."""
        return self.answer if self.verdict == "clear" else self.verdict

    @property
    def agrees(self) -> bool:
        """Whether the reader finds the key, and nothing wrong."""
        return self.verdict == "clear" and self.answer == self.key

    def about(self, item: Item) -> bool:
        """Whether it is of an item as that is now: the same id and version, and the same words."""
        return (self.item, self.version, self.words) == (item.id, item.version, words(item))

    def review(self) -> Review:
        """As an item keeps it. Whoever rejects an item or wants it mended, once the key is shown, disagrees."""
        against = self.judgement in {"rejected", "mend"}
        verdict: Literal["agrees", "disagrees", "ambiguous"] = "ambiguous"
        if self.verdict == "clear":
            verdict = "agrees" if self.agrees and not against else "disagrees"
        fault = "" if self.verdict in {"clear", "ambiguous"} else self.verdict
        note = "; ".join(text for text in (fault, self.note, self.comment) if text)
        return Review(kind=self.kind, by=self.by, verdict=verdict, blind=self.blind, date=self.date, note=note)


def words(item: Item) -> str:
    """16 hex digits over what is read of an item: stem, options in their order, and the key."""
    return digest([item.question, item.options, item.answer])[:16]


def read(paths: Sequence[Path]) -> list[Reading]:
    """The readings of JSONL files; where one reader's reading of an item stands there again, only the last.

    Raises:
        AkbError: a line is damaged or no reading.
    """
    rows = ((path, number, row) for path in paths for number, row in read_jsonl(path))
    found = (parse(Reading, row, f"{path}:{number}") for path, number, row in rows)
    return list({(one.round, one.by, one.item, one.version): one for one in found}.values())


def add(path: Path, readings: Iterable[Reading]) -> None:
    """Add to a log; what a reader has read before, in the same round and version, is replaced."""
    kept = {(r.round, r.by, r.item, r.version): r for r in [*(read([path]) if path.exists() else []), *readings]}
    write_whole(path, (reading.model_dump_json() + "\n" for reading in kept.values()))


@dataclass(frozen=True)
class Agreement:
    """How far readers agree on some items.

    Attributes:
        name: of the items; "all" or a category.
        items: that were read.
        twice: that two readers or more have read.
        key: share of readings that agree with the key.
        raw: share of pairs of readings that are the same, from 0 to 1, with its 95 % interval.
        cohen, gwet, krippendorff: beyond chance, at most 1. NaN where they are not defined. Of more than two readers
            Cohen's is the mean over pairs, each weighted by the items that both have read.
    """

    name: str
    items: int
    twice: int
    key: float
    raw: float
    interval: tuple[float, float]
    cohen: float
    gwet: float
    krippendorff: float


def agreements(readings: Sequence[Reading]) -> Iterator[Agreement]:
    """Over all items, and by category."""
    yield _agreement("all", readings)
    for category in dict.fromkeys(reading.category for reading in readings):
        yield _agreement(category, [reading for reading in readings if reading.category == category])


def readers(readings: Sequence[Reading]) -> Iterator[tuple[str, int, float, float]]:
    """For each reader the number of readings, the share that agrees with the key, and the share that is not clear."""
    for by in dict.fromkeys(reading.by for reading in readings):
        own = [reading for reading in readings if reading.by == by]
        unclear = sum(reading.verdict != "clear" for reading in own)
        yield by, len(own), sum(reading.agrees for reading in own) / len(own), unclear / len(own)


def _agreement(name: str, readings: Sequence[Reading]) -> Agreement:
    table = ratings(readings)
    return Agreement(
        name,
        len(table),
        sum(sum(label is not None for label in row) > 1 for row in table),
        sum(reading.agrees for reading in readings) / len(readings),
        agreement.raw(table),
        agreement.interval(table, agreement.raw, draws=500),
        agreement.cohen(table),
        agreement.gwet(table),
        agreement.krippendorff(table),
    )


def ratings(readings: Sequence[Reading]) -> list[list[Hashable | None]]:
    """A table of labels (items, readers); None where a reader did not read an item. A version of an item is an item of
    its own; of several readings by one reader the last counts."""
    names = list(dict.fromkeys(reading.by for reading in readings))
    rows: dict[tuple[str, int], list[Hashable | None]] = {}
    for reading in readings:
        row = rows.setdefault((reading.item, reading.version), [None] * len(names))
        row[names.index(reading.by)] = reading.label
    return list(rows.values())
