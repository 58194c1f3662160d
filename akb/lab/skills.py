"""The skills of akb-tiny: for each, how to draw an entity, its true answers, and distractors proved wrong.

Each skill follows from a rule (of spelling and sound, or of arithmetic), so that what is learned on some entities
can hold for others: that is what tasks/lab-facts measures. The shape of the options must give nothing away:
distractors are as long as the key, drawn from the same split, and wrong also for people with another accent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TypeVar

from akb.lab.heldout import Split, split_of
from akb.lab.wording import COUNTS, ENDINGS
from akb.lab.words import (
    Word,
    clear_rhyme,
    clear_syllables,
    clear_vowel,
    confusable,
    ending_sound,
    far_from_rhyme,
    first_sound,
    load,
    rhymes,
)

K = TypeVar("K")
HERTZ = range(100, 24_001)  # the lower number of a pair; the upper is its double


@dataclass(frozen=True, slots=True)
class Exercise:
    """A question without its wording. `answers` are all true, the first is the key; `distractors` are three."""

    skill: str
    entity: str
    answers: tuple[str, ...]
    distractors: tuple[str, ...]


class Pool:
    """The words of one split, indexed by what the skills ask about."""

    def __init__(self, split: Split) -> None:
        self.split = split
        spellings = frozenset(word.spelling for word in load())
        self.words = [word for word in load() if split_of(word.spelling) == split]
        self.by_rime = _group((w.rime, w) for w in self.words if clear_rhyme(w))
        self.by_first = _group((first_sound(w), w) for w in self.words if first_sound(w))
        self.by_vowel = _group((clear_vowel(w), w) for w in self.words if clear_vowel(w))
        self.by_count = _group((clear_syllables(w), w) for w in self.words if 1 <= clear_syllables(w) <= 4)
        self.by_ending = _group((ending_sound(w, spellings), w) for w in self.words if ending_sound(w, spellings))
        self.rhyming = [w for group in self.by_rime.values() for w in group if any(rhymes(w, other) for other in group)]
        self.by_last = _group((w.spelling[-1], w) for w in self.rhyming)
        self.with_first = [w for group in self.by_first.values() for w in group]
        self.with_vowel = [w for group in self.by_vowel.values() for w in group]
        self.numbers = [n for n in HERTZ if split_of(str(n)) == split]


def _group(pairs: Iterable[tuple[K, Word]]) -> dict[K, list[Word]]:
    groups: dict[K, list[Word]] = defaultdict(list)
    for key, word in pairs:
        groups[key].append(word)
    return dict(groups)


@cache
def pool_of(split: Split) -> Pool:
    return Pool(split)


def _draw_words(
    rng: Random, skill: str, word: Word, true: list[Word], among: list[Word], wrong: Callable[[Word], bool]
) -> Exercise | None:
    """An exercise on `word`: up to three of `true`, and three of `among` that are `wrong` and as long as the key."""
    answers = rng.sample(true, min(3, len(true)))
    length = len(answers[0].spelling)
    tried = rng.sample(among, min(60, len(among)))
    distractors = [w for w in tried if len(w.spelling) == length and wrong(w) and w.spelling != word.spelling][:3]
    if len(distractors) < 3:
        return None
    return Exercise(skill, word.spelling, tuple(w.spelling for w in answers), tuple(w.spelling for w in distractors))


def same_letters(one: str, other: str) -> bool:
    """Whether two words end in the same two letters: a rhyme that the eye could find."""
    return one[-2:] == other[-2:]


def draw_rhyme(rng: Random, pool: Pool) -> Exercise | None:
    word = rng.choice(pool.rhyming)
    true = [other for other in pool.by_rime[word.rime] if rhymes(word, other)]
    # Rhymes that look different are rarer and teach more: half of the exercises lead with one where there is one.
    unlike = [other for other in true if not same_letters(word.spelling, other.spelling)]
    true = unlike if unlike and rng.random() < 0.5 else true
    # Distractors that share the last letter are sought first, so that the last letter alone decides little.
    among = pool.by_last[word.spelling[-1]] if rng.random() < 0.5 else pool.rhyming
    return _draw_words(rng, "rhyme", word, true, among, lambda other: far_from_rhyme(word, other))


def draw_first_sound(rng: Random, pool: Pool) -> Exercise | None:
    word = rng.choice(pool.with_first)
    sound = first_sound(word)
    true = [other for other in pool.by_first[sound] if other.spelling != word.spelling]
    unlike = [other for other in true if other.spelling[0] != word.spelling[0]]
    true = unlike if unlike and rng.random() < 0.4 else true
    if not true:
        return None
    return _draw_words(
        rng,
        "first-sound",
        word,
        true,
        pool.with_first,
        lambda other: not confusable(first_sound(other), sound),
    )


def draw_vowel(rng: Random, pool: Pool) -> Exercise | None:
    word = rng.choice(pool.with_vowel)
    vowel = clear_vowel(word)
    true = [other for other in pool.by_vowel[vowel] if other.rime != word.rime]
    if not true:
        return None
    return _draw_words(rng, "vowel", word, true, pool.with_vowel, lambda other: clear_vowel(other) != vowel)


def draw_syllables(rng: Random, pool: Pool) -> Exercise | None:
    count = rng.randint(1, 4)
    word = rng.choice(pool.by_count[count])
    return Exercise(
        "syllables", word.spelling, (COUNTS[count - 1],), tuple(c for c in COUNTS if c != COUNTS[count - 1])
    )


def draw_ending(rng: Random, pool: Pool) -> Exercise | None:
    sound = rng.choice(sorted(pool.by_ending))
    key = f"/{sound}/"
    return Exercise(
        "ending-sound",
        rng.choice(pool.by_ending[sound]).spelling,
        (key,),
        tuple(e for e in ENDINGS if e != key),
    )


def _draw_number(skill: str, doubling: bool) -> Callable[[Random, Pool], Exercise | None]:
    def draw(rng: Random, pool: Pool) -> Exercise | None:
        low = rng.choice(pool.numbers)
        given, key = (low, 2 * low) if doubling else (2 * low, low)
        wrong = near_numbers(rng, key)
        return Exercise(skill, str(given), (f"{key} Hz",), tuple(f"{number} Hz" for number in wrong))

    return draw


def near_numbers(rng: Random, number: int) -> list[int]:
    """Three other numbers with as many digits, one or two digits off: slips of carrying and copying."""
    found: list[int] = []
    while len(found) < 3:
        digits = list(str(number))
        for _ in range(rng.randint(1, 2)):
            place = rng.randrange(len(digits))
            slip = rng.choice((-1, 1) if place == 0 else (-2, -1, 1, 2, 5))
            digits[place] = str((int(digits[place]) + slip) % 10)
        other = int("".join(digits))
        if digits[0] != "0" and other != number and other not in found:
            found.append(other)
    return found


DRAW: dict[str, Callable[[Random, Pool], Exercise | None]] = {
    "rhyme": draw_rhyme,
    "first-sound": draw_first_sound,
    "vowel": draw_vowel,
    "syllables": draw_syllables,
    "ending-sound": draw_ending,
    "nyquist": _draw_number("nyquist", doubling=False),
    "sampling-rate": _draw_number("sampling-rate", doubling=True),
    "octave-up": _draw_number("octave-up", doubling=True),
    "octave-down": _draw_number("octave-down", doubling=False),
}


def exercise(rng: Random, skill: str, pool: Pool) -> Exercise:
    """Draw until one comes out: some words have too few partners or distractors of their key's length."""
    while True:
        if (drawn := DRAW[skill](rng, pool)) is not None:
            return drawn
