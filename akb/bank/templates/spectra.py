"""Templates on spectral analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from akb.bank.templates.frame import Draft, Draw, Template, number
from akb.tasks.items import Source

ROOM = "spectral-features"
SERIES = ((2, 3), (3, 4, 5), (3, 5, 7), (2, 3, 5), (4, 5, 7), (5, 7, 9), (2, 5, 7), (4, 6, 7), (3, 7, 9), (4, 7, 10))
WINDOWS = (  # sampling rate, DFT length, bin spacing; wrong tones are multiples of 10 Hz, or of 25 Hz for 125 Hz
    *((8000, 200, 40), (16000, 400, 40), (24000, 600, 40), (32000, 800, 40), (48000, 1200, 40)),
    *((12000, 200, 60), (24000, 400, 60), (48000, 800, 60), (96000, 1600, 60)),
    *((8000, 100, 80), (12000, 150, 80), (16000, 200, 80), (24000, 300, 80), (32000, 400, 80), (48000, 600, 80)),
    *((8000, 64, 125), (16000, 128, 125), (24000, 192, 125), (32000, 256, 125), (48000, 384, 125)),
    *((8000, 50, 160), (16000, 100, 160), (32000, 200, 160), (48000, 300, 160), (96000, 600, 160)),
)
CHANGES = {"A quarter as wide": (1, 4), "Half as wide": (1, 2), "Twice as wide": (2, 1), "Four times as wide": (4, 1)}
WAVES = {
    "Sawtooth": (1, 1),
    "Square": (2, 1),
    "Triangle": (2, 2),
    "Narrow pulses": (1, 0),
}  # step, falls as 1/n to this


def repetition(draw: Draw) -> Draft | None:
    """The repetition rate of partials that lack their fundamental."""
    base, numbers = draw.one((60, 84, 96, 108, 120, 132, 144, 180, 204, 240)), draw.one(SERIES)
    partials = [base * n for n in numbers]
    gaps = [b - a for a, b in pairwise(partials)]
    pool = [base / 2, base / 3, base / 4, 2 * base, 3 * base, 1.5 * base, *partials, *gaps]
    wrong = draw.around(base, pool)
    if wrong is None:
        return None
    return Draft(
        question=f"A steady sound consists of partials at {_listed(partials)} Hz; at what rate does its waveform "
        "repeat, counted by its shortest period?",
        options=tuple(f"{number(f)} Hz" for f in [base, *wrong]),
        check=f"repetition_rate(partials_hz={tuple(partials)})",
        rationale=f"The partials are harmonics {', '.join(map(str, numbers))} of {base} Hz and of nothing higher.",
    )


def no_leakage(draw: Draw) -> Draft | None:
    """A tone that fills the window with whole cycles."""
    rate, length, step = draw.one(WINDOWS)
    key = step * draw.one(range(5, 13))
    fine = 25 if step == 125 else 10
    wrong = draw.around(key, [f for f in range(key - 3 * step, key + 3 * step, fine) if f % step])
    if wrong is None:
        return None
    return Draft(
        question=f"Which of these sines shows no spectral leakage in a {number(length)}-point DFT with a "
        f"rectangular window at a sampling rate of {number(rate)} Hz?",
        options=tuple(f"{number(f)} Hz" for f in [key, *wrong]),
        check=f"no_leakage(rate_hz={rate}, length={length})",
        rationale=f"Bins lie {step} Hz apart, and {number(key)} Hz is bin {key // step}: whole cycles fill the window.",
    )


def bin_change(draw: Draw) -> Draft | None:
    """How bins move apart or together when rate and length change."""
    words = list(CHANGES)
    up, down = CHANGES[words[draw.rank]]
    rate, length = draw.one((8, 12, 16, 24, 32, 48, 64, 96)), draw.one((256, 512, 1024, 2048, 4096))
    new_rate = rate * draw.one((1, 2, 4)) // draw.one((1, 2, 4))
    new_length = length * new_rate * down // (rate * up)
    if new_rate * 2 < 8 or new_rate > 192 or not 128 <= new_length <= 8192 or (new_rate, new_length) == (rate, length):
        return None
    return Draft(
        question=f"A DFT of {number(length)} points at {rate} kHz is replaced by one of {number(new_length)} points at "
        f"{new_rate} kHz; how wide are its bins, compared with before?",
        options=(words[draw.rank], *(word for word in words if word != words[draw.rank])),
        check=f"bin_change(old=({rate * 1000}, {length}), new=({new_rate * 1000}, {new_length}))",
        rationale=f"The spacing is rate over length: {rate * 1000 / length:g} Hz before, "
        f"{new_rate * 1000 / new_length:g} Hz after.",
    )


def waveform(draw: Draw) -> Draft | None:
    """A standard waveform from its partials."""
    base, names = draw.one((50, 80, 100, 110, 120, 150, 200, 220, 250, 300)), list(WAVES)
    step, power = WAVES[names[draw.rank]]
    orders = [1 + step * k for k in range(draw.one((3, 4)))]
    partials = {base * n: round(100 / n**power) for n in orders}
    top = base * (orders[-1] + 1)
    return Draft(
        question=f"Below {number(top)} Hz a tone has partials at {_listed(partials)} Hz, with amplitudes of "
        f"{_listed(partials.values())} percent; which waveform is it?",
        options=(names[draw.rank], *(name for name in names if name != names[draw.rank])),
        check=f"waveform(partials={ {f: level / 100 for f, level in partials.items()} })".replace("= {", "={"),
        rationale=f"Its partials are {'the odd' if step == 2 else 'all'} harmonics of {base} Hz, "
        f"{('equally strong', 'falling as 1/n', 'falling as 1/n squared')[power]}.",
    )


def _listed(values: Iterable[float]) -> str:
    *most, last = map(number, values)
    return f"{', '.join(most)} and {last}"


def _made(pattern: str, count: int, make: Callable[[Draw], Draft | None], ref: str) -> Template:
    return Template(f"{ROOM}/{pattern}", "technical", count, make, (Source(kind="formula", ref=ref),))


TEMPLATES: tuple[Template, ...] = (
    _made("repetition-rate", 3, repetition, "the greatest common divisor of the partials"),
    _made("no-leakage", 3, no_leakage, "a whole number of cycles in the window: f N / fs is whole"),
    _made("bin-change", 4, bin_change, "bin spacing = fs / N"),
    _made("waveform-partials", 4, waveform, "Fourier series of the standard waveforms"),
)
