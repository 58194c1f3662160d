"""Templates on sampling and quantization."""

from __future__ import annotations

from collections.abc import Callable

from akb.bank.templates.frame import Draft, Draw, Template, number
from akb.tasks.items import Source

ROOM = "sampling-quantization"
RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000)


def alias_twin(draw: Draw) -> Draft | None:
    """Two cosines with the same samples."""
    rate = draw.one((10, 16, 20, 24, 30, 32, 40, 48))
    tone = draw.one([f for f in range(1, rate // 2) if 4 * f != rate])
    key = draw.one((rate - tone, rate + tone, 2 * rate - tone, 2 * rate + tone))
    half = rate // 2
    pool = [half + tone, half, rate, 2 * rate, 3 * half - tone, 3 * half + tone, 2 * tone, 3 * tone, rate + 2 * tone]
    wrong = draw.around(key, [f for f in pool if f > half])
    if wrong is None:
        return None
    return Draft(
        question=f"Which of these cosines gives the same samples as a cosine of {tone} kHz when both are sampled "
        f"at {rate} kHz with no anti-aliasing filter?",
        options=tuple(f"{f:.0f} kHz" for f in [key, *wrong]),
        check=f"same_samples(rate_hz={rate * 1000}, tone_hz={tone * 1000})",
        rationale=f"Cosines whose frequencies differ from a multiple of the rate by the same amount share all "
        "samples: "
        f"{key} kHz lies {tone} kHz from {key - tone if (key - tone) % rate == 0 else key + tone} kHz.",
    )


def alias_sweep(draw: Draw) -> Draft | None:
    """Whether an aliased glide rises or falls, and where."""
    rate = draw.one((16, 24, 32, 40, 44, 48, 64, 96))
    half = rate // 2
    low = draw.one(range(1, half // 2 - 1))
    high = draw.one(range(low + 1, half // 2))
    pairs = [(low, high), (half - high, half - low)]
    falls, upper = draw.rank % 2, draw.rank // 2
    start, end = pairs[upper][::-1] if falls else pairs[upper]
    turn = draw.one((1, -1))
    first, last = rate + turn * start, rate + turn * end
    told = [f"It rises from {a} to {b} kHz" for a, b in pairs] + [f"It falls from {b} to {a} kHz" for a, b in pairs]
    key = told[2 * falls + upper]
    return Draft(
        question=f"A sine glides from {first} to {last} kHz while it is sampled at {rate} kHz with no anti-aliasing "
        "filter; how does the sampled tone move?",
        options=(key, *(text for text in told if text != key)),
        check=f"alias_sweep(rate_hz={rate * 1000}, start_hz={first * 1000}, end_hz={last * 1000})",
        rationale=f"Each moment sounds at its distance to the sampling rate of {rate} kHz: {start} kHz at first, "
        f"{end} kHz at the end.",
    )


def tones_kept(draw: Draw) -> Draft | None:
    """Which of two tones lie below half the sampling rate."""
    rate = draw.one((16, 24, 32, 40, 44, 48, 64, 96))
    below, above = range(2, rate // 2 - 1), range(rate // 2 + 2, rate - 1)
    kept = ((True, True), (False, False), (True, False), (False, True))[draw.rank]
    first, second = (draw.one(below if keep else above) for keep in kept)
    if first == second:
        return None
    told = ("Both tones", "Neither tone", f"The {first} kHz tone alone", f"The {second} kHz tone alone")
    return Draft(
        question=f"Tones of {first} and {second} kHz are sampled at {rate} kHz with no anti-aliasing filter; which of "
        "them keeps its frequency after ideal reconstruction?",
        options=(told[draw.rank], *(text for text in told if text != told[draw.rank])),
        check=f"tones_kept(rate_hz={rate * 1000}, tones_hz=({first * 1000}, {second * 1000}))",
        rationale=f"Only what lies below half the rate, {rate // 2} kHz, keeps its frequency.",
    )


def lowest_rate(draw: Draw) -> Draft | None:
    """The lowest sampling rate that will do."""
    place = draw.one(range(draw.rank, len(RATES) - 3 + draw.rank))
    floor = RATES[place - 1] if place else RATES[0] * 0.7
    bands = [f / 10 for f in range(20, 950) if floor * 1.05 < 200 * f < RATES[place] * 0.95]
    wrong = draw.around(RATES[place], RATES)
    if not bands or not wrong:
        return None
    band = draw.one(bands)
    return Draft(
        question=f"Sounds with components up to {band:g} kHz are to be sampled; which of these sampling rates is the "
        "lowest that avoids aliasing?",
        options=tuple(f"{number(rate)} Hz" for rate in [RATES[place], *wrong]),
        check=f"lowest_rate(band_hz={band * 1000:g})",
        rationale=f"The rate has to exceed twice {band:g} kHz, that is {2 * band:g} kHz.",
    )


def word_length(draw: Draw) -> Draft | None:
    """The fewest bits for a dynamic range, where counting 6.02 or 6.02 b + 1.76 dB makes no difference."""
    bits = draw.one(range(5, 25))
    target = draw.one([db for db in range(20, 150) if 6.02 * (bits - 1) + 1.76 < db < 6.02 * bits])
    pool = {bits - 3, bits - 2, bits - 1, bits + 1, bits + 2, bits + 3, bits // 2, bits * 2, round(target / 10)}
    wrong = draw.around(bits, pool)
    if wrong is None:
        return None
    return Draft(
        question=f"What is the smallest word length of an ideal converter whose dynamic range reaches {target} dB, at "
        "about 6.02 dB per bit?",
        options=tuple(f"{value:.0f} bits" for value in [bits, *wrong]),
        check=f"word_length(range_db={target})",
        rationale=f"{bits} bits give {6.02 * bits:.1f} dB and {bits - 1} bits {6.02 * (bits - 1):.1f} dB.",
    )


def requantised(draw: Draw) -> Draft | None:
    """How the noise of rounding changes with the word length."""
    old, new = draw.some((8, 10, 12, 14, 16, 18, 20, 22, 24), 2)
    rises, bigger = draw.rank % 2, draw.rank // 2
    if (new < old) != bool(rises):
        return None
    key = round(6.02 * abs(old - new))
    other = round(3.01 * abs(old - new)) if bigger else round(12.04 * abs(old - new))
    told = [f"It {way} by about {size} dB" for size in (key, other) for way in ("rises", "falls")]
    right = f"It {'rises' if rises else 'falls'} by about {key} dB"
    return Draft(
        question=f"The word length of a system is changed from {old} to {new} bits with the same full scale; how does "
        "its rounding noise change?",
        options=(right, *(text for text in told if text != right)),
        check=f"requantised_noise(old_bits={old}, new_bits={new})",
        rationale=f"Each bit halves or doubles the step, about 6 dB; {abs(old - new)} bits make {key} dB.",
    )


def _made(pattern: str, count: int, make: Callable[[Draw], Draft | None], ref: str) -> Template:
    return Template(f"{ROOM}/{pattern}", "technical", count, make, (Source(kind="formula", ref=ref),))


TEMPLATES: tuple[Template, ...] = (
    _made("alias-twin", 4, alias_twin, "f and k fs +- f have the same samples"),
    _made("alias-sweep", 4, alias_sweep, "an alias lies at the distance to the nearest multiple of the sampling rate"),
    _made("tones-kept", 4, tones_kept, "sampling theorem: f < fs / 2"),
    _made("lowest-rate", 3, lowest_rate, "sampling theorem: fs > 2 f"),
    _made("word-length", 3, word_length, "20 log10 2^b = 6.02 b dB"),
    _made("requantised-noise", 4, requantised, "rounding noise has the power step^2 / 12"),
)
