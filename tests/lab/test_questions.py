"""The questions of tasks/lab-facts: one key each, and nothing in their shape that tells it."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from akb.lab.questions import PLAN, build
from akb.lab.skills import near_numbers
from akb.lab.wording import COUNTS
from akb.lab.words import clear_syllables, clear_vowel, ending_sound, far_from_rhyme, first_sound, load, rhymes

WORDS = {word.spelling: word for word in load()}
ITEMS = build("test")


def true_options(skill: str, entity: str, options: tuple[str, ...]) -> list[str]:
    """The options that hold, worked out again from the pronunciations and by integer arithmetic."""
    if entity.isdigit():
        wanted = 2 * int(entity) if skill in ("sampling-rate", "octave-up") else int(entity) / 2
        return [option for option in options if option == f"{wanted:.0f} Hz"]
    word = WORDS[entity]
    if skill == "syllables":
        return [COUNTS[clear_syllables(word) - 1]]
    if skill == "ending-sound":
        return [f"/{ending_sound(word, frozenset(WORDS))}/"]
    others = {option: WORDS[option] for option in options}
    if skill == "rhyme":
        assert sum(not far_from_rhyme(word, other) for other in others.values()) == 1
        return [option for option, other in others.items() if rhymes(word, other)]
    same = first_sound if skill == "first-sound" else clear_vowel
    return [option for option, other in others.items() if same(other) == same(word)]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.skill}-{item.entity}")
def test_the_key_and_nothing_else_is_right(item) -> None:  # type: ignore[no-untyped-def]
    assert len(set(item.options)) == 4
    assert true_options(item.skill, item.entity, item.options) == [item.key]


def test_every_skill_has_its_items() -> None:
    assert Counter(item.skill for item in ITEMS) == {skill: wanted for skill, (_, _, wanted) in PLAN.items()}


def test_keys_are_spread_evenly_over_the_positions() -> None:
    for skill in PLAN:
        places = Counter(item.answer for item in ITEMS if item.skill == skill)
        assert max(places.values()) - min(places.values()) <= 1, skill


def test_answers_are_spread_evenly_where_they_are_few() -> None:
    for skill in ("syllables", "ending-sound"):
        assert len(set(Counter(item.key for item in ITEMS if item.skill == skill).values())) == 1, skill


def test_the_options_of_an_item_are_words_of_one_length() -> None:
    alike = [item for item in ITEMS if item.skill in ("rhyme", "first-sound", "vowel") or item.entity.isdigit()]
    assert len(alike) > 100
    for item in alike:
        assert len({len(option) for option in item.options}) == 1, item


def test_half_of_the_rhymes_look_unlike() -> None:
    assert Counter(item.looks_alike for item in ITEMS if item.skill == "rhyme") == {True: 30, False: 30}


def test_the_key_is_at_every_rank_of_size_among_numbers() -> None:
    ranks: Counter[int] = Counter()
    for item in ITEMS:
        if item.entity.isdigit():
            ranks[sorted(int(option.split()[0]) for option in item.options).index(int(item.key.split()[0]))] += 1
    assert sum(ranks.values()) == 88
    assert set(ranks) == {0, 1, 2, 3}
    assert max(ranks.values()) <= 24


def test_wrong_numbers_have_as_many_digits_as_the_right_one() -> None:
    rng = Random(0)
    for number in (100, 7119, 48_000):
        wrong = near_numbers(rng, number)
        assert len({*wrong, number}) == 4
        assert {len(str(other)) for other in wrong} == {len(str(number))}
