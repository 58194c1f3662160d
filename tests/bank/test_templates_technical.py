"""The technical templates' keys against other ways of finding them: scipy, numpy and closed forms."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from akb.bank import checks
from akb.bank.templates import coding, filters, hearing, levels, sampling, spectra
from akb.bank.templates.frame import Draft, Template

ROOMS = (sampling, levels, filters, spectra, coding, hearing)
ALL = {template.name: template for room in ROOMS for template in room.TEMPLATES}
WANTED = {
    "sampling-quantization": 22,
    "levels-decibels": 20,
    "filters-eq": 12,
    "spectral-features": 14,
    "formats-codecs": 12,
    "transducers-chain": 5,
    "spatial-psychoacoustics": 10,
    "speech-audio-ml": 12,
}
Floats = NDArray[np.float64]


def drafts(name: str) -> Iterator[Draft]:
    for seed in (1, 2, 3):
        yield from ALL[name].drafts(6 * ALL[name].count, seed)


def arguments(draft: Draft) -> dict[str, Any]:
    return checks.parse_call(draft.check, "test")[1]


def values(draft: Draft) -> list[float]:
    """The first number of each option, kHz as Hz."""
    found = [re.search(r"([-+\u2212]?)([\d,]+(?:\.\d+)?)", option) for option in draft.options]
    numbers = [float(m[2].replace(",", "")) * (-1 if m[1] in ("-", "\u2212") else 1) for m in found if m]
    return [n * (1000 if "kHz" in option else 1) for n, option in zip(numbers, draft.options, strict=True)]


def only_first(right: list[bool]) -> bool:
    return right == [True, False, False, False]


def test_counts() -> None:
    counts = Counter[str]()
    for template in ALL.values():
        assert template.category == "technical"
        assert 3 <= template.count <= 8
        counts[template.subcategory] += template.count
    assert counts == WANTED


@pytest.mark.parametrize("template", ALL.values(), ids=ALL)
def test_capacity(template: Template) -> None:
    made = template.drafts(6 * template.count, "capacity")
    assert len({draft.about for draft in made}) == 6 * template.count


@pytest.mark.parametrize("name", ALL)
def test_wording(name: str) -> None:
    for draft in drafts(name):
        assert 8 <= len(draft.question.split()) <= 30, draft.question
        assert draft.question.endswith("?")
        assert len(draft.rationale) < 200, draft.rationale
        assert max(map(len, draft.options)) <= 3 * min(map(len, draft.options)), draft.options


# Oracles: each says for every option whether it is right, from the check's arguments but not by the check's way.


def alias_twin(draft: Draft) -> list[bool]:
    a = arguments(draft)
    times = np.arange(500) / a["rate_hz"]
    return [np.allclose(np.cos(2 * np.pi * f * times), np.cos(2 * np.pi * a["tone_hz"] * times)) for f in values(draft)]


def alias_sweep(draft: Draft) -> list[bool]:
    """Peaks of spectra of either end of the glide."""
    a = arguments(draft)
    rate = int(str(a["rate_hz"]))
    ends = []
    for tone in (a["start_hz"], a["end_hz"]):
        spectrum = np.abs(np.fft.rfft(np.sin(2 * np.pi * tone * np.arange(rate) / rate + 0.3)))
        ends.append(int(np.argmax(spectrum)) // 1000)
    way = "rises" if ends[1] > ends[0] else "falls"
    return [option == f"It {way} from {ends[0]} to {ends[1]} kHz" for option in draft.options]


def tones_kept(draft: Draft) -> list[bool]:
    a = arguments(draft)
    rate = int(str(a["rate_hz"]))
    kept = []
    for tone in a["tones_hz"]:
        spectrum = np.abs(np.fft.rfft(np.sin(2 * np.pi * tone * np.arange(rate) / rate + 0.3)))
        kept += [tone // 1000] if int(np.argmax(spectrum)) == tone else []
    told = {2: "Both tones", 0: "Neither tone", 1: f"The {kept[0] if kept else 0} kHz tone alone"}[len(kept)]
    return [option == told for option in draft.options]


def lowest_rate(draft: Draft) -> list[bool]:
    band = arguments(draft)["band_hz"]
    kept = [f for f in sorted(values(draft)) if abs(band - f * round(band / f)) == band]
    return [f == kept[0] for f in values(draft)]


def word_length(draft: Draft) -> list[bool]:
    decibels = float(str(arguments(draft)["range_db"]))
    bits = {math.ceil(decibels / 6.02), math.ceil((decibels - 1.76) / 6.02)}  # of the ratio, and of a sine's SNR
    return [bits == {int(value)} for value in values(draft)]


def requantised(draft: Draft) -> list[bool]:
    """Noise measured by rounding uniform random numbers."""
    a = arguments(draft)
    samples = np.random.default_rng(5).uniform(-1, 1, 20000)

    def noise(bits: object) -> float:
        step = 2.0 ** (1 - int(str(bits)))
        return float(10 * np.log10(np.mean((np.round(samples / step) * step - samples) ** 2)))

    change = noise(a["new_bits"]) - noise(a["old_bits"])
    return [
        abs(size * (1 if "rises" in o else -1) - change) < 1.2
        for size, o in zip(values(draft), draft.options, strict=True)
    ]


def slope_order(draft: Draft) -> list[bool]:
    a = arguments(draft)
    right = []
    for option in draft.options:
        order = ["First", "Second", "Third", "Fourth"].index(option.split()[0]) + 1
        b, den = signal.butter(order, a["cutoff_hz"], analog=True)
        _, h = signal.freqs(b, den, [a["near_hz"], a["far_hz"]])
        right.append(abs(20 * np.log10(abs(h[0] / h[1])) - float(str(a["drop_db"]))) < 1)
    return right


def filtered_tone(draft: Draft) -> list[bool]:
    """Butterworth filters of other widths than the check's."""
    a = arguments(draft)
    hz, kind = float(str(a["hz"])), str(a["kind"])
    one = kind in ("low-pass", "high-pass")
    edges = hz if one else [hz / 1.5, hz * 1.5]
    words: dict[str, Literal["lowpass", "highpass", "bandpass", "bandstop"]] = {
        "low-pass": "lowpass",
        "high-pass": "highpass",
        "band-pass": "bandpass",
        "notch": "bandstop",
    }
    b, den = signal.butter(2 if one else 1, edges, btype=words[kind], analog=True)
    gains = np.abs(signal.freqs(b, den, values(draft))[1])
    best = int(np.argmax(gains) if a["wanted"] == "strongest" else np.argmin(gains))
    return [k == best for k in range(4)]


