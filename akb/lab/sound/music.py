"""Musical sources: notes, chords, melodies, scales, progressions, rhythms and metres.

Pitches are MIDI note numbers (60 is middle C, 69 is 440 Hz), in equal temperament; tempos are beats a minute.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from akb.lab.sound.instruments import DRUMS, INSTRUMENTS, VIBRATO, play
from akb.lab.sound.signals import Samples, Slot, add, gain
from akb.lab.sound.source import Group, Source, course, without

Pitched = Literal[
    "organ", "bowed", "flute", "clarinet", "brass", "plucked", "piano", "electric_piano", "marimba", "bell", "sung"
]
Drum = Literal["kick", "tom", "snare", "hihat", "cymbal", "click"]
Pitch = Annotated[float, Field(ge=21, le=108)]
Tempo = Annotated[float, Field(ge=20, le=400)]

NAMES = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")
INTERVALS = (
    "unison", "minor second", "major second", "minor third", "major third", "perfect fourth", "tritone",
    "perfect fifth", "minor sixth", "major sixth", "minor seventh", "major seventh", "octave",
)  # fmt: skip
CHORDS = {
    "major": (0, 4, 7), "minor": (0, 3, 7), "diminished": (0, 3, 6), "augmented": (0, 4, 8), "sus4": (0, 5, 7),
    "fifth": (0, 7), "dominant7": (0, 4, 7, 10), "major7": (0, 4, 7, 11), "minor7": (0, 3, 7, 10),
    "cluster": (0, 1, 2, 3),
}  # fmt: skip
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11, 12), "minor": (0, 2, 3, 5, 7, 8, 10, 12),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11, 12), "pentatonic": (0, 2, 4, 7, 9, 12),
    "whole tone": (0, 2, 4, 6, 8, 10, 12), "chromatic": tuple(range(13)), "blues": (0, 3, 5, 6, 7, 10, 12),
}  # fmt: skip
TRIADS = {
    "I": (0, "major"), "ii": (2, "minor"), "iii": (4, "minor"), "IV": (5, "major"), "V": (7, "major"),
    "vi": (9, "minor"), "i": (0, "minor"), "iv": (5, "minor"), "V7": (7, "dominant7"), "VI": (8, "major"),
}  # fmt: skip


def hertz(note: float) -> float:
    """The frequency of a MIDI note number in equal temperament at A = 440 Hz (ISO 16)."""
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))


def note_name(note: float) -> str:
    """The nearest note's letter, without the octave: 61 is "C sharp"."""
    return NAMES[round(note) % 12]


class Music(Source):
    """What the musical sources share: an instrument, and how hard it is played (0 to 1; brass is brighter)."""

    group: ClassVar[Group] = "music"
    instrument: Pitched = "piano"
    force: float = Field(0.7, ge=0, le=1)

    def known(self) -> dict[str, Any]:
        what = INSTRUMENTS[self.instrument]
        return {"instrument": self.instrument, "label": what.label, "family": what.family, "sustained": what.sustained}


