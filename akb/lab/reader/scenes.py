"""Scenes to practise reading on: sources, parameters, levels, effects and backgrounds drawn at random.

They know nothing of lab-audio: whatever source there is, with parameters from all of their range.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le

from akb.errors import AkbError
from akb.lab.sound import SOURCES, Scene, read_scene

LONGEST = 6.5  # seconds
OUTSIDE = ("espeak", "fluidsynth")
NAMES = tuple(name for name in SOURCES if name not in OUTSIDE)
GROUPS = {group: [n for n in NAMES if SOURCES[n].group == group] for group in ("sound", "music", "speech")}
SHARES = {"sound": 0.5, "music": 0.3, "speech": 0.2}
BEHIND = ("rain", "wind", "noise", "stream", "waves", "engine")
DRUMS = ({"click": "Xxx"}, {"click": "Xx"}, {"click": "Xxxx"}, {"kick": "x..x", "hihat": "xxxx"},
         {"kick": "x...x...", "snare": "..x...x.", "hihat": "x.x.x.x."}, {"tom": "x.xx"})  # fmt: skip
DEGREES = (("I", "IV", "V", "I"), ("I", "vi", "IV", "V"), ("i", "iv", "V", "i"), ("ii", "V", "I"), ("I", "V"))
STEPS = (-7, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 12)
ONSETS, VOWELS = ("B", "D", "G", "M", "N", "L", "S", "T", "K", "SH"), ("AA", "IY", "UW", "EH", "OW", "AE", "ER")


def scenes(count: int, seed: int) -> Iterator[Scene]:
    """`count` scenes, the same for the same seed."""
    rng = Random(seed)
    for number in range(count):
        while True:
            try:
                scene = read_scene(_scene(rng, number))
            except AkbError:  # too short for its parameters, or too long
                continue
            if scene.seconds <= LONGEST:
                yield scene
                break


def _scene(rng: Random, number: int) -> dict[str, Any]:
    several = rng.choices((1, 2, 3), (0.5, 0.35, 0.15))[0]
    together = several > 1 and rng.random() < 0.25
    events: list[dict[str, Any]] = []
    at = round(rng.uniform(0.05, 0.5), 2)
    for _ in range(several):
        event = _event(rng) | {"start": at}
        events.append(event)
        if not together:
            seconds = read_scene({"events": [event]}).events[0].seconds
            at = round(at + seconds + rng.uniform(0.15, 0.7), 2)
    return {
        "events": events,
        "effects": [_effect(rng)] if rng.random() < 0.3 else [],
        "background": {"source": rng.choice(BEHIND), "level_db": rng.choice((-46, -50, -54))}
        if rng.random() < 0.15
        else None,
        "seed": number,
        "over": "turn_down",
    }


def _event(rng: Random) -> dict[str, Any]:
    name = rng.choice(GROUPS[rng.choices(list(SHARES), list(SHARES.values()))[0]])
    event: dict[str, Any] = {
        "source": name,
        "params": {f: v for f in SOURCES[name].model_fields if (v := value(rng, name, f)) is not None},
    }
    event["level_db"] = rng.choice((-28, -28, -22, -34, -40, -25))
    if "count" not in SOURCES[name].model_fields and name in (*GROUPS["sound"], "note", "chord", "vowel"):
        event["length"] = round(rng.uniform(0.4, 2.5), 2)
    if rng.random() < 0.12:
        event["swell_db"] = rng.choice((-24, -15, 15, 24))
    return event


def value(rng: Random, source: str, field: str) -> Any:
    """A value for a parameter of a source; None for what it is by itself."""
    info = SOURCES[source].model_fields[field]
    options = _choices(info.annotation)
    if field in ("notes", "degrees", "drums", "phones"):
        return _listed(rng, field)
    if options:
        return rng.choice(options)
    if field == "count":
        return rng.randint(1, 7)
    if field == "ratio":
        return rng.choice((1.0, 1.0, 1.0, 0.8, 0.87, 1.15, 1.25))
    if field in ("note", "root", "key"):
        return rng.randint(45, 80)
    if field in ("slide", "vibrato_cents", "trill"):
        extra = {"slide": (-12, -7, 7, 12), "vibrato_cents": (60, 100), "trill": (1, 2)}[field]
        return rng.choice((*(None,) * 12, *extra))
    if field in ("f_end", "rate_end", "f0_end", "tempo_end"):
        return rng.choice((None, None, *{"f_end": (200, 2000), "rate_end": (15, 60), "f0_end": (90, 180, 260),
                                         "tempo_end": (70, 220)}[field]))  # fmt: skip
    if field == "tract":
        return rng.choice((1.0, 1.0, 1.4))
    if isinstance(info.default, int | float) and field not in ("restitution", "force", "staccato", "pause", "span"):
        low, high = _bounds(info.metadata)
        drawn = min(max(info.default * 2 ** rng.uniform(-1, 1), low), high)
        return (round(drawn) if isinstance(info.default, int) else round(drawn, 3)) if info.default else None
    return None


def _choices(annotation: Any) -> tuple[Any, ...]:
    if annotation is bool:
        return (False, False, False, True)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _bounds(metadata: list[Any]) -> tuple[float, float]:
    low = next((m.ge for m in metadata if isinstance(m, Ge)), 0.05)
    high = next((m.le for m in metadata if isinstance(m, Le)), 400)
    return float(low), float(high)  # type: ignore[arg-type]


def _listed(rng: Random, field: str) -> Any:
    if field == "drums":
        return rng.choice(DRUMS)
    if field == "degrees":
        return list(rng.choice(DEGREES))
    if field == "notes":
        start = rng.randint(50, 76)
        return [start, *(start + rng.choice(STEPS) for _ in range(rng.randint(1, 5)))]
    words = []
    for _ in range(rng.randint(1, 4)):
        count = rng.randint(1, 3)
        stressed = rng.randrange(count)
        words.append(" ".join(f"{rng.choice(ONSETS)} {rng.choice(VOWELS)}{int(n == stressed)}" for n in range(count)))
    return " | ".join(words)


def _effect(rng: Random) -> dict[str, Any]:
    return rng.choice((
        {"kind": "low_pass", "cutoff": rng.choice((400, 800, 1500))},
        {"kind": "high_pass", "cutoff": rng.choice((800, 1500, 3000))},
        {"kind": "band_pass"},
        {"kind": "clipping", "under_peak_db": rng.choice((10, 15, 20))},
        {"kind": "hum", "f": rng.choice((50, 60)), "level_db": rng.choice((-34, -40))},
        {"kind": "hiss", "level_db": rng.choice((-38, -44))},
        {"kind": "bits", "bits": rng.choice((3, 4, 5))},
        {"kind": "echo", "delay": rng.choice((0.25, 0.35, 0.5))},
        {"kind": "reverb", "rt60": rng.choice((0.6, 1.2, 2.4))},
        {"kind": "tremolo", "rate": rng.choice((3, 5, 8))},
        {"kind": "wow", "rate": rng.choice((0.7, 1.5, 4)), "cents": rng.choice((60, 120))},
    ))  # fmt: skip
