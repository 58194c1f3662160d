"""The questions of lab-audio: four options on a clip whose properties are exactly known (akb.lab.sound).

`items(seed, count)` makes as many as are wanted; those of `SEED` are the benchmark tasks/lab-audio, and no other seed
gives a clip like one of theirs (`held_out`). Every clip is synthetic and says nothing of real recordings.
"""

from akb.lab.audio.item import AudioItem, held_out, key_of
from akb.lab.audio.making import SEED, items, spread

__all__ = ["SEED", "AudioItem", "held_out", "items", "key_of", "spread"]
