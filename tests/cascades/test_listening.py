"""How a question is heard: its own clips, silence, another item's, or what a captioner says."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from cascade_parts import SOUNDS, Reader, audio_task, captions_file, clips_in
from tones import write_tone

import akb
from akb import AkbError
from akb.audio import Unhearable, clip_of, silence
from akb.tasks.listening import Hearing, Listening
from akb.types import Clip, Question

N = 12


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own with the task, the captions and nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AKB_CACHE", str(tmp_path / "cache"))
    audio_task(tmp_path / "sounds", N)
    captions_file(tmp_path / "true.jsonl", N)
    return tmp_path


def run(reader: Reader, here: Path, listen: str, **more: object) -> akb.Run:
    name = listen.replace(":", "-").replace("/", "-")
    return akb.evaluate(reader, "sounds", include=[here / "sounds"], listen=listen, out=here / "out" / name, **more)  # type: ignore[arg-type]


def files(reader: Reader) -> dict[str, list[str]]:
    """Which files were heard with which question."""
    found = {}
    for request in reader.asked:
        (name,) = (word.rstrip(":") for word in request.messages[-1].text.split() if word.startswith("q"))
        found[name] = [Path(clip.path).name for clip in clips_in(request.messages)]
    return found


@pytest.mark.parametrize("text", ["", "caption", "caption:", "captions:x", "AUDIO", "shuffled-caption:", "silence:x"])
def test_what_is_no_way_of_hearing_is_refused_with_those_there_are(here: Path, text: str) -> None:
    with pytest.raises(AkbError, match=r"listen: one of audio, none, silence, shuffled, caption:NAME"):
        run(Reader(), here, text)


def test_by_audio_each_question_is_asked_with_its_own_clip_and_by_none_with_nothing(here: Path) -> None:
    heard, deaf = Reader(), Reader()
    run(heard, here, "audio")
    run(deaf, here, "none")
    assert files(heard) == {f"q{n:02}": [f"{n:02}.wav"] for n in range(N)}
    assert files(deaf) == {f"q{n:02}": [] for n in range(N)}


def test_shuffled_gives_every_question_the_clip_of_another_and_each_clip_once(here: Path) -> None:
    reader = Reader()
    run(reader, here, "shuffled")
    found = files(reader)
    assert all(clips != [f"{name[1:]}.wav"] for name, clips in found.items())
    assert sorted(clip for (clip,) in found.values()) == [f"{n:02}.wav" for n in range(N)]


def test_whose_clip_is_heard_does_not_depend_on_which_part_is_asked(here: Path) -> None:
    whole, part, other = Reader(), Reader(), Reader()
    run(whole, here, "shuffled")
    akb.evaluate(part, "sounds/music", include=[here / "sounds"], listen="shuffled", out=here / "part", cache=False)
    akb.evaluate(other, "sounds", include=[here / "sounds"], listen="shuffled", out=here / "other", seed=5)
    assert len(files(part)) == N // 2
    assert files(part).items() <= files(whole).items()
    assert files(other) != files(whole)


def test_silence_is_as_long_as_the_clip_and_has_no_sound(here: Path) -> None:
    write_tone(here / "sounds" / "audio" / "03.wav", 300, seconds=0.75)
    reader = Reader()
    run(reader, here, "silence")
    clips = {request.messages[-1].text[:3]: clips_in(request.messages) for request in reader.asked}
    for name, seconds in (("q03", 0.75), ("q04", 0.2)):
        with wave.open(clips[name][0].path) as file:
            assert file.getnframes() / file.getframerate() == pytest.approx(seconds, abs=0.005)
            assert set(file.readframes(file.getnframes())) == {0}


def test_the_length_of_silence_is_read_from_the_header(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = here / "long.wav"
    write_tone(path, 300, seconds=1.5)
    monkeypatch.setattr(silence, "read", lambda *args: pytest.fail("the clip was decoded"))
    with wave.open(silence.silent_like(clip_of(path)).path) as file:
        assert file.getnframes() == 24_000


def test_a_clip_that_was_cut_off_has_no_silence_of_its_length(here: Path) -> None:
    path = here / "cut.wav"
    write_tone(path, 300, seconds=1.5)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(Unhearable, match="cut off"):
        silence.silent_like(clip_of(path))


def test_processes_that_need_the_same_silence_do_not_get_in_each_others_way(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = clip_of(here / "sounds" / "audio" / "03.wav")
    put = Path.replace

    def late(path: Path, target: Path) -> Path:
        """While this process is about to put its file in its place, another one makes and puts its own."""
        monkeypatch.setattr(Path, "replace", put)
        other = "from akb.audio import clip_of; from akb.audio.silence import silent_like; import sys\n" \
                "print(silent_like(clip_of(sys.argv[1])).sha256)"  # fmt: skip
        done = subprocess.run([sys.executable, "-c", other, clip.path], capture_output=True, text=True, check=True)
        found.append(done.stdout.strip())
        return put(path, target)

    found: list[str] = []
    monkeypatch.setattr(Path, "replace", late)
    assert [silence.silent_like(clip).sha256] == found
    assert [path.name for path in (here / "cache" / "silence").iterdir()] == ["20.wav"]


@pytest.mark.parametrize("listen", ["none", "silence", "shuffled"])
def test_what_would_only_label_a_run_of_text_is_refused(here: Path, listen: str) -> None:
    with pytest.raises(AkbError, match="no question of task akb-open has audio") as told:
        akb.evaluate("first", "phonetic", listen=listen, out=here / "x", limit=3)
    assert told.value.where == f"--listen {listen}"
    assert not (here / "x" / "run.json").exists()


def test_a_part_that_is_not_there_is_told_before_its_audio_is_looked_for(here: Path) -> None:
    for listen in ("audio", "silence", f"caption:{here / 'true.jsonl'}"):
        with pytest.raises(AkbError, match="no question of task sounds is in nope") as told:
            akb.evaluate("first", "sounds/nope", include=[here / "sounds"], listen=listen, out=here / "x")
        assert told.value.fix == "Its categories: music, sound."


def test_a_caption_stands_before_the_question_and_no_clip_is_sent(here: Path) -> None:
    reader = Reader()
    found = run(reader, here, f"caption:{here / 'true.jsonl'}")
    first = next(r for r in reader.asked if "q05" in r.messages[-1].text)
    assert first.messages[-1].text.startswith("Audio Caption: One hears a bell for a while.\n\nq05: what is heard?\n")
    assert clips_in(first.messages) == []
    assert found.accuracy == 1.0
    assert found.manifest.notes == (f"captions of {N} clips by true",)


def test_another_items_caption_misleads_a_reader_who_believes_it(here: Path) -> None:
    own = run(Reader(), here, f"caption:{here / 'true.jsonl'}")
    other = run(Reader(), here, f"shuffled-caption:{here / 'true.jsonl'}")
    shown = {t.id: t.ask["captions"] for t, _ in own.judged()}
    shuffled = {t.id: t.ask["captions"] for t, _ in other.judged()}
    said = {i: next(SOUNDS.index(sound) for sound in SOUNDS if sound in text[0]) for i, text in shuffled.items()}
    assert sorted(map(str, shown.values())) == sorted(map(str, shuffled.values()))
    assert other.accuracy == sum(said[f"q{n:02}"] == n % 4 for n in range(N)) / N < 1


def test_a_run_is_another_run_when_the_captions_are_others_and_the_same_when_they_are_not(here: Path) -> None:
    file = here / "true.jsonl"
    first = akb.evaluate("first", "sounds", include=[here / "sounds"], listen=f"caption:{file}")
    again = akb.evaluate("first", "sounds", include=[here / "sounds"], listen=f"caption:{file}")
    file.write_text(file.read_text("utf-8").replace("a bell", "two bells"), "utf-8")
    other = akb.evaluate("first", "sounds", include=[here / "sounds"], listen=f"caption:{file}")
    assert first.path == again.path != other.path
    assert first.manifest.identity["captions"]["sha256"] != other.manifest.identity["captions"]["sha256"]


def test_a_recorded_cascade_is_judged_again_from_its_record_alone(here: Path) -> None:
    from akb.scoring import rescore

    found = run(Reader(), here, f"caption:{here / 'true.jsonl'}")
    (here / "true.jsonl").unlink()
    assert rescore(found.path).accuracy == found.accuracy == 1.0


def test_questions_whose_audio_is_missing_are_errors_when_heard_and_asked_when_not(here: Path) -> None:
    (here / "sounds" / "audio" / "02.wav").unlink()
    reader, deaf = Reader(), Reader()
    heard = run(reader, here, "audio")
    assert len(reader.asked) == N - 1
    outcomes = {t.id: o for t, o in heard.judged()}
    assert outcomes["q02"].status == "error"
    assert "02.wav: there is no such file" in outcomes["q02"].reason
    assert heard.summary.rows[0].n == N
    run(deaf, here, "none")
    assert len(deaf.asked) == N


def test_a_clip_without_a_caption_is_an_error_that_says_so(here: Path) -> None:
    captions_file(here / "true.jsonl", N - 1)
    found = run(Reader(), here, f"caption:{here / 'true.jsonl'}")
    outcomes = {t.id: o for t, o in found.judged()}
    assert outcomes[f"q{N - 1}"].status == "error"
    assert outcomes[f"q{N - 1}"].reason == "11.wav: no caption by true: the file has no caption for it"
    assert found.accuracy == (N - 1) / N
    (note,) = found.manifest.notes
    assert note.startswith(f"captions of {N} clips by true: 1 without a caption, the commonest reason (1): ")
    assert note.endswith("the file has no caption for it")
    assert found.manifest.status == "incomplete"  # the file can be completed


def test_a_task_without_audio_cannot_be_heard_by_captions(here: Path) -> None:
    with pytest.raises(AkbError, match=r"no question of akb-open/phonetic has audio") as told:
        akb.evaluate("first", "phonetic", listen=f"caption:{here / 'true.jsonl'}", out=here / "x")
    assert "--listen none" in told.value.fix


def test_a_ring_of_one_clip_is_refused_and_equal_clips_never_hear_themselves() -> None:
    same = Clip("a" * 64, "a.wav"), Clip("a" * 64, "b.wav")
    questions = [Question(f"q{n}", "?", ("x", "y"), 0, audio=(clip,)) for n, clip in enumerate(same)]
    hearing = Hearing(Listening("shuffled"), "t", 0, lambda: questions)
    with pytest.raises(AkbError, match="the same audio"):
        hearing.clips(questions[0])
    questions.append(Question("q2", "?", ("x", "y"), 0, audio=(Clip("b" * 64, "c.wav"),)))
    hearing = Hearing(Listening("shuffled"), "t", 0, lambda: questions)
    assert [hearing.clips(q)[0].sha256[0] for q in questions] == ["b", "b", "a"]


def test_worked_examples_are_described_as_well(here: Path) -> None:
    folder = here / "sounds"
    told = (folder / "task.yaml").read_text("utf-8") + "fewshot: fewshot.jsonl\n"
    (folder / "task.yaml").write_text(told, "utf-8")
    write_tone(folder / "audio" / "shot.wav", 900)
    shot = {"id": "shot", "audio": "shot.wav", "question": "And here?", "options": list(SOUNDS), "answer": "rain"}
    (folder / "fewshot.jsonl").write_text(json.dumps(shot) + "\n", "utf-8")
    with (here / "true.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"audio": "shot.wav", "caption": "Drops fall."}) + "\n")
    reader = Reader()
    run(reader, here, f"caption:{here / 'true.jsonl'}", protocol_args={"shots": 1})
    texts = [message.text for message in reader.asked[0].messages]
    assert texts[0].startswith("Audio Caption: Drops fall.\n\nAnd here?")
    assert texts[2].startswith("Audio Caption: One hears ")
    run(heard := Reader(), here, "shuffled", protocol_args={"shots": 1})
    assert [Path(clip.path).name for clip in clips_in(heard.asked[0].messages[:1])] == ["shot.wav"]