class Note(Music):
    """One note. It may slide (semitones up over its length), sway (vibrato of so many cents to each side, 5.5
    times a second; none: as the instrument's players do it) or trill (to the note `trill` semitones above)."""

    label: ClassVar[str] = "a note"
    note: Pitch = 60
    slide: float = Field(0, ge=-36, le=36)
    vibrato_cents: float | None = Field(None, ge=0, le=200)
    trill: int = Field(0, ge=0, le=4)
    trill_rate: float = Field(7.0, ge=1, le=15)

    def natural(self) -> float:
        return 1.5

    def sounding(self) -> dict[str, Any]:
        told = super().sounding() | {"vibrato_cents": self._vibrato()}
        return without(told, "slide", "vibrato_cents") if self.trill else without(told, "trill_rate")

    def _vibrato(self) -> float:
        return INSTRUMENTS[self.instrument].vibrato if self.vibrato_cents is None else self.vibrato_cents

    def sound(self, slot: Slot) -> Samples:
        if self.trill:
            return self._trilled(slot)
        notes: float | Samples = self.note
        if self.slide:
            notes = self.note + self.slide * np.arange(slot.n) / max(slot.n - 1, 1)
        return play(self.instrument, slot, notes, self.force, self.vibrato_cents)

    def _trilled(self, slot: Slot) -> Samples:
        upper = (slot.t * self.trill_rate * 2).astype(int) % 2
        if INSTRUMENTS[self.instrument].sustained:
            return play(self.instrument, slot, self.note + self.trill * upper, self.force, 0.0)
        out, each = np.zeros(slot.n), 0.5 / self.trill_rate
        for number in range(int(slot.seconds / each)):
            x = play(self.instrument, slot.of(each * 1.6), self.note + self.trill * (number % 2), self.force)
            add(out, x, round(number * each * slot.rate))
        return out

    def truth(self, seconds: float) -> dict[str, Any]:
        known = self.known() | {"f0": hertz(self.note), "note": note_name(self.note), "midi": self.note}
        known["pitch_course"] = course(2.0**self.slide)
        if self.slide:
            known["f0_end"] = hertz(self.note + self.slide)
        vibrato = self._vibrato()
        if vibrato and not self.trill:
            known |= {"vibrato_rate": VIBRATO, "vibrato_cents": vibrato}
        if self.trill:
            known |= {"trill_semitones": self.trill, "trill_rate": self.trill_rate}
        return known


class Chord(Music):
    """Several notes at once, or one after the other from the lowest (`spread` seconds apart)."""

    label: ClassVar[str] = "a chord"
    root: Pitch = 60
    quality: Literal[
        "major", "minor", "diminished", "augmented", "sus4", "fifth", "dominant7", "major7", "minor7", "cluster"
    ] = "major"
    inversion: int = Field(0, ge=0, le=3)
    spread: float = Field(0, ge=0, le=1)

    def notes(self) -> list[float]:
        steps = list(CHORDS[self.quality])
        for place in range(min(self.inversion, len(steps) - 1)):
            steps[place] += 12
        return [self.root + step for step in sorted(steps)]

    def natural(self) -> float:
        return 1.5 + self.spread * (len(self.notes()) - 1)

    def least(self) -> float:
        return 0.1 + self.spread * (len(self.notes()) - 1)

    def sound(self, slot: Slot) -> Samples:
        out = np.zeros(slot.n)
        for number, note in enumerate(self.notes()):
            at = self.spread * number
            add(out, play(self.instrument, slot.of(slot.seconds - at), note, self.force), round(at * slot.rate))
        return out

    def truth(self, seconds: float) -> dict[str, Any]:
        notes = self.notes()
        return self.known() | {
            "quality": self.quality,
            "inversion": min(self.inversion, len(notes) - 1),
            "note_count": len(notes),
            "midi": notes,
            "f0s": [hertz(note) for note in notes],
            "onsets": [round(self.spread * number, 6) for number in range(len(notes))] if self.spread else [0.0],
            "together": not self.spread,
        }


