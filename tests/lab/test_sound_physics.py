"""What notes, noises, effects and voices measure, by means that share nothing with their making."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.signal import hilbert, welch

from akb.lab.sound import read_scene, render, truth
from akb.lab.sound.instruments import PITCHED

RATE = 16000
Wave = NDArray[np.float64]


def one(source: str, effects: list[dict[str, Any]] | None = None, **event: Any) -> tuple[dict[str, Any], Wave]:
    """The truth and the samples of a scene of one event, without the silence after it."""
    params = event.pop("params", {})
    scene = read_scene({"events": [{"source": source, "params": params, **event}], "effects": effects or [], "seed": 3})
    known = truth(scene)["events"][0]
    return known, render(scene).astype(np.float64)[: round(known["end"] * RATE)]


def spectrum(x: Wave) -> tuple[Wave, Wave]:
    """Frequencies and amplitudes, by a Hann window and four-fold zero padding."""
    size = 4 * len(x)
    amps: Wave = np.abs(np.fft.rfft(x * np.hanning(len(x)), size))
    freqs: Wave = np.arange(len(amps)) * RATE / size
    return freqs, amps


def near(x: Wave, f: float, wide: float = 15.0) -> float:
    """The amplitude of the highest peak within `wide` Hz of f."""
    freqs, amps = spectrum(x)
    return float(amps[np.abs(freqs - f) <= wide].max())


def pitch(x: Wave, low: float = 60, high: float = 1000) -> float:
    """The pitch by the first high peak of the autocorrelation, between the samples by a parabola; 0 of noise."""
    power = np.abs(np.fft.rfft(x - x.mean(), 2 * len(x))) ** 2
    auto = np.fft.irfft(power)[: len(x)] / np.arange(len(x), 0, -1)
    lags = np.arange(int(RATE / high), min(int(RATE / low) + 1, len(x) // 2))
    peaks = [lag for lag in lags if auto[lag] >= auto[lag - 1] and auto[lag] > auto[lag + 1]]
    if not peaks or max(auto[lag] for lag in peaks) < 0.4 * auto[0]:
        return 0.0
    most = max(auto[lag] for lag in peaks)
    lag = next(lag for lag in peaks if auto[lag] > 0.9 * most)
    a, b, c = auto[lag - 1 : lag + 2]
    return float(RATE / (lag + 0.5 * (a - c) / (a - 2 * b + c)))


def formants(x: Wave, count: int) -> list[float]:
    """The first resonances by linear prediction: angles of the sharp poles (Markel and Gray, 1976)."""
    x = np.append(x[0], x[1:] - 0.6 * x[:-1]) * np.hamming(len(x))
    order = 14
    auto = np.correlate(x, x, "full")[len(x) - 1 : len(x) + order]
    auto[0] *= 1 + 1e-9
    roots = np.roots(np.concatenate(([1.0], -solve_toeplitz(auto[:-1], auto[1:]))))
    found = sorted((np.angle(r) * RATE / 2 / np.pi, -np.log(np.abs(r)) * RATE / np.pi) for r in roots if r.imag > 0)
    return [f for f, width in found if f > 150 and width < 500][:count]


@pytest.mark.parametrize("note", [45, 57, 62.5, 72])
@pytest.mark.parametrize("instrument", sorted(set(PITCHED) - {"bell", "marimba"}))
def test_every_instrument_sounds_the_pitch_that_the_truth_gives(instrument: str, note: float) -> None:
    known, x = one("note", params={"instrument": instrument, "note": note, "vibrato_cents": 0})
    assert pitch(x[3200:12000]) == pytest.approx(known["f0"], rel=0.006)


@pytest.mark.parametrize(("instrument", "partials"), [("bell", (0.5, 1, 1.2, 1.5, 2)), ("marimba", (1, 3.93, 9.2))])
def test_struck_metal_and_wood_have_their_own_partials(instrument: str, partials: tuple[float, ...]) -> None:
    known, x = one("note", params={"instrument": instrument, "note": 60})
    both = np.concatenate((x[:8000][::-1], x[:8000]))  # so that the window is highest at the stroke
    f0, high = known["f0"], spectrum(both)[1].max()
    assert min(near(both, f0 * ratio) for ratio in partials) > 0.005 * high
    assert near(both, 3.5 * f0) < 0.1 * near(both, partials[1] * f0)


def test_a_clarinet_has_the_odd_partials_and_a_flute_few() -> None:
    known, x = one("note", params={"instrument": "clarinet", "note": 60})
    odd, even = (sum(near(x, known["f0"] * k) for k in ks) for ks in ((1, 3, 5, 7), (2, 4, 6, 8)))
    assert even < 0.01 * odd
    known, x = one("note", params={"instrument": "flute", "note": 60, "vibrato_cents": 0})
    assert near(x, 6 * known["f0"]) < 0.02 * near(x, known["f0"])


def test_brass_is_brighter_with_force() -> None:
    centres = []
    for force in (0.1, 1.0):
        freqs, amps = spectrum(one("note", params={"instrument": "brass", "note": 57, "force": force})[1])
        centres.append(float(np.sum(freqs * amps**2) / np.sum(amps**2)))
    assert centres[1] > 1.6 * centres[0]


def test_plucked_and_struck_notes_die_away_and_blown_ones_stay() -> None:
    for name in PITCHED:
        known, x = one("note", params={"instrument": name, "note": 60}, length=2)
        early, late = (float(np.sqrt(np.mean(part**2))) for part in (x[1600:6400], x[22000:27000]))
        assert (late > 0.7 * early) == known["sustained"], name


@pytest.mark.parametrize("cents", [0, 30, 100])
def test_vibrato_sways_by_its_cents_five_and_a_half_times_a_second(cents: float) -> None:
    known, x = one("note", params={"instrument": "flute", "note": 69, "vibrato_cents": cents}, length=3)
    phase = np.unwrap(np.angle(hilbert(x)))
    track = np.diff(phase)[8000:-6000] * RATE / 2 / np.pi
    smooth = 1200 * np.log2(np.convolve(track, np.ones(600) / 600, "valid") / known["f0"])
    amps = np.abs(np.fft.rfft((smooth - smooth.mean()) * np.hanning(len(smooth)), 65536))
    at = np.argmax(amps) * RATE / 65536
    if cents:
        assert known["vibrato_cents"] == cents
        assert at == pytest.approx(5.5, abs=0.35)
        assert (np.percentile(smooth, 99) - np.percentile(smooth, 1)) / 2 == pytest.approx(cents, rel=0.3)
    else:
        assert "vibrato_cents" not in known
        assert np.ptp(smooth) < 25  # its breath is noise


def test_a_slide_goes_from_pitch_to_pitch() -> None:
    known, x = one("note", params={"instrument": "organ", "note": 57, "slide": 12}, length=3)
    assert pitch(x[400:1400]) == pytest.approx(known["f0"], rel=0.02)
    assert pitch(x[-1400:-400]) == pytest.approx(known["f0_end"], rel=0.02)
    assert known["pitch_course"] == "rising"


@pytest.mark.parametrize("instrument", ["flute", "piano"])
def test_a_trill_goes_to_and_fro_between_two_notes(instrument: str) -> None:
    known, x = one("note", params={"instrument": instrument, "note": 72, "trill": 2, "trill_rate": 4})
    heard = [pitch(x[round(t * RATE) : round((t + 0.08) * RATE)]) for t in (0.28, 0.405, 0.53, 0.655)]
    upper = known["f0"] * 2 ** (2 / 12)
    assert heard == pytest.approx([known["f0"], upper] * 2, rel=0.02)


@pytest.mark.parametrize(("quality", "steps"), [("major", (0, 4, 7)), ("minor", (0, 3, 7)), ("diminished", (0, 3, 6))])
def test_a_chord_holds_its_notes_and_no_other_third(quality: str, steps: tuple[int, ...]) -> None:
    known, x = one("chord", params={"instrument": "organ", "root": 60, "quality": quality}, length=2)
    there = [near(x, 261.6256 * 2 ** (step / 12), 3) for step in steps]
    other = near(x, 261.6256 * 2 ** ((7 - steps[1]) / 12), 3)
    assert other < 0.02 * min(there)
    assert known["f0s"] == pytest.approx([261.6256 * 2 ** (step / 12) for step in steps], rel=1e-5)


def test_a_melody_sounds_each_note_at_its_time() -> None:
    notes = [60, 64, None, 67, 59]
    known, x = one("melody", params={"instrument": "clarinet", "notes": notes, "tempo": 90, "tempo_end": 150})
    for f0, at in zip(known["f0s"], known["onsets"], strict=True):
        assert pitch(x[round((at + 0.05) * RATE) : round((at + 0.3) * RATE)]) == pytest.approx(f0, rel=0.006)
    assert (known["tempo_course"], known["pitch_course"], known["count"]) == ("speeding up", "mixed", 4)


def test_a_metre_is_heard_by_its_accents() -> None:
    known, x = one("rhythm", params={"drums": {"snare": "Xxx"}, "repeats": 3, "tempo": 150})
    loud = np.array([np.sqrt(np.mean(x[round(at * RATE) : round((at + 0.1) * RATE)] ** 2)) for at in known["onsets"]])
    assert known["accent_every"] == 3
    assert np.diff(known["onsets"]) == pytest.approx(0.4, abs=1e-5)
    assert 20 * np.log10(loud[::3].mean() / np.delete(loud, [0, 3, 6]).mean()) == pytest.approx(9, abs=1)


@pytest.mark.parametrize("colour", ["white", "pink", "brown", "blue", "violet"])
def test_a_noise_has_the_slope_of_its_colour(colour: str) -> None:
    known, x = one("noise", params={"colour": colour}, length=6)
    freqs, power = welch(x, RATE, nperseg=4096)
    keep = (freqs > 100) & (freqs < 6000)
    slope = np.polyfit(np.log2(freqs[keep]), 10 * np.log10(power[keep]), 1)[0]
    assert slope == pytest.approx(known["db_per_octave"], abs=0.25)


@pytest.mark.parametrize(
    ("effect", "passed", "half", "stopped"),
    [
        ({"kind": "low_pass", "cutoff": 1000}, 400, 1000, 2200),
        ({"kind": "high_pass", "cutoff": 2000}, 4500, 2000, 900),
        ({"kind": "band_pass"}, 1000, 3400, 6500),
        ({"kind": "notch", "centre": 1000, "width": 200}, 3000, 900, 1000),
    ],
)
def test_a_filter_lets_pass_and_stops_what_it_says(
    effect: dict[str, Any], passed: float, half: float, stopped: float
) -> None:
    _, plain = one("noise", length=8)
    _, through = one("noise", [effect], length=8)
    freqs, before = welch(plain, RATE, nperseg=2048)
    _, after = welch(through, RATE, nperseg=2048)
    change = 10 * np.log10(after / before)
    at = [float(np.interp(f, freqs, change)) for f in (passed, half, stopped)]
    assert at[0] == pytest.approx(0, abs=0.2)
    assert at[1] == pytest.approx(-3, abs=0.8)
    assert at[2] < -20


def test_hum_stands_at_its_frequency_and_level() -> None:
    for f, other in ((50, 60), (60, 50)):
        scene = read_scene({"events": [], "duration": 4, "effects": [{"kind": "hum", "f": f, "level_db": -26}]})
        x = render(scene).astype(np.float64)
        assert near(x, f, 2) > 100 * near(x, other, 2)
        assert 10 * np.log10(np.mean(x**2)) == pytest.approx(-26, abs=0.1)


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_rounding_to_bits_leaves_the_noise_of_theory(bits: int) -> None:
    _, plain = one("noise", length=4, level_db=-16)
    _, rough = one("noise", [{"kind": "bits", "bits": bits}], length=4, level_db=-16)
    step = 2.0 ** (1 - bits)
    assert np.mean((rough - plain) ** 2) == pytest.approx(step**2 / 12, rel=0.05)


def test_clipping_cuts_at_the_height_it_says() -> None:
    _, plain = one("tone", length=1)
    _, cut = one("tone", [{"kind": "clipping", "under_peak_db": 6}], length=1)
    assert np.abs(cut).max() == pytest.approx(np.abs(plain).max() * 10**-0.3, rel=1e-3)
    share = np.mean(np.abs(cut[800:-800]) > 0.999 * np.abs(cut).max())
    assert share == pytest.approx(1 - 2 / np.pi * np.arcsin(10**-0.3), abs=0.02)


def test_dropouts_are_silent_where_and_as_long_as_they_say() -> None:
    _, x = one("noise", [{"kind": "dropouts", "at": [0.5, 1.4], "seconds": 0.2}], length=2)
    silent = np.abs(np.convolve(np.abs(x), np.ones(80) / 80, "same")) < 1e-5
    edges = np.flatnonzero(np.diff(silent.astype(int)))[:4] / RATE
    assert edges == pytest.approx([0.5, 0.7, 1.4, 1.6], abs=0.006)


def test_an_echo_comes_after_its_delay_and_softer_by_its_fall() -> None:
    echo = {"kind": "echo", "delay": 0.4, "fall_db": 8, "repeats": 2}
    scene = read_scene({"events": [{"source": "claps", "params": {"count": 1}}], "effects": [echo]})
    x = render(scene).astype(np.float64)
    loud = [np.sqrt(np.mean(x[round(at * RATE) :][:1600] ** 2)) for at in (0.0, 0.4, 0.8)]
    assert 20 * np.log10(loud[0] / loud[1]) == pytest.approx(8, abs=0.3)
    assert 20 * np.log10(loud[1] / loud[2]) == pytest.approx(8, abs=0.3)


@pytest.mark.parametrize("rt60", [0.4, 1.2, 2.5])
def test_reverberation_decays_by_sixty_decibels_in_its_time(rt60: float) -> None:
    effects = [{"kind": "reverb", "rt60": rt60, "direct_db": -10}]
    scene = read_scene({"events": [{"source": "claps", "params": {"count": 1}, "length": 0.1}], "effects": effects})
    x = render(scene).astype(np.float64)[3200:]
    fall = 10 * np.log10(np.cumsum(x[::-1] ** 2)[::-1] / np.sum(x**2) + 1e-12)  # Schroeder's backward integral
    t = np.arange(len(x)) / RATE
    keep = (fall < -5) & (fall > -25)
    assert -60 / np.polyfit(t[keep], fall[keep], 1)[0] == pytest.approx(rt60, rel=0.12)


def test_wow_sways_the_pitch_by_its_cents() -> None:
    wow = {"kind": "wow", "rate": 2, "cents": 80}
    _, x = one("tone", [wow], params={"f": 500}, length=3)
    track = np.diff(np.unwrap(np.angle(hilbert(x))))[2400:-2400] * RATE / 2 / np.pi
    track = np.convolve(track, np.ones(100) / 100, "valid")
    assert (1200 * np.log2(track.max() / 500), 1200 * np.log2(track.min() / 500)) == pytest.approx((80, -80), abs=8)
    amps = np.abs(np.fft.rfft((track - track.mean()) * np.hanning(len(track)), 65536))
    assert np.argmax(amps) * RATE / 65536 == pytest.approx(2, abs=0.2)


def test_tremolo_sways_the_level_by_its_depth() -> None:
    _, x = one("tone", [{"kind": "tremolo", "rate": 4, "depth_db": 15}], length=3)
    loud = np.abs(hilbert(x))[1600:-1600]
    assert 20 * np.log10(loud.max() / loud.min()) == pytest.approx(15, abs=0.5)
    assert np.argmax(np.abs(np.fft.rfft(loud - loud.mean(), 65536))) * RATE / 65536 == pytest.approx(4, abs=0.25)


def test_a_siren_swings_between_its_two_pitches_once_a_cycle() -> None:
    known, x = one("siren", params={"low": 400, "high": 800, "cycle": 1.5}, length=3)
    at = [pitch(x[round(t * RATE) - 400 : round(t * RATE) + 400], 300) for t in (0.05, 0.75, 1.5, 2.25)]
    assert at == pytest.approx([400, 800, 400, 800], rel=0.03)
    assert known["cycle"] == 1.5


def test_an_engine_that_speeds_up_has_its_explosions_at_the_rates_told() -> None:
    known, x = one("engine", params={"rate": 40, "rate_end": 80}, length=4)
    assert pitch(x[1000:5000], 30, 120) == pytest.approx(40, rel=0.1)
    assert pitch(x[-5000:-1000], 30, 120) == pytest.approx(80, rel=0.1)
    assert known["pitch_course"] == "rising"


def test_a_cuckoo_falls_by_the_third_that_it_says() -> None:
    for semitones, name in ((3, "minor third"), (4, "major third")):
        known, x = one("cuckoo", params={"semitones": semitones, "count": 1})
        high, low = pitch(x[600:2500]), pitch(x[5500:9000])
        assert 12 * np.log2(high / low) == pytest.approx(semitones, abs=0.05)
        assert known["interval"] == name


@pytest.mark.parametrize("vowel", ["IY", "EH", "AE", "AA", "UH", "ER"])
@pytest.mark.parametrize("tract", [1.0, 1.17])
def test_a_vowel_has_the_resonances_that_the_truth_gives(vowel: str, tract: float) -> None:
    known, x = one("vowel", params={"vowel": vowel, "f0": 95, "tract": tract})
    heard = formants(x[4000:9000], 2)
    assert heard == pytest.approx(known["formants"][:2], rel=0.1, abs=45)
    assert pitch(x[4000:9000]) == pytest.approx(95, rel=0.01)


WORDS = "M AE1 N IY0 | M EH1 L AH0 N | IH0 N | Y UH1 R | R UW1 M"


@pytest.mark.parametrize("contour", ["statement", "question", "monotone"])
def test_a_questions_pitch_rises_at_its_end_and_a_statements_falls(contour: str) -> None:
    known, x = one("speech", params={"phones": WORDS, "contour": contour, "f0": 120})
    _, first, last = known["vowels"][-1]
    start, end = (pitch(x[round(t * RATE) - 480 : round(t * RATE) + 480]) for t in (first + 0.03, last - 0.02))
    moved = 12 * np.log2(end / start)
    assert known["pitch_course"] == ("steady" if abs(moved) < 0.3 else "rising" if moved > 2 else "falling")
    assert abs(moved) < 0.3 or abs(moved) > 2


def test_speech_counts_words_and_syllables_and_stress_is_longer_louder_and_higher() -> None:
    known, x = one("speech", params={"phones": "B AH0 N AE1 N AH0 | M AA1 M AH0", "f0": 110})
    assert (known["words"], known["syllables"], known["stressed"]) == (2, 5, [1, 3])
    (_, a, b), (_, c, d) = known["vowels"][:2]
    assert d - c > 1.4 * (b - a)
    weak, strong = (x[round(first * RATE) : round(last * RATE)] for first, last in ((a, b), (c, d)))
    assert np.mean(strong**2) > 1.5 * np.mean(weak**2)
    assert pitch(strong) > 1.03 * pitch(weak)


def test_faster_speech_is_shorter_by_its_speed() -> None:
    slow, quick = (one("speech", params={"phones": WORDS, "speed": s, "pause": 0})[0]["spoken"] for s in (0.8, 1.6))
    assert slow == pytest.approx(2 * quick, rel=1e-4)


def test_whispered_speech_has_no_pitch() -> None:
    known, x = one("speech", params={"phones": WORDS, "whispered": True})
    assert known["f0"] is None
    assert known["pitch_course"] is None
    assert all(pitch(x[at : at + 1600], 70, 400) == 0 for at in range(1600, 12000, 1600))


def test_a_hiss_lies_higher_in_s_than_in_sh_and_stops_are_silent_before_their_burst() -> None:
    centres = []
    for phone in ("S", "SH"):
        freqs, amps = spectrum(one("speech", params={"phones": f"{phone} AA1"})[1][200:1700])
        centres.append(float(np.sum(freqs * amps**2) / np.sum(amps**2)))
    assert centres[0] > centres[1] + 1000
    _, x = one("speech", params={"phones": "AA1 T AA1", "f0": 110})
    power = np.convolve(x**2, np.ones(160) / 160, "same")
    assert power[round(0.18 * RATE) : round(0.215 * RATE)].min() < 1e-3 * power.max()


def test_two_speakers_differ_by_their_pitch_and_their_resonances() -> None:
    (_, man), (_, child) = (one("vowel", params={"f0": f, "tract": t}) for f, t in ((110, 1.0), (280, 1.35)))
    assert pitch(child[4000:8000]) / pitch(man[4000:8000]) == pytest.approx(280 / 110, rel=0.02)