def comb(draft: Draft) -> list[bool]:
    """Sines added sample by sample."""
    a = arguments(draft)
    times = np.arange(20000) / 1e6
    sign = -1 if a["inverted"] else 1
    right = []
    for f in values(draft):
        mixed = np.sin(2 * np.pi * f * times) + sign * np.sin(2 * np.pi * f * (times - float(str(a["delay_ms"])) / 1e3))
        peak = float(np.max(np.abs(mixed)))
        right.append(peak < 1e-6 if a["wanted"] == "cancelled" else peak > 1.99)
    return right


def filter_type(draft: Draft) -> list[bool]:
    losses: dict[int, float] = arguments(draft)["losses_db"]
    low, mid, high = (losses[f] for f in sorted(losses))
    if mid < min(low, high) - 15:
        told = "Band-pass"
    elif mid > max(low, high) + 15:
        told = "Band-stop"
    else:
        told = "Low-pass" if low < high else "High-pass"
    return [option == told for option in draft.options]


def repetition(draft: Draft) -> list[bool]:
    """The first peak of the autocorrelation as high as at lag 0."""
    partials = arguments(draft)["partials_hz"]
    right = []
    for f in values(draft):
        shifted = sum(math.cos(2 * math.pi * p / f) for p in partials)
        shorter = [sum(math.cos(2 * math.pi * p / f * part) for p in partials) for part in (1 / 2, 1 / 3, 1 / 4)]
        count = len(partials)
        right.append(shifted > count - 1e-6 and max(shorter) < count - 1e-6)
    return right


def no_leakage(draft: Draft) -> list[bool]:
    a = arguments(draft)
    rate, length = int(str(a["rate_hz"])), int(str(a["length"]))
    spectra_ = [np.abs(np.fft.rfft(np.sin(2 * np.pi * f * np.arange(length) / rate + 0.7))) for f in values(draft)]
    return [int((s > 1e-6).sum()) == 1 for s in spectra_]


def bin_change(draft: Draft) -> list[bool]:
    a = arguments(draft)
    wide = [float(np.fft.rfftfreq(n, 1 / rate)[1]) for rate, n in (a["old"], a["new"])]
    words = {0.25: "A quarter as wide", 0.5: "Half as wide", 2.0: "Twice as wide", 4.0: "Four times as wide"}
    return [option == words[wide[1] / wide[0]] for option in draft.options]


