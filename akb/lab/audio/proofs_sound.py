"""Proofs of the items on sounds; see `akb.lab.audio.proofs`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from akb.lab.audio.limits import least
from akb.lab.audio.measuring import (
    Known,
    alike,
    course,
    gaps_of,
    known,
    picked,
    semitones,
    the_one,
    the_other,
)  # fmt: skip

SLOPES = {"white": 0, "pink": -3, "brown": -6, "blue": 3, "violet": 6}  # dB an octave
ROOMS = {"field": (0.0, 0.0), "living": (0.3, 0.6), "concert": (1.6, 2.4), "cathedral": (5.0, 9.0)}  # RT60 in s


def named(truth: Known, options: Sequence[str]) -> list[bool]:
    """The one thing that sounds, by its label."""
    labels = {event["label"] for event in truth["events"]}
    return [labels == {option} for option in options]


def order(truth: Known, options: Sequence[str]) -> list[bool]:
    ends = [(event["start"], event["end"]) for event in truth["events"]]
    if any(later[0] < earlier[1] for earlier, later in pairwise(ends)):
        raise ValueError("the sounds overlap")
    return [option.split(", then ") == truth["sequence"] for option in options]


def count(truth: Known, options: Sequence[str]) -> list[bool]:
    onsets = [at for event in truth["events"] for at in event["onsets"]]
    if min(gaps_of(onsets)) < least("gap"):
        raise ValueError("too fast to be counted")
    return [int(option) == len(onsets) for option in options]


def pace(truth: Known, options: Sequence[str]) -> list[bool]:
    gaps = gaps_of([event["start"] for event in truth["events"]])
    alike(truth["events"], ("label", "level_db"))
    far, sizes = max(gaps) / min(gaps), sorted(gaps)
    kind = "even" if far < 1.02 else "slower" if gaps == sizes else "faster" if gaps == sizes[::-1] else "uneven"
    if kind != "even" and far < least("pace"):
        raise ValueError("the pace hardly changes")
    return [kind in option.split() for option in options]


def glide(truth: Known, options: Sequence[str]) -> list[bool]:
    """Pitch courses in words; the words' order is the course."""
    tracks = [(event["f0"], event.get("f0_end") or event["f0"]) for event in truth["events"]]
    found = course([semitones(*track) for track in tracks], "glide")
    return [said(option) == found for option in options]


def said(option: str) -> str:
    """The course that an option tells."""
    up = {"rises": "up", "up": "up", "upward": "up", "falls": "down", "down": "down", "downward": "down"}
    return "-".join(up[word] for word in option.replace(",", "").split() if word in up)


def loudest(truth: Known, options: Sequence[str]) -> list[bool]:
    alike(truth["events"], ("label", "f0", "colour", "count", "swell_db"))
    return picked(options, the_one([event["level_db"] for event in truth["events"]], least("level")))


def two_tones(truth: Known, options: Sequence[str]) -> list[bool]:
    first, second = truth["events"]
    alike((first, second), ("wave",))
    step, louder = semitones(first["f0"], second["f0"]), second["level_db"] - first["level_db"]
    if abs(step) < least("pitch") or abs(louder) < least("level"):
        raise ValueError("they differ too little")
    return [("higher" in o, "louder" in o, "lower" in o, "softer" in o) == (step > 0, louder > 0, step < 0, louder < 0)
            for o in options]  # fmt: skip


def frequency(truth: Known, options: Sequence[str]) -> list[bool]:
    alike(truth["events"], ("f0", "label"))
    return [known(truth["events"][0]["f0"], float(option.removesuffix(" Hz")), "frequency") for option in options]


def colour(truth: Known, options: Sequence[str]) -> list[bool]:
    slopes = {event["db_per_octave"] for event in truth["events"]}
    if len(slopes) != 1:
        raise ValueError("several colours")
    slope = slopes.pop()
    return [known(slope, SLOPES[option.split()[0]], "slope", "difference") for option in options]


def filtered(truth: Known, options: Sequence[str]) -> list[bool]:
    """What of 20 to 8,000 Hz is gone: over a cutoff under 2 kHz, under one over 2 kHz, or both."""
    first, second = truth["events"]
    alike((first, second), ("label", "colour", "level_db"))
    gone = set()
    for effect in second["effects"]:
        gone |= {"high"} if effect["kind"] == "low_pass" and effect["cutoff"] < 2000 else set()
        gone |= {"low"} if effect["kind"] == "high_pass" and effect["cutoff"] > 2000 else set()
        gone |= {"low", "high"} if effect["kind"] == "band_pass" and effect["high"] / effect["low"] < 3 else set()
    if first["effects"] or bool(gone) != bool(second["effects"]):
        raise ValueError("not one clear filter on the second sound")
    words: dict[str, set[str]] = {"high": {"high"}, "low": {"low"}, "lowest": {"low", "high"}, "nothing": set()}
    return [next(words[word] for word in option.split() if word in words) == gone for option in options]


def _rt60(truth: Known) -> float:
    rooms = [effect["rt60"] for effect in truth["effects"] if effect["kind"] == "reverb"]
    if len(rooms) != len(truth["effects"]) or len(rooms) > 1 or any(event["effects"] for event in truth["events"]):
        raise ValueError("not one room")
    return float(rooms[0]) if rooms else 0.0


def room(truth: Known, options: Sequence[str]) -> list[bool]:
    """Usual reverberation times; those of two places are a ratio of 2 apart."""
    found = _rt60(truth)
    ranges = [next(span for word, span in ROOMS.items() if word in option.split()) for option in options]
    return [low <= found <= high for low, high in ranges]


def rt60(truth: Known, options: Sequence[str]) -> list[bool]:
    return [known(_rt60(truth), float(option.removesuffix(" s")), "rt60") for option in options]


def most_reverberant(truth: Known, options: Sequence[str]) -> list[bool]:
    alike(truth["events"], ("label", "level_db"))
    times = [sum(e["rt60"] for e in event["effects"] if e["kind"] == "reverb") for event in truth["events"]]
    place = the_other(times)
    if times[place] < least("rt60") * max(times[:place] + times[place + 1 :]):
        raise ValueError("the rooms are too much alike")
    return picked(options, place)


def background(truth: Known, options: Sequence[str]) -> list[bool]:
    behind = truth["background"]
    if not least("behind") <= behind["snr_db"] <= 20:
        raise ValueError("the background is too loud or too soft")
    return [option == behind["label"] for option in options]


PROOFS = {
    "sources/animal": named, "sources/signal": named, "sources/action": named, "events/order": order,
    "events/count": count, "events/pace": pace, "pitch-loudness/glide": glide, "pitch-loudness/loudest": loudest,
    "pitch-loudness/two-tones": two_tones, "pitch-loudness/frequency": frequency, "quality/colour": colour,
    "quality/filtered": filtered, "space/place": room, "space/rt60": rt60,
    "space/most-reverberant": most_reverberant, "space/background": background,
}  # fmt: skip
