"""Proofs of the items on speech; see `akb.lab.audio.proofs`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

from akb.lab.audio.limits import least
from akb.lab.audio.measuring import Known, alike, known, picked, semitones, the_one, the_other
from akb.lab.audio.proofs_sound import glide

SPOKEN = {"see": "IY", "cat": "AE", "father": "AA", "food": "UW", "bird": "ER"}  # the stressed vowel
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4}
LAST = 1.4  # by which the last vowel is longer anyway
ADULT, SHORT = (0.9, 1.05), (1.3, 1.6)  # vocal tracts, as divisors of a man's


def vowel(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    return [SPOKEN[option] == event["vowel"] for option in options]


def pair(truth: Known, options: Sequence[str]) -> list[bool]:
    found = [event["vowel"] for event in truth["events"]]
    return [[SPOKEN[word] for word in option.split(", then ")] == found for option in options]


def another_vowel(truth: Known, options: Sequence[str]) -> list[bool]:
    events = truth["events"]
    alike(events, ("f0", "tract", "level_db", "pitch_course"))
    place = the_other([event["vowel"] for event in events])
    one, other = events[place]["formants"], events[place - 1]["formants"]
    if max(max(a / b, b / a) for a, b in zip(one[:2], other[:2], strict=True)) < least("formant"):
        raise ValueError("the vowels are too near one another")
    return picked(options, place)


def sentences(truth: Known, options: Sequence[str]) -> list[bool]:
    ends = {"falling": "a statement", "rising": "a question"}
    found = [ends[event["pitch_course"]] for event in truth["events"]]
    return [option.split(", then ") == found for option in options]


def _vowel_lengths(truth: Known) -> list[float]:
    """The lengths of five vowels as if the last were not lengthened."""
    [event] = truth["events"]
    if len({name for name, _, _ in event["vowels"]}) != 1 or len(event["vowels"]) != 5:
        raise ValueError("five times the same vowel is wanted")
    lengths = [last - first for _, first, last in event["vowels"]]
    return [*lengths[:4], lengths[4] / LAST]


def emphasis(truth: Known, options: Sequence[str]) -> list[bool]:
    """The emphasised word's vowel is the longest (its pitch and level are raised with it)."""
    lengths = _vowel_lengths(truth)
    place = the_one(lengths, 0.0)
    others = lengths[:place] + lengths[place + 1 :]
    if truth["events"][0]["words"] != 5 or lengths[place] < least("stress") * max(others):
        raise ValueError("no word is clearly emphasised")
    return picked(options, place)


def stress(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    [place] = event["stressed"]
    lengths = _vowel_lengths(truth)
    if event["words"] != 1 or lengths[place] < least("stress") * max(lengths[:place] + lengths[place + 1 :]):
        raise ValueError("no syllable is clearly stressed")
    return picked(options, place)


def two_utterances(truth: Known, options: Sequence[str]) -> list[bool]:
    first, second = truth["events"]
    alike((first, second), ("phones", "tract", "contour"))
    faster = second["syllables_per_second"] / first["syllables_per_second"]
    step = semitones(first["f0"], second["f0"])
    if max(faster, 1 / faster) < least("tempo") or abs(step) < least("voice"):
        raise ValueError("they differ too little")
    return [("faster" in o, "higher" in o) == (faster > 1, step > 0) for o in options]


def pause(truth: Known, options: Sequence[str]) -> list[bool]:
    silences = [later["start"] - earlier["end"] for earlier, later in pairwise(truth["events"])]
    if len(silences) != 4:
        raise ValueError("five words are wanted")
    return picked(options, the_one(silences, least("pause")))


def syllables(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    if event["syllables_per_second"] > 1 / least("gap"):
        raise ValueError("too fast to be counted")
    return [int(option) == event["syllables"] for option in options]


def speaker(truth: Known, options: Sequence[str]) -> list[bool]:
    alike(truth["events"], ("f0", "tract"))
    event = truth["events"][0]
    if 115 < event["f0"] < 185:
        raise ValueError("a pitch between low and high")
    high = event["f0"] > 150
    short = SHORT[0] <= event["tract"] <= SHORT[1]
    if not short and not ADULT[0] <= event["tract"] <= ADULT[1]:
        raise ValueError("a vocal tract between long and short")
    wanted = (("low", "high")[high], ("long", "short")[short])
    return [all(word in option.split() for word in wanted) for option in options]


def hertz(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    if event["pitch_course"] != "steady":
        raise ValueError("the pitch moves")
    return [known(event["f0"], float(option.removesuffix(" Hz")), "f0") for option in options]


def person(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    if event["source"] == "speech":
        found = "a person whispering" if event["whispered"] else "a person speaking"
    else:
        found = {"a singing voice": "a person singing"}.get(event["label"], event["label"])
    return [option == found for option in options]


def speakers(truth: Known, options: Sequence[str]) -> list[bool]:
    """Voices of other pitch, far enough apart; the turns do not overlap."""
    f0s = {event["f0"] for event in truth["events"]}
    if len({(event["f0"], event["tract"]) for event in truth["events"]}) != len(f0s) or truth["at_once"] != 1:
        raise ValueError("voices of one pitch, or two at once")
    if any(abs(semitones(a, b)) < least("voice") for a, b in combinations(f0s, 2)):
        raise ValueError("the voices are too near one another")
    return [NUMBERS[option] == len(f0s) for option in options]


def _effects(truth: Known) -> list[Known]:
    """What is done to the only event, or to all."""
    [event] = truth["events"]
    return [*event["effects"], *truth["effects"]]


def path(truth: Known, options: Sequence[str]) -> list[bool]:
    found = "microphone"
    for effect in _effects(truth):
        if effect["kind"] == "band_pass" and 250 <= effect["low"] <= 400 and 3000 <= effect["high"] <= 3600:
            found = "telephone"
        elif effect["kind"] == "low_pass" and effect["cutoff"] <= 500:
            found = "wall"
        elif effect["kind"] == "reverb" and effect["rt60"] >= 2.5:
            found = "hall"
        else:
            raise ValueError(f"no known way: {effect}")
    return [found in option.split() for option in options]


def fault(truth: Known, options: Sequence[str]) -> list[bool]:
    [effect] = _effects(truth)
    words = {"clipping": "clipping", "hum": "mains hum", "dropouts": "dropouts", "echo": "an echo", "hiss": "hiss"}
    return [option == words[effect["kind"]] for option in options]


PROOFS = {
    "vowels/vowel": vowel, "vowels/pair": pair, "vowels/another-vowel": another_vowel,
    "intonation/sentences": sentences, "intonation/glide": glide, "intonation/emphasis": emphasis,
    "intonation/stress": stress, "rate/two-utterances": two_utterances, "rate/pause": pause,
    "rate/syllables": syllables, "voice/speaker": speaker, "voice/hertz": hertz, "voice/person": person,
    "surroundings/speakers": speakers, "surroundings/path": path, "surroundings/fault": fault,
}  # fmt: skip
