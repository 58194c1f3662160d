"""Manifests and seed descriptions: what is read of audio with metadata, and how it is written for a backbone."""

from __future__ import annotations

import json
import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from akb.errors import AkbError
from akb.files import file_sha256
from akb.lalm.data.describing import describe, lasting, span, transcript
from akb.lalm.data.manifest import Entry, Fault, Heard, Seen, Source, read, told
from akb.strict import parse


def write_wav(path: Path, seconds: float, level: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(level.to_bytes(2, "little", signed=True) * round(8000 * seconds))
    return path


def manifest(folder: Path, *rows: object) -> Path:
    path = folder / "clips.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def found(path: Path | str, **source: Any) -> list[Heard | Fault]:
    return list(read(Source(path=str(path), **source), Path(), Path("kept")))


def described(seconds: float, **entry: Any) -> str:
    return describe(Heard("x", parse(Entry, {"audio": "x.wav", **entry}, "test"), Path("x.wav"), "", seconds))


# -- descriptions --------------------------------------------------------------------------------------------------


def test_the_descriptions_of_the_recipe_come_out_word_by_word() -> None:
    known = {"Gender": "Female", "Emotion": "Happy"}
    speech = described(5.0, kind="speech", text="Hello world", attributes=known)
    assert speech == "[00:00-00:05] Hello world (Gender: Female, Emotion: Happy, Duration: 5s)"
    sound = described(10.0, kind="sound", caption="There is the sound of a truck.")
    assert sound == "[00:00-00:10] (There is the sound of a truck.)"
    assert (
        described(30.0, kind="music", attributes={"Genre": "reggae"}) == "[00:00-00:30] (Genre: reggae, Duration: 30s)"
    )


def test_segments_have_a_line_each_in_the_order_of_time_and_what_holds_for_all_is_told_once() -> None:
    segments = [
        {"start": 4.6, "end": 9.2, "text": "Bye", "attributes": {"Speaker": "B"}},
        {"start": 0, "end": 4.6, "transcript": "Hi  there", "attributes": {"Speaker": "A", "Emotion": "Calm"}},
        {"start": 9.2, "end": 10, "caption": "A door closes."},
    ]
    entry = {"kind": "speech", "segments": segments, "attributes": {"Language": "English"}}
    assert described(10.0, **entry).splitlines() == [
        "[00:00-00:10] (Language: English, Duration: 10s)",
        "[00:00-00:05] Hi there (Speaker: A, Emotion: Calm, Duration: 5s)",
        "[00:05-00:09] Bye (Speaker: B, Duration: 5s)",
        "[00:09-00:10] (A door closes.) (Duration: 0.8s)",
    ]
    assert transcript(parse(Entry, {"audio": "x.wav", **entry}, "test")) == "Hi there Bye"


def test_labels_are_listed_and_captions_stand_before_attributes() -> None:
    assert described(2, kind="sound", labels=["dog", "rain"]) == "[00:00-00:02] (Sounds: dog, rain, Duration: 2s)"
    line = described(2, kind="music", caption="A slow waltz.", attributes={"Key": "G"})
    assert line == "[00:00-00:02] (A slow waltz.) (Key: G, Duration: 2s)"


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        (0, 4.49, "00:00-00:04"),
        (0, 4.5, "00:00-00:05"),
        (2.5, 3.5, "00:03-00:04"),
        (0.1, 0.3, "00:00-00:01"),
        (59.5, 61, "01:00-01:01"),
        (0, 3661, "00:00-61:01"),
    ],
)
def test_times_are_whole_seconds_with_halves_upwards(start: float, end: float, wanted: str) -> None:
    assert span(start, end) == wanted


def test_a_duration_below_a_second_has_a_decimal() -> None:
    assert [lasting(s) for s in (0.04, 0.26, 0.96, 1.0, 1.5, 29.7)] == ["0.1s", "0.3s", "1.0s", "1s", "2s", "30s"]


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(text=TEXTS, caption=TEXTS, name=TEXTS, value=TEXTS)
def test_no_text_can_bring_in_brackets_or_lines_of_its_own(text: str, caption: str, name: str, value: str) -> None:
    line = described(3, kind="speech", text=text + "x", caption=caption + "x", attributes={name: value})
    assert len(line.splitlines()) == 1
    assert re.fullmatch(r"\[00:00-00:03\] [^\[\]()]+ \([^\[\]()]+\) \([^\[\]()]+\)", line)


