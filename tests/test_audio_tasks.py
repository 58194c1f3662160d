"""Tasks with audio: where it is found, what is missing, what the task then is, and odd records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from audio_folder import ROOT, listed, own, record, sound, task

from akb.errors import AkbError
from akb.tasks.folder import Folder

# -- anyone's folder --


def test_a_clip_is_known_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    folder = own(tmp_path, [record()])
    digest = sound(folder / "audio" / "1.wav")
    [question] = listed(task(folder))
    assert [(clip.sha256, clip.decoding) for clip in question.audio] == [(digest, "")]
    assert Path(question.audio[0].path) == folder / "audio" / "1.wav"


def test_a_question_may_have_several_clips_in_their_order(tmp_path: Path) -> None:
    folder = own(tmp_path, [record(audio=["b.wav", "a.wav", "b.wav"])])
    a, b = sound(folder / "a.wav"), sound(folder / "b.wav")
    [question] = listed(task(folder))
    assert [clip.sha256 for clip in question.audio] == [b, a, b]


@pytest.mark.parametrize("place", ["data/1.wav", "data/audio/1.wav", "data/sub/1.wav", "data/sub/audio/1.wav"])
def test_audio_is_found_below_the_folder_and_beside_the_question_file(tmp_path: Path, place: str) -> None:
    folder = own(tmp_path, [])
    (tmp_path / "data" / "sub").mkdir(parents=True)
    file = tmp_path / "data" / ("sub/q.jsonl" if "sub" in place else "q.jsonl")
    file.write_text(json.dumps(record()), "utf-8")
    sound(tmp_path / place)
    [question] = listed(task(folder, file if "sub" in place else tmp_path / "data"))
    assert len(question.audio) == 1


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["questions.jsonl", "other.jsonl"], "questions.jsonl"),
        (["MMAR-meta.jsonl", "notes.csv"], "MMAR-meta.jsonl"),
        (["MMAR-meta.json", "MMAR-meta.jsonl"], "MMAR-meta.json"),
        (["mine.csv", "readme.txt"], "mine.csv"),
        (["mine.parquet"], "mine.parquet"),
    ],
)
def test_the_question_file_of_a_folder_is_found(tmp_path: Path, files: list[str], chosen: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert task(ROOT / "tasks" / "mmar", tmp_path)._files == (tmp_path / chosen,)


@pytest.mark.parametrize(("files", "told"), [([], "no question file"), (["a.json", "b.csv"], "Found a.json, b.csv")])
def test_a_folder_without_a_plain_question_file_is_told(tmp_path: Path, files: list[str], told: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(AkbError, match=told) as caught:
        listed(task(ROOT / "tasks" / "mmar", tmp_path))
    assert "--data FILE" in caught.value.fix


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../1.wav", "a/../../1.wav", "C:\\1.wav", "..\\1.wav", 7, {"bytes": "x"}]
)
def test_a_path_that_leads_out_of_the_folder_or_is_none_is_refused(tmp_path: Path, path: Any) -> None:
    folder = own(tmp_path, [record(), record(2, audio=path)])
    sound(tmp_path / "1.wav")
    with pytest.raises(AkbError, match=r"questions\.jsonl:2: audio:"):
        listed(task(folder))


def test_a_question_without_its_audio_stays_and_says_so(tmp_path: Path) -> None:
    folder = own(tmp_path, [record(1), record(2), record(3, audio=["1.wav", "3.wav"]), record(4, audio=None)])
    sound(folder / "1.wav")
    made = task(folder)
    questions = listed(made)
    assert [len(q.audio) for q in questions] == [1, 0, 0, 0]
    assert [q.meta.get("audio_missing") for q in questions] == [
        None,
        "2.wav: there is no such file",
        "3.wav: there is no such file",
        "the record names no audio",
    ]
    assert made.oddities() == {"audio missing": 3}


def test_an_empty_audio_file_counts_as_missing_with_its_reason(tmp_path: Path) -> None:
    folder = own(tmp_path, [record(1), record(2)])
    sound(folder / "1.wav")
    (folder / "2.wav").touch()
    assert "empty" in listed(task(folder))[1].meta["audio_missing"]


def test_without_any_audio_only_the_control_without_audio_runs(tmp_path: Path) -> None:
    folder = own(tmp_path, [record(1), record(2)])
    with pytest.raises(AkbError, match="none of its audio is here") as caught:
        listed(task(folder))
    assert "--data DIR" in caught.value.fix
    made = task(folder, listen="none")
    assert [(q.audio, dict(q.meta)) for q in listed(made)] == [((), {"audio_names": [f"{n}.wav"]}) for n in "12"]
    assert made.describe()["audio"] == "absent"
    assert made.oddities() == {}
    assert [set(made.trial(q).ask) for q in listed(made)] == [{"orders"}] * 2  # it is no task of text


def test_the_task_is_the_same_whether_its_audio_is_heard_or_not(tmp_path: Path) -> None:
    folder = own(tmp_path, [record(1), record(2)])
    for name in "12":
        sound(folder / f"{name}.wav")
    heard, unheard = task(folder), task(folder, listen="none")
    assert heard.describe() == unheard.describe()
    assert listed(heard) == listed(unheard)


def test_the_task_is_the_same_in_another_folder_and_another_with_other_audio(tmp_path: Path) -> None:
    told = []
    for place, seed in (("a", "x"), ("b", "x"), ("c", "y")):
        folder = own(tmp_path / place, [record(1), record(2)])
        sound(folder / "audio" / "1.wav", seed)
        told.append(task(folder).describe())
    assert told[0] == told[1]
    assert {key for key in told[0] if told[0][key] != told[2][key]} == {"audio"}


def test_a_task_of_text_has_no_clips_and_the_identity_it_always_had(tmp_path: Path) -> None:
    folder = own(tmp_path, [record()], audio=None)
    sound(folder / "1.wav")
    made = task(folder)
    [question] = listed(made)
    assert (question.audio, dict(question.meta)) == ((), {})
    assert "audio" not in made.describe()
    usual = {"id", "question", "options", "option_columns", "answer", "category", "subcategory", "template_id"}
    assert set(made.describe()["fields"]) == usual


def test_the_benchmarks_own_groups_are_kept(tmp_path: Path) -> None:
    more = {
        "task": "sound",
        "difficulty": "hard",
        "language": "en",
        "split": "test",
        "modality": "mix",
        "thinking": "it is",
    }
    folder = own(tmp_path, [record(1, **more)])
    sound(folder / "1.wav")
    [question] = listed(task(folder))
    kept = {name: value for name, value in more.items() if name != "thinking"} | {"audio_names": ["1.wav"]}
    assert (question.category, dict(question.meta)) == ("sound", kept)


@pytest.mark.parametrize(
    ("given", "read", "odd"),
    [
        ("['Reasoning']", "Reasoning", True),
        (["Reasoning"], "Reasoning", True),
        ('["a", "b"]', "a, b", True),
        ("Reasoning", "Reasoning", False),
        ("[not a list", "[not a list", False),
        ("[__import__('os')]", "[__import__('os')]", False),
        (None, "", False),
    ],
)
def test_a_category_given_as_a_list_is_read_and_counted(tmp_path: Path, given: Any, read: str, odd: bool) -> None:
    made = task(own(tmp_path, [record(category=given)]), listen="none")
    [question] = listed(made)
    assert question.category == read
    assert made.oddities() == ({"category given as a list": 1} if odd else {})


def test_odd_records_are_counted(tmp_path: Path) -> None:
    records = [record(n, options=["owl", "wren", "jay", "kite"]) for n in range(5)]
    records += [record(5), record(6, options=["wren", "wren ", "owl", "jay"])]
    records += [record(7, options=[*"abcdefg", "wren"])]
    made = task(own(tmp_path, records), listen="none")
    assert made.oddities() == {"2 options": 1, "8 options": 1, "duplicate options": 1}
    assert listed(made)[6].answer == 0  # the first of equal texts


def test_an_answer_that_is_none_of_the_options_is_named_with_its_record(tmp_path: Path) -> None:
    folder = own(tmp_path, [record(1), record(2, answer="a jay")])
    with pytest.raises(AkbError, match=r"questions\.jsonl:2: answer: 'a jay' is not one of the options"):
        listed(task(folder, listen="none"))


def test_audio_belongs_to_tasks_of_any_shape_alone(tmp_path: Path) -> None:
    folder = own(tmp_path, [], format="item")
    with pytest.raises(AkbError, match="audio, fetch and versions are for format: fields"):
        Folder.read(folder)


# -- options in the question's text --


@pytest.mark.parametrize("answer", ["(b) wren", "b", "(B)", "wren", 1])
def test_options_in_the_questions_text_are_read(tmp_path: Path, answer: Any) -> None:
    row = {"question": "Which bird (by its call)? (a) owl (b) wren\n(c) jay", "answer": answer}
    [question] = listed(task(own(tmp_path, [row], fields={"inline_options": True}), listen="none"))
    assert question.text == "Which bird (by its call)?"
    assert (question.options, question.answer) == (("owl", "wren", "jay"), 1)


@pytest.mark.parametrize(
    ("text", "answer", "told"),
    [
        ("Which bird?", "owl", "is wanted"),
        ("Which? (a) owl (c) wren", "owl", "is wanted"),
        ("Which? (a) owl", "owl", "is wanted"),
        ("Which? (a) owl (b) wren", "(a) wren", "with its letter"),
        ("Which? (a) owl (b) wren", "(c) jay", "with its letter"),
    ],
)
def test_options_in_the_text_that_do_not_fit_are_told(tmp_path: Path, text: str, answer: str, told: str) -> None:
    folder = own(tmp_path, [{"question": text, "answer": answer}], fields={"inline_options": True})
    with pytest.raises(AkbError, match=told):
        listed(task(folder, listen="none"))
