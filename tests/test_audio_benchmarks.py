"""MMAU and MMAR as their owners publish them, and the mappings of docs/audio-benchmarks.md.

MMAU's question file is the one that AKB_MMAU names, or ../shared/data/mmau/mmau-test-mini.json beside the checkout.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from audio_folder import ROOT, listed, own, sound, task

from akb.errors import AkbError

BESIDE = ROOT.parent / "shared" / "data" / "mmau" / "mmau-test-mini.json"
MMAU = Path(os.environ.get("AKB_MMAU") or BESIDE)
DOCS = (ROOT / "docs" / "audio-benchmarks.md").read_text("utf-8")


MADE = {
    "mmau-pro": [
        {"id": "p1", "audio_path": ["data/a.wav", "data/b.wav"], "question": "Which is louder?", "choices": ["a", "b"],
         "answer": "b", "category": "multi", "task_identifier": "loudness", "length_type": "short"},
    ],
    "mmsu": [
        {"id": "s1", "task_name": "stress", "audio_path": "s1.wav", "question": "Which word is stressed?",
         "choice_a": "this", "choice_b": "that", "choice_c": "it", "choice_d": "none", "answer_gt": "that",
         "category": "Perception", "sub-category": "Phonology"},
    ],
    "air-bench": [
        {"uniq_id": 7, "path": "x.wav", "task_name": "Audio_Grounding", "dataset_name": "set", "question": "When?",
         "choice_a": "1 s", "choice_b": "2 s", "choice_c": "3 s", "choice_d": None, "answer_gt": "3 s"},
        {"uniq_id": 8, "path": "y.wav", "task_name": "Gender", "dataset_name": "set", "question": "Who?",
         "choice_a": "male", "choice_b": "female", "answer_gt": "male"},
    ],
    "sakura": [
        {"file": "g1.wav", "instruction": "What is the speaker's gender? (a) male (b) female", "answer": "(a) male",
         "track": "Gender", "hop": "single"},
    ],
}  # fmt: skip
FILES = {
    "mmau-pro": ["data/a.wav", "data/b.wav"],
    "mmsu": ["audio/s1.wav"],
    "air-bench": ["Audio_Grounding_set/x.flac", "Gender_set/y.wav"],
    "sakura": ["audio/g1.wav"],
}
READ = {
    "mmau-pro": [("multi", "loudness", 2, "b", 2)],
    "mmsu": [("Perception", "stress", 4, "that", 1)],
    "air-bench": [("Audio_Grounding", "set", 3, "3 s", 1), ("Gender", "set", 2, "male", 1)],
    "sakura": [("Gender", "single", 2, "male", 1)],
}


@pytest.mark.parametrize("name", MADE)
def test_the_mappings_of_the_docs_read_records_of_that_shape(tmp_path: Path, name: str) -> None:
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)]
    [told] = [block for block in blocks if block.get("name") == name]
    folder, data = tmp_path / name, tmp_path / "data"
    folder.mkdir()
    (folder / "task.yaml").write_text(yaml.safe_dump(told), "utf-8")
    for file in FILES[name]:
        sound(data / file)
    (data / "records.json").write_text(json.dumps(MADE[name]), "utf-8")
    found = [(q.category, q.subcategory, len(q.options), q.options[q.answer], len(q.audio))
             for q in listed(task(folder, data))]  # fmt: skip
    assert found == READ[name]


# -- MMAU and MMAR --


@pytest.mark.parametrize("name", ["mmau", "mmar"])
def test_a_benchmark_that_is_not_here_says_how_to_get_it(name: str) -> None:
    with pytest.raises(AkbError, match="its questions are not here") as caught:
        listed(task(ROOT / "tasks" / name))
    assert f"akb fetch {name}" in caught.value.fix
    assert "--data DIR" in caught.value.fix


def test_a_task_knows_whether_its_questions_are_here(tmp_path: Path) -> None:
    assert not task(ROOT / "tasks" / "mmau").is_here
    assert task(ROOT / "tasks" / "mmau", tmp_path).is_here
    assert task(own(tmp_path, [])).is_here


def test_the_command_line_says_how_to_get_a_benchmark(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "akb", "eval", "-m", "random", "-t", "mmau", "-p", "akb-v1-loglik"],
                          capture_output=True, text=True, cwd=tmp_path, timeout=120)  # fmt: skip
    assert done.returncode == 2
    assert "akb fetch mmau" in done.stderr
    assert "--data DIR" in done.stderr


def test_mmar_records_are_read(tmp_path: Path) -> None:
    row = {"id": "m1", "audio_path": "./audio/m1.wav", "question": "Who?", "choices": ["a cat", "a dog", "both"],
           "answer": "both", "modality": "mix-sound-speech", "category": "Semantic Layer", "sub-category": "Content",
           "language": "en", "url": "https://v.example", "timestamp": "00:01", "thinking": "..."}  # fmt: skip
    (tmp_path / "MMAR-meta.json").write_text(json.dumps([row]), "utf-8")
    sound(tmp_path / "audio" / "m1.wav")
    [question] = listed(task(ROOT / "tasks" / "mmar", tmp_path))
    assert (question.category, question.subcategory) == ("mix-sound-speech", "Semantic Layer")
    assert question.meta == {"sub-category": "Content", "language": "en", "audio_names": ["audio/m1.wav"]}
    assert len(question.audio) == 1


there = pytest.mark.skipif(not MMAU.is_file(), reason="the file of MMAU test-mini is not there (set AKB_MMAU)")


@pytest.fixture(scope="module")
def mmau(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MMAU's question file as it is, and a second of audio for each of its records."""
    folder = tmp_path_factory.mktemp("mmau")
    (folder / "mmau-test-mini.json").write_bytes(MMAU.read_bytes())
    for row in json.loads(MMAU.read_text("utf-8")):
        sound(folder / row["audio_id"], row["id"])
    return folder


