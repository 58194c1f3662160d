"""Reading a reply: which option did it choose, or why none.

Nothing is guessed. A reply that names no option, several, or a letter and a text that disagree is WRONG_FORMAT with
its reason; that is counted and shown beside every accuracy. Rules are named and versioned, because how replies are
read can move a score by tens of points.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from akb.errors import unknown
from akb.reading.mentions import place_of
from akb.reading.text import own_turn, readable, without_reasoning
from akb.types import Option, Status


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply said: the place of the chosen option (from 0), or a status that is not OK and the reason."""

    place: int | None
    status: Status = Status.OK
    reason: str = ""


_LABEL_ALONE = re.compile(r"\s*[(\[*`\"']*([A-Za-z])[)\]*`\"']*[.:]?[*`]*\s*")

Rule = Callable[[str, Sequence[Option]], Reading]


def _strict_letter(reply: str, options: Sequence[Option]) -> Reading:
    """The reply must be one label and nothing else but brackets and a full stop."""
    text = reply.strip()
    if not text:
        return Reading(None, Status.EMPTY, "the reply is empty")
    match = re.fullmatch(r"\(?([A-Z])\)?\.?", text)
    place = place_of(match[1], options) if match else None
    if place is None:
        return Reading(None, Status.WRONG_FORMAT, "the reply is not a single label")
    return Reading(place)


def _akb_1(reply: str, options: Sequence[Option]) -> Reading:
    """The option that a careful reader would say the reply means (`akb.reading`); no guesses."""
    alone = _LABEL_ALONE.fullmatch(reply)
    if alone is not None and (place := place_of(alone[1], options)) is not None:  # what most replies are
        return Reading(place)
    from akb.reading.decide import decide  # compiles its many patterns: not for who reads nothing
    from akb.reading.lexicon import DECLINES, REFUSAL

    answer = without_reasoning(reply)
    if answer is None:
        return Reading(None, Status.TRUNCATED, "the reasoning does not end")
    text = readable(own_turn(answer))
    if not text and not answer.strip():
        return Reading(None, Status.EMPTY, "the reply is empty")
    found = decide(text, options)
    if found.place is not None:
        return Reading(found.place)
    if DECLINES.search(text) or (REFUSAL.search(text) and not found.reason):
        return Reading(None, Status.REFUSED, "the reply declines to answer")
    return Reading(None, Status.WRONG_FORMAT, found.reason or "the reply names no option")


RULES: dict[str, Rule] = {"akb-1": _akb_1, "strict-letter": _strict_letter}


def extract(reply: str, options: Sequence[Option], rule: str = "akb-1") -> Reading:
    """Which option a reply chose, by a named rule.

    Args:
        reply: the reply without its reasoning.
        options: the options in the order shown.
        rule: a name in `RULES`.

    Examples:
        >>> options = [Option("A", "crescendo"), Option("B", "staccato")]
        >>> extract("The answer is **B**.", options).place
        1
        >>> extract("Either A or B.", options).status
        <Status.WRONG_FORMAT: 'wrong_format'>
    """
    if rule not in RULES:
        raise unknown("extraction rule", rule, RULES)
    return RULES[rule](reply, options)
