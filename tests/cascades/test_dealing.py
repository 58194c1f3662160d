"""Whose clip another question hears: nobody's own, in one cycle, whatever the order of the questions."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from akb.tasks.listening import Hearing, Listening, dealt
from akb.types import Clip, Question


@given(st.integers(2, 9), st.integers(0, 2**31), st.text(max_size=5))
def test_all_keys_are_dealt_in_one_cycle(number: int, seed: int, task: str) -> None:
    found = dealt(range(number), seed, task)
    at, seen = 0, []
    for _ in range(number):
        seen.append(at)
        at = found[at]
    assert at == 0
    assert sorted(seen) == list(range(number))


def asked(number: int, clips: int = 1) -> Question:
    own = tuple(Clip(f"{number}{n}" * 32, f"{number}-{n}.wav") for n in range(clips))
    return Question(f"q{number}", "?", ("x", "y"), 0, audio=own)


def heard(questions: list[Question], seed: int = 3) -> dict[str, tuple[Clip, ...]]:
    hearing = Hearing(Listening("shuffled"), "t", seed, lambda: questions)
    return {question.id: hearing.clips(question) for question in questions}


def test_what_is_heard_does_not_hang_on_the_order_of_the_questions() -> None:
    questions = [asked(n, 1 + n % 2) for n in range(7)]
    for seed in range(5):
        found = heard(questions, seed)
        assert heard(questions[::-1], seed) == found
        assert all(found[question.id] != question.audio for question in questions)
        assert sorted(map(str, found.values())) == sorted(str(question.audio) for question in questions)


def test_a_question_whose_audio_is_missing_hears_nothing_and_is_heard_by_nobody() -> None:
    questions = [asked(n) for n in range(5)]
    questions[2] = replace(questions[2], meta={"audio_missing": "2.wav"})
    found = heard(questions)
    assert found["q2"] == ()
    others = [question for question in questions if question.id != "q2"]
    assert {i: clips for i, clips in found.items() if i != "q2"} == heard(others)
