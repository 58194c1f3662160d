"""The key of a clip against its samples: what sounds the same has one key, whatever its parameters are called."""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from akb.errors import AkbError
from akb.lab.audio.item import key_of, read
from akb.lab.reader.scenes import NAMES, value
from akb.lab.sound import SOURCES, Scene, read_scene, render

QUESTIONS = Path(__file__).resolve().parents[2] / "tasks" / "lab-audio" / "questions.jsonl"


def heard(scene: Scene) -> bytes:
    """The samples as a file of 16 bits has them, without the silence around them."""
    samples = np.rint(render(scene) * 32767).astype(np.int16)
    sounding = np.flatnonzero(samples)
    return samples[sounding[0] : sounding[-1] + 1].tobytes()


def alone(source: str, **params: Any) -> Scene:
    return read_scene({"events": [{"source": source, "params": params, "level_db": -30}], "over": "turn_down"})


def drawn(rng: Random, source: str, count: int) -> dict[str, Any]:
    params = {field: found for field in SOURCES[source].model_fields
              if (found := value(rng, source, field)) is not None}  # fmt: skip
    return params | ({"count": count} if "count" in SOURCES[source].model_fields and source != "ball" else {})


def changed(rng: Random, source: str, params: dict[str, Any]) -> list[Scene]:
    """The scene with each parameter in turn as it is drawn again, where such a scene can be."""
    found = []
    for field in SOURCES[source].model_fields:
        new = value(rng, source, field)
        try:
            found.append(alone(source, **(params | ({} if new is None else {field: new}))))
        except AkbError:
            continue
    return [scene for scene in found if scene.seconds < 8]


@pytest.mark.parametrize("source", [name for name in NAMES if name != "fire"])  # its crackles come at random
def test_what_sounds_the_same_has_one_key(source: str) -> None:
    rng, compared = Random(source), 0
    for count in (1, 2, 1):
        try:
            first = alone(source, **(params := drawn(rng, source, count)))
        except AkbError:  # too short for them
            continue
        for scene in [first, *changed(rng, source, params)] if first.seconds < 8 else []:
            assert (heard(scene) == heard(first)) <= (key_of(scene) == key_of(first)), scene.events[0].params
            compared += 1
    assert compared > 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (alone("sonar", count=1, gap=1.4), alone("sonar", count=1, gap=1.7)),
        (alone("dog", count=2, ratio=1.0), alone("dog", count=2, ratio=1.25)),
        (alone("vowel", f0=100), alone("vowel", f0=100, f0_end=100)),
        (alone("note", instrument="bowed"), alone("note", instrument="bowed", vibrato_cents=22)),
        (alone("speech", phones="HH AH0 L OW1", pause=0.1), alone("speech", phones="HH AH0 L OW1", pause=0.5)),
    ],
)
def test_parameters_that_do_not_sound_are_not_in_the_key(one: Scene, other: Scene) -> None:
    assert heard(one) == heard(other)
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (alone("sonar", count=2, gap=1.4), alone("sonar", count=2, gap=1.7)),
        (alone("dog", count=3, ratio=1.0), alone("dog", count=3, ratio=1.25)),
        (
            alone("heart", count=1, gap=0.6),
            alone("heart", count=1, gap=0.8),
        ),  # the gap decides where the second beat is
        (alone("hooves", count=1, gap=0.4), alone("hooves", count=1, gap=0.6)),
        (alone("note", instrument="bowed"), alone("note", instrument="bowed", vibrato_cents=60)),
    ],
)
def test_parameters_that_sound_are_in_the_key(one: Scene, other: Scene) -> None:
    assert heard(one) != heard(other)
    assert key_of(one) != key_of(other)


def test_silence_behind_a_sound_is_not_in_the_key() -> None:
    short, long = ({"source": "wolf", "params": {"count": 1}, "length": seconds} for seconds in (2.4, 2.6))
    assert heard(read_scene({"events": [short]})) == heard(read_scene({"events": [long]}))
    assert key_of(read_scene({"events": [short]})) == key_of(read_scene({"events": [long]}))


def test_no_two_clips_of_named_sources_sound_the_same() -> None:
    scenes = [item.scene for _, item in read([QUESTIONS]) if item.template_id.startswith("sources/")]
    assert len({hashlib.sha256(heard(scene)).digest() for scene in scenes}) == len(scenes) == 48
