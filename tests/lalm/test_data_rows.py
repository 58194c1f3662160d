"""Training rows in the schema of DeSTA, and what they share with evaluations."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from akb.errors import AkbError
from akb.lalm.data.contamination import Evaluated
from akb.lalm.data.rows import Row, Sounding, read
from akb.types import Clip, Question

MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Focus on the audio clips and instructions."},
    {"role": "user", "content": "<|AUDIO|>\nDescribe it.", "audios": [{"audio": "a/1.wav", "text": "Hello"}]},
]
RELEASED = {
    "id": "libri-1",
    "dataset": "libri",
    "seed_description": "[00:00-00:05] Hello (Duration: 5s)",
    "prompt": "Describe it.",
    "response": "Someone says hello.",
    "messages": MESSAGES,
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), "utf-8")
    return path


# -- rows ----------------------------------------------------------------------------------------------------------


def test_a_row_of_the_released_schema_is_read_and_more_that_it_tells_is_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", RELEASED | {"split": "train", "id": 7})
    (row,) = read(path)
    assert (row.id, row.dataset, row.response) == ("7", "libri", "Someone says hello.")
    assert row.audios == (Sounding(audio=str(tmp_path / "a" / "1.wav"), text="Hello"),)
    assert [turn.parts for turn in row.messages] == [(MESSAGES[0]["content"],), (row.audios[0], "\nDescribe it.")]
    (elsewhere,) = read(path, audio=Path("/data"))
    assert elsewhere.audios[0].audio == "/data/a/1.wav"


def test_the_training_form_with_messages_and_response_alone_is_enough(tmp_path: Path) -> None:
    two = [{"audio": "1.wav"}, {"audio": "../2.wav", "text": None}]
    told = {"messages": [{"role": "user", "content": "First <|AUDIO|>, then <|AUDIO|>: alike?", "audios": two}]}
    (row,) = read(write(tmp_path / "train.jsonl", told | {"response": "No."}))
    one, other = row.audios
    assert row.messages[0].parts == ("First ", one, ", then ", other, ": alike?")
    assert (one.text, other.audio) == ("", str(tmp_path.parent / "2.wav"))


@pytest.mark.parametrize("as_text", [False, True], ids=["nested", "as JSON"])
def test_parquet_and_saved_datasets_give_the_same_rows(tmp_path: Path, as_text: bool) -> None:
    datasets = pytest.importorskip("datasets")
    messages: Any = json.dumps(MESSAGES) if as_text else MESSAGES
    made = datasets.Dataset.from_list([RELEASED | {"messages": messages}] * 3)
    made.to_parquet(str(tmp_path / "part.parquet"))
    made.save_to_disk(str(tmp_path / "saved"))
    wanted = list(read(write(tmp_path / "train.jsonl", *[RELEASED] * 3)))
    assert list(read(tmp_path / "part.parquet")) == wanted
    assert list(read(tmp_path / "saved", audio=tmp_path)) == wanted
    assert len(list(read(tmp_path))) == 6  # the JSONL and the Parquet file; Arrow files are no rows by themselves


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"messages": [{"role": "user", "content": "Describe it.", "audios": [{"audio": "a"}]}]},
            "stands in it 0 times",
        ),
        ({"messages": [{"role": "user", "content": "<|AUDIO|>"}]}, "and there are 0 audios"),
        ({"messages": []}, "messages"),
        ({"messages": "[{"}, "a list is wanted, or JSON of one"),
        ({"messages": "[" * 9000}, "a list is wanted, or JSON of one"),
        ({"messages": [MESSAGES[1] | {"audios": "a/1.wav"}]}, "audios: a list is wanted, or JSON of one"),
        ({"response": ""}, "response: there is nothing in it"),
        ({"response": " \n"}, "response: there is nothing in it"),
        ({"audio_sha256": ["ab", "cd"]}, "audio_sha256: there are 2, and 1 audios"),
        ({"response": None}, "response: is missing"),
        ({"response": math.nan}, "response: is missing"),
        ({"duration": math.inf}, "duration: Input should be a finite number"),
        ({"duration": -5.0}, "duration: Input should be greater than 0"),
        ({"duration": 1e300}, "duration: Input should be less than or equal to 1000000"),
        ({"id": 2.5}, "id: Input should be a valid string"),
        ({"messages": [*MESSAGES, {"role": "assistant", "content": "It is a"}]}, "the last is the assistant's"),
        ({"messages": MESSAGES[:1]}, "the last is the system's"),
    ],
)
def test_a_row_that_cannot_be_learned_from_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = write(tmp_path / "train.jsonl", RELEASED, RELEASED | change)
    with pytest.raises(AkbError, match=words) as error:
        list(read(path))
    assert error.value.where == f"{path}:2"
    assert "; " not in error.value.what  # nothing beside what is wrong


@pytest.mark.parametrize("audios", [["a/1.wav"], '["a/1.wav"]', '[{"audio": "a/1.wav"}]', [{"audio": "a/1.wav"}]])
def test_audios_may_be_paths_alone_and_json_in_a_text(tmp_path: Path, audios: Any) -> None:
    (row,) = read(write(tmp_path / "train.jsonl", RELEASED | {"messages": [MESSAGES[1] | {"audios": audios}]}))
    assert row.audios == (Sounding(audio=str(tmp_path / "a" / "1.wav")),)


def test_what_tables_have_in_place_of_nothing_is_nothing(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"messages": [json.dumps(MESSAGES)] * 2, "response": ["Yes."] * 2, "duration": [math.nan, 2.0],
               "id": [7.0, math.nan], "dataset": [None, None]}  # fmt: skip
    parquet.write_table(pyarrow.Table.from_pydict(columns), tmp_path / "a.parquet")
    found = list(read(tmp_path / "a.parquet"))
    assert [(row.duration, row.id, row.dataset) for row in found] == [(None, "7", ""), (2.0, "", "")]
    silent = [{"role": "user", "content": "<|AUDIO|>", "audios": [{"audio": "a.wav", "text": math.nan}]},
              {"role": "user", "content": "And?", "audios": math.nan}]  # fmt: skip
    (row,) = read(write(tmp_path / "b.jsonl", RELEASED | {"messages": silent}))
    assert [audio.text for audio in row.audios] == [""]


def test_of_a_saved_dataset_with_splits_one_is_to_be_named(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    part = datasets.Dataset.from_list([RELEASED])
    datasets.DatasetDict({"test": part, "train": part}).save_to_disk(str(tmp_path / "all"))
    with pytest.raises(AkbError, match="the dataset has splits: train, test") as error:
        list(read(tmp_path / "all"))
    assert error.value.fix == f"Name one: {tmp_path / 'all' / 'train'}"
    assert len(list(read(tmp_path / "all/train"))) == 1


def test_a_folder_without_rows_and_a_file_that_is_no_parquet_are_errors(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="no JSONL or Parquet file"):
        list(read(tmp_path))
    write(tmp_path / "a.parquet", "no")
    with pytest.raises(AkbError, match="cannot be read as Parquet"):
        list(read(tmp_path / "a.parquet"))


def test_a_row_is_written_as_it_is_read(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path / "one.jsonl", RELEASED | {"audio_sha256": ["ab"], "duration": 5.0}))
    (tmp_path / "two.jsonl").write_text(row.line(), "utf-8")
    assert list(read(tmp_path / "two.jsonl")) == [row]
    assert "audios" not in json.loads(row.line())["messages"][0]
    assert Row.model_validate(RELEASED).line().count("\n") == 1


# -- contamination -------------------------------------------------------------------------------------------------


def evaluated(*texts: str) -> Evaluated:
    found = Evaluated()
    questions = [Question(f"q{n}", text, ("a", "b"), 0, audio=(Clip(f"{n:064}", "x"),)) for n, text in enumerate(texts)]
    found.add("bench", questions, [Clip("f" * 64, "y")])
    return found


def test_audio_is_known_by_its_bytes_with_the_question_that_it_belongs_to() -> None:
    found = evaluated("What is heard?", "Who speaks?")
    assert found.clips == {f"{0:064}": "bench/q0", f"{1:064}": "bench/q1", "f" * 64: "bench"}
    assert found.told()["compared"] == {"bench": {"questions": 2, "clips": 3}}


@pytest.mark.parametrize(
    "text",
    [
        "In which of these rooms was the clip of the barking dog recorded?",
        "in which of these rooms was the clip of the barking dog recorded",
        "Listen. In which of these rooms was the clip of the barking dog recorded, do you think?",
        "In which of these rooms was the clip of the barking dog made?",
        "¿Dónde suena?",
        "donde, SUENA".replace("o", "ó", 1),
    ],
)
def test_a_question_is_found_with_other_case_marks_frame_or_last_word(text: str) -> None:
    found = evaluated("In which of these rooms was the clip of the barking dog recorded?", "Dónde suena")
    assert found.asks(text) is not None


@pytest.mark.parametrize(
    "text",
    ["", "What is heard?", "In which of these rooms does a cat live?", "Dónde suena la campana", "the barking dog"],
)
def test_what_only_resembles_a_question_is_not_taken_for_it(text: str) -> None:
    found = evaluated("In which of these rooms was the clip of the barking dog recorded?", "Dónde suena")
    assert found.asks(text) is None


def test_the_digest_changes_with_what_is_compared() -> None:
    assert evaluated("a b").digest == evaluated("a b").digest != evaluated("a c").digest
