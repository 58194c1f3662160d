"""Templates on rooms, noise, loudness, storms, machines and speech, against oracles that read the question's text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest

from akb.bank.checks import CHECKS, parse_call, prove
from akb.bank.templates import loudness, nature, rooms, speech
from akb.bank.templates.frame import Draft, Template
from akb.errors import AkbError

np = pytest.importorskip("numpy")
stats = pytest.importorskip("scipy.stats")
integrate = pytest.importorskip("scipy.integrate")

ALL = {t.name: t for m in (rooms, nature, loudness, speech) for t in m.TEMPLATES}
MANY = 40


def numbers(text: str) -> list[float]:
    """All numbers of a text, a true minus sign and commas at thousands included; 33 1/3 is one number."""
    text = text.replace("33 1/3", "33.3333333").replace("\u2212", "-")
    return [float(n.replace(",", "")) for n in re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?", text)]


def top(values: Sequence[float], question: str) -> list[bool]:
    """Which value is the extreme one that the question asks for."""
    wanted = min(values) if re.search("least|lowest|shortest|fewest", question) else max(values)
    return [value == wanted for value in values]


def sided(options: Sequence[str], up: str) -> list[float]:
    """Numbers of the options, negative if the word is absent."""
    return [numbers(option)[0] * (1 if up in option else -1) for option in options]


PARTS = {
    "an eighth": 1 / 8,
    "a ninth": 1 / 9,
    "a sixth": 1 / 6,
    "a quarter": 1 / 4,
    "a third": 1 / 3,
    "half": 1 / 2,
    "two thirds": 2 / 3,
    "three quarters": 3 / 4,
    "as long": 1,
    "one and a half": 1.5,
    "twice": 2,
    "three times": 3,
    "four times": 4,
    "six times": 6,
    "eight times": 8,
    "nine times": 9,
}
FACTORS = {
    "halved": 1 / 2,
    "cut to a third": 1 / 3,
    "cut to a quarter": 1 / 4,
    "doubled": 2,
    "tripled": 3,
    "quadrupled": 4,
}


def sabine(draft: Draft) -> list[bool]:
    found = re.findall("|".join(FACTORS), draft.question)
    truth = FACTORS[found[0]] / (FACTORS[found[1]] if len(found) > 1 else 1)  # V/A of a body grows like its size
    return [abs(PARTS[next(p for p in PARTS if o.startswith(f"It is {p}"))] - truth) < 1e-9 for o in draft.options]


def decay(draft: Draft) -> list[bool]:
    level, time, end = numbers(draft.question)
    t = np.arange(0, 8, 0.0005)
    curve = level + 10 * np.log10(np.exp(-6 * np.log(10) * t / time))  # energy falls to a millionth
    reached = t[np.argmax(curve <= end + 1e-9)]
    return [abs(numbers(o)[0] - reached) < 0.06 for o in draft.options]


def direct(draft: Draft) -> list[bool]:
    critical, listener = numbers(draft.question)
    absorption = 16 * np.pi * critical**2
    ratio = 10 * np.log10((1 / (4 * np.pi * listener**2)) / (4 / absorption))
    return [abs(v - ratio) < 0.5 for v in sided(draft.options, "stronger")]


def band(draft: Draft) -> list[bool]:
    density = (lambda f: 1.0) if "white" in draft.question else (lambda f: 1.0 / f)
    return top([integrate.quad(density, *numbers(o))[0] for o in draft.options], draft.question)


def pitch(draft: Draft) -> list[bool]:
    recorded, played = numbers(draft.question)
    semitones = 12 * (np.log2(played) - np.log2(recorded))
    return [abs(v - semitones) <= 0.25 for v in sided(draft.options, "higher")]


def storm(draft: Draft) -> list[bool]:
    early, late = numbers(draft.question)
    speed = 331.3 * np.sqrt(1 + 15 / 273.15)
    return [abs(v - speed * (early - late) / 1000) < 0.3 for v in sided(draft.options, "nearer")]


def group(draft: Draft) -> list[bool]:
    levels = [10 * np.log10(n) - 20 * np.log10(r) for n, r in map(numbers, draft.options)]
    return top(levels, draft.question)


PUBLISHED = {
    "air": (343.2,),
    "carbon dioxide": (267, 259),
    "helium": (1007, 965),
    "water": (1482, 1522),
    "steel": (5120, 5940),
}


def path(draft: Draft) -> list[bool]:
    """For each published speed (air and gases at 20 or at 0 degrees, both waters, rod and bulk) the same answer."""
    answers = set()
    for pick in range(2):
        for other in range(2):
            times = []
            for option in draft.options:
                speeds = PUBLISHED[option.split(" of ")[1]]
                times.append(numbers(option)[0] / speeds[(pick if "steel" in option else other) % len(speeds)])
            answers.add(tuple(top(times, draft.question)))
    assert len(answers) == 1
    return list(answers.pop())


def headroom(draft: Draft) -> list[bool]:
    target, ceiling = numbers(draft.question)
    amplified = []
    for loud, peak in map(numbers, draft.options):
        factor = 10 ** (target / 20) / 10 ** (loud / 20)
        amplified.append(20 * np.log10(10 ** (peak / 20) * factor) > ceiling)
    return amplified if "limiting" in draft.question else [not over for over in amplified]


def compressor(draft: Draft) -> list[bool]:
    (level,) = numbers(draft.question)
    cuts = []
    for option in draft.options:
        threshold, ratio = numbers(option.removesuffix(":1"))
        curve = np.interp(level, [-90, threshold, threshold + 90], [-90, threshold, threshold + 90 / ratio])
        cuts.append(round(float(level - curve), 6))
    return top(cuts, draft.question)


def abx(draft: Draft) -> list[bool]:
    chances = [
        stats.binomtest(int(k), int(n), 0.5, alternative="greater").pvalue for k, n in map(numbers, draft.options)
    ]
    return [chance == min(chances) for chance in chances]


def rates(draft: Draft) -> list[bool]:
    syllables, time, pauses, his, his_time, his_pauses = numbers(draft.question)
    faster = syllables / time > his / his_time
    quicker = syllables / (time - pauses) > his / (his_time - his_pauses)
    texts = {(1, 1): "Both of her rates are higher", (0, 0): "Both of her rates are lower"}
    texts |= {(1, 0): "Only her speech rate is higher", (0, 1): "Only her articulation rate is higher"}
    return [option == texts[faster, quicker] for option in draft.options]


def npvi(draft: Draft) -> list[bool]:
    rows = [np.array(numbers(option)) for option in draft.options]
    return top([float(np.mean(np.abs(np.diff(r)) / np.convolve(r, [0.5, 0.5], "valid"))) for r in rows], draft.question)


def glide(draft: Draft) -> list[bool]:
    low, high = numbers(draft.question)
    return [abs(12 * np.log2(b / a) - 12 * np.log2(high / low)) < 0.01 for a, b in map(numbers, draft.options)]


def spacing(draft: Draft) -> list[bool]:
    lower, upper = map(int, numbers(draft.question))
    return [numbers(option)[0] == np.gcd(lower, upper) for option in draft.options]  # orders n and n+1 are coprime


ORACLES: dict[str, Callable[[Draft], list[bool]]] = {
    "reverberation-rooms/sabine-change": sabine,
    "reverberation-rooms/decay-to-level": decay,
    "reverberation-rooms/direct-level": direct,
    "noise-types/band-power": band,
    "distortion-artifacts/wrong-speed": pitch,
    "natural-sounds/thunder-gaps": storm,
    "scenes-physical-reasoning/loudest-group": group,
    "scenes-physical-reasoning/first-arrival": path,
    "loudness-dynamics/track-headroom": headroom,
    "loudness-dynamics/compressor-setting": compressor,
    "quality-assessment/abx-evidence": abx,
    "rate-rhythm-pausing/rates-compared": rates,
    "rate-rhythm-pausing/pairwise-contrast": npvi,
    "vocal-pitch-intensity/equal-glide": glide,
    "vocal-pitch-intensity/harmonic-spacing": spacing,
}


def some(template: Template, seed: int) -> list[Draft]:
    few = template.name == "reverberation-rooms/sabine-change"
    return template.drafts(20 if few else MANY, seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", list(ALL))
def test_key_alone_is_right_by_oracle(name: str, seed: int) -> None:
    for draft in some(ALL[name], seed):
        assert ORACLES[name](draft) == [True, False, False, False], draft


@pytest.mark.parametrize("name", list(ALL))
def test_capacity_and_form(name: str) -> None:
    template = ALL[name]
    drafts = template.drafts(5 * template.count, "capacity")
    assert len({draft.about for draft in drafts}) == 5 * template.count
    for draft in drafts:
        assert 8 <= len(draft.question.split()) <= 30, draft.question
        assert draft.question.endswith("?")
        assert draft.rationale.endswith(".")
        assert len({option[0].isdigit() for option in draft.options}) == 1


def test_counts() -> None:
    found: dict[str, int] = {}
    for template in ALL.values():
        assert 3 <= template.count <= 8
        found[template.subcategory] = found.get(template.subcategory, 0) + template.count
    assert found == {
        "noise-types": 5,
        "distortion-artifacts": 3,
        "reverberation-rooms": 9,
        "loudness-dynamics": 8,
        "quality-assessment": 3,
        "natural-sounds": 4,
        "scenes-physical-reasoning": 8,
        "rate-rhythm-pausing": 8,
        "vocal-pitch-intensity": 6,
    }


@pytest.mark.parametrize(
    ("call", "options", "right"),
    [
        ("reverberation_change(dimensions=2.0)", ["It is twice as long", "It is eight times as long"], 0),
        ("reverberation_change(absorption=2.0)", ["It is half as long", "It is twice as long"], 0),
        ("decay_time(reverberation_s=2.0, level_db=90, noise_db=60)", ["1.0 s", "2.0 s"], 0),
        ("direct_to_reverberant(critical_m=2, listener_m=4)", ["It is 6 dB weaker", "It is 3 dB weaker"], 0),
        ("noise_band(colour='pink', extreme='most')", ["From 100 to 300 Hz", "From 4,000 to 6,000 Hz"], 0),
        ("noise_band(colour='white', extreme='most')", ["From 100 to 300 Hz", "From 4,000 to 6,000 Hz"], 1),
        ("speed_change(recorded=44.1, played=48)", ["About 1.5 semitones higher", "About 3 semitones higher"], 0),
        ("storm_distance(gap_s=12, later_gap_s=6)", ["About 6 km nearer", "About 2 km nearer"], 1),
        ("group_at_distance(extreme='most')", ["2 pumps at 5 m", "4 pumps at 10 m"], 0),
        ("path_time(extreme='least')", ["600 m of air", "1,500 m of water"], 1),
        ("abx_evidence()", ["15 right in 15 trials", "9 right in 9 trials"], 0),
        ("pairwise_contrast(extreme='most')", ["60, 120, 60, 120", "60, 60, 120, 120"], 0),
        ("same_interval(start_hz=100, end_hz=150)", ["From 200 to 250 Hz", "From 200 to 300 Hz"], 1),
        ("harmonic_spacing(lower_hz=660, upper_hz=880)", ["220 Hz", "660 Hz"], 0),
    ],
)
def test_checks(call: str, options: list[str], right: int) -> None:
    assert prove(call, options, "test") == [i == right for i in range(len(options))]


@pytest.mark.parametrize(
    ("call", "options"),
    [
        ("reverberation_change(volume=2.0)", ["It is louder", "It is twice as long"]),
        ("noise_band(colour='white', extreme='most')", ["From 100 to 300 Hz", "From 400 to 610 Hz"]),
        ("noise_band(colour='white', extreme='best')", ["From 100 to 300 Hz", "From 400 to 910 Hz"]),
        ("path_time(extreme='least')", ["1,000 m of air", "4,400 m of water"]),
        ("path_time(extreme='least')", ["1,000 m of cork", "4,400 m of water"]),
        ("group_at_distance(extreme='most')", ["1 pump at 5 m", "4 pumps at 10 m"]),
        ("compressor_setting(level_dbfs=-20, extreme='most')", ["Threshold \u221210 dBFS, ratio 2:1"] * 2),
        ("track_headroom(target_lufs=-14, ceiling_dbtp=-1, limiting=True)", ["\u221220 LUFS, true peak \u22127 dBTP"]),
        ("harmonic_spacing(lower_hz=660, upper_hz=990)", ["220 Hz", "about a lot"]),
        ("same_interval(start_hz=100, end_hz=150)", ["From 200 to 302 Hz"]),
    ],
)
def test_checks_refuse(call: str, options: list[str]) -> None:
    with pytest.raises(AkbError, match="cannot decide"):
        prove(call, options, "test")


def test_rates_deals_all_four_values() -> None:
    drafts = ALL["rate-rhythm-pausing/rates-compared"].drafts(MANY, 1)
    keys = [draft.options[0] for draft in drafts]
    assert {keys.count(key) for key in keys} == {MANY // 4}


def test_glides_always_offer_equal_hertz() -> None:
    for draft in ALL["vocal-pitch-intensity/equal-glide"].drafts(MANY, 1):
        low, high = numbers(draft.question)
        assert any(Fraction(b - a) == Fraction(high - low) for a, b in map(numbers, draft.options[1:]))


def test_arguments_are_literals() -> None:
    for template in ALL.values():
        for draft in template.drafts(template.count, 1):
            name, _ = parse_call(draft.check, template.name)
            assert name in CHECKS
