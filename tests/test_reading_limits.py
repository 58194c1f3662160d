"""Where reading an answer stops: numbers within numbers, and beginnings of two words."""

from __future__ import annotations

import pytest

from akb.extraction import extract
from akb.types import Option, Status


def listed(*texts: str) -> tuple[Option, ...]:
    return tuple(Option("ABCD"[number], text) for number, text in enumerate(texts))


NUMBERS = listed("4", "6", "7", "9")
SOUNDS = listed("A low steady hum", "A bright bell", "Two dogs that bark", "A man who sings")


@pytest.mark.parametrize(
    "reply", ["It is 4.5 semitones.", "About 4/5 of it.", "It has 4% more.", "The ratio is 4:5.", "4,5"]
)
def test_a_number_is_not_read_out_of_another_number(reply: str) -> None:
    assert extract(reply, NUMBERS).status == Status.WRONG_FORMAT
    assert extract("There are 4.", NUMBERS).place == 0


@pytest.mark.parametrize(("reply", "place"), [("Two dogs", None), ("Two dogs that", 2), ("A low", None)])
def test_three_words_with_which_one_option_begins_are_that_option(reply: str, place: int | None) -> None:
    assert extract(reply, SOUNDS).place == place
