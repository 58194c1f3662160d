"""Item-writing flaws: habits that give a key away or make an item unfair, after the rules of Haladyna, Downing and
Rodriguez (2002). They are found by patterns, so each is a place to look at and no verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from akb.bank.balance import Gate
from akb.tasks.items import Item

_NEGATIVE = re.compile(r"\b(?:not|except|never|least likely|cannot|isn't|doesn't|aren't)\b", re.I)
_ALL_OR_NONE = re.compile(
    r"\b(?:all|none|both|neither|any) of (?:the )?(?:above|these|those|them)\b|^(?:both )?[A-D] (?:and|or) [A-D]$", re.I
)
_ABSOLUTE = re.compile(r"\b(?:always|never|only|all|every|none|completely|entirely|impossible|must)\b", re.I)
_VAGUE = re.compile(r"\b(?:usually|often|may|might|sometimes|generally|typically|tends? to)\b", re.I)
_ARTICLE = re.compile(r"\b(an?)\s*(?:_+|\.\.\.|:|\?)?\s*$", re.I)
_WORD = re.compile(r"[^\W\d_]{5,}")


def flaws(items: Sequence[Item]) -> Iterator[Gate]:
    """A gate for each kind of flaw: told, not judged, but for options that refer to others."""
    for name, found in KINDS.items():
        told = tuple(f"{item.id}: {what}" for item in items if (what := found(item)))
        judged = name == "options that refer to others"
        yield Gate(name, str(len(told)), "none" if judged else "looked at", not told if judged else None, told)


def _negative(item: Item) -> str | None:
    found = _NEGATIVE.search(item.question)
    return found and found[0]


def _referring(item: Item) -> str | None:
    return next((option for option in item.options if _ALL_OR_NONE.search(option)), None)


def _one_sided(pattern: re.Pattern[str], in_key: bool) -> Callable[[Item], str | None]:
    """Words that stand in the key alone, or in distractors alone (two of them or more)."""

    def found(item: Item) -> str | None:
        has = [bool(pattern.search(option)) for option in item.options]
        others = sum(has) - has[item.answer]
        if in_key:
            return item.options[item.answer] if has[item.answer] and not others else None
        return item.options[has.index(True)] if others >= 2 and not has[item.answer] else None

    return found


def _article(item: Item) -> str | None:
    """A stem that ends in "a" or "an" and fits some options only."""
    found = _ARTICLE.search(item.question)
    if not found:
        return None
    fits = [(option[:1].casefold() in "aeiou") == (found[1].casefold() == "an") for option in item.options]
    return None if all(fits) else found[1]


def _echo(item: Item) -> str | None:
    """A longer word of the stem that stands in the key and in no distractor."""
    stem = {word.casefold() for word in _WORD.findall(item.question)}
    words = [{word.casefold() for word in _WORD.findall(option)} for option in item.options]
    others = set[str]().union(*(own for place, own in enumerate(words) if place != item.answer))
    shared = sorted((stem & words[item.answer]) - others)
    return ", ".join(shared) or None


KINDS: dict[str, Callable[[Item], str | None]] = {
    "negative stems": _negative,
    "options that refer to others": _referring,
    "absolute words in distractors alone": _one_sided(_ABSOLUTE, in_key=False),
    "hedging words in the key alone": _one_sided(_VAGUE, in_key=True),
    "articles that fit some options only": _article,
    "words of the stem in the key alone": _echo,
}
