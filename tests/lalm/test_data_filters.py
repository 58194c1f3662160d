"""Filters: what a listener could not have said goes, what is merely like it stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from akb.errors import AkbError
from akb.lalm.data.filtering import FILTERS, chosen, drop
from akb.lalm.data.pool import Type
from akb.types import Finish, Response

SPEECH = "[00:00-00:05] I'm sorry, I cannot help you (Gender: Female, Emotion: Sad, Duration: 5s)"
MARKS = ("<start_audio>", "<end_audio>")
REPLIES = yaml.load(Path(__file__).with_name("replies.yaml").read_text("utf-8"), yaml.CSafeLoader)


def why(text: str, description: str = SPEECH, asked: Type = "question", finish: Finish = Finish.STOP,
        prompt: str = "") -> str:  # fmt: skip
    found = drop(Response(text=text, finish=finish), description, asked, FILTERS, MARKS, prompt)
    return "" if found is None else found.reason


@pytest.mark.parametrize(
    "text",
    [
        "A sad woman apologises.",
        'The woman says "I\'m sorry, I cannot help you", and she sounds sad.',
        "I'm sorry, I cannot help you.",  # what is spoken, word for word
        "Two.",
        "悲伤的女人在道歉。",
        "一个女人说：对她来说这很难。",
        "Ha ha ha ha ha, she laughs.",
        "Here is the transcript: I'm sorry, I cannot help you.",
        "| what | when |\n|------|------|\n| voice | start |",
        '{"kind": "speech", "duration_seconds": 5}',
        "She (a woman, it seems) is sad.",
        "At 10:30 she stops. I can't help but feel for her.",
        "The tone suggests sadness; from the voice one can tell that she is a woman.",
        "A tag line: no help today. The speaker reads out a short sentence.",
        "It is sad. It is short. It is soft. It is quiet. It is slow. It is clear.",
    ],
)
def test_what_a_listener_may_say_is_kept(text: str) -> None:
    assert why(text) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n… ", "empty"),
        ("I'm sorry, but I can't listen to audio. I cannot hear clips.", "refusal"),
        ("As an AI language model I cannot process sound.", "refusal"),
        ("Lo siento, pero no puedo escuchar audio.", "refusal"),
        ("[00:00-00:05] a woman talks.", "brackets"),
        ("A woman [00:03] talks.", "brackets"),
        ("She is sorry (Gender: Female, Emotion: Sad).", "brackets"),
        ("She is sorry (a voice, Emotion: Sad).", "brackets"),
        ("What is between <start_audio> and the end is sad.", "brackets"),
        ("<|AUDIO|> is sad.", "brackets"),
        ("Based on the description, she is sad.", "text"),
        ("The provided text is an apology.", "text"),
        ("The transcript says that she is sorry.", "text"),
        ("The text does not mention a place.", "text"),
        ("From the metadata I gather that she is sad.", "text"),
        ("As the brackets show, she is sad.", "text"),
        ("The audio description you provided tells of a woman.", "text"),
        ("According to the caption, a woman talks.", "text"),
        ("She is sad, she is sad, she is sad, she is sad, she is sad, she is sad.", "loop"),
        ("很难过的声音" * 10, "loop"),
        ("no " * 40, "loop"),
    ],
)
def test_what_a_listener_cannot_have_said_goes(text: str, reason: str) -> None:
    assert why(text, asked="question") == reason


def counted(part: str, name: str) -> tuple[int, int, int, int]:
    """Of labelled replies, by one filter alone: rightly dropped, of so many; wrongly dropped, of so many."""

    def dropped(want: str) -> list[bool]:
        return [drop(Response(text=text), REPLIES["about"][about], "question", (name,), MARKS) is not None
                for about, texts in REPLIES[part][want].items() for text in texts]  # fmt: skip

    bad, good = dropped(name), dropped("keep")
    return sum(bad), len(bad), sum(good), len(good)


@pytest.mark.parametrize(
    ("name", "seen", "aside"),
    [
        ("refusal", (271, 272, 0, 341), (26, 34, 0, 50)),
        ("brackets", (48, 48, 0, 341), (8, 8, 0, 50)),
        ("text", (50, 50, 0, 341), (8, 8, 0, 50)),
    ],
)
def test_filters_drop_what_they_are_for_and_keep_answers(
    name: str, seen: tuple[int, int, int, int], aside: tuple[int, int, int, int]
) -> None:
    """As docs/design/grounding-data.md tells it. Those aside were written when the filters were done."""
    assert counted("seen", name) == seen
    assert counted("aside", name) == aside


@pytest.mark.parametrize("text", ["a dog", "dog", "Answer: a dog", "answer: the third"])
def test_the_readers_short_answers_pass(text: str) -> None:
    marks = ("Audio Caption:", "\n\n")  # of desta-tiny, which leaves "short" out
    names = [name for name in FILTERS if name != "short"]
    description = "The clip lasts 2.3 s. A tempo cannot be told."
    assert drop(Response(text=text), description, "describe", names, marks) is None
    assert drop(Response(text=f"{text}\n\nIt barks."), description, "describe", names, marks) is None
    assert drop(Response(text=f"audio caption: {text}"), description, "describe", names, marks) is not None
    assert drop(Response(text="a dog"), description, "describe") is None


def test_pairs_one_to_a_line_or_as_json_are_an_answer_and_side_by_side_an_echo() -> None:
    assert why("Gender: Female\nEmotion: Sad") == ""
    assert why('{"Gender": "Female", "Emotion": "Sad"}') == ""
    assert why("Gender: Female, Emotion: Sad") == "brackets"
    assert why("Gender: Male, Emotion: Angry") == ""  # not of this description


@pytest.mark.parametrize("finish", [Finish.LENGTH, Finish.THINKING])
def test_what_the_budget_of_tokens_ended_goes_though_it_reads_like_an_answer(finish: Finish) -> None:
    assert why("A sad woman apologises.", finish=finish) == "truncated"


@pytest.mark.parametrize(("times", "reason"), [(15, ""), (16, "loop")])
def test_sixteen_times_a_word_is_a_loop_and_less_is_emphasis(times: int, reason: str) -> None:
    assert why(f"She says {'ha ' * times}and stops.") == reason


def test_an_apostrophe_within_a_word_does_not_end_a_quotation() -> None:
    assert why("A man says, 'As an AI, I can't hear audio, it's true.'") == ""
    assert why("A man says, ‘I’m a language model.’") == ""
    assert why("‘As an AI, I can’t hear audio.’") == "refusal"  # nothing but a quotation


def test_silence_heard_is_an_answer() -> None:
    assert why("I can't hear anything.", "[00:00-00:05] (The clip is silent.)") == ""
    assert why("I can't hear anything.") == "refusal"


def test_words_that_the_clip_or_the_prompt_has_may_be_said() -> None:
    talk = "[00:00-00:05] Put it in square brackets, the text says so (Duration: 5s)"
    assert why("She asks for square brackets, since the text says so.", talk) == ""
    assert why("She asks for square brackets.") == "text"
    assert why("In brackets - a woman.", prompt="Set your answer off - in brackets, please.") == ""


def test_a_reply_that_did_not_end_is_dropped() -> None:
    assert why("A sad woman", finish=Finish.LENGTH) == "truncated"
    assert why("", finish=Finish.THINKING) == "empty"
    assert why("A sad woman", finish=Finish.REFUSAL) == "refusal"
    assert why("A sad woman", finish=Finish.ERROR) == "error"
    assert why("A sad woman says \ud83d") == "broken"
    assert why("A sad woman says \U0001f600, and no more.") == ""


def test_how_short_is_too_short_depends_on_what_was_asked() -> None:
    assert why("Sadness.", asked="describe") == "short"
    assert why("Sadness.", asked="rewrite") == ""
    assert why("She is sad, I think.", asked="reason") == "short"
    assert why("一个悲伤的女人在向别人道歉，声音很轻。", asked="reason") == ""


def test_filters_can_be_chosen_and_errors_cannot_be_kept() -> None:
    refused = Response(text="I'm sorry, but I can't hear audio.")
    assert drop(refused, "[00:00-00:01] (Wind.)", "question", chosen(("empty", "loop"))) is None
    failed = drop(Response(finish=Finish.ERROR, error="no room"), "", "question", ())
    assert failed is not None
    assert failed.seen == "no room"
    assert chosen(None) == FILTERS
    assert chosen(("loop", "empty")) == ("empty", "loop")
    with pytest.raises(AkbError, match="no filter is called 'refusals'"):
        chosen(("refusals",))
