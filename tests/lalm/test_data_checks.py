"""What of data is refused, told of or made anew: bad records, recipes that cannot be trained, clips of evaluations."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from data_parts import Backbone, asked, clips, lines, make, making, recipe, watch, write_clip
from filelock import FileLock

from akb import content
from akb.errors import AkbError
from akb.files import file_sha256
from akb.lalm.data import contamination
from akb.lalm.data.contamination import Evaluated
from akb.lalm.data.making import LOCK
from akb.lalm.data.preparing import DESCRIPTIONS
from akb.lalm.data.rows import read
from akb.lalm.recipe import Recipe
from akb.strict import parse
from akb.types import Clip, Question

# -- bad input -----------------------------------------------------------------------------------------------------


def test_faulty_records_stop_it_before_anything_is_asked_or_are_left_out_and_named(tmp_path: Path) -> None:
    log, path = tmp_path / "log", clips(tmp_path / "in")
    (tmp_path / "in" / "wav" / "4.wav").unlink()
    with pytest.raises(AkbError, match=r"1 without their audio: .*clips.jsonl:5: .*4.wav: there is no such file"):
        make(recipe(path), Backbone(log), tmp_path / "out")
    assert asked(log) == []
    assert not (tmp_path / "out" / "descriptions.jsonl").exists()
    report = make(recipe(path), Backbone(log), tmp_path / "out", skip_faulty=True)
    assert report["rows"]["kept"] == 5
    assert [(fault["where"], fault["kind"]) for fault in report["faults"]] == [(f"{path}:5", "missing")]


def test_a_recipe_without_manifests_or_with_nothing_in_them_says_so(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="names no manifest"):
        make(recipe(), Backbone(tmp_path / "log"), tmp_path / "out")
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(AkbError, match="no clip is left"):
        make(recipe(tmp_path / "none.jsonl"), Backbone(tmp_path / "log"), tmp_path / "out")


def test_a_manifest_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="no such manifest") as error:
        make(recipe(tmp_path / "gone.jsonl"), Backbone(tmp_path / "log"), tmp_path / "out")
    assert "data.manifests" in str(error.value)


@pytest.mark.parametrize("how", ["named", "saved"])
def test_datasets_are_made_into_rows(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    rows = [{**json.loads(line), "audio": str(tmp_path / "in" / json.loads(line)["audio"])}
            for line in clips(tmp_path / "in", 4).read_text().splitlines()]  # fmt: skip
    for row in rows:
        row.update({name: row.get(name, "") for name in ("text", "caption")}, attributes=row.get("attributes", {}))
    if how == "named":  # as of the hub: `datasets` finds the file in the folder
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        path = f"datasets:{tmp_path / 'own'}"
    else:
        datasets.DatasetDict({"train": datasets.Dataset.from_list(rows)}).save_to_disk(str(tmp_path / "own"))
        path = str(tmp_path / "own" / "train")
    report = make(recipe({"path": path}), Backbone(tmp_path / "log"), tmp_path / "out")
    assert report["rows"]["kept"] == 4


def made_anew(path: Path, out: Path, evaluated: Evaluated | None = None, **how: Any) -> bool:
    """Whether descriptions are written once more."""
    before = (out / "descriptions.jsonl").stat().st_ino
    making(recipe(path), Backbone(out / "log"), out, evaluated, **how).prepare()
    return (out / "descriptions.jsonl").stat().st_ino != before


def test_descriptions_are_made_once_and_again_when_anything_that_they_are_made_of_changes(tmp_path: Path) -> None:
    path, out = clips(tmp_path / "in"), tmp_path / "out"
    making(recipe(path), Backbone(tmp_path / "log"), out).prepare()
    whole = (out / "descriptions.jsonl").read_bytes()
    assert not made_anew(path, out)
    assert made_anew(path, out, fresh=True)
    path.write_text(path.read_text() + "\n")
    assert made_anew(path, out)
    write_clip(tmp_path / "in" / "wav" / "0.wav", 77)  # other audio of the same length, in the same place
    assert made_anew(path, out)
    assert made_anew(path, out, of_a_benchmark(path))
    assert not made_anew(path, out, of_a_benchmark(path))
    for name in ("prepared.json", "descriptions.jsonl"):
        (out / name).write_bytes((out / name).read_bytes()[:-30])  # cut off
        assert made_anew(path, out, of_a_benchmark(path))
    now = [{k: v for k, v in row.items() if k != "sha256"} for row in lines(out / "descriptions.jsonl")]
    assert now == [{k: v for k, v in json.loads(line).items() if k != "sha256"} for line in whole.splitlines()]


def test_manifests_of_one_file_name_do_not_take_each_others_clips(tmp_path: Path) -> None:
    one, two = (clips(tmp_path / name, 3) for name in ("a", "b"))
    with pytest.raises(AkbError, match=rf"3 not of the right form: {two}:1: .*clips/wav/0.wav' is also in {one}"):
        make(recipe(one, two), Backbone(tmp_path / "log"), tmp_path / "out")
    report = make(recipe(one, {"path": str(two), "dataset": "two"}), Backbone(tmp_path / "log"), tmp_path / "out")
    assert report["rows"]["kept"] == 6


def test_only_what_is_told_of_a_clip_is_known_to_prompts(tmp_path: Path) -> None:
    path = clips(tmp_path / "in", 1)
    segments = [{"start": 0, "end": 0.5, "text": "Hi"}, {"start": 0.5, "end": 1, "attributes": {"Speaker": "unknown"}}]
    attributes = {"Emotion": "", "Accent": "N/A", "Tempo": float("nan"), "Noisy": True}
    for last, known in ((segments[1], ["noisy", "text"]), (segments[0] | {"start": 0.4}, ["noisy", "several", "text"])):
        row = {"audio": "wav/0.wav", "kind": "speech", "segments": [segments[0], last], "attributes": attributes}
        path.write_text(json.dumps(row) + "\n")
        making(recipe(path), Backbone(tmp_path / "log"), tmp_path / "out").prepare()
        (found,) = lines(tmp_path / "out" / "descriptions.jsonl")
        assert found["known"] == known
        assert "Noisy: yes" in found["description"]


def test_a_prompt_that_is_written_otherwise_now_is_asked_again(tmp_path: Path) -> None:
    path, log = clips(tmp_path / "in", 1), tmp_path / "log"
    for words in ("What is heard?", "what  is heard?"):
        path.write_text(json.dumps(lines(path)[0] | {"prompts": [words]}) + "\n")
        make(recipe(path), Backbone(log), tmp_path / "out")
        assert words in [row.prompt for row in read(tmp_path / "out" / "train.jsonl")]
    assert len(set(asked(log))) == 3


def test_clips_that_are_longer_than_an_encoder_hears_are_counted(tmp_path: Path) -> None:
    path = clips(tmp_path / "in", 2)
    write_clip(tmp_path / "in" / "wav" / "1.wav", 1, seconds=31)
    assert making(recipe(path), Backbone(tmp_path / "log"), tmp_path / "out").foreseen()["clips over 30 s"] == 1


def test_data_of_which_no_row_is_kept_are_an_error(tmp_path: Path) -> None:
    told = dict.fromkeys(("clip0", "clip1"), "cut")
    with pytest.raises(AkbError, match="not one of 2 rows is kept; dropped are 2 truncated"):
        make(recipe(clips(tmp_path / "in", 2)), Backbone(tmp_path / "log", told), tmp_path / "out")
    assert len(json.loads((tmp_path / "out" / "report.json").read_text())["drops"]) == 2


def test_two_processes_do_not_make_the_same_data(tmp_path: Path) -> None:
    backbone = Backbone(tmp_path / "log")
    made = making(recipe(clips(tmp_path / "in")), backbone, tmp_path / "out")
    with FileLock(str(tmp_path / "out" / LOCK)), pytest.raises(AkbError, match="another akb process is making") as told:
        made.make(watch)
    assert "--out" not in str(told.value)
    assert not (tmp_path / "out" / DESCRIPTIONS).exists()  # nothing was written before the lock was taken
    assert made.make(watch)["rows"]["kept"] == 6


# -- a recipe that cannot be trained -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"prompt": {"placeholder": "nope"}}, "prompt.placeholder is 'nope', which is not one added token"),
        ({"train": {"max_length": 80}}, r"6 of 6 rows could not be trained on: .*#\w+: the prompt takes \d+ tokens"),
        ({"backbone": "random"}, "one of transformers is wanted"),
        ({"encoder": {"model": "ear"}}, "for an encoder of 7 blocks no taps are known"),
        ({"backbone": "untold"}, "the backbone has no chat template"),
    ],
)
def test_what_training_would_refuse_is_told_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: dict[str, Any], words: str
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ear").mkdir()
    (tmp_path / "ear" / "config.json").write_text('{"model_type": "whisper", "encoder_layers": 7}')
    reader = content.builtin() / "adapters" / "akb-reader"
    shutil.copytree(reader, tmp_path / "untold", ignore=shutil.ignore_patterns("*.jinja", "*.safetensors"))
    told = recipe(clips(tmp_path / "in")).model_dump() | part
    with pytest.raises(AkbError, match=words):
        make(parse(Recipe, told, "test"), Backbone(tmp_path / "log"), tmp_path / "out")
    assert asked(tmp_path / "log") == []


# -- contamination -------------------------------------------------------------------------------------------------


def of_a_benchmark(path: Path) -> Evaluated:
    """A benchmark that uses the file, asks what a caption says, and asks a prompt of the pool."""
    found = Evaluated()
    questions = [
        Question("q1", "Who?", ("a", "b"), 0, audio=(Clip(file_sha256(path), str(path)),)),
        Question("q2", "There is the sound of a clip4", ("a", "b"), 0),
        Question("q3", "how long does the clip last", ("a", "b"), 0),
    ]
    found.add("bench", questions, [])
    return found


def test_audio_of_an_evaluation_is_refused_dropped_or_kept_and_told_of(tmp_path: Path) -> None:
    log, made = tmp_path / "log", recipe(clips(tmp_path / "in"))
    against = of_a_benchmark(tmp_path / "in" / "wav" / "2.wav")
    with pytest.raises(AkbError, match=r"1 clips are audio of evaluations: .*2.wav is the audio of bench/q1"):
        make(made, Backbone(log), tmp_path / "out", against)
    assert asked(log) == []
    report = make(made, Backbone(log), tmp_path / "out", against, contaminated="drop")
    assert report["rows"]["kept"] == 5
    assert all("2.wav" not in row.id for row in read(tmp_path / "out" / "train.jsonl"))
    overlap = report["contamination"]
    assert [(one["id"], one["question"]) for one in overlap["clips"]] == [("clips/wav/2.wav", "bench/q1")]
    assert [(one["id"], one["question"]) for one in overlap["descriptions"]] == [("clips/wav/4.wav", "bench/q2")]
    assert list(overlap["prompts"].values()) == ["bench/q3"]
    assert overlap["rows"] == 0
    assert make(made, Backbone(log), tmp_path / "out", against, contaminated="keep")["rows"]["kept"] == 6


def test_a_clips_own_prompts_labels_and_attributes_are_compared_too(tmp_path: Path) -> None:
    path = clips(tmp_path / "in")
    rows = lines(path)
    rows[0] |= {"prompts": ["How loud is it?", "WHO?"]}
    rows[1] |= {"labels": ["who"]}
    rows[2] |= {"prompts": ["How long does the clip last?"]}
    rows[3]["attributes"] |= {"Speaker": "Who?"}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = make(recipe(path), Backbone(tmp_path / "log"), tmp_path / "out", of_a_benchmark(path))
    overlap = report["contamination"]
    assert {one["id"]: one["text"] for one in overlap["descriptions"] if one["question"] == "bench/q1"} == {
        "clips/wav/1.wav": "who", "clips/wav/3.wav": "Who?"}  # fmt: skip
    kept = {row.id: row.prompt for row in read(tmp_path / "out" / "train.jsonl")}
    asked_ = {kept.get(name, "of the pool"): question for name, question in overlap["prompts"].items()}
    assert asked_ == {"WHO?": "bench/q1", "of the pool": "bench/q3"}
    assert overlap["rows"] == 2  # "WHO?", and the pool's prompt that a clip has as its own


def test_evaluations_that_are_not_at_hand_are_named(tmp_path: Path) -> None:
    from akb.registry import Registry

    found = contamination.gather(Registry(), ("mmau", "mmar"))
    assert set(found.absent) == {"mmau", "mmar"}
    assert found.clips == {}


@pytest.mark.parametrize(
    ("asked_", "text"),
    [
        ("请问这段音频中的说话人是男性还是女性?", "请问这段音频中的说话人是男性还是女性？请解释"),
        ("この音声で話しているのは男性ですか？", "答えてください。この音声で話しているのは男性ですか"),
        ("เสียงนี้มาจากเครื่องดนตรีชนิดใด", "ช่วยบอกว่าเสียงนี้มาจากเครื่องดนตรีชนิดใดครับ"),
        ("Café music is played here, isn't it?", "Cafe\u0301 music is played here, isn't it? Say why."),
        ("Is the ﬁrst ｖｏｉｃｅ higher than the second?", "is the first voice higher than the second, and why"),
        ("Wie groß ist die Straße, auf der es hallt?", "WIE GROSS IST DIE STRASSE, AUF DER ES HALLT? SAG ES"),
    ],
)
def test_questions_are_found_in_any_script_and_form_of_letters(asked_: str, text: str) -> None:
    found = Evaluated()
    found.add("bench", [Question("q", asked_, ("a", "b"), 0)], [])
    match = found.asks(text)
    assert match is not None
    assert match.question == "bench/q"
    assert found.asks("这段音频很长，而且非常安静") is None
    assert found.asks("What does the voice say about the music that is played?") is None
