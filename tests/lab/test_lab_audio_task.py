"""The task lab-audio: clips are made when they are first wanted, whole or not at all, and known by their bytes."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import wave
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from akb.errors import AkbError
from akb.evaluation import unmanned
from akb.lab.sound import render
from akb.plan import Plan, RunConfig
from akb.registry import Registry
from akb.tasks import rendered as module
from akb.tasks.asking import Asking
from akb.tasks.folder import Folder
from akb.tasks.fresh import task_of
from akb.tasks.rendered import RenderedTask, rendered, scene_hash
from akb.validation import check_content

FOLDER = Path(__file__).resolve().parents[2] / "tasks" / "lab-audio"
AKB = Path(sys.executable).with_name("akb")
N = 24


def part(tmp_path: Path, count: int = N) -> Path:
    """A task folder with some of the items, of all templates in turn."""
    folder = tmp_path / "content" / "some-audio"
    folder.mkdir(parents=True)
    shutil.copy(FOLDER / "taxonomy.yaml", folder)
    told = (FOLDER / "task.yaml").read_text("utf-8").replace("name: lab-audio", "name: some-audio")
    (folder / "task.yaml").write_text(told, "utf-8")
    lines = (FOLDER / "questions.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "questions.jsonl").write_text("".join(lines[:count]), "utf-8")
    return folder


def task(folder: Path, listen: str = "audio") -> RenderedTask:
    protocol, prompt = Registry().protocol("akb-v1")
    made = task_of(Folder.read(folder), Asking(protocol, prompt, listen=listen))
    assert isinstance(made, RenderedTask)
    return made


def wavs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "some-audio").glob("*.wav"))


def akb(*args: object, cache: Path, **env: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, "AKB_CACHE": str(cache), **env}
    return subprocess.run([AKB, *map(str, args)], env=told, capture_output=True, text=True, check=False, timeout=300)


# -- clips --


def test_a_clip_is_16_khz_mono_of_16_bits_with_the_samples_of_its_scene(tmp_path: Path) -> None:
    made = task(part(tmp_path))
    for question, (_, item) in zip(made.questions(), made.items, strict=True):
        [clip] = question.audio
        with wave.open(clip.path) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
            heard = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
        assert np.abs(heard - render(item.scene)).max() < 1 / 32767
        assert clip.sha256 == sha256(Path(clip.path).read_bytes()).hexdigest()
        assert np.abs(heard).max() > 0.005
    assert len(wavs(tmp_path)) == N


def test_no_clip_of_the_benchmark_is_silent_or_passes_full_scale_or_is_long() -> None:
    for _, item in task(FOLDER).items:
        peak = float(np.abs(render(item.scene)).max())  # a mixture over full scale is an error
        assert 0.01 < peak < 0.999, item.id
        assert 0.5 < item.scene.seconds <= 10, item.id


def test_questions_say_that_they_are_synthetic_and_what_they_need(tmp_path: Path) -> None:
    for question in task(part(tmp_path), "none").questions():
        assert question.meta["synthetic"] is True
        assert question.meta["needs"] in ("perception", "knowledge")


def test_clips_have_the_same_bytes_in_every_process_and_by_one_or_many(tmp_path: Path) -> None:
    scenes = [item.scene for _, item in task(part(tmp_path)).items]
    alone = [path.read_bytes() for path in rendered(scenes, "alone", workers=1)]
    assert [path.read_bytes() for path in rendered(scenes, "many", workers=2)] == alone


def planned(folder: Path, listen: str, **more: Any) -> Plan:
    """A run of the baseline, before it starts."""
    registry = Registry(include=(folder,))
    config = RunConfig(model="first", task=("some-audio",), listen=listen, **more)
    [selection] = registry.select(config.task)
    return unmanned(config, registry, selection)


def test_of_a_part_only_its_own_clips_are_made(tmp_path: Path) -> None:
    folder = part(tmp_path)
    plan = planned(folder, "audio", limit=5)
    asked = {clip.sha256 for trial in plan.trials() for clip in trial.question.audio}
    assert len(asked) == len(wavs(tmp_path)) == 5
    assert {clip.sha256 for clip in plan.clips()} == asked
    assert plan.identity["task"]["audio"] == task(folder, "none").describe()["audio"]
    assert len(wavs(tmp_path)) == 5


def test_of_a_category_only_its_own_clips_are_made(tmp_path: Path) -> None:
    registry = Registry(include=(part(tmp_path),))
    config = RunConfig(model="first", task=("some-audio/music",))
    [selection] = registry.select(config.task)
    trials = list(unmanned(config, registry, selection).trials())
    assert {trial.question.category for trial in trials} == {"music"}
    assert len(wavs(tmp_path)) == len(trials) == N // 3


@pytest.mark.parametrize("listen", ["shuffled", "shuffled-caption:acoustic"])
def test_another_items_clips_are_made_for_the_questions_that_are_asked(tmp_path: Path, listen: str) -> None:
    folder = part(tmp_path)
    few, seen = planned(folder, listen, limit=4), {}
    for question in few.questions():
        [own], [other] = question.audio, few.task.hearing.clips(question)  # type: ignore[attr-defined]
        assert own.sha256 != other.sha256
        seen[question.id] = other.sha256
    assert len(wavs(tmp_path)) <= 8
    assert {clip.sha256 for clip in few.clips()} == set(seen.values())
    whole = planned(folder, listen)
    hears = {q.id: clip.sha256 for q in whole.questions() for clip in whole.task.hearing.clips(q)}  # type: ignore[attr-defined]
    assert hears.items() >= seen.items()
    assert sorted(hears.values()) == sorted(q.audio[0].sha256 for q in whole.questions())


def test_a_clip_that_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = part(tmp_path)
    before = [question.audio for question in task(folder).questions()]
    monkeypatch.setattr(module, "_make", lambda missing, workers: pytest.fail(f"{len(missing)} are made again"))
    assert [question.audio for question in task(folder).questions()] == before


@pytest.mark.parametrize("damage", [b"", b"RIFF"], ids=["empty", "cut"])
def test_a_clip_that_is_not_whole_is_made_again(damage: bytes, tmp_path: Path) -> None:
    folder = part(tmp_path)
    before = [question.audio for question in task(folder).questions()]
    wavs(tmp_path)[3].write_bytes(damage)
    assert [question.audio for question in task(folder).questions()] == before


def test_without_hearing_nothing_is_rendered_and_the_task_is_the_same(tmp_path: Path) -> None:
    folder = part(tmp_path)
    deaf = task(folder, "none")
    assert not any(question.audio for question in deaf.questions())
    told = deaf.describe()
    assert not (tmp_path / "cache").exists()
    heard = task(folder)
    assert all(question.audio for question in heard.questions())
    assert heard.describe() == told


def test_another_scene_or_renderer_is_another_task_and_another_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = task(part(tmp_path), "none")
    told, name = made.describe(), scene_hash(made.items[0][1].scene)
    monkeypatch.setattr(module, "RENDERER", "0")
    assert made.describe()["audio"] != told["audio"]
    assert scene_hash(made.items[0][1].scene) != name


def test_a_wrong_scene_is_named_by_file_line_and_field(tmp_path: Path) -> None:
    folder = part(tmp_path)
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text("utf-8").splitlines()]
    rows[1]["scene"]["events"][0]["source"] = "dragon"
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(AkbError) as error:
        list(task(folder, "none").questions())
    assert error.value.where.endswith("questions.jsonl:2")
    assert "dragon" in error.value.what


# -- kills and disks --


def test_a_kill_in_the_middle_leaves_whole_clips_only_and_the_next_goes_on(tmp_path: Path) -> None:
    folder, cache = part(tmp_path, 96), tmp_path / "cache"
    args = [AKB, "eval", "-m", "first", "-t", "some-audio", "--include", folder.parent, "-o", "run"]
    process = subprocess.Popen([*map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)  # fmt: skip
    while not wavs(tmp_path) and process.poll() is None:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    there = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in wavs(tmp_path)}
    assert 0 < len(there) < 96
    again = akb(*args[1:], cache=cache)
    assert again.returncode == 0, again.stderr
    assert len(wavs(tmp_path)) == 96
    fresh = rendered([item.scene for _, item in task(folder).items], "fresh", workers=1)
    assert [path.read_bytes() for path in sorted(fresh)] == [path.read_bytes() for path in wavs(tmp_path)]
    assert all(path.stat().st_mtime_ns == made for path, (_, made) in there.items())


def test_a_full_disk_is_told_and_leaves_no_part_of_a_clip(tmp_path: Path) -> None:
    folder, cache = part(tmp_path, 4), tmp_path / "cache"
    args = ("eval", "-m", "first", "-t", "some-audio", "--no-cache", "--include", folder.parent)
    env = {**os.environ, "AKB_CACHE": str(cache)}
    done = subprocess.run([str(AKB), *map(str, args)], env=env, capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY)))  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert "AKB_CACHE" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((cache / "some-audio").iterdir())


def test_a_cache_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    folder = part(tmp_path, 4)
    (tmp_path / "file").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AKB_CACHE", str(tmp_path / "file" / "cache"))
        with pytest.raises(AkbError, match="cannot be written: Not a directory") as error:
            list(task(folder).questions())
    assert "AKB_CACHE" in error.value.fix


def test_what_a_killed_process_left_is_taken_away_a_day_later(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "some-audio"
    folder.mkdir(parents=True)
    old, new = folder / ".a.1.part", folder / ".b.2.part"
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    list(task(part(tmp_path, 4)).questions())
    assert not old.exists()
    assert new.exists()


# -- the command line --


@pytest.mark.slow
def test_eval_shows_the_groups_and_none_hears_nothing(tmp_path: Path) -> None:
    args = ("eval", "-m", "first", "-t", "lab-audio", "--no-cache", "--json")
    deaf = akb(*args, "--listen", "none", cache=tmp_path / "cache")
    assert deaf.returncode == 0, deaf.stderr
    assert not list(tmp_path.rglob("*.wav"))
    heard = akb(*args, cache=tmp_path / "cache")
    assert heard.returncode == 0, heard.stderr
    assert len(list((tmp_path / "cache" / "lab-audio").glob("*.wav"))) == 768
    for run in (json.loads(done.stdout)[0] for done in (deaf, heard)):
        rows: dict[str, Any] = {json.dumps(row): row["n"] for row in run["rows"]}
        for group in ("sound", "music", "speech"):
            assert next(count for text, count in rows.items() if f'"{group}"' in text) == 256
        assert run["rows"][0]["n"] == 768


def test_ls_counts_the_questions_of_each_part(tmp_path: Path) -> None:
    listed = {row["name"]: row["questions"] for row in json.loads(akb("ls", "tasks", "--json", cache=tmp_path).stdout)}
    assert listed["lab-audio"] == 768
    assert [listed[f"lab-audio/{group}"] for group in ("sound", "music", "speech")] == [256] * 3


def test_validate_proves_every_answer_and_renders_nothing(tmp_path: Path) -> None:
    report = check_content(FOLDER)
    assert not report.findings
    assert report.counts["proofs"] == report.counts["questions"] == 768
    assert not (tmp_path / "cache").exists()


def test_validate_finds_a_wrong_key_and_a_clip_used_twice(tmp_path: Path) -> None:
    folder = part(tmp_path)
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text("utf-8").splitlines()]
    rows[0]["answer"] = (rows[0]["answer"] + 1) % 4
    rows.append({**rows[1], "id": "another"})
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    told = [finding.what for finding in check_content(folder).errors]
    assert any("not the key" in what for what in told)
    assert any(what.startswith("scene: is also that of") for what in told)
