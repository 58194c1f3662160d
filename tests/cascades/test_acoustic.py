"""The acoustic captioner: its measures against known truth, and its words against its own list."""

from __future__ import annotations

import importlib.util
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from akb.cascades.acoustic import VOCABULARY, caption, measure

RATE = 16_000


def _benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "acoustic.py"
    spec = importlib.util.spec_from_file_location("acoustic_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    sys.path.insert(0, str(path.parent))  # as a script has it
    module = importlib.util.module_from_spec(spec)
    sys.modules["acoustic_benchmark"] = module
    spec.loader.exec_module(module)
    sys.path.remove(str(path.parent))
    return module


bench = _benchmark()

# property: (noise in dB below the signal, greatest median error, greatest share of gross errors, greatest untold)
BOUNDS = {
    "pitch of a harmonic tone": (10, 5, 0.0, 0.2),
    "pitch of a sine": (10, 5, 0.0, 0.2),
    "course of the pitch": (20, None, 0.2, 0.2),
    "rate of a vibrato": (20, 0.1, 0.0, 0.2),
    "notes of a melody (all of them)": (20, None, 0.2, 0.2),
    "simultaneous pitches (all of them)": (20, None, 0.2, 0.4),
    "harmonic or not": (20, None, 0.2, 0.2),
    "odd harmonics only": (20, None, 0.0, 0.2),
    "harmonics-to-noise ratio": (99, 1.5, 0.2, 0.2),
    "number of events": (20, 0, 0.2, 0.0),
    "time of an onset": (20, 0.01, 0.0, 0.0),
    "attack time": (30, 0.03, 0.0, 0.0),
    "decay time of noise": (40, 5, 0.0, 0.2),
    "decay time in a room": (40, 6, 0.0, 0.2),
    "tempo": (20, 0.5, 0.0, 0.2),
    "regularity": (20, None, 0.2, 0.0),
    "metre (1: no accent)": (20, 0, 0.2, 0.2),
    "loudness of a sine": (20, 0.2, 0.0, 0.0),
    "course of the level": (20, None, 0.2, 0.0),
    "rate of a pulsation": (20, 1, 0.0, 0.2),
    "no pulsation in noise": (99, None, 0.2, 0.0),
    "slope of noise": (99, 0.2, 0.0, 0.2),
    "upper limit of noise": (99, 5, 0.0, 0.4),
    "centroid of noise in a band": (99, 2, 0.0, 0.0),
    "noise or tone": (20, None, 0.2, 0.4),
    "first formant": (20, 5, 0.2, 0.4),
    "second formant": (20, 5, 0.2, 0.6),
    "speech-like or not": (20, None, 0.2, 0.2),
    "number of syllables": (20, 1, 0.2, 0.0),
    "order of two parts": (20, None, 0.2, 0.0),
    "clipping": (99, None, 0.0, 0.0),
    "hum (0: none)": (20, None, 0.2, 0.0),
    "dropouts": (99, 0, 0.0, 0.0),
    "pitch of a low tone (40 to 100 Hz)": (20, 5, 0.0, 0.2),
    "pitch of a tone without its lowest partials": (20, 5, 0.0, 0.2),
    "harmonic or not, low or without lowest partials": (20, None, 0.0, 0.2),
    "course of the level, 6 to 40 dB in 2 to 10 s": (20, None, 0.2, 0.0),
    "size of a crescendo, 6 to 40 dB": (99, 0.5, 0.0, 0.0),
    "silence in a crescendo": (99, 0.05, 0.0, 0.0),
    "noise or low tone": (20, None, 0.0, 0.2),
    "clipping, from 40 Hz on, soft, 8 and 16 bits": (99, None, 0.2, 0.0),
    "no fault in a faultless clip": (99, None, 0.0, 0.0),
}


@pytest.mark.parametrize("case", bench.CASES, ids=lambda case: case.name)
def test_each_estimator_stays_within_its_bounds_on_signals_of_known_properties(case: object) -> None:
    snr, median, gross, untold = BOUNDS[case.name]  # type: ignore[attr-defined]
    found = bench.row(case, float(snr), 6, seed=11)
    assert found.untold <= untold
    assert found.gross <= gross
    assert median is None or found.median <= median


def _odd() -> dict[str, NDArray[np.floating]]:
    t, random = np.arange(RATE) / RATE, np.random.default_rng(0)
    click = np.zeros(RATE)
    click[5000] = 1
    return {
        "zeros": np.zeros(RATE),
        "a constant": np.full(RATE, 0.5),
        "noise at -90 dBFS": 10 ** (-90 / 20) * random.standard_normal(RATE),
        "one sample": np.array([0.3]),
        "three samples": np.array([0.3, 0.2, -0.1]),
        "20 ms of a tone": 0.3 * np.sin(2 * np.pi * 440 * t[:320]),
        "a click": click,
        "a square at full scale": np.sign(np.sin(2 * np.pi * 100 * t + 0.1)),
        "random walk": np.cumsum(random.standard_normal(RATE)) / 300,
        "beyond full scale": 40 * random.standard_normal(RATE),
        "high tone": 0.3 * np.sin(2 * np.pi * 7800 * t),
        "20 Hz": 0.3 * np.sin(2 * np.pi * 20 * t),
    }


def _captions() -> list[str]:
    texts = [caption(measure(wave, RATE)) for wave in _odd().values()]
    for case in bench.CASES:
        for number in range(2):
            random = np.random.default_rng([5, number])
            drawn = case.draw(random, RATE)
            texts.append(caption(measure(drawn.wave, drawn.rate)))
    return texts


def test_a_caption_holds_only_words_of_the_vocabulary_numbers_and_names_of_notes() -> None:
    note = re.compile(r"[A-G]#?-?\d+")
    for text in _captions():
        for word in re.findall(r"[A-Za-z][A-Za-z0-9#'\-]*", text):
            assert word.lower() in VOCABULARY or note.fullmatch(word), f"{word!r} in {text!r}"
        assert "{" not in text
        assert "nan" not in text.lower().split()


@pytest.mark.parametrize("name", _odd())
def test_an_odd_clip_is_described_without_a_warning(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = caption(measure(_odd()[name], RATE))
    assert text.startswith("The clip lasts")
    assert ("It is silent" in text) == (name in ("zeros", "a constant", "noise at -90 dBFS", "one sample"))


@pytest.mark.parametrize("rate", [1_000, 4_000, 8_000, 11_025, 96_000, 192_000])
def test_a_tone_is_told_at_any_rate(rate: int) -> None:
    wave = 0.3 * np.sin(2 * np.pi * 150 * np.arange(rate) / rate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pitch = measure(wave, rate).pitch
    assert pitch is not None
    assert pitch.hz == pytest.approx(150, rel=0.01)


@pytest.mark.parametrize(
    "wave", [np.zeros(0), np.zeros((2, 100)), np.array([0.0, np.nan])], ids=["empty", "2-d", "nan"]
)
def test_what_is_no_clip_is_refused(wave: NDArray[np.floating]) -> None:
    with pytest.raises(ValueError, match="non-empty row of finite"):
        measure(wave, RATE)


def test_a_major_triad_is_named_from_its_notes() -> None:
    t = np.arange(2 * RATE) / RATE
    notes = (261.63, 329.63, 392.0)
    tones = [np.sin(2 * np.pi * f * n * t) / n for n in range(1, 6) for f in notes]
    text = caption(measure(0.1 * np.sum(tones, axis=0), RATE))
    assert "There are 3 simultaneous pitches: 262 Hz (C4), 330 Hz (E4), 392 Hz (G4)." in text
    assert "Together they form a major triad." in text


def test_two_notes_are_told_with_their_interval_and_direction() -> None:
    t = np.arange(RATE) / RATE
    wave = np.concatenate([0.3 * np.sin(2 * np.pi * f * t) * np.hanning(RATE) ** 0.2 for f in (440.0, 660.0)])
    assert "The second note is higher, by a perfect fifth (7 semitones)." in caption(measure(wave, RATE))


def test_the_level_of_a_clip_does_not_change_its_pitch_and_rhythm() -> None:
    random = np.random.default_rng(3)
    wave = bench.made.draw_melody(random, RATE).wave
    loud, soft = measure(wave, RATE), measure(0.05 * wave, RATE)
    assert loud.pitch is not None
    assert soft.pitch is not None
    assert [round(n.hz, 2) for n in loud.pitch.notes] == [round(n.hz, 2) for n in soft.pitch.notes]
    assert loud.level.loudness is not None
    assert soft.level.loudness == pytest.approx(loud.level.loudness + 20 * np.log10(0.05), abs=0.05)


def test_the_same_clip_is_always_described_in_the_same_words() -> None:
    wave = bench.made.babble(np.random.default_rng(1), RATE, 6)
    assert caption(measure(wave, RATE)) == caption(measure(wave.copy(), RATE))
