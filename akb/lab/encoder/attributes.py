"""What lab-encoder is taught to hear: attributes of a scene that are exactly known, as classes.

Three kinds: of the clip as a whole, of each of its first events in turn, and of every 40 ms of it. An attribute that
does not apply to a clip is None, and is not learned from it. Numbers become classes by steps that are told beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akb.lab.encoder.clips import FRAMES
from akb.lab.sound import Scene, truth
from akb.lab.sound.scene import Event
from akb.lab.sound.signals import Slot
from akb.lab.sound.voice import Speech

Known = Mapping[str, Any]
Value = str | int | None
SLOTS = 5  # events that are told one by one
POSITIONS, STEP = FRAMES // 2, 0.04  # of the encoder, and the seconds of each
LOW, PITCHES = 28, 80  # MIDI note of the lowest pitch that is told of a position, and how many semitones from there
SEEN = 15  # times that a class must be among the training's clips
IGNORED = -100


def what(event: Known) -> str:
    """What sounds: the instrument or the (first) drum of music, the colour of noise, the wave of a tone, the source."""
    if "instrument" in event:
        return str(event["instrument"])
    if "drums" in event:
        return str(next(iter(event["drums"])))
    kind = event.get("colour") or event.get("wave")
    return f"{event['source']} {kind}" if kind else str(event["source"])


def steps(value: float | None, of_octave: float, base: float = 1.0) -> int | None:
    """A number as a class: so many for each doubling."""
    return round(of_octave * log2(value / base)) if value else None


def first_pitch(event: Known) -> float | None:
    """Hz of an event's pitch where it begins."""
    found: Sequence[float] = event.get("f0s") or ()
    return event.get("f0") or (found[0] if found else None)


def _extra(event: Known) -> str | None:
    """What is done to a note."""
    if event["source"] != "note":
        return None
    kinds = {"trill": "trill_semitones" in event, "slide": "f0_end" in event,
             "vibrato": event.get("vibrato_cents", 0) >= 50,
             "tremolo": any(effect["kind"] == "tremolo" for effect in event["effects"])}  # fmt: skip
    return next((name for name, there in kinds.items() if there), "none")


def _kind(effects: Sequence[Known]) -> str:
    return str(effects[0]["kind"]) if effects else "none"


def _rt60(effects: Sequence[Known]) -> int | str | None:
    return next((steps(effect["rt60"], 1) for effect in effects if effect["kind"] == "reverb"), "none")


def _cutoff(effects: Sequence[Known]) -> int | None:
    return next((steps(effect["cutoff"], 1) for effect in effects if "cutoff" in effect), None)


def _semitones(place: int) -> Callable[[Known], Value]:
    """A melody's step, as its size where it is small."""

    def step(event: Known) -> Value:
        found = event.get("semitones") or ()
        return max(-7, min(7, int(found[place]))) if place < len(found) else None

    return step


def _only(places: Sequence[int]) -> int | None:
    return places[0] if len(places) == 1 else None


def _one(name: str) -> Callable[[Known], Value]:
    return lambda event: None if event.get(name) is None else str(event[name])


EVENT: dict[str, Callable[[Known], Value]] = {
    "what": what,
    "pitch": lambda event: steps(first_pitch(event), 12, 440.0),
    "length": lambda event: steps(event["end"] - event["start"], 2),
    **{name: _one(name) for name in (
        "pitch_course", "loudness_course", "course", "tempo_course", "quality", "mode", "direction", "interval",
        "vowel", "contour", "whispered", "accent_every", "together", "gait", "floor")},
    "count": lambda event: min(event["count"], 10) if "count" in event else None,
    "syllables": lambda event: min(event["syllables"], 10) if "syllables" in event else None,
    "stressed": lambda event: _only(event["stressed"]) if event.get("words") == 1 else None,
    "tempo": lambda event: steps(event.get("tempo"), 4),
    "gap": lambda event: steps(event.get("gap"), 2),
    "tract": lambda event: round(10 * event["tract"]) if "tract" in event else None,
    **{f"step_{place + 1}": _semitones(place) for place in range(4)},
    "extra": _extra,
    "effect": lambda event: _kind(event["effects"]),
    "event_rt60": lambda event: _rt60(event["effects"]),
    "event_cutoff": lambda event: _cutoff(event["effects"]),
}  # fmt: skip


