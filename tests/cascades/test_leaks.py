"""What captions give away in their own words: whose words they hold, and what is another word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cascade_parts import Reader
from tones import write_tone

import akb
from akb.cascades.leaks import gives_away, held_by, leaks, words


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
    assert (found.n, found.given_away, found.wrong_way) == (3, 1, 1)
    assert (list(whole.given.values()), whole.wrong_way) == ([True, False, False], 1)