def test_brackets_of_a_text_become_braces() -> None:
    line = described(3, kind="speech", text="Well [laughs] (softly)\nyes")
    assert line == "[00:00-00:03] Well {laughs} {softly} yes (Duration: 3s)"


# -- manifests -----------------------------------------------------------------------------------------------------


def test_clips_are_found_beside_the_manifest_and_timed_and_hashed(tmp_path: Path) -> None:
    file = write_wav(tmp_path / "data" / "a" / "one.wav", 1.25)
    path = manifest(tmp_path / "data", {"audio": "a/one.wav", "kind": "speech", "transcript": "Hi"})
    (clip,) = found(path)
    assert isinstance(clip, Heard)
    assert (clip.id, clip.seconds, clip.sha256) == ("clips/a/one.wav", 1.25, file_sha256(file))
    assert clip.entry.text == "Hi"


def test_a_duration_that_is_told_is_described_and_one_that_is_wrong_is_a_fault(tmp_path: Path) -> None:
    write_wav(tmp_path / "one.wav", 3.0)
    row = {"audio": "one.wav", "kind": "music", "caption": "A bell.", "duration": 3.6}
    clip, wrong = found(manifest(tmp_path, row, {**row, "id": "b", "duration": 30}), dataset="bells")
    assert isinstance(clip, Heard)
    assert (clip.id, clip.seconds, describe(clip)) == ("bells/one.wav", 3.0, "[00:00-00:04] (A bell.) (Duration: 4s)")
    assert isinstance(wrong, Fault)
    assert "30 s is told, and the file lasts 3 s" in wrong.what


def test_each_record_that_cannot_be_used_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    write_wav(tmp_path / "one.wav", 1.0)
    (tmp_path / "not.wav").write_text("an error page")
    good = {"audio": "one.wav", "kind": "sound", "caption": "Wind."}
    path = manifest(
        tmp_path,
        good,
        {**good, "audio": "gone.wav"},
        {**good, "kind": "noise"},
        "{not json",
        "[1]",
        {**good, "id": "b", "captoin": "x"},
        {"audio": "one.wav", "kind": "speech", "id": "c"},
        {**good, "audio": "not.wav"},
        good,
        {**good, "id": "d", "segments": [{"start": 3, "end": 2}]},
        {**good, "id": "e", "segments": [{"start": 3, "end": 9, "text": "x"}]},
        {**good, "id": "f"},
    )
    clips = [one for one in found(path) if isinstance(one, Heard)]
    faults = [one for one in found(path) if isinstance(one, Fault)]
    assert [clip.id for clip in clips] == ["clips/one.wav", "clips/f"]
    words = {
        2: "there is no such file", 3: "kind", 4: "not valid JSON", 5: "an object is wanted", 6: "did you mean caption",
        7: "nothing is said of the clip", 8: "not audio but text", 9: "was there before", 10: "is not after start",
        11: "one ends at 9 s, and the clip lasts 1 s",
    }  # fmt: skip
    assert [fault.where for fault in faults] == [f"{path}:{line}" for line in words]
    for fault, word in zip(faults, words.values(), strict=True):
        assert word in fault.what
    assert [fault.kind for fault in faults].count("missing") == 1
    line = told(faults)
    assert line.startswith("8 not of the right form, 1 without their audio, 1 whose audio cannot be heard: ")
    assert f"{path}:2" in line
    assert line.endswith("and 5 more")


def test_a_manifest_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="there is no such file"):
        found(tmp_path / "none.jsonl")
    with pytest.raises(AkbError, match="holds no dataset"):
        found(tmp_path)


