"""What is kept out of training, and the proof that it was.

Words are split by family (walk, walked, walking fall together), numbers by the pair they form (220 and 440). A
held-out word is met in training only where its letters are given, never in a sentence about its sound; a held-out
pair of numbers never. `leaks` does not trust the generator: it reads the corpus as text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

from akb.lab import facts, wording
from akb.lab.words import family

if TYPE_CHECKING:
    from akb.lab.corpus import Document
    from akb.lab.questions import Item

Split = Literal["train", "valid", "test"]
VALID_SHARE, TEST_SHARE = 0.06, 0.10
WORD = re.compile(r"[a-z]+|[0-9]+")
SYMBOLS = re.compile(r"/[^/\s]+/")  # /fit/ is how feat sounds, and not the word fit


def _frames() -> Iterator[str]:
    for group in (wording.TRAIN, wording.SHORT, wording.VALID, wording.TEST, wording.STATE):
        for frames in group.values():
            yield from frames
    for lines in (wording.SAY, wording.SAID, wording.RIME, wording.SPELL, wording.SPELLED, wording.UNSPELL):
        yield from lines
    yield from (*wording.LEADS, *wording.NUMBER_LEADS, *wording.OPENERS, *wording.TAILS)
    yield from (*wording.LOOK_UP, *wording.INSTRUCT, *wording.SYSTEM, *wording.COUNTS)
    for table in facts.TABLES:
        yield from (*table.asks, *table.states)
        yield from (f"{entity} {answer}" for entity, answer in table.rows)


@cache
def sentence_families() -> frozenset[str]:
    """Families of the words that sentences are made of: these cannot be held out."""
    return frozenset(family(word) for frame in _frames() for word in WORD.findall(frame.lower()))


@cache
def split_of(entity: str) -> Split:
    """The side an entity (a spelling, or the lower number of a pair as text) is on; the same on every machine."""
    root = entity if entity.isdigit() else family(entity)
    if root in sentence_families():
        return "train"
    place = int(hashlib.sha256(f"akb-lab {root}".encode()).hexdigest()[:8], 16) / 2**32
    return "test" if place < TEST_SHARE else "valid" if place < TEST_SHARE + VALID_SHARE else "train"


def fixed_parts(frame: str, at_least: int = 3) -> list[str]:
    """The wording around a frame's slot, lower case, pieces of fewer than `at_least` words left out."""
    parts = [" ".join(part.lower().split()).strip(" .,:?") for part in frame.split("{x}")]
    return [part for part in parts if len(part.split()) >= at_least]


def leaks(documents: Iterable[Document], items: Sequence[Item], stems: Sequence[str]) -> list[str]:
    """Everything in `documents` that a held-out question could lean on; empty when the separation holds.

    Reported: a document in which an item's entity stands together with its key; an entity or option word of an item
    in any document but those on spelling; a piece of an item's wording or a whole stem (of `stems`) anywhere.
    """
    keys: dict[str, set[str]] = {}
    words: set[str] = set()
    for item in items:
        keys.setdefault(item.entity, set()).add(WORD.findall(item.key.lower())[0] if item.key[0] != "/" else item.key)
        words |= {w for w in (item.entity, *item.options) if w.isalpha() and w not in wording.COUNTS}
    needles = {part for item in items for part in fixed_parts(item.frame)}
    needles |= {" ".join(stem.lower().split()) for stem in stems if len(stem.split()) >= 3}
    found: list[str] = []
    texts: list[str] = []
    for document in documents:
        text = document.text.lower()
        seen = set(WORD.findall(SYMBOLS.sub(" ", text)))
        texts.append(text)
        found += [
            f"{e} with {k}: {text}"
            for e in seen & keys.keys()
            for k in keys[e]
            if k in seen or (k[0] == "/" and k in text)
        ]
        if document.kind != "spelling":
            found += [f"held-out word {word}: {text}" for word in seen & words]
    whole = " ".join("\n".join(texts).split())
    return found + [f"wording: {needle}" for needle in sorted(needles) if needle in whole]
