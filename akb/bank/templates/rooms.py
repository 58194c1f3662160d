"""Questions on rooms, noise, and recordings at a wrong speed."""

from __future__ import annotations

from fractions import Fraction

from akb.bank.templates.frame import Draft, Draw, Template, number
from akb.tasks.items import Source

WORDS = {
    Fraction(1, 9): "a ninth as long",
    Fraction(1, 8): "an eighth as long",
    Fraction(1, 6): "a sixth as long",
    Fraction(1, 4): "a quarter as long",
    Fraction(1, 3): "a third as long",
    Fraction(1, 2): "half as long",
    Fraction(2, 3): "two thirds as long",
    Fraction(3, 4): "three quarters as long",
    Fraction(1): "as long as before",
    Fraction(3, 2): "one and a half times as long",
    Fraction(2): "twice as long",
    Fraction(3): "three times as long",
    Fraction(4): "four times as long",
    Fraction(6): "six times as long",
    Fraction(8): "eight times as long",
    Fraction(9): "nine times as long",
}
CHANGES = {
    Fraction(1, 4): "cut to a quarter",
    Fraction(1, 3): "cut to a third",
    Fraction(1, 2): "halved",
    Fraction(2): "doubled",
    Fraction(3): "tripled",
    Fraction(4): "quadrupled",
}
PLACES = ("lecture hall", "swimming hall", "church", "concert hall", "gymnasium", "stone chapel")
SCALED = {Fraction(1, 2): "halved", Fraction(2): "doubled", Fraction(3): "tripled", Fraction(1, 3): "cut to a third"}
DECAYS = (1.2, 1.5, 1.8, 2.0, 2.4, 3.0, 3.6, 4.0, 4.8, 6.0)
# Distances in units of the critical distance and the level of the direct sound over the reverberant, in dB.
REACHES = {0.1: 20, 0.2: 14, 0.25: 12, 0.5: 6, 2.0: -6, 4.0: -12, 5.0: -14, 8.0: -18, 10.0: -20}
CRITICAL = (0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)
EDGES = (50, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 10000, 12000)
WIDTHS = (50, 100, 200, 300, 400, 500, 800, 1000, 1500, 2000, 3000, 4000)
# Those that the draw turns down more often come more often.
NOISES = (("white", "most"), *(("white", "least"), ("pink", "most")) * 2, *(("pink", "least"),) * 4)
RATES_KHZ = ("8", "11.025", "16", "22.05", "24", "32", "44.1", "48", "88.2", "96")
# Semitones between two of these speeds, to the nearest half: tape in cm/s, discs in turns a minute.
TAPES = ("4.75", "9.5", "19", "38")
DISCS = {"33 1/3": 33.333, "45": 45.0, "78": 78.0}
SABINE = (Source(kind="formula", ref="Sabine: reverberation time is proportional to volume over absorption area"),)
DECAY = (Source(kind="standard", ref="ISO 3382-1: reverberation time, the time for a decay of 60 dB"),)
DIRECT = (Source(kind="formula", ref="direct sound falls by 6 dB per doubling of distance; diffuse field constant"),)
DENSITY = (Source(kind="formula", ref="power density: white noise constant, pink noise inverse to frequency"),)
SPEED = (Source(kind="formula", ref="pitch shift in semitones = 12 log2 of the ratio of speeds"),)


