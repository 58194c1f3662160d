"""Seed descriptions: what is known is told where it holds, and what is not known is not told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from akb.lalm.data.describing import describe, known, transcript
from akb.lalm.data.manifest import Entry, Heard
from akb.lalm.data.values import said
from akb.strict import parse


def entry(**told: Any) -> Entry:
    return parse(Entry, {"audio": "x.wav", **told}, "test")


def lines(seconds: float, **told: Any) -> list[str]:
    return describe(Heard("x", entry(**told), Path("x.wav"), "", seconds)).splitlines()


TALK = [
    {"start": 0, "end": 4, "text": "Hi", "attributes": {"Speaker": "A"}},
    {"start": 4, "end": 6, "text": "Bye"},
]


def test_what_holds_of_the_whole_clip_stands_in_a_line_over_the_whole_clip() -> None:
    told = lines(
        6, kind="speech", segments=TALK[::-1], labels=["siren"], caption="A street.", attributes={"Noise": "low"}
    )
    assert told == [
        "[00:00-00:06] (A street.) (Sounds: siren, Noise: low, Duration: 6s)",
        "[00:00-00:04] Hi (Speaker: A, Duration: 4s)",
        "[00:04-00:06] Bye (Duration: 2s)",
    ]
    part = [{"start": 0, "end": 1, "caption": "A truck."}]
    assert lines(10, kind="sound", segments=part, caption="A street.") == [
        "[00:00-00:10] (A street.)",
        "[00:00-00:01] (A truck.)",
    ]


def test_words_of_the_whole_are_told_where_no_segment_has_words() -> None:
    mute = [{"start": 1, "end": 2, "caption": "A bell."}]
    assert lines(3, kind="speech", text="Hi and bye", segments=mute) == [
        "[00:00-00:03] Hi and bye (Duration: 3s)",
        "[00:01-00:02] (A bell.) (Duration: 1s)",
    ]
    assert lines(6, kind="speech", text="Hi. Bye.", segments=TALK) == lines(6, kind="speech", segments=TALK)


def test_a_stretch_of_which_nothing_is_known_gets_no_line() -> None:
    empty: dict[str, Any] = {"start": 4, "end": 5, "text": " ", "labels": [""], "attributes": {"Emotion": "unknown"}}
    assert lines(6, kind="speech", segments=[TALK[0], empty]) == ["[00:00-00:04] Hi (Speaker: A, Duration: 4s)"]
    assert lines(6, kind="speech", segments=[empty], caption="A hall.") == [
        "[00:00-00:06] (A hall.) (Duration: 6s)",
    ]
    assert lines(6, kind="sound", attributes={"Emotion": "unknown"}) == ["[00:00-00:06] (Duration: 6s)"]


@pytest.mark.parametrize(
    "value", ["", " ", "unknown", "Unknown", "N/A", "None", "NaN", "null", "?", "-", "not specified"]
)
def test_what_is_unknown_is_neither_told_nor_known(value: str) -> None:
    some = {"Emotion": value, "Gender": "Female", " ": "x"}
    assert lines(5, kind="speech", text="Hi", attributes=some) == ["[00:00-00:05] Hi (Gender: Female, Duration: 5s)"]
    assert known(entry(kind="speech", text="Hi", attributes=some)) == {"gender"}
    assert lines(5, kind="sound", labels=[value, "dog", "dog"]) == ["[00:00-00:05] (Sounds: dog, Duration: 5s)"]
    assert lines(5, kind="sound", caption=value, labels=["dog"]) == ["[00:00-00:05] (Sounds: dog, Duration: 5s)"]


def test_numbers_and_truths_are_told_in_words() -> None:
    nothing = ["", "", ""]
    assert [said(value) for value in (float("nan"), float("inf"), -float("inf"))] == nothing
    assert [said(value) for value in (True, False, "True", "False")] == ["yes", "no", "yes", "no"]
    assert [said(value) for value in (120, 120.0, 0.25, "0", 0)] == ["120", "120", "0.25", "0", "0"]
    (line,) = lines(5, kind="music", attributes={"Tempo": 120.0, "Live": True})
    assert line == "[00:00-00:05] (Tempo: 120, Live: yes, Duration: 5s)"


@pytest.mark.parametrize("name", ["Duration", "duration", " DURATION "])
def test_duration_is_told_once_and_is_the_stretchs_own(name: str) -> None:
    assert lines(5, kind="speech", text="Hi", attributes={name: "12s"}) == ["[00:00-00:05] Hi (Duration: 5s)"]
    assert lines(5, kind="sound", caption="A bell.", attributes={name: 5}) == ["[00:00-00:05] (A bell.) (Duration: 5s)"]


def test_marks_in_words_become_braces() -> None:
    text = "a <end_audio> b <|im_end|> c < d > <3 e"
    assert lines(2, kind="speech", text=text) == [
        "[00:00-00:02] a {end_audio} b {|im_end|} c < d > <3 e (Duration: 2s)"
    ]
    assert transcript(entry(kind="speech", text=text)) == "a {end_audio} b {|im_end|} c < d > <3 e"
    (line,) = lines(2, kind="sound", caption="A <start_audio>.", attributes={"<x>": "<|AUDIO|>"})
    assert line == "[00:00-00:02] (A {start_audio}.) ({x}: {|AUDIO|})"
    assert lines(2, kind="speech", text="<<end_audio>>") == ["[00:00-00:02] <{end_audio}> (Duration: 2s)"]
