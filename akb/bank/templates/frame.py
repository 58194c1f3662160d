"""Templates: patterns from which a program makes as many questions as are wanted, each proved right before it is taken.

A template draws one question at a time. What would give its keys away is taken from it: it is told which rank the key
is to have among its options, and ranks are dealt evenly. A question counts only if the checks of `akb.bank.checks`
find its key right and every other option wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from akb.bank import checks
from akb.errors import AkbError
from akb.tasks.items import Source

T = TypeVar("T")
OPTIONS = 4
TRIES = 2000  # draws for one question before a template is taken to be exhausted


@dataclass(frozen=True)
class Draw:
    """What a template may draw from.

    Attributes:
        random: of this question; nothing else may be random.
        rank: from 0 to 3, dealt evenly over the questions of a template: how many options are to be smaller than the
            key where options are numbers; which of four values the key is to be where it is one of four.
    """

    random: Random
    rank: int

    def one(self, values: Sequence[T]) -> T:
        """One of the values."""
        return self.random.choice(values)

    def some(self, values: Iterable[T], count: int) -> list[T]:
        """So many different ones of the values; all of them in a random order if there are fewer."""
        pool = list(values)
        return self.random.sample(pool, min(count, len(pool)))

    def around(self, key: float, wrong: Iterable[float]) -> list[float] | None:
        """Three of the wrong values, of which as many lie below the key as its rank says; None if there are too few."""
        pool = sorted(set(wrong) - {key})
        low, high = [value for value in pool if value < key], [value for value in pool if value > key]
        wanted = OPTIONS - 1 - self.rank
        if len(low) < self.rank or len(high) < wanted:
            return None
        return [*self.some(low, self.rank), *self.some(high, wanted)]


@dataclass(frozen=True)
class Draft:
    """A question as a template drew it.

    Attributes:
        options: four; the key comes first.
        check: the call that proves it (see `akb.bank.checks`).
        slot: what it is about. No two questions of a template are about the same; the question's text, or where all
            questions of the template have the same text, the key's.
    """

    question: str
    options: tuple[str, ...]
    check: str
    rationale: str
    slot: str = ""

    @property
    def about(self) -> str:
        """The slot, the question's text by default."""
        return self.slot or self.question


@dataclass(frozen=True)
class Template:
    """A pattern of questions.

    Attributes:
        name: `subcategory/pattern`; the template_id of its items.
        category: of its items.
        count: how many items akb-open takes from it, and a set of akb-fresh as well.
        make: draws one question; None if this draw came to nothing.
        sources: of the facts behind it.
        dialect: where it matters.
    """

    name: str
    category: str
    count: int
    make: Callable[[Draw], Draft | None]
    sources: tuple[Source, ...] = field(default=(Source(kind="general", ref="general knowledge"),))
    dialect: str = ""

    @property
    def subcategory(self) -> str:
        return self.name.partition("/")[0]

    def drafts(self, count: int, seed: str | int, avoid: Collection[str] = ()) -> list[Draft]:
        """So many proved questions, the same for the same seed.

        Args:
            avoid: slots that are not to be used.

        Raises:
            AkbError: the template has no more, or its check finds its key wrong.
        """
        random = Random(f"{self.name} {seed}")
        used, made = set(avoid), list[Draft]()
        for rank in dealt(count, random):
            draft = self._one(Draw(random, rank), used)
            used.add(draft.about)
            made.append(draft)
        random.shuffle(made)
        return made

    def _one(self, draw: Draw, used: Collection[str]) -> Draft:
        for _ in range(TRIES):
            draft = self.make(draw)
            if draft is None or draft.about in used or len({o.casefold() for o in draft.options}) != OPTIONS:
                continue
            if self._proved(draft):
                return draft
        raise AkbError(f"no further question is found in {TRIES} draws", where=f"template {self.name}")

    def _proved(self, draft: Draft) -> bool:
        """Whether the key alone is right. A key that is wrong is a fault of the template."""
        right = checks.prove(draft.check, draft.options, f"template {self.name}")
        if not right[0]:
            raise AkbError(f"the key is wrong: {draft.options[0]!r} by {draft.check}", where=f"template {self.name}")
        return sum(right) == 1


def dealt(count: int, random: Random, values: int = OPTIONS) -> list[int]:
    """So many numbers below `values`, as evenly as the count allows, in a random order."""
    rounds = [random.sample(range(values), values) for _ in range(-(-count // values))]
    return [number for numbers in rounds for number in numbers][:count]


def number(value: float, digits: int = 0) -> str:
    """A number as options print it: fixed digits, commas at thousands."""
    return f"{value:,.{digits}f}"
