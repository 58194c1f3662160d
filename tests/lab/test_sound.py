"""Rendered scenes have the properties that their truth tells: levels, times, order, files, errors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import wavfile

from akb.errors import AkbError
from akb.lab.sound import SOURCES, Scene, read_scene, render, truth, write_wav
from akb.lab.sound.__main__ import main
from akb.lab.sound.outside import OUTSIDE, midi

OWN = sorted(set(SOURCES) - set(OUTSIDE))
STRUCK = ("knocks", "hammer", "clock", "drips", "claps", "dog", "hand_bell", "bird", "duck", "beeps", "owl", "laugh")


def made(*events: dict[str, Any], **scene: Any) -> tuple[Scene, NDArray[np.float64]]:
    known = read_scene({"events": list(events), **scene})
    return known, render(known).astype(np.float64)


def loudest(x: NDArray[np.float64], rate: int) -> float:
    """RMS in dB of the loudest tenth of a second, by moving it sample by sample."""
    wide = min(len(x), rate // 10)
    return float(10 * np.log10(np.convolve(x**2, np.ones(wide) / wide, "valid").max()))


def onsets(x: NDArray[np.float64], rate: int, apart: float = 0.06) -> list[float]:
    """When the power in 4 ms frames jumps to over a tenth of the highest from under a third of that."""
    hop = rate // 250
    power = np.array([np.mean(x[i : i + hop] ** 2) for i in range(0, len(x) - hop, hop)])
    high, found, armed = power > 0.08 * power.max(), list[float](), True
    for frame, over in enumerate(high):
        if over and armed:
            found.append(frame * hop / rate)
            armed = False
        elif not armed and frame * hop / rate - found[-1] > apart and power[frame] < 0.03 * power.max():
            armed = True
    return found


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("source", OWN)
def test_every_source_sounds_at_the_level_that_is_asked_for(source: str, rate: int) -> None:
    scene, x = made({"source": source, "level_db": -30, "start": 0.1}, rate=rate)
    assert np.isfinite(x).all()
    assert len(x) == round(scene.seconds * rate)
    assert loudest(x, rate) == pytest.approx(-30, abs=0.1)
    assert not x[: round(0.1 * rate)].any()
    json.dumps(truth(scene), allow_nan=False)


@pytest.mark.parametrize("source", OWN)
def test_a_scene_written_down_and_read_again_gives_the_same_bytes(source: str, tmp_path: Path) -> None:
    scene, x = made({"source": source}, seed=7)
    again = read_scene(json.loads(scene.model_dump_json()))
    for name, samples in (("one.wav", x.astype(np.float32)), ("two.wav", render(again))):
        write_wav(tmp_path / name, samples, scene.rate)
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()
    assert truth(again) == truth(scene)


def test_another_seed_gives_other_noise_and_the_same_truth() -> None:
    (one, x), (two, y) = (made({"source": "rain"}, seed=seed) for seed in (1, 2))
    assert not np.allclose(x, y)
    assert truth(one) | {"seed": 2} == truth(two)


def test_an_event_sounds_the_same_whatever_else_sounds() -> None:
    _, alone = made({"source": "rain", "length": 1}, duration=3)
    _, both = made({"source": "rain", "length": 1}, {"source": "dog", "start": 1.5}, duration=3)
    assert np.array_equal(alone[:16000], both[:16000])


@pytest.mark.parametrize("source", STRUCK)
@pytest.mark.parametrize(("count", "ratio"), [(1, 1.0), (4, 1.0), (5, 0.85), (4, 1.2)])
def test_repeated_sounds_come_as_often_and_when_the_truth_says(source: str, count: int, ratio: float) -> None:
    gap = 1.6 if source in ("hammer", "hand_bell") else 0.55
    scene, x = made({"source": source, "start": 0.3, "params": {"count": count, "gap": gap, "ratio": ratio}})
    known = truth(scene)["events"][0]
    heard = onsets(x, scene.rate, apart=0.3 if source == "laugh" else 0.2)
    assert known["count"] == len(heard)
    late = np.array(heard) - np.array(known["onsets"])
    assert np.ptp(late) < 0.03  # a laugh begins with a breath: its onset is late each time by as much
    assert -0.01 < late.min() < 0.12


def test_a_bouncing_ball_speeds_up_and_fades_by_its_restitution() -> None:
    scene, x = made({"source": "ball", "params": {"restitution": 0.8, "count": 6, "first_gap": 0.5}})
    rate, at = scene.rate, np.array(truth(scene)["events"][0]["onsets"])
    assert np.diff(at)[1:] / np.diff(at)[:-1] == pytest.approx(0.8, rel=1e-4)
    hits = [np.abs(x[round(t * rate) : round((t + 0.05) * rate)]).max() for t in at]
    assert np.array(hits[1:]) / hits[:-1] == pytest.approx(0.8, abs=0.06)
    before = [np.abs(x[round((t - 0.03) * rate) : round((t - 0.005) * rate)]).max() for t in at[1:]]
    assert max(before) < 0.5 * min(hits)


@pytest.mark.parametrize("swell", [-24, 12, 30])
def test_a_swell_changes_the_level_by_what_it_says(swell: float) -> None:
    scene, x = made({"source": "noise", "length": 4, "swell_db": swell, "level_db": -20})
    tenth = 6400
    start, end = (10 * np.log10(np.mean(part**2)) for part in (x[800:tenth], x[4 * 16000 - tenth : 4 * 16000 - 800]))
    assert end - start == pytest.approx(0.9 * swell, abs=0.05 * abs(swell) + 0.3)
    assert truth(scene)["events"][0]["loudness_course"] == ("rising" if swell > 0 else "falling")


def test_the_truth_tells_order_loudest_count_and_what_sounds_at_once() -> None:
    scene, x = made(
        {"source": "siren", "start": 2.0, "length": 2.0, "level_db": -20},
        {"source": "dog", "start": 0.2, "level_db": -34},
        {"source": "dog", "start": 2.5, "level_db": -26},
        background={"source": "noise", "params": {"colour": "pink"}, "level_db": -45},
        duration=5,
    )
    known = truth(scene)
    assert known["sequence"] == ["a barking dog", "a siren", "a barking dog"]
    assert (known["loudest"], known["softest"], known["at_once"]) == (1, 0, 2)
    assert known["counts"] == {"dog": 2, "siren": 1}
    assert known["background"]["snr_db"] == 25
    assert known["events"][2]["onsets"] == [2.5, 3.0, 3.5]
    quiet = x[round(4.3 * 16000) : round(4.9 * 16000)]
    assert loudest(quiet, 16000) == pytest.approx(-45, abs=1)


def test_as_loud_is_nobodys_loudest() -> None:
    scene, _ = made({"source": "dog"}, {"source": "cat", "start": 2.0})
    assert truth(scene)["loudest"] is None


def test_a_mixture_over_full_scale_is_refused_or_turned_down_by_what_the_truth_says() -> None:
    loud = {"source": "noise", "length": 1, "level_db": -6}
    with pytest.raises(AkbError, match=r"passes full scale by .* dB"):
        made(loud)
    scene, x = made(loud, over="turn_down")
    assert np.abs(x).max() == pytest.approx(0.999, abs=1e-3)
    assert loudest(x, 16000) == pytest.approx(-6 + truth(scene)["gain_db"], abs=0.1)


def test_a_wav_file_is_16_bit_mono_and_holds_the_rounded_samples(tmp_path: Path) -> None:
    scene, x = made({"source": "bird"}, rate=22050)
    write_wav(tmp_path / "a.wav", x.astype(np.float32), scene.rate)
    rate, read = wavfile.read(tmp_path / "a.wav")
    assert (rate, str(read.dtype), read.ndim) == (22050, "int16", 1)
    assert np.abs(read / 32767 - x).max() <= 0.5 / 32767 + 1e-9


@pytest.mark.parametrize("bad", [np.zeros((2, 5), np.float32), np.array([0, np.nan], np.float32)])
def test_what_is_no_row_of_numbers_is_not_written(bad: NDArray[np.float32], tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="finite samples"):
        write_wav(tmp_path / "a.wav", bad, 16000)
    assert not (tmp_path / "a.wav").exists()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"events": [{"source": "sirene"}]}, "Did you mean siren"),
    ({"events": [{"source": "siren", "params": {"lo": 3}}]}, "no such field"),
    ({"events": [{"source": "siren", "params": {"low": 3}}]}, "source siren: low"),
    ({"events": [{"source": "knocks", "length": 0.5, "params": {"count": 8}}]}, "needs 2.500 s"),
    ({"events": [{"source": "cow", "start": 3}], "duration": 2}, r"event 0 \(cow\) ends at"),
    ({"events": []}, "needs a duration"),
    ({"events": [{"source": "dog"}], "effects": [{"kind": "low_pas", "cutoff": 100}]}, "low_pas"),
    ({"events": [{"source": "speech", "params": {"phones": "K IY3 Q"}}]}, "no ARPAbet phone"),
    ({"events": [{"source": "melody", "params": {"notes": [60, 62], "beats": [1]}}]}, "2 notes and 1 lengths"),
    ({"events": [{"source": "rhythm", "params": {"drums": {"kick": "x.", "snare": "x"}}}]}, "differ in length"),
]


@pytest.mark.parametrize(("data", "said"), WRONG)
def test_a_wrong_scene_is_refused_with_the_reason(data: dict[str, Any], said: str) -> None:
    with pytest.raises(AkbError, match=said):
        read_scene(data)


def test_a_sound_that_the_rate_cannot_hold_is_an_error() -> None:
    with pytest.raises(AkbError, match="nothing is heard of the tone at 16000"):
        made({"source": "tone", "params": {"f": 7900}})
    with pytest.raises(AkbError, match="high_pass reaches 9000 Hz"):
        made({"source": "noise"}, effects=[{"kind": "high_pass", "cutoff": 9000}])
    assert made({"source": "tone", "params": {"f": 7900}}, rate=44100)[1].any()


def test_effects_that_leave_nothing_of_an_event_are_an_error() -> None:
    with pytest.raises(AkbError, match="leave nothing of the cricket"):
        made({"source": "cricket", "effects": [{"kind": "low_pass", "cutoff": 60}]})


@pytest.mark.parametrize(("source", "program"), [("espeak", "espeak-ng"), ("fluidsynth", "fluidsynth")])
def test_a_program_that_is_not_installed_is_named(
    source: str, program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    params = {"text": "never said before"} if source == "espeak" else {"notes": [61, 63]}
    with pytest.raises(AkbError, match=f"the program {program} is not installed"):
        made({"source": source, "params": params})


def test_a_program_that_fails_is_told_with_its_own_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\necho 'no such voice' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AkbError, match="espeak-ng failed: no such voice"):
        made({"source": "espeak", "params": {"text": "said by nobody"}})


def test_fluidsynth_without_a_soundfont_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "fluidsynth"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("AKB_SOUNDFONT", str(tmp_path / "none.sf2"))
    with pytest.raises(AkbError, match="AKB_SOUNDFONT"):
        made({"source": "fluidsynth", "params": {"notes": [62, 64]}})


def test_the_listing_names_every_source_and_bounds_that_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines if not line.startswith("effect ")] == list(SOURCES)
    assert any(line.startswith("siren") and "low=550 [20..12000]" in line for line in lines)
    with pytest.raises(AkbError):
        read_scene({"events": [{"source": "siren", "params": {"low": 12001}}]})


def test_a_scenes_file_becomes_a_clip_and_a_wrong_one_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scene.json"
    file.write_text('{"events": [{"source": "owl"}]}')
    assert main([str(file), str(tmp_path / "owl.wav")]) == 0
    assert json.loads(capsys.readouterr().out)["sequence"] == ["a hooting owl"]
    assert len(wavfile.read(tmp_path / "owl.wav")[1]) == 1.5 * 16000
    file.write_text('{"events": [{"source": "howl"}]}')
    assert main([str(file), str(tmp_path / "owl.wav")]) == 2
    assert "Did you mean owl" in capsys.readouterr().err


def test_the_score_for_fluidsynth_is_read_by_others_as_what_it_says() -> None:
    from music21.midi import MidiFile
    from music21.midi.translate import midiFileToStream

    file = MidiFile()
    file.readstr(midi(73, (60, 67, 72), 90))
    score = midiFileToStream(file)
    assert [(note.pitch.midi, float(note.offset)) for note in score.flatten().notes] == [
        (60, 0.0),
        (67, 1.0),
        (72, 2.0),
    ]
    assert next(iter(score.flatten().getElementsByClass("MetronomeMark"))).number == pytest.approx(90)
    assert score.flatten().getInstrument().midiProgram == 73


def test_espeak_says_more_in_more_time() -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    short, _ = made({"source": "espeak", "params": {"text": "One."}})
    long, x = made({"source": "espeak", "params": {"text": "One, two, three, four, five."}})
    assert long.seconds > short.seconds + 0.8
    assert loudest(x, 16000) == pytest.approx(-28, abs=0.1)