def sabine_change(draw: Draw) -> Draft | None:
    place = draw.one(PLACES)
    volume, area, size = draw.one(list(CHANGES)), draw.one(list(CHANGES)), draw.one(list(SCALED))
    if draw.random.random() < 0.12:
        key, likely = size, [1 / size, size**2, size**-2, size**3, size**-3, Fraction(1)]
        change = f"Every length, width and height in a {place} is {SCALED[size]}, with the same surface materials"
        call = f"dimensions={float(size)!r}"
        why = f"volume goes with the cube of the dimensions and area with the square, so the time is {WORDS[key]}"
    else:
        key, likely = volume / area, [area / volume, volume * area, volume, area, 1 / area, Fraction(1)]
        change = f"The volume of a {place} is {CHANGES[volume]} and its equivalent absorption area {CHANGES[area]}"
        call = f"volume={float(volume)!r}, absorption={float(area)!r}"
        why = f"the time goes with volume over absorption area, {volume} over {area}, and is {WORDS.get(key)}"
    wrong = draw.around(float(key), [float(value) for value in likely if value in WORDS and value != key])
    if key not in WORDS or wrong is None:
        return None
    words = {float(value): text for value, text in WORDS.items()}
    return Draft(
        f"{change}; how does the reverberation time after Sabine compare with before?",
        tuple(f"It is {words[value]}" for value in (float(key), *wrong)),
        f"reverberation_change({call})",
        f"By Sabine's formula {why}.",
        slot=call,
    )


def decay_to_level(draw: Draw) -> Draft | None:
    time = draw.one(DECAYS)
    noise, drop = draw.one((30, 35, 40, 45, 50)), draw.one((15, 20, 30, 40, 45))
    key = round(time * drop / 60, 3)
    level = noise + drop
    if abs(key * 10 - round(key * 10)) > 1e-6:
        return None
    likely = {
        time,
        time / 2,
        time / 3,
        time * noise / 60,
        time * drop / level,
        time * 0.75,
        key / 2,
        key * 2,
        key * 1.5,
    }
    wrong = draw.around(key, [value for value in (round(v, 1) for v in likely) if abs(value - key) >= 0.2])
    if wrong is None:
        return None
    return Draft(
        f"A sound of {level} dB stops in a hall with a reverberation time of {number(time, 1)} s; "
        f"how long does its straight decay in decibels take to reach {noise} dB?",
        tuple(f"{number(value, 1)} s" for value in (key, *wrong)),
        f"decay_time(reverberation_s={time}, level_db={level}, noise_db={noise})",
        f"It has {drop} dB to lose, {drop}/60 of the 60 dB that take {number(time, 1)} s, so {number(key, 1)} s.",
    )


