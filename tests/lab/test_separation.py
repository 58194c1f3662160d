"""Nothing that tasks/lab-facts asks for is in the corpus that akb-tiny was trained on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from akb.lab import wording
from akb.lab.corpus import Document, digest, documents, plain
from akb.lab.heldout import leaks, split_of
from akb.lab.questions import build, text
from akb.lab.train import STAGES
from akb.lab.words import family, load

ROOT = Path(__file__).parents[2]
PART = 12_000


def bank_stems() -> list[str]:
    bank = ROOT / "tasks" / "akb-open"
    files = [
        bank / "fewshot.jsonl",
        *sorted(bank.glob("questions/**/*.jsonl")),
        bank / "dropped.jsonl",
    ]
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [row.get("item", row)["question"] for row in rows]


def found_in(stream: Iterable[Document]) -> list[str]:
    items = build("test")
    return leaks(stream, items + build("valid"), [item.question for item in items] + bank_stems())


def test_no_held_out_fact_or_wording_is_in_a_part_of_the_corpus() -> None:
    assert found_in(documents(PART)) == []


@pytest.mark.slow
def test_no_held_out_fact_or_wording_is_in_the_whole_corpus_of_the_published_model() -> None:
    about = json.loads((ROOT / "adapters" / "akb-tiny" / "lab.json").read_text(encoding="utf-8"))
    corpus = [document for stage in STAGES for document in stage.corpus()]
    assert digest(corpus) == about["corpus_sha256"], "the model was trained on another corpus than this code makes"
    assert found_in(corpus) == []


def test_a_planted_rhyme_of_a_held_out_pair_is_found() -> None:
    item = next(item for item in build("test") if item.skill == "rhyme")
    report = leaks([plain("statement", f"{item.entity} rhymes with {item.key}.")], [item], [])
    assert any(f"{item.entity} with {item.key}" in line for line in report)


def test_a_planted_pair_is_found_even_among_spellings() -> None:
    item = next(item for item in build("test") if item.skill == "vowel")
    assert leaks([plain("spelling", f"{item.entity}, {item.key}")], [item], [])


def test_a_planted_syllable_count_and_a_planted_octave_are_found() -> None:
    by_skill = {item.skill: item for item in build("test")}
    for skill in ("syllables", "ending-sound", "octave-up"):
        item = by_skill[skill]
        assert leaks([plain("spelling", f"{item.entity}: {item.key}")], [item], []), skill


def test_a_planted_test_sentence_with_a_trained_word_is_found() -> None:
    item = build("test")[0]
    report = leaks([plain("ask", item.frame.format(x="banana"))], [item], [])
    assert any(line.startswith("wording: ") for line in report)


def test_a_planted_stem_of_a_bank_is_found() -> None:
    stem = "What is the sound of one hand clapping?"
    assert leaks([plain("ask", f"Question: {stem}")], [], [stem])


def test_the_three_sets_of_frames_share_no_frame() -> None:
    for skill in wording.TRAIN:
        sets = [set(frames[skill]) for frames in (wording.TRAIN, wording.VALID, wording.TEST)]
        assert sum(map(len, sets)) == len(set.union(*sets)), skill


def test_all_forms_of_a_word_are_on_one_side() -> None:
    assert family("walk") == family("walks") == family("walked") == family("walking")
    assert family("stop") == family("stopped") == family("stops")
    assert split_of("walk") == split_of("walked")


def test_a_fair_share_of_the_words_is_held_out() -> None:
    sides = [split_of(word.spelling) for word in load()]
    assert 0.06 < sides.count("test") / len(sides) < 0.14
    assert 0.03 < sides.count("valid") / len(sides) < 0.10


def test_the_questions_in_the_task_are_those_that_the_code_makes() -> None:
    assert (ROOT / "tasks" / "lab-facts" / "questions.jsonl").read_text(encoding="utf-8") == text()


def runs_of_words(frame: str, length: int) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z{}]+", frame.lower())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def test_no_six_words_in_a_row_are_common_to_training_and_held_out_wording() -> None:
    trained: set[tuple[str, ...]] = set()
    for group in (wording.TRAIN, wording.SHORT, wording.STATE):
        for frames in group.values():
            trained |= {run for frame in frames for run in runs_of_words(frame, 6)}
    for frame in (*wording.LEADS, *wording.NUMBER_LEADS, *wording.OPENERS, *wording.TAILS):
        trained |= runs_of_words(frame, 6)
    for held_out in (wording.VALID, wording.TEST):
        for skill, frames in held_out.items():
            for frame in frames:
                assert not runs_of_words(frame, 6) & trained, (skill, frame)
