"""Captions as an artefact: made once by a captioner, kept by the hash of the audio, read by any number of models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from cascade_parts import SOUNDS, Reader, audio_task, captions_file
from tones import write_tone
from toys import SCRIPT, TESTS, akb_here, complaint, lines, plugin

import akb
from akb import AkbError
from akb.audio import clip_of
from akb.calling import Budget
from akb.cascades.captioning import Describing
from akb.cascades.captions import Caption, Captions, Foreseen, joined, joined_ahead
from akb.cascades.cards import Captioner
from akb.engine import Silent
from akb.files import take_lock
from akb.registry import Registry
from akb.tasks.asking import Asking
from akb.types import Clip

N = 12


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the task, and the plugin captioner `counting` installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AKB_CACHE", str(tmp_path / "cache"))
    audio_task(tmp_path / "sounds", N)
    site = tmp_path / "site"
    plugin(site, "akb.captioners", {"counting": "cascade_parts:build"})
    plugin(site, "akb.adapters", {"reader": "cascade_parts:reader"})
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(TESTS), str(TESTS / "cascades")]))
    monkeypatch.syspath_prepend(str(site))
    return tmp_path


def command(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SCRIPT), *map(str, args)], capture_output=True, text=True, timeout=120, check=False)


def caption(*args: object, log: str = "log") -> subprocess.CompletedProcess[str]:
    settings = ("-s", f"captioner.log={log}", "-i", "sounds")
    return command("caption", "-t", "sounds", "--with", "counting:x", *settings, *args)


def described(log: str = "log") -> list[str]:
    return Path(log).read_text("utf-8").split() if Path(log).exists() else []


def the_folder() -> Path:
    (folder,) = Path("captions").iterdir()
    return folder


def told(**fates: str) -> str:
    inside = ", ".join(f'"{name[1:]}": {fate}' for name, fate in fates.items())
    return f"captioner.told={{{inside}}}"


def test_each_clip_is_described_once_and_the_file_says_by_its_hash_what_was_said(here: Path) -> None:
    done = caption("--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["states"] == {"ok": N}
    rows = lines(the_folder() / "captions.jsonl")
    names = {row["file"]: row for row in rows}
    assert sorted(described()) == [f"{n:02}" for n in range(N)]
    for n in range(N):
        row = names[f"{n:02}.wav"]
        assert row["caption"] == f"One hears {SOUNDS[n % 4]} ({n:02})."
        assert (row["state"], row["tokens"], row["cost"]) == ("ok", 7, 0.25)
        assert len(row["audio"]) == 64


def test_captions_of_a_second_task_join_those_of_the_first_and_nothing_is_asked_twice(here: Path) -> None:
    assert caption("-n", 5).returncode == 0
    assert sorted(described()) == [f"{n:02}" for n in range(5)]
    assert caption("--no-cache").returncode == 0
    assert Counter(described()) == {f"{n:02}": 1 for n in range(N)}
    assert len(lines(the_folder() / "captions.jsonl")) == N
    before = (the_folder() / "captions.jsonl").read_bytes()
    assert caption("--no-cache").returncode == 0
    assert len(described()) == N
    assert (the_folder() / "captions.jsonl").read_bytes() == before


def test_fresh_describes_anew(here: Path) -> None:
    assert caption().returncode == 0
    assert caption("--fresh").returncode == 0
    assert Counter(described()) == {f"{n:02}": 2 for n in range(N)}


def test_a_failure_takes_no_captions_place_and_is_told(here: Path) -> None:
    made, clips, args = describing()
    before = made.captions("counting:x", clips[:4], args)
    told = (the_folder() / "captions.jsonl").read_bytes()
    again, _, failing = describing(_00="error", _01="empty", _02="error")
    again.fresh = True
    anew = again.captions("counting:x", clips[:5], failing)
    assert again.failed == {clips[0].sha256, clips[2].sha256}
    assert {clip: anew.of(clip) for clip in clips[:4]} == {
        clip: Caption("", "empty") if clip == clips[1] else before.of(clip) for clip in clips[:4]}  # fmt: skip
    assert Counter(described()) == {"00": 2, "01": 2, "02": 2, "03": 2, "04": 1}
    after, _, args = describing()
    after.captions("counting:x", clips[:5], args)
    assert len(described()) == 9  # nothing is asked again
    assert told != (the_folder() / "captions.jsonl").read_bytes()


def test_the_command_that_described_nothing_anew_is_incomplete_and_says_what_stands(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    args = ("caption", "-t", "sounds", "-i", "sounds", "-w", "counting:x", "-s", "captioner.log=log", "-n", 3)
    assert akb_here(capfd, *args).returncode == 0
    done = akb_here(capfd, *args, "--fresh", "-s", told(_00="error", _01="error"))
    assert done.returncode == 3, done.stderr
    assert "2 clips could not be described anew: what was said of them before stands" in done.stdout
    assert [row["state"] for row in lines(the_folder() / "captions.jsonl")] == ["ok"] * 3
    assert akb_here(capfd, *args).returncode == 0
    assert len(described()) == 6


def test_fresh_describes_anew_the_clips_that_are_asked_for_and_keeps_the_others(here: Path) -> None:
    assert caption().returncode == 0
    assert caption("--fresh", "-n", 3).returncode == 0
    assert Counter(described()) == {f"{n:02}": 1 + (n < 3) for n in range(N)}
    assert len(lines(the_folder() / "captions.jsonl")) == N
    args = ("-m", "reader:x", "-t", "sounds", "-i", "sounds", "--listen", "caption:counting:x", "-s",
            "captioner.log=log", "--control", "none")  # fmt: skip
    assert command("eval", *args, "--fresh").returncode == 0
    assert len(described()) == N + 3


def test_captions_that_were_changed_by_hand_are_refused_before_anybody_reads_them(here: Path) -> None:
    assert caption().returncode == 0
    path = the_folder() / "captions.jsonl"
    path.write_text(path.read_text("utf-8").replace("One hears", "Nobody hears"), "utf-8")
    done = command("eval", "-m", "reader:x", "-t", "sounds", "-i", "sounds", "--listen", "caption:counting:x",
                   "-s", "captioner.log=log")  # fmt: skip
    assert done.returncode == 2
    assert "the file is not what it was" in done.stderr
    assert not Path("runs").exists()


def test_other_settings_of_the_captioner_are_other_captions(here: Path) -> None:
    assert caption().returncode == 0
    assert caption("-s", "captioner.max_tokens=5").returncode == 0
    assert len(list(Path("captions").iterdir())) == 2


def test_what_failed_is_asked_again_and_what_was_said_is_kept(here: Path) -> None:
    done = caption("-s", told(_03="error", _04="empty", _05="refused", _06="cut"), "--json")
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)
    assert found["states"] == {"ok": N - 3, "error": 1, "empty": 1, "refused": 1}
    assert "1 said nothing" in found["notes"][0]
    assert "1 refused" in found["notes"][0]
    assert "1 without a caption" in found["notes"][0]
    assert "1 ended by its budget of tokens" in found["notes"][0]
    row = next(row for row in lines(the_folder() / "captions.jsonl") if row["file"] == "03.wav")
    assert (row["state"], row["why"], row["caption"]) == ("error", "the microphone is broken", "")
    assert caption().returncode == 0
    assert Counter(described()) == {f"{n:02}": 1 + (n == 3) for n in range(N)}


def test_a_captioner_that_is_killed_goes_on_where_it_was(here: Path) -> None:
    args = [str(SCRIPT), "caption", "-t", "sounds", "--with", "counting:x", "-i", "sounds", "--no-cache"]
    args += ["-s", "captioner.log=log", "-s", "captioner.pause=0.03"]
    for after in (3, 7):
        with subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while len(described()) < after:
                assert process.poll() is None
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
    assert caption("--no-cache").returncode == 0
    assert set(described()) == {f"{n:02}" for n in range(N)}
    assert len(described()) <= N + 2  # at most what was in flight, each time
    assert len(lines(the_folder() / "captions.jsonl")) == N


def test_a_second_process_waits_for_the_first_and_asks_nothing_twice(here: Path) -> None:
    assert caption("-n", 1).returncode == 0
    lock = take_lock(the_folder())
    args = [str(SCRIPT), "caption", "-t", "sounds", "--with", "counting:x", "-i", "sounds", "-s", "captioner.log=log"]
    with subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as second:
        assert second.stderr is not None
        assert "another process is making captions" in second.stderr.readline()
        assert len(described()) == 1
        lock.release()
        assert second.wait(timeout=60) == 0
    assert len(described()) == N


def test_a_cascade_makes_the_captions_that_are_missing_and_all_readers_share_them(here: Path) -> None:
    args = ("-t", "sounds", "-i", "sounds", "--listen", "caption:counting:x", "-s", "captioner.log=log", "--no-cache")
    first = command("eval", "-m", "reader:x", *args, "--json")
    assert first.returncode == 0, first.stderr
    second = command("eval", "-m", "first", *args, "--control", "none", "--json")
    assert second.returncode == 0, second.stderr
    assert len(described()) == N
    (one,), (other,) = json.loads(first.stdout), json.loads(second.stdout)
    assert one["rows"][0]["accuracy"] == 1.0
    assert other["rows"][0]["accuracy"] < 1.0
    assert [usage["cost"] for usage in (one["usage"]["model"], other["usage"]["model"])] == [None, None]
    manifest = json.loads((the_folder() / "run.json").read_text("utf-8"))
    assert manifest["usage"]["captioner"]["cost"] == pytest.approx(0.25 * N)


def test_a_run_whose_captions_failed_is_incomplete_and_the_same_command_completes_it(here: Path) -> None:
    args = ("eval", "-m", "reader:x", "-t", "sounds", "-i", "sounds", "--listen", "caption:counting:x", "-s",
            "captioner.log=log", "--control", "none", "--out", "run", "--json")  # fmt: skip
    first = command(*args, "-s", told(_03="error"))
    assert first.returncode == 3, first.stderr
    assert json.loads(Path("run", "run.json").read_text("utf-8"))["status"] == "incomplete"
    assert described().count("03") == 1
    second = command(*args)
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout)[0]["rows"][0]["accuracy"] == 1.0
    assert json.loads(Path("run", "run.json").read_text("utf-8"))["status"] == "finished"


def test_a_clip_that_cannot_be_heard_is_final_and_its_reason_holds_no_path(here: Path) -> None:
    (here / "sounds" / "audio" / "03.wav").write_bytes(b"no audio")
    (here / "sounds" / "audio" / "04.wav").write_bytes(b"no audio either")
    done = command("caption", "-t", "sounds", "-i", "sounds", "--with", "acoustic", "-n", 6, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["states"] == {"ok": 4, "unheard": 2}
    assert "2 without a caption" in found["notes"][0]
    assert found["notes"][0].endswith("the commonest reason (2): not audio but text")
    assert str(here) not in found["notes"][0]
    assert ".wav" not in found["notes"][0]
    before = (the_folder() / "responses.jsonl").read_bytes()
    run = command("eval", "-m", "first", "-t", "sounds", "-i", "sounds", "-n", 6, "--listen", "caption:acoustic",
                  "--control", "none", "--out", "run")  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert (the_folder() / "responses.jsonl").read_bytes() == before
    asked = [row["ask"].get("unheard") for row in lines(Path("run", "trials.jsonl"))]
    assert [row is not None for row in asked] == [False, False, False, True, True, False]
    assert asked[3].startswith("03.wav: no caption by acoustic: ")
    assert str(here) not in asked[3]


def test_audio_that_was_not_heard_is_counted_in_the_notes_of_a_run(here: Path) -> None:
    write_tone(here / "sounds" / "audio" / "02.wav", 300, seconds=63)
    done = command("caption", "-t", "sounds", "-i", "sounds", "--with", "acoustic", "-n", 4, "--json")
    (note,) = json.loads(done.stdout)["notes"]
    assert "1 not heard to the end (3 s in all)" in note


def describing(most: float = 100.0, **fates: str) -> tuple[Describing, list[Clip], dict[str, Any]]:
    """A describer with a budget, the task's clips, and the captioner's settings."""
    registry = Registry(include=(Path("sounds"),))
    made = Describing(registry, lambda label, folder: nullcontext(Silent()), budget=Budget(most))
    clips = [clip_of(path) for path in sorted(Path("sounds/audio").iterdir())]
    return made, clips, {"log": "log", "told": {name[1:]: fate for name, fate in fates.items()}}


def test_a_caption_is_paid_once_and_a_failed_clip_asked_once_however_often_captions_are_wanted(here: Path) -> None:
    made, clips, args = describing(_03="error")
    for some in (clips[:6], clips[:8], clips[:8], clips[2:8]):
        made.captions("counting:x", some, args)
    assert made.budget is not None
    assert made.budget.spent == 0.0  # only calls to APIs are charged as they are made
    assert Counter(described()) == {f"{n:02}": 1 for n in range(8)}
    again, _, _ = describing()
    for _ in range(3):
        again.captions("counting:x", clips[:9], args)
    assert again.budget is not None
    assert again.budget.spent == pytest.approx(7 * 0.25)  # what they have cost before
    assert described().count("03") == 2


def test_settings_with_a_captioners_name_go_to_it_alone_and_a_name_of_nobody_is_refused(here: Path) -> None:
    settings = ("-s", "captioner.counting:x.log=log", "-s", "captioner.true.characters=9")
    captions_file(here / "true.jsonl", N)
    done = command("cascade", "matrix", "--captioners", "counting:x,true.jsonl", "--readers", "first", "-t", "sounds",
                   "-i", "sounds", "-n", 4, *settings, "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    counting, true = json.loads(done.stdout)[0]["captions"]
    assert (counting["cut"], true["cut"]) == (0, true["clips"])
    assert len(described()) == counting["clips"]
    wrong = caption("-s", "captioner.conting.log=log")
    assert wrong.returncode == 2
    assert "no captioner here is called 'conting'" in wrong.stderr


def test_a_part_of_a_combined_captioner_takes_settings_by_its_name(here: Path) -> None:
    (here / "mine" / "cascades").mkdir(parents=True)
    rows = "- {name: both, adapter: combined, model: '', parts: [human, acoustic]}"
    (here / "mine" / "cascades" / "mine.yaml").write_text(f"captioners:\n  {rows}\n", "utf-8")
    captions_file(here / "true.jsonl", N)
    args = ("-t", "sounds", "-i", "sounds", "-i", "mine", "--with", "both", "-n", 2)
    assert command("caption", *args, "-s", "captioner.human.file=true.jsonl").returncode == 0
    refused = command("caption", *args, "-s", "captioner.file=true.jsonl")
    assert refused.returncode == 2
    assert "--set captioner.human.KEY=VALUE" in refused.stderr


def test_a_file_of_captions_is_shown_as_the_card_for_such_files_says(here: Path) -> None:
    cascades = Registry().cascades
    captions_file(here / "true.jsonl", N)
    names = ("characters", "nothing", "heading", "max_tokens", "prompt")
    for typed, like in (("true.jsonl", "human"), ("whisper:folder", "whisper-large-v3")):
        card, wanted = cascades.card(typed), cascades.card(like)
        assert [getattr(card, name) for name in names] == [getattr(wanted, name) for name in names]
        assert card.revision is None
    assert cascades.card("hf-audio:some/model").prompt == "describe-v1"


def test_a_dry_run_knows_only_captions_that_were_made_in_the_same_way(here: Path) -> None:
    assert caption("-n", 4).returncode == 0
    same = json.loads(caption("--dry-run", "--json").stdout)
    assert (same["clips"], same["to describe"]) == (N, {"counting-x": N - 4})
    other = json.loads(caption("--dry-run", "--json", "-s", "captioner.max_tokens=5").stdout)
    assert other["to describe"] == {"counting-x": N}
    also = json.loads(caption("--dry-run", "--json", "-s", "captioner.pause=0.001").stdout)
    assert also["to describe"] == {"counting-x": N}
    assert len(described()) == 4


def test_a_file_of_captions_that_fits_no_clip_or_was_edited_is_seen_before_anybody_is_asked(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    args = ("caption", "-t", "sounds", "-i", "sounds", "--with", "mine.jsonl", "--json")
    captions_file(here / "mine.jsonl", 4)
    assert json.loads(akb_here(capfd, *args, "-n", 4).stdout)["states"] == {"ok": 4}
    assert json.loads(akb_here(capfd, *args, "-n", 4, "--dry-run").stdout)["to describe"] == {}
    text = Path("mine.jsonl").read_text("utf-8")
    Path("mine.jsonl").write_text(text.replace("One hears", "There is"), "utf-8")
    assert json.loads(akb_here(capfd, *args, "-n", 4, "--dry-run").stdout)["to describe"] == {"mine": 4}
    some = akb_here(capfd, *args)
    assert (some.returncode, json.loads(some.stdout)["states"]) == (3, {"ok": 4, "error": N - 4})
    Path("mine.jsonl").write_text(text.replace(".wav", ".of-another-task.wav"), "utf-8")
    for more in ((), ("--dry-run",)):
        told = "it has a caption for none of 12 clips; it names '00.of-another-task.wav'"
        complaint(akb_here(capfd, *args, *more), told, "mine.jsonl")


def test_what_a_task_of_ones_own_is_not_asked_with_is_refused(here: Path) -> None:
    registry = Registry(include=(Path("sounds"),))
    asking = Asking(registry.protocol("akb-v1", {})[0], registry.protocol("akb-v1", {})[1], seed=3, listen="none")
    own = registry.task("sounds", asking)
    for given in ({"listen": "audio"}, {"seed": 0}, {"control": "choices-only"}):
        with pytest.raises(AkbError, match="was asked for, and the task asks with"):
            akb.evaluate("first", own, out="run", **given)
    assert akb.evaluate("first", own, out="run", seed=3).manifest.config["listen"] == "none"


def test_controls_stand_beside_a_cascades_score(here: Path) -> None:
    done = command("eval", "-m", "reader:x", "-t", "sounds", "-i", "sounds", "--listen", "caption:counting:x",
                   "-s", "captioner.log=log", "--json")  # fmt: skip
    (found,) = json.loads(done.stdout)
    controls = {row["label"]: row for row in found["controls"]}
    assert list(controls) == ["question only", "options only", "another item's caption"]
    only = controls["question only"]
    assert only["n"] == N
    assert only["gain"] == pytest.approx(found["rows"][0]["accuracy"] - only["accuracy"])
    assert only["gain"] > 0.5
    assert only["p"] < 0.05
    assert found["mmau-string-match"] is None  # the reader replies with letters, which that rule does not know
    assert found["captions"]["given_away"] == N
    assert found["unheard"] == 0
    table = command("eval", "-m", "reader:x", "-t", "sounds", "-i", "sounds", "--listen", "caption:counting:x",
                    "-s", "captioner.log=log").stdout  # fmt: skip
    for wanted in ("question only", "options only", "another item's caption", "first option", "longest option",
                   f"hold the key's words and no other option's: {N} of {N} (100.0 %)"):  # fmt: skip
        assert wanted in table
    bare = command("eval", "-m", "reader:x", "-t", "sounds", "-i", "sounds", "--listen", "caption:counting:x",
                   "-s", "captioner.log=log", "--control", "none").stdout  # fmt: skip
    assert "question only" not in bare


def test_a_dry_run_tells_what_would_be_asked_and_describes_nothing(here: Path) -> None:
    done = command("eval", "-m", "gpt-4o", "-t", "sounds", "-i", "sounds", "--listen", "caption:gemini", "--dry-run",
                   "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["control"] for row in rows] == ["", "question only", "options only", "another item's caption"]
    assert rows[0]["prompt tokens, about"] > 10 * rows[1]["prompt tokens, about"]
    assert rows[0]["captions"].startswith(f"{N} clips to be described by gemini")
    assert not Path("captions").exists()


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        (("--with", "acustic"), "Did you mean acoustic"),
        (("--with", "nobody.jsonl"), "no captioner is called"),
        ((), "a task and a captioner are wanted"),
        (("--with", "counting:x", "-s", "captioner.max_tokens=0", "-s", "captioner.log=l"), "max_tokens"),
        (("--with", "openai:gpt-4o"), "does not take audio"),
        (("--with", "whisper+gemini", "-s", "captioner.language=en"), "a combined captioner has no settings"),
    ],
)
def test_what_cannot_describe_is_told_in_one_line(here: Path, args: tuple[str, ...], wanted: str) -> None:
    done = command("caption", "-t", "sounds", "-i", "sounds", *args)
    assert done.returncode == 2, done.stdout
    assert wanted in done.stderr
    assert done.stderr.count("akb: ") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ('{"caption": "x"}', "one of the fields audio, sha256"),
        ('{"audio": "00.wav"}', "one of the fields caption, text"),
        ('{"audio": "00.wav", "caption": "x"}\n{"audio": "00.wav", "caption": "y"}', "described in other words"),
        ("[1]", "an object is wanted"),
    ],
)
def test_a_wrong_file_of_captions_is_named_with_its_line(here: Path, row: str, wanted: str) -> None:
    Path("mine.jsonl").write_text(row + "\n", "utf-8")
    done = command("caption", "-t", "sounds", "-i", "sounds", "--with", "mine.jsonl")
    assert done.returncode == 2
    assert wanted in done.stderr
    assert "mine.jsonl:" in done.stderr


def test_a_damaged_artefact_is_named_and_mended_by_its_removal(here: Path) -> None:
    assert caption().returncode == 0
    path = the_folder() / "captions.jsonl"
    text = path.read_text("utf-8")
    path.write_text(text.replace('"state":"ok"', '"state":"fine"', 1), "utf-8")
    done = caption()
    assert done.returncode == 2
    assert "captions.jsonl: the file is not what it was" in done.stderr
    assert '"state":"fine"' in path.read_text("utf-8")  # it is not made anew over the user's words
    path.unlink()
    assert caption("--no-cache").returncode == 0
    assert path.read_text("utf-8") == text
    assert len(described()) == N


# -- captions as values ------------------------------------------------------------------------------------------


def card(name: str = "one", **more: Any) -> Captioner:
    return Captioner(name=name, adapter="human", model="x", **more)


def clip(letter: str) -> Clip:
    return Clip(letter * 64, f"{letter}.wav")


def test_a_caption_is_cut_between_words_to_the_cards_longest_and_what_is_cut_is_counted() -> None:
    text = "A long tone, and then a second one."
    found = Captions(card(characters=14), {}, {"a" * 64: Caption(text), "b" * 64: Caption("Short.")})
    assert found.shown(clip("a")) == "A long tone,"
    assert found.shown(clip("b")) == "Short."
    assert list(found.notes([clip("a"), clip("b")])) == ["captions of 2 clips by one: 1 cut to 14 characters"]
    assert Captions(card(characters=5), {}, {"a" * 64: Caption("Wordwithoutend")}).shown(clip("a")) == "Wordw"


def test_where_nothing_was_said_a_reader_is_told_so() -> None:
    found = Captions(
        card(nothing="(no speech)"), {}, {"a" * 64: Caption("", "empty"), "b" * 64: Caption("", "refused")}
    )
    assert [found.shown(clip(letter)) for letter in "ab"] == ["(no speech)", "(no speech)"]
    with pytest.raises(AkbError, match="it was not described"):
        found.shown(clip("c"))


def test_captions_of_several_stand_side_by_side_below_their_headings() -> None:
    words = Captions(card("w", heading="Transcript", nothing="(no speech)"), {"of": "w"},
                     {"a" * 64: Caption("Hello."), "b" * 64: Caption("", "empty"),
                      "c" * 64: Caption("", "error", "lost")})  # fmt: skip
    sound = Captions(card("s"), {"of": "s"}, {letter * 64: Caption(f"It is {letter}.") for letter in "abc"})
    both = joined(card("both"), [words, sound])
    assert both.shown(clip("a")) == "Transcript: Hello.\ns: It is a."
    assert both.shown(clip("b")) == "Transcript: (no speech)\ns: It is b."
    with pytest.raises(AkbError, match="lost"):
        both.shown(clip("c"))


def test_a_combined_caption_keeps_its_second_part_however_long_the_first_is() -> None:
    long = Captions(card("long", characters=1990), {}, {"a" * 64: Caption("word " * 900)})
    tail = Captions(card("tail"), {}, {"a" * 64: Caption("A bell at the end.")})
    both = joined(Captioner(name="both", adapter="combined", model="", parts=("long", "tail")), [long, tail])
    assert both.shown(clip("a")).endswith("\ntail: A bell at the end.")
    assert list(both.notes([clip("a")])) == ["captions of 1 clips by both: 1 cut to a part's length"]
    ahead = joined_ahead(both.card, [Foreseen(part.card, {}, ahead={part.card.name: {"a" * 64: None}})
                                     for part in (long, tail)])  # fmt: skip
    assert len(ahead.shown(clip("a"))) >= 1900 + 1900  # as many words as may come
    with pytest.raises(ValueError, match="as long as its parts"):
        Captioner(name="both", adapter="combined", model="", parts=("long",), characters=9)


def test_the_digest_changes_with_what_a_reader_is_shown_and_with_nothing_else() -> None:
    known = {"a" * 64: Caption("one two three"), "b" * 64: Caption("four")}
    clips = [clip("a"), clip("b")]
    plain = Captions(card(), {}, known).digest(clips)
    assert plain == Captions(card("other"), {"x": 1}, known).digest(clips[::-1])
    assert plain != Captions(card(), {}, known).digest(clips[:1])
    assert plain != Captions(card(characters=8), {}, known).digest(clips)
    silent = {"a" * 64: Caption("", "empty")}
    quiet, none = (Captions(card(nothing=told), {}, silent).digest(clips[:1]) for told in ("(no speech)", "(nothing)"))
    assert quiet != none


def test_a_reader_that_sees_the_key_in_the_caption_is_always_right(here: Path) -> None:
    captions_file(here / "true.jsonl", N)
    found = akb.evaluate(Reader(), "sounds", include=["sounds"], listen="caption:true.jsonl", out="run")
    assert found.accuracy == 1.0