class Melody(Music):
    """Notes one after the other; null is a rest. `beats` gives each one's length (1 each where it is left out);
    `tempo_end` lets the tempo change evenly over the notes; every `accent`-th note from the first is 9 dB louder."""

    label: ClassVar[str] = "a melody"
    notes: tuple[Pitch | None, ...] = Field((60, 64, 67), min_length=1, max_length=64)
    beats: tuple[Annotated[float, Field(gt=0, le=16)], ...] = ()
    tempo: Tempo = 120
    tempo_end: Tempo | None = None
    accent: int = Field(0, ge=0, le=16)
    staccato: float = Field(0.95, gt=0.05, le=1)

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if self.beats and len(self.beats) != len(self.notes):
            raise ValueError(f"{len(self.notes)} notes and {len(self.beats)} lengths in beats")
        return self

    def lengths(self) -> Samples:
        """The seconds of each note."""
        last = self.tempo if self.tempo_end is None else self.tempo_end
        tempo = np.linspace(self.tempo, last, len(self.notes)) if len(self.notes) > 1 else np.array([self.tempo])
        return np.asarray(np.array(self.beats or [1.0] * len(self.notes)) * 60 / tempo)

    def natural(self) -> float:
        return float(np.sum(self.lengths())) + (0.0 if INSTRUMENTS[self.instrument].sustained else 0.4)

    def least(self) -> float:
        return float(np.sum(self.lengths()))

    def sound(self, slot: Slot) -> Samples:
        out, lengths, at = np.zeros(slot.n), self.lengths(), 0.0
        rest = 0.0 if INSTRUMENTS[self.instrument].sustained else 0.4
        for number, (note, seconds) in enumerate(zip(self.notes, lengths, strict=True)):
            if note is not None:
                strong = not self.accent or number % self.accent == 0
                x = play(self.instrument, slot.of(seconds * self.staccato + rest), note, self.force)
                add(out, x * (1.0 if strong else gain(-9)), round(at * slot.rate))
            at += float(seconds)
        return out

    def truth(self, seconds: float) -> dict[str, Any]:
        starts = np.concatenate(([0.0], np.cumsum(self.lengths())[:-1]))
        heard = [(note, float(at)) for note, at in zip(self.notes, starts, strict=True) if note is not None]
        steps = [later[0] - earlier[0] for earlier, later in pairwise(heard)]
        last = self.tempo if self.tempo_end is None else self.tempo_end
        known = self.known() | {
            "midi": [note for note, _ in heard],
            "f0s": [hertz(note) for note, _ in heard],
            "onsets": [round(at, 6) for _, at in heard],
            "count": len(heard),
            "tempo": self.tempo,
            "tempo_course": course(last / self.tempo, "speeding up", "slowing down"),
            "semitones": steps,
            "pitch_course": _contour(steps),
        }
        if len(steps) == 1 and steps[0] == int(steps[0]) and abs(steps[0]) <= 12:
            known["interval"] = INTERVALS[int(abs(steps[0]))]
        return known | ({"accent_every": self.accent} if self.accent else {})


def _contour(steps: list[float]) -> str:
    if all(step == 0 for step in steps):
        return "steady"
    if all(step >= 0 for step in steps):
        return "rising"
    return "falling" if all(step <= 0 for step in steps) else "mixed"


class Scale(Music):
    """A scale over one octave, up, down, or up and down."""

    label: ClassVar[str] = "a scale"
    root: Annotated[float, Field(ge=21, le=96)] = 60
    mode: Literal["major", "minor", "harmonic minor", "pentatonic", "whole tone", "chromatic", "blues"] = "major"
    direction: Literal["up", "down", "up and down"] = "up"
    tempo: Tempo = 180

    def melody(self) -> Melody:
        up = [self.root + step for step in SCALES[self.mode]]
        notes = {"up": up, "down": up[::-1], "up and down": up + up[-2::-1]}[self.direction]
        return Melody(instrument=self.instrument, force=self.force, notes=tuple(notes), tempo=self.tempo)

    def natural(self) -> float:
        return self.melody().natural()

    def least(self) -> float:
        return self.melody().least()

    def sound(self, slot: Slot) -> Samples:
        return self.melody().sound(slot)

    def truth(self, seconds: float) -> dict[str, Any]:
        return self.melody().truth(seconds) | {"mode": self.mode, "direction": self.direction}