@there
def test_mmau_is_read_whole_with_its_audio_its_groups_and_its_version(mmau: Path) -> None:
    records = json.loads(MMAU.read_text("utf-8"))
    made = task(ROOT / "tasks" / "mmau", mmau)
    questions = listed(made)
    assert len(questions) == 1000
    assert len({clip.sha256 for q in questions for clip in q.audio}) == 1000
    for row, question in zip(records, questions, strict=True):
        assert list(question.options) == row["choices"]
        assert question.options[question.answer] == row["answer"]
        assert (question.category, question.subcategory) == (row["task"], row["sub-category"])
        [reasoning] = row["category"] if isinstance(row["category"], list) else [row["category"]]
        assert question.meta == {"category": reasoning, "difficulty": row["difficulty"],
                                 "dataset": row["dataset"], "split": "test-mini",
                                 "audio_names": [f"test-mini-audios/{row['id']}.wav"]}  # fmt: skip
        assert Path(question.audio[0].path).name == f"{row['id']}.wav"
    assert made.describe()["version"] == "v05.15.25"
    assert made.describe()["audio"].startswith("sha256:")


@there
def test_the_odd_records_of_mmau_are_those_that_are_known(mmau: Path) -> None:
    known = {"2 options": 27, "5 options": 24, "8 options": 1, "duplicate options": 27, "category given as a list": 13}
    assert task(ROOT / "tasks" / "mmau", mmau).oddities() == known


@there
def test_a_version_of_mmau_that_is_not_known_is_used_and_named_by_its_hash(tmp_path: Path) -> None:
    records = json.loads(MMAU.read_text("utf-8"))[:3]
    content = json.dumps(records)
    (tmp_path / "mmau-test-mini.json").write_text(content, "utf-8")
    made = task(ROOT / "tasks" / "mmau", tmp_path, listen="none")
    assert made.describe()["version"] == f"unknown version sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    assert len(listed(made)) == 3


@there
def test_what_was_fetched_is_found_without_being_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKB_CACHE", str(tmp_path))
    home = tmp_path / "data" / "mmau"
    home.mkdir(parents=True)
    (home / "mmau-test-mini.json").write_bytes(MMAU.read_bytes())
    with pytest.raises(AkbError, match="none of its audio is here") as caught:
        listed(task(ROOT / "tasks" / "mmau"))
    assert "akb fetch mmau" in caught.value.fix
    assert len(listed(task(ROOT / "tasks" / "mmau", listen="none"))) == 1000
    sound(home / "test-mini-audios" / f"{json.loads(MMAU.read_text('utf-8'))[0]['id']}.wav")
    questions = listed(task(ROOT / "tasks" / "mmau"))
    assert [len(q.audio) for q in questions] == [1] + [0] * 999
