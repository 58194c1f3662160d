"""Proofs of the items on music; see `akb.lab.audio.proofs`. Chords, scales and intervals are worked out again from
the notes."""

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
    the_one,
    the_other,
)  # fmt: skip
from akb.lab.audio.proofs_sound import said

NUMBER_OF = {"minor second": 1, "major second": 2, "minor third": 3, "major third": 4, "perfect fourth": 5,
             "perfect fifth": 7, "minor sixth": 8, "major sixth": 9, "minor seventh": 10, "octave": 12}  # fmt: skip
CHORDS = {"major triad": (4, 3), "minor triad": (3, 4), "diminished triad": (3, 3), "augmented triad": (4, 4),
          "suspended fourth": (5, 2), "dominant seventh": (4, 3, 3)}  # fmt: skip
SCALES = {"major scale": (2, 2, 1, 2, 2, 2, 1), "natural minor scale": (2, 1, 2, 2, 1, 2, 2),
          "whole-tone scale": (2,) * 6, "chromatic scale": (1,) * 12,
          "major pentatonic scale": (2, 2, 3, 2, 3)}  # fmt: skip


def family(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    return [option == event["family"] for option in options]


def drum(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    return [set(event["drums"].values()) == {option} for option in options]


def another_instrument(truth: Known, options: Sequence[str]) -> list[bool]:
    alike(truth["events"], ("midi", "level_db", "pitch_course"))
    return picked(options, the_other([event["instrument"] for event in truth["events"]]))


def contour(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    found = course(event["semitones"], "pitch")
    return [said(option) == found for option in options]


def interval(truth: Known, options: Sequence[str]) -> list[bool]:
    alike(truth["events"], ("semitones", "midi"))
    [step] = truth["events"][0]["semitones"]
    sizes = [NUMBER_OF[option.split(" ", 1)[1]] for option in options]
    return [known(abs(step), size, "interval", "difference") for size in sizes]


def highest(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    return picked(options, the_one(event["midi"], least("pitch")))


def changed_note(truth: Known, options: Sequence[str]) -> list[bool]:
    first, second = truth["events"]
    alike((first, second), ("instrument", "tempo", "level_db"))
    changes = [abs(b - a) for a, b in zip(first["midi"], second["midi"], strict=True)]
    if sum(change > 0 for change in changes) != 1:
        raise ValueError("not one note is changed")
    return picked(options, the_one(changes, least("pitch")))


def chord(truth: Known, options: Sequence[str]) -> list[bool]:
    alike(truth["events"], ("midi",))
    steps = tuple(gaps_of(truth["events"][0]["midi"]))
    return [CHORDS[option.split(" ", 1)[1]] == steps for option in options]


def mode(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    steps = tuple(gaps_of(sorted(event["midi"])))
    return [SCALES[option.split(" ", 1)[1]] == steps for option in options]


def spread(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    if len(event["midi"]) != 3:
        raise ValueError("three notes are wanted")
    steps = event.get("semitones", [])
    together = len(event["onsets"]) == 1
    if not together and 0 < max(map(abs, steps)) < least("pitch"):
        raise ValueError("the notes are too near one another")
    found = "together" if together else "same" if not any(steps) else "up" if min(steps) > 0 else "down"
    words = {"together": "time", "same": "pitch", "up": "up", "down": "down"}
    return [words[found] in option.split() for option in options]


def metre(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    if len(event["drums"]) != 1 or event["tempo_course"] != "steady":
        raise ValueError("one drum at a steady tempo is wanted")
    return [option == f"{event['accent_every']}/4" for option in options]


def bpm(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    gaps = gaps_of(event["onsets"])
    tempo = round(60 * len(gaps) / sum(gaps))
    return [known(tempo, int(option.split()[0]), "tempo") for option in options]


def tempo_change(truth: Known, options: Sequence[str]) -> list[bool]:
    onsets = sorted(at for event in truth["events"] for at in event["onsets"])
    gaps = gaps_of(onsets)
    far, kinds = max(gaps) / min(gaps), len({round(gap, 2) for gap in gaps})
    falling = all(b < a + 1e-3 for a, b in pairwise(gaps))
    if far < 1.02:
        found = "stays"
    elif far < least("pace") - 0.01:
        raise ValueError("the tempo hardly changes")
    else:
        found = "doubles" if kinds == 2 and falling else "grows" if falling else "falls"
    return [found in option.split() for option in options]


def term(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    gaps, swell = gaps_of(event["onsets"]), event["swell_db"]
    far = gaps[0] / gaps[-1]
    if (abs(swell) >= least("swell")) == (max(far, 1 / far) >= least("pace")):
        raise ValueError("not one clear change")
    louder, faster = "crescendo" if swell > 0 else "diminuendo", "accelerando" if far > 1 else "ritardando"
    return [option == (louder if swell else faster) for option in options]


def ornament(truth: Known, options: Sequence[str]) -> list[bool]:
    [event] = truth["events"]
    found = set()
    if event.get("vibrato_cents", 0) >= least("vibrato"):
        found.add("vibrato")
    if event.get("trill_semitones", 0):
        found.add("trill")
    if event["pitch_course"] != "steady":
        found.add("glissando")
    if any(effect["kind"] == "tremolo" and effect["depth_db"] >= least("tremolo") for effect in event["effects"]):
        found.add("tremolo")
    if len(found) != 1:
        raise ValueError(f"not one way of playing: {found}")
    return [option in found for option in options]


def two_phrases(truth: Known, options: Sequence[str]) -> list[bool]:
    first, second = truth["events"]
    alike((first, second), ("midi", "instrument"))
    faster, louder = second["tempo"] / first["tempo"], second["level_db"] - first["level_db"]
    if max(faster, 1 / faster) < least("tempo") or abs(louder) < least("level"):
        raise ValueError("they differ too little")
    return [("faster" in o, "louder" in o) == (faster > 1, louder > 0) for o in options]


PROOFS = {
    "timbre/family": family, "timbre/drum": drum, "timbre/another-instrument": another_instrument,
    "pitch/contour": contour, "pitch/interval": interval, "pitch/highest": highest,
    "pitch/changed-note": changed_note, "harmony/chord": chord, "harmony/mode": mode, "harmony/spread": spread,
    "rhythm/metre": metre, "rhythm/bpm": bpm, "rhythm/tempo-change": tempo_change, "expression/term": term,
    "expression/ornament": ornament, "expression/two-phrases": two_phrases,
}  # fmt: skip
