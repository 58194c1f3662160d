"""Signals of known properties for acoustic.py, and how each property is read from the measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akb.cascades.acoustic import Measures

Wave = NDArray[np.floating[Any]]
Random = np.random.Generator
NEVER = 99.0  # dB: no noise is added


# -- signals -----------------------------------------------------------------------------------------------------


def seconds(length: float, rate: int) -> Wave:
    return np.arange(round(length * rate)) / rate


def harmonic(hz: Wave, rate: int, random: Random, fall: float = 1.0) -> Wave:
    """A tone of up to 12 harmonics, each 1/n^fall, from its frequency at each sample."""
    phase = 2 * np.pi * np.cumsum(hz) / rate
    top = max(1, min(12, int(0.45 * rate / hz.max())))
    wave = sum(np.sin(n * phase + random.uniform(0, 6.28)) / n**fall for n in range(1, top + 1))
    return faded(0.3 * np.asarray(wave) / np.abs(wave).max(), rate)


def faded(wave: Wave, rate: int, edge: float = 0.01) -> Wave:
    count = min(round(edge * rate), len(wave) // 2)
    slope = np.sin(np.linspace(0, np.pi / 2, count)) ** 2
    wave = wave.copy()
    wave[:count] *= slope
    wave[len(wave) - count :] *= slope[::-1]
    return wave


def with_noise(wave: Wave, snr: float, random: Random) -> Wave:
    if snr >= NEVER:
        return wave
    power = float(np.mean(wave[np.abs(wave) > 0] ** 2))
    return np.asarray(wave + np.sqrt(power / 10 ** (snr / 10)) * random.standard_normal(len(wave)))


def coloured(length: float, rate: int, slope: float, random: Random, low: float = 20, high: float = 1e9) -> Wave:
    """Gaussian noise whose power density goes by `slope` dB per octave, within a band."""
    count = round(length * rate)
    spectrum = np.fft.rfft(random.standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / rate)
    spectrum *= np.where((hertz >= low) & (hertz <= high), np.maximum(hertz, 1) ** (slope / 6.0206), 0)
    wave = np.fft.irfft(spectrum, count)
    return np.asarray(0.1 * wave / wave.std())


def resonant(source: Wave, rate: int, formants: list[float]) -> Wave:
    """A source through resonances of 60 to 120 Hz width in series (Klatt 1980)."""
    from scipy.signal import lfilter

    for number, hz in enumerate(formants):
        r = np.exp(-np.pi * (60 + 20 * number) / rate)
        angle = 2 * np.pi * hz / rate
        source = lfilter([1 - 2 * r * np.cos(angle) + r * r], [1, -2 * r * np.cos(angle), r * r], source)
    return np.asarray(0.2 * source / np.abs(source).max())


def glottal(hz: Wave, rate: int) -> Wave:
    """Pulses with a fall of 12 dB per octave, and lips that give back 6."""
    from scipy.signal import lfilter

    pulses = np.diff(np.floor(np.cumsum(hz) / rate), prepend=0.0)
    return np.asarray(np.diff(lfilter([1], [1, -1.9, 0.9025], pulses), prepend=0.0))


def struck(times: list[float], peaks: list[float], length: float, rate: int, random: Random, decay: float) -> Wave:
    """Bursts of decaying noise at given times; `decay` is the time for a fall by 60 dB."""
    wave = np.zeros(round(length * rate))
    for start, peak in zip(times, peaks, strict=True):
        at = round(start * rate)
        rest = np.arange(min(len(wave) - at, round(1.2 * decay * rate))) / rate
        wave[at : at + len(rest)] += peak * random.standard_normal(len(rest)) * 10 ** (-3 * rest / decay)
    return wave


# -- cases: what is drawn, and what is measured -------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """A signal and its truth; for a property that is a kind, the truth is a word."""

    wave: Wave
    rate: int
    truth: float | str


def draw_steady(r: Random, rate: int) -> Drawn:
    hz = float(80 * 2 ** r.uniform(0, 4.3))
    return Drawn(harmonic(np.full(round(1.5 * rate), hz), rate, r, r.uniform(0.5, 2)), rate, hz)


def draw_pure(r: Random, rate: int) -> Drawn:
    hz = float(80 * 2 ** r.uniform(0, 6.2))
    return Drawn(faded(0.3 * np.sin(2 * np.pi * hz * seconds(1.5, rate)), rate), rate, hz)


def draw_course(r: Random, rate: int) -> Drawn:
    kind = str(r.choice(["steady", "rising", "falling", "vibrato", "sweeping", "steps"]))
    t = seconds(2.4, rate)
    middle, octaves = 200 * 2 ** r.uniform(0, 2), r.uniform(0.4, 1.6)
    notes = np.repeat(r.permutation([0, 2, 4, 7, 9])[:4] / 12, 1 + len(t) // 4)[: len(t)]
    moves = {
        "steady": 0 * t, "rising": octaves * t / 2.4, "falling": -octaves * t / 2.4, "steps": notes,
        "vibrato": r.uniform(30, 90) / 1200 * np.sin(2 * np.pi * r.uniform(4.5, 7) * t),
        "sweeping": 0.5 * octaves * np.sin(2 * np.pi * r.uniform(0.9, 3) * t),
    }  # fmt: skip
    return Drawn(harmonic(middle * 2 ** moves[kind], rate, r), rate, kind)


def draw_vibrato(r: Random, rate: int) -> Drawn:
    vibrato = float(r.uniform(4, 8))
    move = r.uniform(25, 100) / 1200 * np.sin(2 * np.pi * vibrato * seconds(2, rate))
    return Drawn(harmonic(300 * 2 ** r.uniform(-1, 1) * 2**move, rate, r), rate, vibrato)


def draw_melody(r: Random, rate: int) -> Drawn:
    steps = np.cumsum(r.choice([-4, -3, -2, -1, 1, 2, 3, 4, 5], size=int(r.integers(3, 9))))
    hz = 220 * 2 ** r.uniform(0, 1) * 2 ** (steps / 12)
    length = r.uniform(0.18, 0.5)
    wave = np.concatenate([harmonic(np.full(round(length * rate), f), rate, r) for f in hz])
    return Drawn(wave, rate, " ".join(str(s - steps[0]) for s in steps))


def melody_told(m: Measures) -> str | None:
    if m.pitch is None or m.pitch.course != "steps":
        return None
    hz = np.array([note.hz for note in m.pitch.notes])
    return " ".join(str(round(12 * np.log2(h / hz[0]))) for h in hz)


def draw_chord(r: Random, rate: int) -> Drawn:
    shapes = [(0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8), (0, 4, 7, 10), (0, 7), (0, 4), (0, 3), (0, 5), (0,)]
    shape = shapes[int(r.integers(len(shapes)))]
    base = 130 * 2 ** r.uniform(0, 2)
    length = round(1.5 * rate)
    wave = sum(harmonic(np.full(length, base * 2 ** (s / 12)), rate, r) for s in shape)
    return Drawn(np.asarray(wave), rate, " ".join(map(str, shape)))


def chord_told(m: Measures) -> str | None:
    if m.partials is None or not m.partials.pitches:
        return None
    base = m.partials.pitches[0]
    return " ".join(str(round(12 * np.log2(h / base))) for h in m.partials.pitches)


def draw_inharmonic(r: Random, rate: int) -> Drawn:
    t, base = seconds(1.5, rate), 200 * 2 ** r.uniform(0, 1.5)
    bell = bool(r.integers(2))
    ratios = [1, 2.32, 4.25, 6.63, 9.38] if bell else [1, 2, 3, 4, 5]  # of a free disc's kind, or harmonic
    wave = sum(
        np.sin(2 * np.pi * base * q * t + r.uniform(0, 6)) / (n + 1) for n, q in enumerate(ratios) if base * q < 5e3
    )
    return Drawn(faded(0.2 * np.asarray(wave) * 10 ** (-t), rate), rate, "inharmonic" if bell else "harmonic")


def draw_odd(r: Random, rate: int) -> Drawn:
    hz, odd = 100 * 2 ** r.uniform(0, 2), bool(r.integers(2))
    t = seconds(1.2, rate)
    wave = sum(np.sin(2 * np.pi * hz * n * t) / n for n in range(1, 11) if n % 2 or not odd)
    return Drawn(faded(0.2 * np.asarray(wave), rate), rate, "odd" if odd else "all")


def odd_told(m: Measures) -> str | None:
    if m.partials is None or m.partials.odd_even is None:
        return None
    return "odd" if m.partials.odd_even > 12 else "all"


def draw_harmonicity(r: Random, rate: int) -> Drawn:
    truth = float(r.uniform(2, 20))
    wave = harmonic(np.full(2 * rate, 150 * 2 ** r.uniform(0, 1.5)), rate, r)
    noise_heard = min(1.0, 22_050 / rate)  # the estimator hears up to 11 kHz
    return Drawn(with_noise(wave, truth, r), rate, truth - 10 * float(np.log10(noise_heard)))


def draw_count(r: Random, rate: int) -> Drawn:
    count = int(r.integers(1, 13))
    times = np.cumsum(r.uniform(0.22, 0.5, count)).tolist()
    wave = struck(times, r.uniform(0.1, 0.5, count).tolist(), times[-1] + 0.5, rate, r, r.uniform(0.05, 0.4))
    return Drawn(wave, rate, float(count))


def draw_onset(r: Random, rate: int) -> Drawn:
    start = float(r.uniform(0.2, 2))
    tone = harmonic(np.full(round(0.6 * rate), 200 * 2 ** r.uniform(0, 2)), rate, r)
    return Drawn(np.concatenate([np.zeros(round(start * rate)), tone, np.zeros(rate // 4)]), rate, start)


def draw_attack(r: Random, rate: int) -> Drawn:
    rise, wave = float(r.uniform(0.02, 0.4)), 0.3 * r.standard_normal(2 * rate)
    wave *= np.clip((seconds(2, rate) - 0.3) / (rise / 0.8), 0, 1)  # 10 to 90 % of a straight rise
    return Drawn(wave, rate, rise)


def draw_decay(r: Random, rate: int) -> Drawn:
    truth = float(0.15 * 2 ** r.uniform(0, 4))
    return Drawn(struck([0.2], [0.5], 0.7 + truth, rate, r, truth), rate, truth)


def draw_reverberation(r: Random, rate: int) -> Drawn:
    from scipy.signal import fftconvolve

    truth = float(0.3 * 2 ** r.uniform(0, 3))
    room = struck([0.0], [1.0], 1.2 * truth, rate, r, truth)
    room[0] = 3.0
    wave = fftconvolve(coloured(0.5, rate, 0, r), room)
    return Drawn(0.3 * wave / np.abs(wave).max(), rate, truth)


def draw_tempo(r: Random, rate: int) -> Drawn:
    bpm = float(r.uniform(50, 220))
    times = (0.1 + np.arange(int(6 * bpm / 60)) * 60 / bpm).tolist()
    return Drawn(struck(times, [0.4] * len(times), 6.2, rate, r, 0.1), rate, bpm)


def draw_rhythm(r: Random, rate: int) -> Drawn:
    kind = str(r.choice(["even", "uneven", "quickening", "slowing"]))
    gaps = {"even": np.full(10, 0.4), "uneven": r.permutation(np.linspace(0.18, 0.7, 10)),
            "quickening": 0.6 * 0.88 ** np.arange(10), "slowing": 0.2 * 1.13 ** np.arange(10)}[kind]  # fmt: skip
    times = (0.1 + np.concatenate([[0], np.cumsum(gaps)])).tolist()
    return Drawn(struck(times, [0.4] * len(times), times[-1] + 0.4, rate, r, 0.1), rate, kind)


def rhythm_told(m: Measures) -> str | None:
    if m.rhythm is None or m.rhythm.even is None:
        return None
    return m.rhythm.course if m.rhythm.course in ("quickening", "slowing") else "even" if m.rhythm.even else "uneven"


def draw_metre(r: Random, rate: int) -> Drawn:
    beats = int(r.choice([1, 2, 3, 4]))
    times = (0.1 + 0.35 * np.arange(16)).tolist()
    peaks = [0.5 if n % beats == 0 else 0.2 for n in range(16)]
    return Drawn(struck(times, peaks, 6.0, rate, r, 0.12), rate, float(beats))


def draw_loudness(r: Random, rate: int) -> Drawn:
    gain = float(r.uniform(-45, -3))  # BS.1770: a 997 Hz sine of full scale reads -3.01 LUFS in one channel
    return Drawn(10 ** (gain / 20) * np.sin(2 * np.pi * 997 * seconds(2, rate)), rate, gain - 3.01)


def level_course(r: Random, rate: int, kind: str, size: float, length: float) -> Wave:
    """A noise or a tone whose level goes by `size` dB, straight in dB, in all of its length or in each half of it."""
    part = np.linspace(0, 1, round(length * rate))
    shape = {"steady": 0 * part, "rising": part, "falling": 1 - part,
             "swelling": 1 - np.abs(2 * part - 1), "dipping": np.abs(2 * part - 1)}[kind]  # fmt: skip
    source = coloured(length, rate, -3, r) if r.integers(2) else harmonic(np.full(len(part), 250.0), rate, r)
    return np.asarray(source * 10 ** (size * (shape - 1) / 20))


def draw_level_course(r: Random, rate: int) -> Drawn:
    kind = str(r.choice(["steady", "rising", "falling", "swelling", "dipping"]))
    return Drawn(level_course(r, rate, kind, r.uniform(8, 14), 3), rate, kind)


def course_told(m: Measures) -> str | None:
    return {"fading in": "rising", "fading out": "falling"}.get(str(m.level.course), m.level.course)


def draw_pulse(r: Random, rate: int) -> Drawn:
    truth = float(r.uniform(1.5, 20))
    t = seconds(3, rate)
    source = coloured(3, rate, 0, r) if r.integers(2) else harmonic(np.full(3 * rate, 300.0), rate, r)
    return Drawn(source * (1 + r.uniform(0.4, 1) * np.sin(2 * np.pi * truth * t)), rate, truth)


def draw_no_pulse(r: Random, rate: int) -> Drawn:
    return Drawn(coloured(3, rate, float(r.uniform(-6, 0)), r), rate, "none")


def draw_slope(r: Random, rate: int) -> Drawn:
    truth = float(r.choice([-6, -3, 0, 3, 6]) + r.uniform(-1, 1))
    return Drawn(coloured(2, rate, truth, r), rate, truth)


def draw_cut(r: Random, rate: int) -> Drawn:
    truth = float(500 * 2 ** r.uniform(0, 3.3))
    return Drawn(coloured(2, rate, 0, r, high=truth), rate, truth)


def draw_centroid(r: Random, rate: int) -> Drawn:
    low = float(200 * 2 ** r.uniform(0, 3))
    high = low * 2 ** float(r.uniform(0.5, 1.5))
    return Drawn(coloured(2, rate, 0, r, low, high), rate, (low + high) / 2)


def draw_noisy(r: Random, rate: int) -> Drawn:
    noise = bool(r.integers(2))
    wave = coloured(1.5, rate, float(r.uniform(-6, 3)), r) if noise else draw_steady(r, rate).wave
    return Drawn(wave, rate, "noise" if noise else "tone")


def noisy_told(m: Measures) -> str | None:
    if m.spectrum is None or m.spectrum.noisiness is None or 0.35 <= m.spectrum.noisiness <= 0.7:
        return None
    return "noise" if m.spectrum.noisiness > 0.7 else "tone"


VOWELS = ((270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440),
          (570, 840, 2410), (440, 1020, 2240), (300, 870, 2240))  # Hz; Peterson and Barney 1952, men  # fmt: skip


def draw_vowel(which: int) -> Callable[[Random, int], Drawn]:
    def draw(r: Random, rate: int) -> Drawn:
        formants = [f * float(r.uniform(0.95, 1.05)) for f in VOWELS[int(r.integers(len(VOWELS)))]]
        wave = resonant(glottal(np.full(rate, r.uniform(90, 200)), rate), rate, [*formants, 3400, 4400])
        return Drawn(faded(wave, rate), rate, formants[which])

    return draw


def babble(r: Random, rate: int, count: int) -> Wave:
    """Syllables of a falling and rising voice, vowels between hisses."""
    parts = []
    for _ in range(count):
        length = round(r.uniform(0.12, 0.25) * rate)
        hz = 120 * 2 ** (r.uniform(-0.3, 0.3) + np.linspace(0, r.uniform(-0.3, 0.3), length))
        vowel = resonant(glottal(hz, rate), rate, [*map(float, VOWELS[int(r.integers(len(VOWELS)))]), 3400, 4400])
        parts += [0.03 * coloured(r.uniform(0.06, 0.12), rate, 3, r, low=2000), faded(vowel, rate, 0.03)]
    return np.concatenate(parts)


def draw_speech(r: Random, rate: int) -> Drawn:
    makers: list[Callable[[Random, int], Drawn]] = [
        draw_melody,
        draw_chord,
        draw_count,
        draw_pulse,
        draw_decay,
        draw_course,
        draw_tempo,
    ]
    if r.integers(2):
        return Drawn(babble(r, rate, int(r.integers(5, 12))), rate, "speech")
    return Drawn(makers[int(r.integers(len(makers)))](r, rate).wave, rate, "no")


def speech_told(m: Measures) -> str | None:
    return None if m.speech is None or m.speech.likely is None else "speech" if m.speech.likely else "no"


def draw_syllables(r: Random, rate: int) -> Drawn:
    count = int(r.integers(3, 12))
    return Drawn(babble(r, rate, count), rate, float(count))


def draw_parts(r: Random, rate: int) -> Drawn:
    made = {"noise": coloured(1, rate, 0, r), "pitched": harmonic(np.full(rate, 330.0), rate, r),
            "silence": np.zeros(rate // 3)}  # fmt: skip
    order = [str(k) for k in r.permutation(["noise", "pitched"])]
    middle = [made["silence"]] if r.integers(2) else []
    return Drawn(np.concatenate([made[order[0]], *middle, made[order[1]]]), rate, " ".join(order))


def draw_clipping(r: Random, rate: int) -> Drawn:
    clipped, wave = bool(r.integers(2)), harmonic(np.full(rate, 200.0), rate, r) * 2.5
    return Drawn(np.clip(wave, -0.6, 0.6) if clipped else wave, rate, "clipped" if clipped else "whole")


def draw_hum(r: Random, rate: int) -> Drawn:
    mains = int(r.choice([0, 50, 60]))
    t, noise = seconds(3, rate), coloured(3, rate, -3, r)
    hum = sum(np.sin(2 * np.pi * mains * n * t) / n for n in (1, 2, 3, 4)) if mains else 0 * t
    return Drawn(noise + r.uniform(0.05, 0.2) * np.asarray(hum), rate, str(mains))


def draw_dropouts(r: Random, rate: int) -> Drawn:
    count, wave = int(r.integers(0, 6)), coloured(3, rate, -3, r)
    for n in range(count):
        at = round((0.3 + 0.45 * n) * rate)
        wave[at : at + round(r.uniform(0.01, 0.05) * rate)] = 0
    return Drawn(wave, rate, float(count))