def direct_level(draw: Draw) -> Draft | None:
    reach, key = draw.one(list(REACHES.items()))
    critical = draw.one(CRITICAL)
    listener = round(critical * reach, 3)
    if not 0.2 <= listener <= 20 or round(listener, 1) != listener:
        return None
    pool = {-key, key // 2, -key // 2, 2 * key, -2 * key, 3, -3, 6, -6, 9, -9, 12, -12, 20, -20}
    wrong = draw.around(key, [value for value in pool if abs(value - key) >= 3 and abs(value) <= 36])
    if wrong is None:
        return None
    return Draft(
        f"A small source in a reverberant room has a critical distance of {critical:g} m; at {listener:g} m, how does "
        "the direct sound compare in level with the reverberant sound?",
        tuple(f"It is {abs(value):g} dB {'stronger' if value > 0 else 'weaker'}" for value in (key, *wrong)),
        f"direct_to_reverberant(critical_m={critical}, listener_m={listener})",
        f"Both are equal at {critical:g} m; at {reach:g} times that distance the direct sound is {abs(key)} dB "
        f"{'stronger' if key > 0 else 'weaker'}, while the reverberant sound stays the same.",
    )


def noise_share(band: tuple[int, int], colour: str) -> float:
    """What the power of a band goes with: its width for white noise, the ratio of its edges for pink."""
    low, high = band
    return high - low if colour == "white" else high / low


def band_power(draw: Draw) -> Draft | None:
    colour, extreme = draw.one(NOISES)
    lows = sorted(draw.some(EDGES, 4))
    bands = [(low, low + draw.one([width for width in WIDTHS if width * 8 >= low])) for low in lows]
    key, other = bands[draw.rank], "pink" if colour == "white" else "white"
    shares = sorted((noise_share(band, colour) for band in bands), reverse=extreme == "most")
    if noise_share(key, colour) != shares[0] or 0.7 < shares[0] / shares[1] < 1.5:
        return None
    if (
        sorted(bands, key=lambda band: noise_share(band, other), reverse=extreme == "most")[0] == key
        or len({b - a for a, b in bands}) < 4
    ):
        return None
    if max(high for _, high in bands) > 16000 or any(high / low > 12 for low, high in bands):
        return None
    options = [key, *(band for band in bands if band != key)]
    texts = tuple(f"From {number(low)} to {number(high)} Hz" for low, high in options)
    law = "widest in hertz" if colour == "white" else "widest in octaves"
    law = law if extreme == "most" else law.replace("widest", "narrowest")
    return Draft(
        f"Steady {colour} noise spans the whole audible range; which of these bands of it carries the {extreme} power?",
        texts,
        f"noise_band(colour={colour!r}, extreme={extreme!r})",
        f"Equal {'hertz' if colour == 'white' else 'octaves'} carry equal power in {colour} noise, and the band "
        f"{texts[0][0].lower()}{texts[0][1:]} is the {law}.",
        slot=f"{colour} {extreme} {key}",
    )


def wrong_speeds() -> dict[tuple[str, str, str, str], float]:
    """Pairs of speeds with the sentence that they go into, and the semitones to the nearest half."""
    table = {}
    for first in RATES_KHZ:
        for then in RATES_KHZ:
            table["file", first, then, f"{float(first)!r}|{float(then)!r}"] = float(then) / float(first)
    for first in TAPES:
        for then in TAPES:
            table["tape", first, then, f"{float(first)!r}|{float(then)!r}"] = float(then) / float(first)
    for first, slow in DISCS.items():
        for then, fast in DISCS.items():
            table["disc", first, then, f"{slow!r}|{fast!r}"] = fast / slow
    found = {}
    for case, ratio in table.items():
        steps = next(n for n in range(-200, 200) if 2 ** ((n + 0.5) / 24) > ratio)  # in half semitones
        if abs(ratio / 2 ** (steps / 24) - 1) < 0.0105 and 2 <= abs(steps) <= 36:
            found[case] = steps / 2
    return found


WRONG_SPEEDS = wrong_speeds()
STORIES = {
    "file": "An audio file sampled at {} kHz is played as if its rate were {} kHz",
    "tape": "A tape recorded at {} cm/s is played back at {} cm/s",
    "disc": "A disc cut to turn {} times a minute is played at {} turns a minute",
}


def wrong_speed(draw: Draw) -> Draft | None:
    kind = draw.one(("file", "file", "tape", "disc"))
    case, key = draw.one([entry for entry in WRONG_SPEEDS.items() if entry[0][0] == kind])
    _, first, then, speeds = case
    likely = [-key, key * 2, -key * 2, key / 2, -key / 2, key + 1, key - 1, key + 2, key - 2, 7, -7, 12, -12]
    pool = {round(value * 2) / 2 for value in likely if 1 <= abs(value) <= 36 and abs(value - key) >= 1}
    wrong = draw.around(key, pool)
    if wrong is None or (-key not in wrong and draw.rank in (1, 2)):
        return None
    recorded, played = speeds.split("|")
    return Draft(
        f"{STORIES[kind].format(first, then)}; how far is it off pitch, to the nearest half semitone?",
        tuple(
            f"About {abs(value):g} semitone{'s' * (abs(value) != 1)} {'higher' if value > 0 else 'lower'}"
            for value in (key, *wrong)
        ),
        f"speed_change(recorded={recorded}, played={played})",
        f"All frequencies are multiplied by {float(played) / float(recorded):.3g}, about {abs(key):g} semitones "
        f"{'up' if key > 0 else 'down'}.",
        slot=f"{kind} {first} {then}",
    )


TEMPLATES: tuple[Template, ...] = (
    Template("reverberation-rooms/sabine-change", "audio-quality", 3, sabine_change, SABINE),
    Template("reverberation-rooms/decay-to-level", "audio-quality", 3, decay_to_level, DECAY),
    Template("reverberation-rooms/direct-level", "audio-quality", 3, direct_level, DIRECT),
    Template("noise-types/band-power", "audio-quality", 5, band_power, DENSITY),
    Template("distortion-artifacts/wrong-speed", "audio-quality", 3, wrong_speed, SPEED),
)