def _compared(known: Known, of: Callable[[Known], float | None], least: float) -> str | None:
    """The second of two events, set beside the first, in octaves (or what `of` gives)."""
    if len(known["events"]) != 2:
        return None
    first, second = (of(event) for event in known["events"])
    if first is None or second is None:
        return None
    return "like" if abs(second - first) < least else "more" if second > first else "less"


def _odd(known: Known) -> int | None:
    """Which of four events is unlike the three others."""
    if len(known["events"]) != 4:
        return None
    hidden = ("start", "end", "onsets", "vowels")
    told = [str({name: value for name, value in event.items() if name not in hidden}) for event in known["events"]]
    return _only([place for place, one in enumerate(told) if told.count(one) == 1])


def _widest(known: Known) -> int | None:
    """After which event the pause is much longer than after the others."""
    gaps = [later["start"] - earlier["end"] for earlier, later in pairwise(known["events"])]
    if len(gaps) < 2:
        return None
    first, second = sorted(gaps, reverse=True)[:2]
    return gaps.index(first) if first > second + 0.25 else None


def _voices(known: Known) -> int | None:
    events = known["events"]
    if len(events) < 3 or any(event["source"] != "speech" for event in events):
        return None
    return len({(event["f0"], event["tract"]) for event in events})


def _highest(known: Known) -> int | None:
    """Which note of a short melody is the highest."""
    notes = known["events"][0].get("midi") if len(known["events"]) == 1 else None
    if not isinstance(notes, list) or not 3 <= len(notes) <= 6:
        return None
    return _only([place for place, note in enumerate(notes) if note == max(notes)])


def _changed(known: Known) -> int | None:
    """At which note two melodies part."""
    rows = [event.get("midi") for event in known["events"]]
    if len(rows) != 2 or not all(isinstance(row, list) for row in rows) or len(rows[0]) != len(rows[1]):
        return None
    return _only([place for place, (one, other) in enumerate(zip(*rows, strict=True)) if one != other])


def _behind(known: Known) -> str:
    return str((known["background"] or {}).get("source", "none"))


