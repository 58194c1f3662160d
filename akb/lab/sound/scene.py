"""Scenes: what sounds when, how loud, through what and before which background, written down; and what is then known.

scene = read_scene({"events": [{"source": "dog", "start": 0.2}, {"source": "siren", "start": 1.5, "length": 2}]})
truth(scene)["sequence"]      # ["a barking dog", "a siren"]
write_wav(path, render(scene), scene.rate)
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from akb.errors import unknown
from akb.lab.sound.animals import ANIMALS
from akb.lab.sound.effects import AnyEffect
from akb.lab.sound.music import MUSIC
from akb.lab.sound.outside import OUTSIDE
from akb.lab.sound.signalling import SIGNALLING
from akb.lab.sound.source import Source
from akb.lab.sound.things import THINGS
from akb.lab.sound.voice import VOICE
from akb.strict import Strict, parse

SOURCES: dict[str, type[Source]] = {**SIGNALLING, **THINGS, **ANIMALS, **MUSIC, **VOICE, **OUTSIDE}
Level = Annotated[float, Field(ge=-80, le=0)]
Effects = Annotated[tuple[AnyEffect, ...], Field(max_length=8)]


class Sounding(Strict):
    """A source with its parameters and its level.

    `level_db`: the RMS of its loudest tenth of a second, in dB of full scale (a constant 1 is 0 dB).
    """

    source: str
    params: dict[str, JsonValue] = Field(default_factory=dict)
    level_db: Level = -28

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.source not in SOURCES:
            raise unknown("source of sound", self.source, SOURCES, see="akb.lab.sound.scene.SOURCES has them all.")
        _ = self.made
        return self

    @cached_property
    def made(self) -> Source:
        """The source, its parameters checked."""
        return parse(SOURCES[self.source], self.params, f"source {self.source}")


class Event(Sounding):
    """A source at its time.

    `start` and `length` are in seconds (no length: the source's natural one); `swell_db` is by how much it gets
    louder evenly from its start to its end (negative: softer); `effects` are its own, and its level is set after them.
    """

    start: float = Field(0.0, ge=0, le=600)
    length: float | None = Field(None, gt=0.01, le=600)
    swell_db: float = Field(0.0, ge=-60, le=60)
    effects: Effects = ()

    @cached_property
    def seconds(self) -> float:
        return self.made.natural() if self.length is None else self.length

    @property
    def end(self) -> float:
        return self.start + self.seconds

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if self.seconds < self.made.least() - 1e-9:
            wanted = self.made.least()
            raise ValueError(f"{self.source} needs {wanted:.3f} s with these parameters and has {self.seconds:.3f} s")
        return self


class Scene(Strict):
    """A clip: events, then effects on all of them, then the background.

    `duration` in seconds (none: to the end of what sounds and of the effects' tails, and 0.2 s); `rate` in Hz.
    `over`: a mixture that passes full scale is an error, or is turned down as a whole (by how much is in the truth).
    """

    events: tuple[Event, ...] = Field(max_length=64)
    effects: Effects = ()
    background: Sounding | None = None
    duration: float | None = Field(None, gt=0.01, le=600)
    rate: Literal[8000, 16000, 22050, 24000, 32000, 44100, 48000] = 16000
    seed: int = Field(0, ge=0)
    over: Literal["refuse", "turn_down"] = "refuse"

    @cached_property
    def seconds(self) -> float:
        """How long the clip is."""
        if self.duration is not None:
            return self.duration
        ends = [event.end + sum(effect.tail() for effect in event.effects) for event in self.events]
        return max(ends, default=1.0) + sum(effect.tail() for effect in self.effects) + 0.2

    @model_validator(mode="after")
    def _heard(self) -> Self:
        for effect in [*self.effects, *(effect for event in self.events for effect in event.effects)]:
            if effect.highest() > 0.48 * self.rate:
                raise ValueError(
                    f"{effect.kind} reaches {effect.highest():g} Hz: too high for {self.rate} samples a second"
                )
        return self

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for number, event in enumerate(self.events):
            if event.end > self.seconds + 1e-9:
                raise ValueError(
                    f"event {number} ({event.source}) ends at {event.end:.3f} s, the clip at {self.seconds} s"
                )
        if not self.events and self.background is None and self.duration is None:
            raise ValueError("a scene without a sound needs a duration")
        return self


def read_scene(data: Any, where: str = "scene") -> Scene:
    """A scene from what JSON or YAML gave.

    Raises:
        AkbError: with each wrong field named.
    """
    return parse(Scene, data, where)


def truth(scene: Scene) -> dict[str, Any]:
    """What is exactly known of a scene, JSON-able. All times are in seconds from the clip's start.

    - duration, rate, seed; gain_db: by how much all was turned down (0 where nothing was)
    - events: in the order of their starts, each with source, label, group, start, end, level_db, loudness_course
      (rising | falling | steady by swell_db; a source may know better), effects, and what its source knows: f0 and
      f0s in Hz, f0_end, pitch_course (rising | falling | steady | mixed | up and down), onsets, count, gap, per_minute,
      course (speeding up | slowing down | steady), tempo in beats a minute, midi, instrument, family, words,
      syllables, vowels, formants in Hz, contour ...; all of it holds before effects, the level after the event's own
    - sequence: the labels in the order of their starts; counts: the events of each source; loudest and softest: the
      place in events, null where two are as loud; at_once: the most events that sound at the same time
    - effects; background: source, label, level_db, and snr_db (the loudest event's level over it)
    """
    from akb.lab.sound.render import turned_down

    events = sorted(scene.events, key=lambda event: event.start)
    levels = [event.level_db for event in events]
    known: dict[str, Any] = {
        "duration": round(scene.seconds, 6),
        "rate": scene.rate,
        "seed": scene.seed,
        "gain_db": turned_down(scene),
        "events": [_event(event) for event in events],
        "sequence": [_label(event.made) for event in events],
        "counts": dict(Counter(event.source for event in events)),
        "loudest": _only(levels, max),
        "softest": _only(levels, min),
        "at_once": max((sum(e.start <= event.start < e.end for e in events) for event in events), default=0),
        "effects": [effect.truth() for effect in scene.effects],
        "background": None,
    }
    if scene.background is not None:
        behind = scene.background
        known["background"] = {
            "source": behind.source,
            "label": _label(behind.made),
            "level_db": behind.level_db,
            "snr_db": max(levels) - behind.level_db if levels else None,
        } | behind.made.truth(scene.seconds)
    return known


def _event(event: Event) -> dict[str, Any]:
    course = "rising" if event.swell_db > 0 else "falling" if event.swell_db < 0 else "steady"
    known = {
        "source": event.source,
        "label": event.made.label,
        "group": event.made.group,
        "start": event.start,
        "end": round(event.end, 6),
        "level_db": event.level_db,
        "swell_db": event.swell_db,
        "loudness_course": course,
        "effects": [effect.truth() for effect in event.effects],
    }
    return known | {key: _moved(key, value, event.start) for key, value in event.made.truth(event.seconds).items()}


def _moved(key: str, value: Any, by: float) -> Any:
    """What a source says of times, as times of the clip."""
    if key == "onsets":
        return [round(at + by, 6) for at in value]
    if key == "onsets_of":
        return {name: [round(at + by, 6) for at in row] for name, row in value.items()}
    if key == "vowels":
        return [[name, round(first + by, 6), round(last + by, 6)] for name, first, last in value]
    return value


def _label(source: Source) -> str:
    return str(source.truth(source.natural()).get("label", source.label))


def _only(levels: list[float], pick: Any) -> int | None:
    found = [place for place, level in enumerate(levels) if level == pick(levels)]
    return found[0] if len(found) == 1 else None
