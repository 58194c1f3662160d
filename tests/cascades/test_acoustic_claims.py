"""What the acoustic captioner must not claim: silence in a crescendo, inharmonic voices, noisy basses, false faults."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from akb.cascades.acoustic import caption, measure
from akb.cascades.acoustic.faults import Faults, faults_of
from akb.cascades.acoustic.frames import frames_of
from akb.lab.audio.item import read
from akb.lab.sound import Scene, render

RATE = 44_100
LAB_AUDIO = Path(__file__).parents[2] / "tasks" / "lab-audio" / "questions.jsonl"

Wave = NDArray[np.floating]


def times(seconds: float, rate: int = RATE) -> Wave:
    return np.arange(round(seconds * rate)) / rate


def harmonics(hz: float, numbers: Iterable[int], seconds: float = 1.5, rate: int = RATE) -> Wave:
    wave = np.sum([np.sin(2 * np.pi * hz * n * times(seconds, rate) + n) / n for n in numbers], axis=0)
    return np.asarray(0.3 * wave / np.abs(wave).max())


def beeps(starts: Iterable[float], length: float, seconds: float = 3.0) -> Wave:
    """Beeps that start and end at once, with zeros between them."""
    wave = np.zeros(round(seconds * RATE))
    for start in starts:
        at = round(start * RATE)
        part = wave[at : at + round(length * RATE)]
        part[:] = 0.3 * np.sin(2 * np.pi * 440 * np.arange(len(part)) / RATE)
    return wave


def faults(wave: Wave, rate: int = RATE) -> Faults:
    return faults_of(wave.astype(np.float32), rate, frames_of(wave, rate))


def said(wave: Wave, rate: int = RATE) -> str:
    return caption(measure(wave.astype(np.float32), rate))


# -- level ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "length"), [(17, 3), (20, 4), (24, 6), (36, 8), (40, 2)])
@pytest.mark.parametrize("way", ["rising", "falling"])
def test_the_soft_end_of_a_crescendo_is_no_silence_and_its_size_is_told(size: int, length: int, way: str) -> None:
    t = times(length, 16_000)
    wave = 0.5 * 10 ** (size * (t / length - 1) / 20) * np.sin(2 * np.pi * 300 * t)
    found = measure(wave if way == "rising" else wave[::-1], 16_000)
    assert found.events is not None
    ((start, end),) = found.events.stretches
    assert (start, end) == pytest.approx((0, length), abs=0.05)
    assert found.level.change == pytest.approx((0.75 if way == "rising" else -0.75) * size, abs=0.5)  # by quarters
    text = caption(found)
    assert "silence" not in text
    assert "There is one sound event, beginning at 0.0 s." in text


def test_a_soft_beginning_that_grows_is_no_background_either() -> None:
    t = times(4, 16_000)
    level = np.maximum(-24, -24 + 12 * (t - 1.5))  # it stays, and rises from 1.5 s on
    text = said(0.5 * 10 ** (np.minimum(level, 0) / 20) * np.sin(2 * np.pi * 300 * t), 16_000)
    assert "silence" not in text


def test_a_background_before_and_between_sounds_is_still_told() -> None:
    wave = 0.002 * np.random.default_rng(0).standard_normal(3 * RATE) + beeps((1.0, 2.0), 0.5)
    text = said(wave)
    assert "It begins with 1.0 s of silence or mere background." in text
    assert "parts it into 2 stretches of sound; the longest pause is 0.5 s." in text


# -- harmonics and noise -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hz", "numbers"),
    [(160, range(2, 21)), (90, range(4, 38)), (250, range(2, 14)), (200, range(3, 8)), (150, range(3, 23, 2))],
)
def test_harmonics_without_the_lowest_ones_have_their_pitch(hz: int, numbers: Iterable[int]) -> None:
    found = measure(harmonics(hz, numbers), RATE)
    assert found.pitch is not None
    assert found.pitch.hz == pytest.approx(hz, rel=0.002)
    text = caption(found)
    assert "The pitch is steady near" in text
    assert "inharmonic" not in text
    assert "simultaneous" not in text


@pytest.mark.parametrize("hz", [41.2, 46.2, 55.0, 65.4, 82.4, 98.0])
def test_a_low_tone_is_harmonic_and_no_noise(hz: float) -> None:
    text = said(harmonics(hz, range(1, 40)))
    assert f"The pitch is steady near {hz:.1f} Hz" in text
    assert "The sound is tonal, not noise-like." in text
    for claim in ("inharmonic", "per octave", "low-pass", "high-pass", "clipped"):
        assert claim not in text


@pytest.mark.parametrize("steps", [(0, 7), (0, 4, 7), (0, 3, 7), (0, 5)])
def test_a_chord_is_not_taken_for_the_harmonics_of_one_low_tone(steps: tuple[int, ...]) -> None:
    wave = np.sum([harmonics(196 * 2 ** (s / 12), range(1, 9)) for s in steps], axis=0)
    assert f"There are {len(steps)} simultaneous pitches" in said(wave / 2)


def test_low_noise_is_no_tone() -> None:
    random = np.random.default_rng(1)
    spectrum = np.fft.rfft(random.standard_normal(2 * RATE))
    hertz = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    wave = np.fft.irfft(np.where((hertz > 60) & (hertz < 400), spectrum, 0))
    text = said(0.1 * wave / wave.std())
    assert "The sound is noise-like." in text
    assert "The pitch is steady" not in text


# -- faults --------------------------------------------------------------------------------------------------------


def steps_of(wave: Wave, bits: int) -> Wave:
    return np.asarray(np.round(wave * 2 ** (bits - 1)) / 2 ** (bits - 1))


def companded(wave: Wave) -> Wave:
    """In 8 bits of the mu-law (ITU-T G.711, its smooth form)."""
    small = np.round(127 * np.sign(wave) * np.log1p(255 * np.abs(wave)) / np.log(256)) / 127
    return np.asarray(np.sign(small) * (256 ** np.abs(small) - 1) / 255)


@pytest.mark.parametrize("rate", [16_000, 48_000, 192_000])
@pytest.mark.parametrize("hz", [40.3, 60.7, 80, 100, 233])
def test_a_sine_is_not_clipped_however_slow_soft_or_coarse(hz: float, rate: int) -> None:
    sine = np.sin(2 * np.pi * hz * times(0.5, rate))
    waves = [0.5 * sine, steps_of(0.01 * sine, 16), steps_of(0.4 * sine, 8), steps_of(0.05 * sine, 8),
             companded(0.9 * sine)]  # fmt: skip
    assert [faults(wave, rate).flat for wave in waves] == [0.0] * len(waves)


@pytest.mark.parametrize("level", [0.9, 0.05, 0.005])
@pytest.mark.parametrize("hz", [40, 100, 400])
def test_a_cut_off_top_is_clipping_at_any_level(hz: int, level: float) -> None:
    wave = level * np.clip(np.sin(2 * np.pi * hz * times(0.5)), -0.7, 0.7)
    share = 1 - 2 * np.arcsin(0.7) / np.pi  # of the time is a sine above 0.7
    assert faults(wave).flat == pytest.approx(share, abs=0.03)
    assert faults(steps_of(wave, 16)).flat == pytest.approx(share, abs=0.03)
    assert faults(level * np.sign(np.sin(2 * np.pi * hz * times(0.5) + 0.1))).flat > 0.9  # a square wave has only tops


@pytest.mark.parametrize(
    "wave",
    [
        beeps(0.3 * np.arange(10), 0.2),
        beeps((0.2, 0.5), 0.2),
        beeps(np.cumsum([0.1, 0.022, 0.022, 0.4, 0.022, 0.022, 0.4, 0.022, 0.022]), 0.016),
    ],
    ids=["an even train", "two", "chirps in groups"],
)
def test_the_pauses_of_a_train_of_beeps_are_no_dropouts(wave: Wave) -> None:
    assert faults(wave).dropouts == 0


def test_holes_in_a_sound_are_dropouts_also_where_they_come_at_even_distances() -> None:
    wave = 0.1 * np.random.default_rng(0).standard_normal(3 * RATE)
    for at, length in ((0.5, 0.02), (1.0, 0.05), (1.5, 0.03), (2.0, 0.012)):
        wave[round(at * RATE) : round((at + length) * RATE)] = 0
    assert faults(wave).dropouts == 4


@pytest.mark.parametrize(
    "wave",
    [
        0.3 * np.sign(np.sin(2 * np.pi * 440 * times(3) + 0.01)),
        steps_of(0.5 * np.sin(2 * np.pi * 220 * times(3)), 8),
        steps_of(0.01 * np.sin(2 * np.pi * 110 * times(3)), 16),
        steps_of(0.8 * np.sin(2 * np.pi * 120 * times(3)), 8),
    ],
    ids=["aliases of a square wave", "220 Hz in 8 bits", "110 Hz, soft, in 16 bits", "120 Hz in 8 bits"],
)
def test_aliases_and_steps_of_quantisation_are_no_hum(wave: Wave) -> None:
    assert faults(wave).hum is None


@pytest.mark.parametrize("mains", [50, 60])
def test_a_hum_is_told_under_speech_like_sound_and_in_pauses(mains: int) -> None:
    hum = 0.05 * harmonics(mains, range(1, 7), seconds=3)
    wave = 0.3 * np.repeat([1, 0, 1, 0], RATE)[: 3 * RATE] * np.sin(2 * np.pi * 730 * times(3))
    assert faults(wave + hum).hum == mains


def test_a_silent_clip_has_no_fault_but_an_offset() -> None:
    rounding = np.random.default_rng(0).integers(0, 2, 3 * RATE) / 2**16
    mains = 2e-5 * np.sign(np.sin(2 * np.pi * 60 * times(3)))
    assert said(mains + rounding).endswith("It is silent, or nearly so (below -80 dBFS).")
    assert said(mains + rounding + 0.5).endswith("There is a constant offset of 0.50 of full scale.")


@cache
def scenes() -> dict[str, Scene]:
    return {item.id: item.scene for _, item in read([LAB_AUDIO])}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("sources-animal-02", None),
        ("sources-animal-14", None),
        ("timbre-drum-08", None),
        ("sources-signal-05", None),
        ("sources-signal-09", None),
        ("surroundings-fault-07", "dropouts"),
        ("surroundings-fault-03", "hum"),
        ("surroundings-fault-04", "clipped"),
    ],
)
def test_a_clip_of_lab_audio_has_the_fault_it_was_given_or_none(name: str, fault: str | None) -> None:
    scene = scenes()[name]
    text = said(np.round(render(scene) * 32767) / 32768, scene.rate)
    assert [word for word in ("clipped", "offset", "hum", "dropouts") if word in text] == ([fault] if fault else [])
