"""Templates of questions on clips: four truths, each with its option and its clip.

A template is asked in fours: the same words with the same options in the same order, on four clips, so that each option
is right once. Whatever a model reads without the clip, question and options, therefore tells it nothing: by any rule
it finds one in four.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, TypeVar

from akb.lab.sound import SOURCES
from akb.strict import parse

Row = dict[str, Any]
T = TypeVar("T")
PLACES = ("the first", "the second", "the third", "the fourth")
FIRST = 0.2  # seconds before anything sounds


@dataclass(frozen=True)
class Template:
    """A pattern of questions.

    Attributes:
        name: `subcategory/pattern`.
        frames: the question in several wordings, all with the same answer.
        truths: draws four truths that are told apart by ear.
        say: a truth as an option.
        scene: draws a scene of which a truth holds, without its seed.
    """

    name: str
    category: Literal["sound", "music", "speech"]
    needs: Literal["perception", "knowledge"]
    frames: tuple[str, ...]
    truths: Callable[[Random], Sequence[Any]]
    say: Callable[[Any], str]
    scene: Callable[[Random, Any], Row]

    @property
    def subcategory(self) -> str:
        return self.name.partition("/")[0]


def place(number: int) -> str:
    """The option for one of four that are heard in turn."""
    return PLACES[number]


def four(_: Random) -> Sequence[int]:
    """The truths of a question which of four it is."""
    return range(4)


def always(*truths: Any) -> Callable[[Random], Sequence[Any]]:
    """The same four truths each time."""
    return lambda _: truths


def one_of(*sets: Sequence[Any]) -> Callable[[Random], Sequence[Any]]:
    """One of several sets of four truths."""
    return lambda random: random.choice(sets)


def apart(pool: Sequence[str], near: Collection[tuple[str, str]] = ()) -> Callable[[Random], Sequence[str]]:
    """Four of a pool, no two of which are near one another."""
    close = {frozenset(pair) for pair in near}

    def draw(random: Random) -> Sequence[str]:
        while True:
            found = random.sample(pool, 4)
            if not any(frozenset((a, b)) in close for place, a in enumerate(found) for b in found[:place]):
                return found

    return draw


def event(source: str, start: float = FIRST, length: float | None = None, **params: Any) -> Row:
    """An event of a scene; `level_db`, `swell_db` and `effects` are the event's, all other names its source's."""
    own: Row = {name: params.pop(name) for name in ("level_db", "swell_db", "effects") if name in params}
    return {"source": source, "params": params, "start": start, "length": length, **own}


def seconds(row: Row) -> float:
    """How long an event lasts."""
    if row["length"] is not None:
        return float(row["length"])
    return parse(SOURCES[row["source"]], row["params"], row["source"]).natural()


def in_turn(rows: Sequence[Row], gaps: float | Sequence[float], start: float = FIRST) -> Row:
    """A scene of events one after the other with so many seconds of silence between them (starts in steps of 0.05)."""
    pauses = [gaps] * (len(rows) - 1) if isinstance(gaps, (int, float)) else list(gaps)
    at, placed = start, []
    for row, pause in zip(rows, [*pauses, 0.0], strict=True):
        placed.append({**row, "start": round(at, 2)})
        at = math.ceil(round((at + seconds(row) + pause) * 20, 4)) / 20
    return {"events": placed}


def alike_but_one(which: int, usual: Row, other: Row, gaps: float) -> Row:
    """Four events in turn, all alike but one."""
    return in_turn([other if number == which else usual for number in range(4)], gaps)


def made(name: str, table: Mapping[str, Mapping[str, Sequence[Any]]], random: Random, **more: Any) -> Row:
    """An event of a source with each parameter drawn from its values in a table; `length` may be one of them."""
    drawn = {parameter: random.choice(values) for parameter, values in table[name].items()}
    return event(name, **(drawn | more))


def steps(first: float, last: float, step: float) -> tuple[float, ...]:
    """A grid of values, ends included."""
    return tuple(round(first + number * step, 4) for number in range(round((last - first) / step) + 1))