CLIP: dict[str, Callable[[Known], Value]] = {
    "events": lambda known: len(known["events"]),
    "at_once": lambda known: known["at_once"],
    "loudest": lambda known: known["loudest"] if len(known["events"]) > 1 else None,
    "softest": lambda known: known["softest"] if len(known["events"]) > 1 else None,
    "background": _behind,
    "clip_effect": lambda known: _kind(known["effects"]),
    "clip_rt60": lambda known: _rt60(known["effects"]),
    "clip_cutoff": lambda known: _cutoff(known["effects"]),
    "then_higher": lambda known: _compared(known, lambda event: log2(first_pitch(event) or 0.0)
                                           if first_pitch(event) else None, 1 / 6),
    "then_louder": lambda known: _compared(known, lambda event: event["level_db"], 2.0),
    "then_longer": lambda known: _compared(known, lambda event: log2(event["end"] - event["start"]), 0.25),
    "odd": _odd,
    "widest": _widest,
    "voices": _voices,
    "highest": _highest,
    "changed": _changed,
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What is known of a clip.

    Attributes:
        clip: values of CLIP; `events`: values of EVENT for each of the first events.
        sounding: (what, first second, last second).
        onsets: seconds.
        pitch: (POSITIONS,) semitones from LOW, IGNORED where there is no pitch or more than one.
    """

    clip: dict[str, Value]
    events: list[dict[str, Value]]
    sounding: list[tuple[str, float, float]]
    onsets: list[float]
    pitch: NDArray[np.int16]


def told(scene: Scene) -> Told:
    """What is known of a scene."""
    known = truth(scene)
    events = known["events"]
    sounding = [(name, event["start"], event["end"])
                for event in events for name in (event.get("drums") or [what(event)])]  # fmt: skip
    behind = known["background"]
    if behind is not None:
        sounding.append((behind["source"], 0.0, known["duration"]))
    return Told(
        {name: of(known) for name, of in CLIP.items()},
        [{name: of(event) for name, of in EVENT.items()} for event in events[:SLOTS]],
        sounding,
        [at for event in events for at in event.get("onsets", (event["start"],))],
        _pitches(scene, events),
    )


def _pitches(scene: Scene, events: Sequence[Known]) -> NDArray[np.int16]:
    out, taken = np.full(POSITIONS, IGNORED, np.int16), np.zeros(POSITIONS, bool)
    for event, known in zip(sorted(scene.events, key=lambda event: event.start), events, strict=True):
        first, last = round(known["start"] / STEP), min(POSITIONS, round(known["end"] / STEP))
        if last <= first:
            continue
        found = _track(event, known, (np.arange(first, last) + 0.5) * STEP)
        if found is not None:
            semitones = np.rint(12 * np.log2(np.maximum(found, 1) / 440) + 69 - LOW)
            there = (semitones >= 0) & (semitones < PITCHES)
            out[first:last] = np.where(there, semitones, IGNORED)
        out[first:last][taken[first:last]] = IGNORED
        taken[first:last] = True
    return out


def _track(event: Event, known: Known, at: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Hz of an event at times of the clip, where it is exactly known."""
    if isinstance(event.made, Speech):
        if known["whispered"]:
            return None
        slot = Slot(max(1, round(event.seconds * 100)), 100, np.random.default_rng(0))
        return np.asarray(event.made.pitch(slot)[np.clip(((at - event.start) * 100).astype(int), 0, slot.n - 1)])
    notes = known.get("f0s")
    if notes and len(notes) == len(known.get("onsets", ())) and known.get("tempo"):
        return np.asarray(np.array(notes)[np.clip(np.searchsorted(known["onsets"], at, "right") - 1, 0, None)])
    if known.get("f0") and "onsets" not in known and known["source"] in ("tone", "note", "vowel"):
        share = (at - known["start"]) / (known["end"] - known["start"])
        return np.asarray(known["f0"] * ((known.get("f0_end") or known["f0"]) / known["f0"]) ** share)
    return None


Classes = dict[str, list[str]]


def classes(every: Iterable[Told]) -> tuple[Classes, Classes, list[str]]:
    """The classes of the clip's attributes, of the events', and what may sound, by what there is in training."""
    clip: dict[str, Counter[str]] = {name: Counter() for name in CLIP}
    event: dict[str, Counter[str]] = {name: Counter() for name in EVENT}
    sounding = Counter[str]()
    for one in every:
        _count(clip, [one.clip])
        _count(event, one.events)
        sounding.update({name for name, _, _ in one.sounding})
    return _frequent(clip), _frequent(event), sorted(name for name, times in sounding.items() if times >= SEEN)


def _count(counts: Mapping[str, Counter[str]], rows: Iterable[Mapping[str, Value]]) -> None:
    for row in rows:
        for name, value in row.items():
            if value is not None:
                counts[name][str(value)] += 1


def _frequent(counts: Mapping[str, Counter[str]]) -> Classes:
    found = {name: sorted(value for value, times in seen.items() if times >= SEEN) for name, seen in counts.items()}
    return {name: values for name, values in found.items() if len(values) > 1}


def numbered(rows: Sequence[Mapping[str, Value]], known: Classes) -> NDArray[np.int64]:
    """Values as numbers of classes, (rows, attributes); IGNORED where there is none."""
    places = {name: {value: place for place, value in enumerate(values)} for name, values in known.items()}
    return np.array([[places[name].get(str(row.get(name)), IGNORED) for name in known] for row in rows], np.int64)
