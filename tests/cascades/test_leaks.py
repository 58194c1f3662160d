"""What captions give away in their own words: whose words they hold, and what is another word."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from cascade_parts import Reader
from tones import write_tone

import akb
from akb.cascades.leaks import Leaks, gives_away, held, held_by, leaks, tells_apart, words
from akb.cascades.report import leak_lines
from akb.tasks.asking import Asking
from akb.tasks.multiple_choice import MultipleChoice
from akb.tasks.protocol import Prompt, Protocol
from akb.types import Question, Request, Response, Trial


@pytest.mark.parametrize(
    ("caption", "options", "given"),
    [
        ("It is in C# major.", ("C major", "G major"), False),
        ("It is in C# major.", ("C# major", "C major"), True),
        ("It is in C♯ major.", ("C# major", "C major"), True),
        ("It is in C major.", ("C# major", "C major"), False),
        ("A B♭ is held.", ("Bb", "B"), True),
        ("It falls to -3 dB.", ("3 dB", "6 dB"), False),
        ("It falls to −3 dB.", ("-3 dB", "3 dB"), True),
        ("It rises by 3 dB.", ("-3 dB", "3 dB"), False),
        ("At 3-4 Hz, a two-tone horn.", ("4 Hz", "-4 Hz"), True),
        ("A two-tone horn.", ("two tone", "one tone"), True),
    ],
)
def test_an_accidental_makes_another_tone_and_a_minus_another_number(
    caption: str, options: tuple[str, ...], given: bool
) -> None:
    assert gives_away([caption], options, 0) is given


@pytest.mark.parametrize(
    ("caption", "options", "found"),
    [
        ("The tempo is 120 BPM.", ("120bpm", "90bpm"), {0}),
        ("A 500Hz tone.", ("500 Hz", "600 Hz"), {0}),
        ("About 1,200 beats, not 1,200,300.", ("1200", "200", "1", "1200300"), {0, 3}),
        ("It lasts 2.0 s, then .5 s.", ("2 s", "0.50 s", "5 s"), {0, 1}),
        ("Rows of 3,4 and 10,20.", ("3", "4", "34", "1020"), {0, 1}),
        ("The pitch is C4.", ("4", "C", "C4"), {2}),
        ("The 4th beat.", ("4", "4th"), {1}),
        ("Versions 1.0.0 and 100.", ("1", "100"), {1}),
        ("这是一只狗在叫。", ("狗", "猫"), {0}),
        ("犬が吠えている", ("犬", "猫", "吠えて"), {0, 2}),
        ("ｷﾞﾀｰの音", ("ギター", "ピアノ"), {0}),
        ("约1,200赫兹，为-3分贝", ("1200赫兹", "200赫兹", "3分贝", "-3分贝"), {0, 3}),
    ],
)
def test_words_are_found_where_none_are_spaced_and_numbers_however_they_are_written(
    caption: str, options: tuple[str, ...], found: set[int]
) -> None:
    assert held(caption, options) == found


def test_hyphens_between_words_and_marks_are_no_part_of_words() -> None:
    assert words("A-3, (don't!) #1: 4-5 Hz -- F#m7; 3.5") == (
        "a", "3", "don't", "1", "4", "5", "hz", "f#m7", "3.5")  # fmt: skip


def test_options_of_the_same_words_as_the_key_are_not_the_wrong_way(tmp_path: Path) -> None:
    told = 'name: twice\nversion: "1"\nformat: fields\nquestions: [q.jsonl]\naudio: {}\n'
    (tmp_path / "task.yaml").write_text(told, "utf-8")
    rows = []
    for number, caption in enumerate(("Rain falls.", "A dog barks.", "Nothing is heard.")):
        write_tone(tmp_path / "audio" / f"{number}.wav", 300 + number)
        rows.append({"audio": f"{number}.wav", "caption": caption, "question": "What?", "answer": "rain",
                     "options": ["rain", "Rain.", "a dog"]})  # fmt: skip
    for name in ("q.jsonl", "captions.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run = akb.evaluate(Reader(), "twice", include=[tmp_path], listen="caption:captions.jsonl", out=tmp_path / "run")
    found, whole = leaks(run), held_by(run)
    assert (found.n, found.given_away, found.wrong_way, found.apart) == (3, 1, 1, 2)
    assert (list(whole.apart.values()), whole.wrong_way) == ([True, True, False], 1)


# -- what is gained where words are no help ------------------------------------------------------------------------

OPTIONS = ("rain", "a bell", "a dog", "an engine")
COUNT = 600


def test_which_option_is_the_key_does_not_decide_what_is_left_out() -> None:
    for caption, apart in (("A dog.", True), ("A dog and a bell.", True), ("Nothing.", False),
                           ("Rain, a bell, a dog, an engine.", False)):  # fmt: skip
        assert tells_apart([caption], OPTIONS) is apart
        assert {tells_apart([caption], OPTIONS[n:] + OPTIONS[:n]) for n in range(4)} == {apart}
    assert tells_apart(["A dog.", "A bell."], OPTIONS)
    assert not tells_apart(["A dog.", "A bell."], ("a dog", "a bell"))
    assert not tells_apart(["RAIN"], ("rain", "Rain."))


class Captioned(MultipleChoice):
    """Questions in words, each with a caption."""

    name = "captioned"
    captions: Sequence[str] = ()

    def questions(self) -> Iterable[Question]:
        return (Question(f"q{n:03}", f"q{n:03}", OPTIONS, n % 4) for n in range(COUNT))

    def trial(self, question: Question) -> Trial:
        bare, number = super().trial(question), int(question.id[1:])
        return Trial(
            bare.id, question, {**bare.ask, **({"captions": [self.captions[number]]} if self.captions else {})}
        )


class Matching(Reader):
    """Takes one of the options that the caption holds, if it holds some and not all; else it guesses: the same with
    and without a caption, or, if `moved`, anew for each caption."""

    def __init__(self, *, moved: bool) -> None:
        super().__init__()
        self.moved = moved

    def _reply(self, request: Request) -> Response:
        asked = request.messages[-1].text
        caption = asked.partition("q")[0]
        found = [option.label for option in request.options if option.text in caption]
        if not found or len(found) == len(OPTIONS):
            found = [option.label for option in request.options]
        seen = asked if self.moved or len(found) < len(OPTIONS) else asked.removeprefix(caption)
        return Response(text=found[zlib.crc32(seen.encode()) % len(found)])


def gained(out: Path, captions: Sequence[str], *, moved: bool) -> Leaks:
    asking = Asking(Protocol(name="t", prompt="p", order="given", ask="generate"),
                    Prompt(name="p", user="{{ question }}", reply="{{ key.label }}"))  # fmt: skip
    runs = []
    for name, told in (("heard", captions), ("alone", ())):
        task = Captioned(asking)
        task.captions = told
        runs.append(akb.evaluate(Matching(moved=moved), task, cache=False, out=out / name))
    return leaks(*runs)


def spoken(draw: random.Random, places: Iterable[int]) -> str:
    """A caption that holds the words of these options."""
    return f"One hears {', '.join(OPTIONS[place] for place in places)} number{draw.random()}. "


def test_captions_that_know_nothing_gain_nothing(tmp_path: Path) -> None:
    draw = random.Random(1)
    captions = [spoken(draw, draw.sample(range(4), draw.choice((0, 1, 1, 2, 4)))) for _ in range(COUNT)]
    found = gained(tmp_path, captions, moved=True)
    assert found.wrong_way > 2 * found.given_away
    assert COUNT // 2 < found.apart < 0.8 * COUNT
    low, high = found.gain_low or 0.0, found.gain_high or 0.0
    assert low < 0 < high
    assert high - low < 0.25  # more could have been seen


def test_a_reader_that_only_looks_for_words_gains_nothing_however_good_captions_are(tmp_path: Path) -> None:
    draw = random.Random(2)
    wrong = [draw.sample([place for place in range(4) if place != n % 4], draw.choice((0, 1, 2, 3)))
             for n in range(COUNT // 2)]  # fmt: skip
    captions = [spoken(draw, (n % 4, *places)) for n, places in enumerate(wrong)]
    captions += [spoken(draw, ()) for _ in range(COUNT - len(captions))]
    found = gained(tmp_path, captions, moved=False)
    assert (found.accuracy_apart or 0) > (found.accuracy_else or 1) + 0.2
    assert (found.gain, found.p) == (0, 1)
    told = "\n".join(leak_lines(found))
    assert f"the words of some options and not of all: {found.apart} of {COUNT} " in told
    assert "where they do not (looking for words is no help there): +0.0 (" in told