def test_two_manifests_of_one_name_are_told_apart_by_the_user(tmp_path: Path) -> None:
    row = {"audio": "one.wav", "kind": "sound", "caption": "Wind."}
    paths = []
    for name in ("a", "b"):
        write_wav(tmp_path / name / "one.wav", 1.0)
        paths.append(manifest(tmp_path / name, row))
    seen: Seen = {}
    first, second = (next(iter(read(Source(path=str(path)), Path(), Path(), seen))) for path in paths)
    assert isinstance(first, Heard)
    assert isinstance(second, Fault)
    assert second.where == f"{paths[1]}:1"
    assert f"'clips/one.wav' is also in {paths[0]}" in second.what
    assert "dataset" in second.what
    (other,) = read(Source(path=str(paths[1]), dataset="other"), Path(), Path(), seen)
    assert isinstance(other, Heard)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ('"caption": "half \\ud800"', "half of a surrogate pair"),
        (f'"caption": "Wind.", "attributes": {{"Tempo": {"9" * 5000}}}', "too many digits"),
        ('"caption": "Wind.", "prompts": ["What is <|AUDIO|>?"]', "holds <|AUDIO|>"),
        ('"caption": "Wind.", "prompts": [" "]', "a prompt is empty"),
    ],
)
def test_what_could_not_be_written_or_asked_is_a_fault_of_its_line(tmp_path: Path, told: str, words: str) -> None:
    write_wav(tmp_path / "one.wav", 1.0)
    good = {"audio": "one.wav", "kind": "sound", "caption": "Wind.", "id": "b"}
    wrong, right = found(manifest(tmp_path, f'{{"audio": "one.wav", "kind": "sound", {told}}}', good))
    assert isinstance(wrong, Fault)
    assert words in wrong.what
    assert isinstance(right, Heard)


@pytest.mark.parametrize("form", ["flac", "mp3", "ogg", "wav"])
def test_a_file_that_was_cut_off_is_found(tmp_path: Path, form: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    noise = np.random.default_rng(0).normal(0, 0.1, 80_000).astype(np.float32)
    soundfile.write(tmp_path / f"one.{form}", noise, 16_000)
    whole = (tmp_path / f"one.{form}").read_bytes()
    (tmp_path / f"half.{form}").write_bytes(whole[: len(whole) // 2])
    row = {"kind": "sound", "caption": "Noise."}
    one, half = found(manifest(tmp_path, *({**row, "audio": f"{name}.{form}"} for name in ("one", "half"))))
    assert isinstance(one, Heard)
    assert one.seconds == pytest.approx(5.0)
    assert isinstance(half, Fault)
    assert half.kind == "unheard"


# -- datasets ------------------------------------------------------------------------------------------------------


def test_a_saved_dataset_is_read_with_audio_inside_it_or_beside_it(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    one, two = write_wav(tmp_path / "one.wav", 1.0), write_wav(tmp_path / "two.wav", 2.0, 5)
    audio: list[dict[str, Any]] = [{"bytes": one.read_bytes(), "path": "one.wav"}, {"bytes": None, "path": str(two)}]
    columns = {
        "audio": audio, "kind": ["speech", "sound"], "text": ["Hi", None], "caption": [None, "Wind."], "split": [1, 2],
        "attributes": [{"Gender": "Male", "Place": None}, {"Gender": None, "Place": "Hill"}],
        "segments": [[{"start": 0.0, "end": 0.5, "text": "Hi"}], None],
    }  # fmt: skip
    made = datasets.Dataset.from_dict(columns).cast_column("audio", datasets.Audio(decode=False))
    made.save_to_disk(str(tmp_path / "saved"))
    one.unlink()
    clips = found(tmp_path / "saved")
    assert all(isinstance(clip, Heard) for clip in clips), clips
    assert [describe(clip).splitlines() for clip in clips if isinstance(clip, Heard)] == [
        ["[00:00-00:01] (Gender: Male, Duration: 1s)", "[00:00-00:01] Hi (Duration: 0.5s)"],
        ["[00:00-00:02] (Wind.) (Place: Hill)"],
    ]
    first = clips[0]
    assert isinstance(first, Heard)
    assert first.id == "saved/one.wav"
    assert first.path.read_bytes() == audio[0]["bytes"]
    assert first.path.is_relative_to(tmp_path / "kept")


def test_a_dataset_with_splits_asks_which(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    part = datasets.Dataset.from_dict({"audio": ["a.wav"], "kind": ["sound"], "caption": ["Wind."]})
    datasets.DatasetDict({"train": part, "test": part}).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(AkbError, match="train, test") as error:
        found(tmp_path / "saved")
    assert error.value.fix.endswith("saved/train")
    (gone,) = found(tmp_path / "saved" / "train")
    assert isinstance(gone, Fault)
    assert gone.kind == "missing"
