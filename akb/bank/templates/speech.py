"""Questions on the rate, rhythm and pitch of speech."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from akb.bank.templates.frame import Draft, Draw, Template
from akb.bank.templates.music_notes import spread
from akb.tasks.items import Source

PAIRS = (
    *(("Ann", "Ben"), ("Eve", "Tom"), ("Mia", "Leo"), ("Zoe", "Max"), ("Ida", "Jim")),
    *(("Lea", "Jon"), ("Amy", "Dan"), ("Una", "Bob")),
)
RELATIONS = ("Both of her rates are higher", "Both of her rates are lower")
MIXED = ("Only her speech rate is higher", "Only her articulation rate is higher")
DURATIONS = range(40, 210, 10)
RATIOS = ((2, 1), (3, 2), (4, 3), (5, 4), (5, 3), (6, 5), (7, 4))
# Voices, with the range in Hz in which their glides lie.
VOICES = {"man's": (80, 210), "woman's": (150, 360), "small child's": (220, 600)}
GLIDES = ((1, "rises", "rise", "at the end of a question"), (-1, "falls", "fall", "at the end of a statement"))
SINGERS = ("bass", "tenor", "alto", "soprano")
RANGES = {"bass": (80, 200), "tenor": (120, 300), "alto": (180, 440), "soprano": (260, 600)}
RATES = (Source(kind="formula", ref="speech rate counts pauses in the time, articulation rate leaves them out"),)
NPVI = (Source(kind="formula", ref="normalised pairwise variability index (Grabe and Low 2002)"),)
OCTAVES = (Source(kind="formula", ref="musical intervals are ratios of frequencies"),)
SERIES = (Source(kind="formula", ref="harmonics of a periodic voice are spaced by its fundamental frequency"),)


def spoken(draw: Draw) -> tuple[int, int, int]:
    """Syllables, seconds and seconds of pauses of a talk, in round numbers."""
    time, pauses = draw.one((20, 30, 40, 50, 60)), draw.one((2, 4, 5, 6, 8, 10, 12, 15, 20))
    return draw.one(range(60, 301, 10)), time, pauses


def rates_compared(draw: Draw) -> Draft | None:
    hers, his = spoken(draw), spoken(draw)
    rates = []
    for syllables, time, pauses in (hers, his):
        if pauses * 2 > time or not syllables / time >= 2.5 or not syllables / (time - pauses) <= 7:
            return None
        rates.append((syllables / time, syllables / (time - pauses)))
    if any(abs(a / b - 1) < 0.1 for a, b in zip(*rates, strict=True)):
        return None
    speech, articulation = (a > b for a, b in zip(*rates, strict=True))
    key = (RELATIONS[0 if speech else 1]) if speech == articulation else MIXED[0 if speech else 1]
    options = (*RELATIONS, *MIXED)
    if options.index(key) != draw.rank:
        return None
    her, him = draw.one(PAIRS)
    return Draft(
        f"{her} says {hers[0]} syllables in {hers[1]} s with {hers[2]} s of pauses, {him} {his[0]} in {his[1]} s with "
        f"{his[2]} s; how do her speech and articulation rates compare with his?",
        (key, *(option for option in options if option != key)),
        f"rates_compared(hers={list(hers)}, his={list(his)})",
        f"With pauses she makes {rates[0][0]:.1f} syllables a second and he {rates[1][0]:.1f}; "
        f"without them {rates[0][1]:.1f} and {rates[1][1]:.1f}.",
        slot=f"{hers} {his}",
    )


def index(times: tuple[int, ...]) -> float:
    """The nPVI: the mean of the differences of neighbours over their means, in percent."""
    return sum(200 * abs(b - a) / (a + b) for a, b in pairwise(times)) / (len(times) - 1)


def succession(draw: Draw) -> tuple[int, ...]:
    """Five vowel durations, in rising, falling, alternating or any order."""
    times = sorted(draw.some(DURATIONS, 5))
    order = draw.one(("up", "down", "zigzag", "any"))
    if order == "zigzag":
        return times[0], times[3], times[1], times[4], times[2]
    if order == "any":
        return tuple(draw.some(times, 5))
    return tuple(times if order == "up" else reversed(times))


def pairwise_contrast(draw: Draw) -> Draft | None:
    extreme = draw.one(("most", "least", "least"))
    rows = sorted((succession(draw) for _ in range(4)), key=sum)
    key = rows[draw.rank]
    indices = sorted((index(row) for row in rows), reverse=extreme == "most")
    if index(key) != indices[0] or abs(indices[0] - indices[1]) < 15 or len({sum(row) for row in rows}) < 4:
        return None
    # The widest range is not to point to the key, nor the narrowest.
    ranges = {row: max(row) - min(row) for row in rows}
    if ranges[key] == (max if extreme == "most" else min)(ranges.values()):
        return None
    return Draft(
        "Which of these successions of vowel durations, in milliseconds, has the "
        f"{'highest' if extreme == 'most' else 'lowest'} normalised pairwise variability index?",
        tuple(", ".join(map(str, row)) for row in [key, *(row for row in rows if row != key)]),
        f"pairwise_contrast(extreme={extreme!r})",
        f"The index rests on how much neighbours differ: it is {indices[0]:.0f} here, and "
        f"{', '.join(f'{value:.0f}' for value in indices[1:])} for the others.",
        slot=f"{extreme} {key}",
    )


def within(voice: str, first: int, last: int) -> bool:
    """Whether a glide lies in the range of a voice."""
    low, high = VOICES[voice]
    return low <= min(first, last) and max(first, last) <= high


def ends(start: int, side: int) -> dict[tuple[int, int], int]:
    """Where glides from there end, by their ratio, if that is a multiple of 5 Hz."""
    found = {}
    for ratio in RATIOS:
        up, down = ratio[::side]
        if start * up % (5 * down) == 0:
            found[ratio] = start * up // down
    return found


def equal_glide(draw: Draw) -> Draft | None:
    side, verb, noun, where = draw.one(GLIDES)
    ratio = draw.one(RATIOS)
    first, second = draw.some(VOICES, 2)
    start, base = draw.random.randrange(80, 600, 10), draw.random.randrange(80, 600, 10)
    here, there = ends(start, side), ends(base, side)
    if ratio not in here or ratio not in there or abs(start - base) < 40:
        return None
    end, key = here[ratio], there[ratio]
    if not within(first, start, end) or not within(second, base, key):
        return None
    step = base + end - start  # as many hertz instead of the same ratio
    pool = [step, *there.values(), *(key + by for by in (-60, -50, -40, -30, 30, 40, 50, 60))]
    wrong = [v for v in pool if within(second, base, v) and (v - base) * side >= 20 and abs(v / key - 1) > 0.04]
    values = spread(draw, key, [value for value in wrong if value == step], wrong)
    if values is None or step not in values:
        return None
    return Draft(
        f"A {first} voice {verb} from {start} to {end} Hz {where}; "
        f"which {noun} of a {second} voice spans the same musical interval?",
        tuple(f"From {base} to {value} Hz" for value in values),
        f"same_interval(start_hz={start}, end_hz={end})",
        f"Intervals are ratios: {end}/{start} equals {key}/{base}, but an equal step in hertz would end at {step} Hz.",
    )


def harmonic_spacing(draw: Draw) -> Draft | None:
    singer = draw.one(SINGERS)
    low, high = RANGES[singer]
    key, order = draw.random.randrange(low, high + 1, 10), draw.random.randint(2, 6)
    lower, upper = key * order, key * (order + 1)
    if upper > 3000:
        return None
    ratios = [Fraction(order, order + 1), Fraction(order, order - 1), Fraction(order + 1, order + 2)]
    ratios += [Fraction(1, 2), Fraction(2), Fraction(order), Fraction(3, 2), Fraction(order + 1, order), Fraction(1, 3)]
    more = [Fraction(2, 3), Fraction(3, 4), Fraction(4, 5), Fraction(5, 4), Fraction(4, 3)]
    # All as round as the key.
    likely, other = ([int(key * r) for r in some if key * r % 10 == 0 and key * r >= 40] for some in (ratios, more))
    values = spread(draw, key, likely, other)
    if values is None:
        return None
    return Draft(
        f"Two neighbouring harmonics of a vowel sung by {'an' if singer == 'alto' else 'a'} {singer} lie at "
        f"{lower:,} and {upper:,} Hz; what is the fundamental frequency of the voice?",
        tuple(f"{value:,} Hz" for value in values),
        f"harmonic_spacing(lower_hz={lower}, upper_hz={upper})",
        f"Harmonics are spaced by the fundamental: {upper:,} less {lower:,} is {key} Hz, so these are number {order} "
        f"and {order + 1}.",
        slot=f"{lower} {upper}",
    )


TEMPLATES: tuple[Template, ...] = (
    Template("rate-rhythm-pausing/rates-compared", "paralinguistic", 4, rates_compared, RATES),
    Template("rate-rhythm-pausing/pairwise-contrast", "paralinguistic", 4, pairwise_contrast, NPVI),
    Template("vocal-pitch-intensity/equal-glide", "paralinguistic", 3, equal_glide, OCTAVES),
    Template("vocal-pitch-intensity/harmonic-spacing", "paralinguistic", 3, harmonic_spacing, SERIES),
)