def waveform(draft: Draft) -> list[bool]:
    partials: dict[int, float] = arguments(draft)["partials"]
    phase = np.arange(4096) / 4096 * 2 * np.pi
    waves: dict[str, Floats] = {
        "Sawtooth": signal.sawtooth(phase),
        "Square": signal.square(phase),
        "Triangle": signal.sawtooth(phase, 0.5),
        "Narrow pulses": signal.unit_impulse(4096),
    }
    right = []
    for option in draft.options:
        found = np.abs(np.fft.rfft(waves[option]))[1:]
        base = min(partials)
        told = [partials.get(base * n, 0.0) for n in range(1, max(partials) // base + 1)]
        right.append(bool(np.allclose(found[: len(told)] / found[0], told, atol=0.02)))
    return right


def level_meaning(draft: Draft) -> list[bool]:
    ratio = 10 ** (float(str(arguments(draft)["change_db"])) / 10)
    right = []
    for option in draft.options:
        found = [float(n.replace(",", "")) for n in re.findall(r"[\d,]+", option)]
        own = found[0] if "times" in option else found[0] / found[1]
        own = own * own if re.search("pressure|voltage", option) else own
        right.append(0.95 < own / ratio < 1.06)
    return right


def source_group(draft: Draft) -> list[bool]:
    """Powers of Gaussian noises added sample by sample, to a tenth of a decibel or two."""
    noise = np.random.default_rng(7).standard_normal((100, 10000))
    right = []
    for option in draft.options:
        count, level = map(int, re.findall(r"\d+", option))
        power = np.mean(noise[:count].sum(axis=0) ** 2)
        right.append(abs(level + 10 * math.log10(power) - float(str(arguments(draft)["total_db"]))) < 0.6)
    return right


def distance(draft: Draft) -> list[bool]:
    a = {k: float(str(v)) for k, v in arguments(draft).items()}
    exact = a["near_m"] * 10 ** ((a["near_db"] - a["far_db"]) / 20)
    return [abs(value / exact - 1) < 0.03 for value in values(draft)]


def quantity(draft: Draft) -> list[bool]:
    a = arguments(draft)
    root = 1 if a["unit"] == "W" else 2
    exact = float(str(a["reference"])) * 10 ** (float(str(a["level_db"])) / 10 / root)
    return [abs(value / exact - 1) < 0.01 for value in values(draft)]


def gain_chain(draft: Draft) -> list[bool]:
    a = {k: float(str(v)) for k, v in arguments(draft).items()}
    exact = a["level_dbu"] + a["gain_db"] + 6.0206 * math.log2(a["voltage_factor"])
    return [abs(value - exact) < 0.5 for value in values(draft)]


def stronger(draft: Draft) -> list[bool]:
    level = float(str(arguments(draft)["reference_dbu"]))
    right = []
    for value, option in zip(values(draft), draft.options, strict=True):
        unit = option.split(" ", 1)[1]
        dbu = value + 2.2 if unit == "dBV" else 20 * math.log10(value) + {"V RMS": 2.2, "V peak": -0.8}.get(unit, -6.8)
        right.append(dbu > level)
    return right


def pattern(draft: Draft) -> list[bool]:
    """Published: nulls at 180, 126, 110 and 90 degrees; the gain falls to 0 there, and is 1 on axis."""
    a = {k: float(str(v)) for k, v in arguments(draft).items()}
    nulls = {"Cardioid": 180.0, "Supercardioid": 125.3, "Hypercardioid": 109.47, "Figure of eight": 90.0}
    right = []
    for option in draft.options:
        null = math.cos(math.radians(nulls[option]))
        gain = (math.cos(math.radians(a["angle_deg"])) - null) / (1 - null)
        right.append(abs(-20 * math.log10(abs(gain) + 1e-9) - a["loss_db"]) < 0.75)
    return right


def a_weighted(draft: Draft) -> list[bool]:
    published = {63: -26.2, 125: -16.1, 250: -8.6, 500: -3.2, 1000: 0, 2000: 1.2, 4000: 1.0, 8000: -1.1}
    pairs = [[int(n) for n in re.findall(r"\d+", option.replace(",", ""))] for option in draft.options]
    return [abs(level + published[hz] - float(str(arguments(draft)["reading_db"]))) < 1 for hz, level in pairs]


def align(draft: Draft) -> list[bool]:
    a = {k: float(str(v)) for k, v in arguments(draft).items()}
    wait = round((a["right_m"] - a["left_m"]) / 0.34)
    told = f"Delay the {'left' if wait > 0 else 'right'} one by {abs(wait)} ms"
    return [option == told for option in draft.options]


def first_arrival(draft: Draft) -> list[bool]:
    """The lag at which two clicks correlate."""
    a = arguments(draft)
    trains = []
    for side in ("left", "right"):
        start, metres = a[side]
        click = np.zeros(100)
        click[round(start + metres / 0.34)] = 1
        trains.append(click)
    lag = int(np.argmax(np.correlate(trains[1], trains[0], "full"))) - 99
    told = f"In the {'left' if lag > 0 else 'right'} one, which leads by {abs(lag)} ms"
    return [option == told for option in draft.options]


def equal_rate(draft: Draft) -> list[bool]:
    a = {k: int(str(v)) for k, v in arguments(draft).items()}
    exact = np.log2(a["rate_khz"]) + np.log2(a["bits"]) + np.log2(a["channels"])
    found = []
    for option in draft.options:
        rate, bits = map(int, re.findall(r"\d+", option))
        found.append(bool(abs(np.log2(rate) + np.log2(bits) + ("stereo" in option) - exact) < 1e-9))
    return found


def stream_size(draft: Draft) -> list[bool]:
    bits = float(str(arguments(draft)["megabytes"])) * 8e6
    found = [[int(n) for n in re.findall(r"\d+", option)] for option in draft.options]
    return [abs(bits / (rate * 1000) - minutes * 60) < 1 for minutes, rate in found]


def first_loss(draft: Draft) -> list[bool]:
    exact = {"FLAC", "ALAC", "AIFF", "Monkey's Audio"}
    chain = arguments(draft)["chain"]
    told = next(itertools.dropwhile(exact.__contains__, chain))
    ordinals = dict(zip(chain, ("first", "second", "third", "fourth"), strict=True))
    return [option == f"The {ordinals[told]} one" for option in draft.options]


def error_kinds(draft: Draft) -> list[bool]:
    """By the lengths and the words in common, in which the two sentences differ."""
    a = arguments(draft)
    old, new = str(a["reference"]).split(), str(a["hypothesis"]).split()
    assert len(set(old)) == len(old)
    gone, come = len(set(old) - set(new)), len(set(new) - set(old))
    told = {
        (2, 2): "Two substitutions",
        (2, 1): "One substitution and one deletion",
        (1, 2): "One substitution and one insertion",
        (1, 1): "One deletion and one insertion",
    }[gone, come]
    return [option == told for option in draft.options]


def detector(draft: Draft) -> list[bool]:
    a = arguments(draft)
    exact = 100 * int(str(a["correct"])) / int(str(a["reported" if a["wanted"] == "precision" else "present"]))
    return [value == exact for value in values(draft)]


def ctc_path(draft: Draft) -> list[bool]:
    text = str(arguments(draft)["text"])
    assert len({len(option) for option in draft.options}) == 1
    return [re.sub(r"(.)\1*", r"\1", option).replace("-", "") == text for option in draft.options]


ORACLES: dict[str, Callable[[Draft], list[bool]]] = {
    "sampling-quantization/alias-twin": alias_twin,
    "sampling-quantization/alias-sweep": alias_sweep,
    "sampling-quantization/tones-kept": tones_kept,
    "sampling-quantization/lowest-rate": lowest_rate,
    "sampling-quantization/word-length": word_length,
    "sampling-quantization/requantised-noise": requantised,
    "levels-decibels/decibel-meaning": level_meaning,
    "levels-decibels/source-group": source_group,
    "levels-decibels/distance-for-level": distance,
    "levels-decibels/quantity-of-level": quantity,
    "levels-decibels/gain-chain": gain_chain,
    "levels-decibels/stronger-sine": stronger,
    "filters-eq/slope-order": slope_order,
    "filters-eq/filtered-tone": filtered_tone,
    "filters-eq/comb-extreme": comb,
    "filters-eq/filter-type": filter_type,
    "spectral-features/repetition-rate": repetition,
    "spectral-features/no-leakage": no_leakage,
    "spectral-features/bin-change": bin_change,
    "spectral-features/waveform-partials": waveform,
    "formats-codecs/equal-rate": equal_rate,
    "formats-codecs/stream-size": stream_size,
    "formats-codecs/first-loss": first_loss,
    "speech-audio-ml/error-kinds": error_kinds,
    "speech-audio-ml/detector-share": detector,
    "speech-audio-ml/ctc-path": ctc_path,
    "transducers-chain/pattern-loss": pattern,
    "spatial-psychoacoustics/a-weighted-tone": a_weighted,
    "spatial-psychoacoustics/aligning-delay": align,
    "spatial-psychoacoustics/first-arrival": first_arrival,
}


@pytest.mark.parametrize("name", ALL)
def test_keys(name: str) -> None:
    for draft in drafts(name):
        assert only_first(ORACLES[name](draft)), draft


@pytest.mark.parametrize(
    "check",
    [check for module in (checks.signals, checks.levels, checks.coding) for check in module.CHECKS],
)
def test_unreadable_options(check: str) -> None:
    draft = next(d for name in ALL for d in ALL[name].drafts(1, 1) if d.check.startswith(f"{check}("))
    with pytest.raises(ValueError):
        checks.CHECKS[check](["something else", *draft.options[1:]], **arguments(draft))


def test_thousands_and_signs() -> None:
    assert checks.technical.states("44,100 Hz", 44100, {"Hz": 1.0})
    assert checks.technical.states("+4 dB", 4, {"dB": 1.0})
    with pytest.raises(ValueError):
        checks.technical.states("44,10 Hz", 4410, {"Hz": 1.0})
