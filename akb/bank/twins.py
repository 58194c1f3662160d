"""Near-duplicates: items that ask the same in nearly the same words, within a bank and against other questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from akb.bank.balance import Gate
from akb.errors import missing_extra
from akb.tasks.items import Item
from akb.types import Question

NEAR = 0.95  # cosine, between items of different templates
ALIKE = 0.80  # cosine, against other people's questions


@dataclass(frozen=True)
class Pair:
    """Two texts that are alike.

    Attributes:
        likeness: cosine of their character n-grams' weights, from 0 to 1.
    """

    one: str
    other: str
    likeness: float


def near_duplicates(items: Sequence[Item]) -> Gate:
    """Items of different templates whose stems and options are nearly the same; within a template, items with the
    same key and the same stem."""
    told = []
    for one, other, likeness in _close([_text(item.question, item.options) for item in items], NEAR):
        if items[one].template_id != items[other].template_id:
            told.append(Pair(items[one].id, items[other].id, likeness))
    seen: dict[tuple[str, str], str] = {}
    for item in items:
        key = (" ".join(item.question.casefold().split()), item.options[item.answer].strip().casefold())
        if key in seen:
            told.append(Pair(seen[key], item.id, 1.0))
        seen.setdefault(key, item.id)
    return Gate("near-duplicates", str(len(told)), "none", not told, tuple(map(_line, told)))


def overlap(items: Sequence[Item], others: Sequence[Question], name: str) -> Gate:
    """Items that stand in somebody else's questions."""
    texts = [_text(item.question, item.options) for item in items]
    stems = [item.question for item in items]
    found = {
        (one, other): likeness
        for mine, theirs in ((texts, [_text(q.text, q.options) for q in others]), (stems, [q.text for q in others]))
        for one, other, likeness in _close(mine, ALIKE, theirs)
    }
    told = tuple(_line(Pair(items[one].id, others[other].id, value)) for (one, other), value in found.items())
    return Gate(f"overlap with {name}", f"{len(told)} of {len(others)} questions", "none", not told, told)


def _line(pair: Pair) -> str:
    return f"{pair.one} and {pair.other}: {pair.likeness:.2f}"


def _text(question: str, options: Sequence[str]) -> str:
    return "\n".join([question, *sorted(options)]).casefold()


def _close(texts: Sequence[str], least: float, others: Sequence[str] | None = None) -> Iterator[tuple[int, int, float]]:
    """Pairs of texts (or of texts and others) with a cosine of at least so much."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        raise missing_extra("scikit-learn", "bank", needed_for="looking for near-duplicates") from None
    weights: Any = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    weights.fit([*texts, *(others or [])])
    mine = weights.transform(texts)
    alike = (mine @ (mine if others is None else weights.transform(others)).T).tocoo()
    for one, other, value in zip(alike.row, alike.col, alike.data, strict=True):
        if value >= least and (others is not None or one < other):
            yield int(one), int(other), float(value)