class Progression(Music):
    """Triads on the degrees of a key, one a bar of two beats: I ii iii IV V vi V7, and i iv VI in minor."""

    label: ClassVar[str] = "a chord progression"
    instrument: Pitched = "organ"
    key: Annotated[float, Field(ge=36, le=84)] = 60
    degrees: tuple[Literal["I", "ii", "iii", "IV", "V", "vi", "i", "iv", "V7", "VI"], ...] = Field(
        ("I", "IV", "V", "I"), min_length=1, max_length=16
    )
    tempo: Tempo = 120

    def natural(self) -> float:
        return len(self.degrees) * 120 / self.tempo

    def least(self) -> float:
        return self.natural()

    def sound(self, slot: Slot) -> Samples:
        out, each = np.zeros(slot.n), 120 / self.tempo
        for number, degree in enumerate(self.degrees):
            root, quality = TRIADS[degree]
            for step in CHORDS[quality]:
                pitch = self.key + (root + step if root < 7 else root + step - 12)
                add(
                    out,
                    play(self.instrument, slot.of(each * 0.97), pitch, self.force),
                    round(number * each * slot.rate),
                )
        return out

    def truth(self, seconds: float) -> dict[str, Any]:
        onsets = [round(number * 120 / self.tempo, 6) for number in range(len(self.degrees))]
        known = {"key": note_name(self.key), "degrees": list(self.degrees), "onsets": onsets, "tempo": self.tempo}
        return self.known() | known | {"count": len(self.degrees), "qualities": [TRIADS[d][1] for d in self.degrees]}


class Rhythm(Source):
    """Drums by patterns of equal steps: "x" a stroke, "X" one 9 dB louder, "." none; the drums play together. `repeats`
    times over; `steps` to a beat. A metre is one drum with "Xxx"; a rock beat is kick, snare and hihat."""

    group: ClassVar[Group] = "music"
    label: ClassVar[str] = "a drum rhythm"
    drums: dict[Drum, Annotated[str, Field(pattern=r"^[xX.]{1,64}$")]] = Field({"click": "Xxx"}, min_length=1)
    repeats: int = Field(2, ge=1, le=16)
    steps: int = Field(1, ge=1, le=8)
    tempo: Tempo = 120
    tempo_end: Tempo | None = None

    @model_validator(mode="after")
    def _as_long(self) -> Self:
        if len({len(pattern) for pattern in self.drums.values()}) != 1:
            raise ValueError("the drums' patterns differ in length")
        return self

    def grid(self) -> Samples:
        """When each step begins, and when the last one ends."""
        count = self.repeats * len(next(iter(self.drums.values())))
        tempo = np.linspace(self.tempo, self.tempo if self.tempo_end is None else self.tempo_end, count)
        return np.concatenate(([0.0], np.cumsum(60 / (tempo * self.steps))))

    def natural(self) -> float:
        return float(self.grid()[-1]) + 0.2

    def least(self) -> float:
        return float(self.grid()[-1])

    def sound(self, slot: Slot) -> Samples:
        out, grid = np.zeros(slot.n), self.grid()
        strokes: dict[str, str] = {drum: pattern * self.repeats for drum, pattern in self.drums.items()}
        for drum in DRUMS:
            for at, stroke in zip(grid, strokes.get(drum, ""), strict=False):
                if stroke != ".":
                    loud, force = (1.0, 1.0) if stroke == "X" else (gain(-9), 0.0)
                    add(out, play(drum, slot.of(0.6), force=force) * loud, round(at * slot.rate))
        return out

    def truth(self, seconds: float) -> dict[str, Any]:
        grid = self.grid()
        strokes = {drum: pattern * self.repeats for drum, pattern in self.drums.items()}
        onsets = {
            drum: [round(float(at), 6) for at, s in zip(grid, row, strict=False) if s != "."]
            for drum, row in strokes.items()
        }
        last = self.tempo if self.tempo_end is None else self.tempo_end
        accents = sorted(i for row in strokes.values() for i, s in enumerate(row) if s == "X")
        apart = {later - earlier for earlier, later in pairwise(accents)}
        return {
            "drums": {drum: INSTRUMENTS[drum].label for drum in self.drums},
            "onsets_of": onsets,
            "onsets": sorted({at for row in onsets.values() for at in row}),
            "count_of": {drum: len(row) for drum, row in onsets.items()},
            "tempo": self.tempo,
            "tempo_course": course(last / self.tempo, "speeding up", "slowing down"),
            "accent_every": apart.pop() if len(apart) == 1 else None,
        }


MUSIC: dict[str, type[Source]] = {
    "note": Note, "chord": Chord, "melody": Melody, "scale": Scale, "progression": Progression, "rhythm": Rhythm,
}  # fmt: skip
