"""Questions of lab-audio's kind for training and validation, on none of the benchmark's clips.

lab-audio keeps half of all combinations of parameters for itself (`held_out`, by a hash of what decides how a clip
sounds). Of the other half one sixteenth is for validation, by the same hash.
"""

from __future__ import annotations

from itertools import count
from typing import Literal

from akb.lab.audio import SEED, AudioItem, held_out, items, key_of
from akb.lab.sound import Scene

Side = Literal["benchmark", "valid", "train"]
AT_ONCE = 1920  # ten fours from each of 48 templates


def side_of(scene: Scene) -> Side:
    """On which side of the two walls a clip lies; the same on every machine."""
    if held_out(scene):
        return "benchmark"
    return "valid" if int(key_of(scene)[1], 16) == 0 else "train"


def drawn(side: Side, wanted: int, seed: int, at_once: int = AT_ONCE) -> list[AudioItem]:
    """`wanted` items of a side, from `seed` and, until there are enough, the seeds after it; `at_once` from each."""
    found: list[AudioItem] = []
    for number in count(seed):
        assert number != SEED, "the benchmark's own seed is not for training"
        found += (item for item in items(number, at_once) if side_of(item.scene) == side)
        if len(found) >= wanted:
            return found[:wanted]
    raise AssertionError("there is always another seed")
