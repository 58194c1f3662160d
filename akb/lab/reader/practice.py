"""Questions to practise reading with, several for one description; answers from what is exactly known of the scene.

They are not the questions of lab-audio: they ask for everything there is to know, in frames of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

Pair = tuple[str, str]
COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

# what truth() knows of an event: frames of a question, with the event's own words for {x}
ASKED: Mapping[str, tuple[str, ...]] = {
    "pitch_course": ("How does the pitch of {x} move?", "Does the pitch of {x} rise or fall?"),
    "loudness_course": ("How does the loudness of {x} change?", "Does {x} grow louder or softer?"),
    "course": ("Does {x} speed up or slow down?", "How does the pace of {x} change?"),
    "tempo_course": ("How does the tempo of {x} change?", "Does {x} get faster or slower?"),
    "family": ("To which family of instruments does it belong?", "What family of instruments plays?"),
    "quality": ("What kind of chord is it?", "Which quality has the chord?"),
    "mode": ("Which scale is played?", "In which mode is the scale?"),
    "direction": ("Which way does the scale go?",),
    "interval": ("Which interval is heard?",),
    "colour": ("What colour has the noise?", "Which noise is it?"),
    "vowel": ("Which vowel is held?", "What vowel is it?"),
    "contour": ("With which intonation is it said?", "Is it a question or a statement?"),
    "whispered": ("Is the voice whispered?",),
    "wave": ("What waveform has the tone?",),
    "gait": ("Which gait is it?",),
}
VOWELS = {"IY": "ee as in see", "IH": "i as in sit", "EH": "e as in bed", "AE": "a as in cat", "AH": "u as in cup",
          "AA": "ah as in father", "AO": "aw as in law", "UH": "oo as in book", "UW": "oo as in moon",
          "ER": "er as in bird"}  # fmt: skip
EFFECTS = {"low_pass": "a low-pass filter", "high_pass": "a high-pass filter", "band_pass": "a telephone's band",
           "clipping": "clipping", "hum": "mains hum", "hiss": "hiss", "bits": "coarse quantisation", "echo": "an echo",
           "reverb": "reverberation", "tremolo": "tremolo", "wow": "wow"}  # fmt: skip

# what a caption says in numbers: the pattern that finds it, and frames
READ: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"There (?:are|is) (\w+) sound event", ("How many sound events are there?", "How many events are told?")),
    (r"beginning at ([\d.]+)", ("When does the first event begin?",)),
    (r"beginning at [\d.]+, ([\d.]+)", ("When does the second event begin?",)),
    (r"tempo is about (\d+)", ("What is the tempo in beats per minute?",)),
    (r"The pitch is steady near (\d+)", ("What is the pitch in Hz?",)),
    (r"centroid is near (\d+)", ("Where is the spectral centroid?",)),
    (r"die?s? away by 60 dB in about ([\d.]+)", ("How long is the decay?",)),
    (r"louder over time, by about (\d+)", ("By how many dB does it get louder?",)),
    (r"The loudness is about (-\d+)", ("What is the loudness?",)),
    (r"centroid is near \d+ Hz \(([a-z ]+)\)", ("Is the sound dull or bright?",)),
    (r"stretches of sound; the longest pause is ([\d.]+)", ("How long is the longest pause?",)),
    (r"The attack is (\w+)", ("How is the attack?",)),
)


def pairs(rng: Random, known: Mapping[str, Any], caption: str, most: int = 7) -> list[Pair]:
    """Up to `most` questions with their answers, the first about what is heard."""
    rest = [*_of_scene(rng, known), *_of_events(rng, known)]
    rng.shuffle(rest)
    read = [(rng.choice(frames), found[1]) for pattern, frames in READ if (found := re.search(pattern, caption))]
    rng.shuffle(read)
    chosen = [*rest[: most - 3], *read[:2]]
    rng.shuffle(chosen)
    return [_sources(rng, known), *chosen]


def _sources(rng: Random, known: Mapping[str, Any]) -> Pair:
    labels = known["sequence"]
    if known["at_once"] > 1 and len(labels) > 1:
        return rng.choice(("What is heard at once?", "Which sounds are mixed?")), " and ".join(labels)
    return rng.choice(("What is heard?", "What sounds, and in which order?", "Name the sounds.")), ", then ".join(
        labels
    )


def _of_scene(rng: Random, known: Mapping[str, Any]) -> Iterator[Pair]:
    events, labels = known["events"], known["sequence"]
    done = [EFFECTS[effect["kind"]] for effect in known["effects"]]
    if done or rng.random() < 0.3:
        yield rng.choice(("What was done to the recording?", "Which effect was applied?")), (done or ["nothing"])[0]
    behind = known["background"]
    if behind or rng.random() < 0.2:
        yield rng.choice(("What is behind it?", "What is in the background?")), behind["label"] if behind else "nothing"
    yield "Is it sound, music or speech?", " and ".join(dict.fromkeys(event["group"] for event in events))
    if len(events) < 2:
        return
    yield "How many different things are heard?", COUNTS[len(events)]
    yield "What comes first?", labels[0]
    yield "What comes last?", labels[-1]
    if len(events) == 2 and labels[0] != labels[1]:
        one, other = events
        if abs(one["level_db"] - other["level_db"]) >= 4:
            order = (0, 1) if one["level_db"] > other["level_db"] else (1, 0)
            yield "Which of the two is louder?", labels[order[0]]
            yield "Which of the two is softer?", labels[order[1]]
            yield "Is the first or the second louder?", ("the first", "the second")[order[0]]
        if one.get("f0") and other.get("f0") and not 0.8 < one["f0"] / other["f0"] < 1.25:
            place = int(other["f0"] > one["f0"])
            yield "Which of the two is higher?", labels[place]
            yield "Is the first or the second higher?", ("the first", "the second")[place]
        lengths = [event["end"] - event["start"] for event in events]
        if not 0.75 < lengths[0] / lengths[1] < 1.33:
            yield "Which of the two lasts longer?", labels[int(lengths[1] > lengths[0])]


def _of_events(rng: Random, known: Mapping[str, Any]) -> Iterator[Pair]:
    events, labels = known["events"], known["sequence"]
    for event, label in zip(events, labels, strict=True):
        about = "it" if len(events) == 1 else label
        for name, frames in ASKED.items():
            if name in event and (len(events) == 1 or "{x}" in frames[0]):
                yield rng.choice(frames).format(x=about), _said(name, event[name])
        if event.get("count", 99) <= 10:
            yield f"How many times is {label} heard?", COUNTS[event["count"]]
        if event["group"] == "music" and len(events) == 1:
            yield rng.choice(("Which instrument is it?", "What plays?")), label
        if event.get("f0") and event["group"] == "speech":
            height = "low" if event["f0"] < 150 else "high" if event["f0"] > 220 else "middle"
            yield f"How high is the voice of {label}?", height
            if "tract" in event:
                yield "How large is the speaker?", "small, like a child" if event["tract"] > 1.2 else "like an adult"
        if "syllables" in event and len(events) == 1:
            yield "How many syllables are spoken?", COUNTS[min(event["syllables"], 10)]
        if event.get("accent_every") and len(events) == 1:
            yield "Which beat is stressed?", f"every {COUNTS[event['accent_every']]}"
        if event.get("vibrato_cents"):
            yield f"Has {label} vibrato?", "yes"


def _said(name: str, value: Any) -> str:
    if name == "vowel":
        return VOWELS[value]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
