"""What the phonetic templates share: the words to draw from, and how words stand in questions and options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from akb.bank import lexicon
from akb.bank.lexicon import Use, Word
from akb.bank.templates.frame import Draft, Draw, Template
from akb.tasks.items import Source

CMUDICT = (
    Source(
        kind="read", ref="CMU Pronouncing Dictionary", where="the words' entries, as the check states them", seen=True
    ),
)
GENERAL_AMERICAN = "General American"
ORDINALS = ("first", "second", "third", "fourth")
COUNTS = ("one", "two", "three", "four", "five")


@cache
def words() -> lexicon.Lexicon:
    """The shipped words, read once."""
    return lexicon.builtin()


@cache
def grouped(use: Use, by: Callable[[Word], object]) -> dict[object, list[Word]]:
    """The words of a use by something that they have; worked out once."""
    return dict(words().grouped(use, by))


def near_in_length(pool: Iterable[Word], model: Word, letters: int = 1) -> list[Word]:
    """Those that have about as many letters as a word, so that length tells nothing."""
    return [word for word in pool if abs(len(word.word) - len(model.word)) <= letters and word.word != model.word]


def quoted(found: Sequence[Word]) -> tuple[str, ...]:
    """The words as options."""
    return tuple(word.word for word in found)


def pair(one: Word, other: Word) -> str:
    """Two words as an option."""
    return f"{one.word} and {other.word}"


def of_words(name: str, count: int, make: Callable[[Draw], Draft | None]) -> Template:
    """A template whose facts are the words' pronunciations."""
    return Template(name, "phonetic", count, make, CMUDICT, GENERAL_AMERICAN)
