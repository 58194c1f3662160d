"""What is computed from pronunciations, against cases that can be settled by saying them."""

from __future__ import annotations

import pytest

from akb.lab.words import (
    Word,
    clear_syllables,
    clear_vowel,
    confusable,
    ending_sound,
    far_from_rhyme,
    first_sound,
    load,
    rhymes,
)

WORDS = {word.spelling: word for word in load()}
PERFECT = [("night", "kite"), ("though", "grow"), ("nation", "station"), ("great", "late")]
IMPERFECT = [("though", "tough"), ("love", "move"), ("night", "knight"), ("cat", "cap")]
REGULAR = {"cats": "s", "bags": "z", "churches": "z", "jumped": "t", "played": "d", "wanted": "d", "bus": ""}


@pytest.mark.parametrize(("one", "other"), PERFECT)
def test_words_that_rhyme_by_ear_rhyme_however_they_are_spelled(one: str, other: str) -> None:
    assert rhymes(WORDS[one], WORDS[other])


@pytest.mark.parametrize(("one", "other"), IMPERFECT)
def test_eye_rhymes_homophones_and_near_rhymes_do_not_rhyme(one: str, other: str) -> None:
    assert one not in WORDS or other not in WORDS or not rhymes(WORDS[one], WORDS[other])


def test_a_rhyme_in_some_accents_is_never_a_distractor() -> None:
    cot, caught = Word("cot", ("K", "AA1", "T")), Word("taught", ("T", "AO1", "T"))
    assert not rhymes(cot, caught)
    assert not far_from_rhyme(cot, caught)


def test_first_sounds_are_heard_and_not_read() -> None:
    assert first_sound(WORDS["phone"]) == first_sound(WORDS["fish"]) == "F"
    assert first_sound(WORDS["apple"]) == ""
    assert confusable("S", "Z")
    assert not confusable("S", "M")


def test_vowels_before_r_and_l_and_ng_are_left_out() -> None:
    assert clear_vowel(WORDS["seat"]) == "IY"
    assert [clear_vowel(WORDS[word]) for word in ("door", "ball", "sing")] == ["", "", ""]


@pytest.mark.parametrize(("word", "count"), [("cat", 1), ("window", 2), ("banana", 3), ("population", 4)])
def test_syllables_are_counted(word: str, count: int) -> None:
    assert clear_syllables(WORDS[word]) == count


def test_words_whose_syllables_people_count_differently_have_no_count() -> None:
    for spelling, phones in (("fire", "F AY1 R"), ("fluid", "F L UW1 AH0 D"), ("memory", "M EH1 M ER0 IY0")):
        assert clear_syllables(Word(spelling, tuple(phones.split()))) == 0


def test_endings_follow_the_sound_before_them() -> None:
    spellings = frozenset(WORDS)
    assert {word: ending_sound(WORDS[word], spellings) for word in REGULAR} == REGULAR


def test_ipa_is_broad_and_between_slashes() -> None:
    assert WORDS["night"].ipa == "/naɪt/"
    assert WORDS["banana"].ipa == "/bənænə/"
