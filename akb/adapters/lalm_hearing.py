"""What a grounded model's encoder is given: clips, decoded on several cores and cut into what it hears at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akb.adapters.hf_audio_hearing import ORDINARY, length
from akb.errors import AkbError
from akb.files import file_sha256
from akb.types import Clip

if TYPE_CHECKING:
    from torch import Tensor

    from akb.audio import Policy, Sound
    from akb.lalm.encoder import Taps


@dataclass(frozen=True)
class Block:
    """What an encoder hears at once: so many samples, at so many a second."""

    samples: int
    rate: int

    @property
    def seconds(self) -> float:
        return self.samples / self.rate

    def chunks(self, clip: Clip, policy: Policy) -> int:
        """How many chunks a clip makes, as far as its header tells."""
        heard = min(length(clip), policy.longest or math.inf)
        return max(1, math.ceil(round(heard * self.rate) / self.samples))


@dataclass(frozen=True)
class Decoded:
    """A clip as the encoder takes it.

    Attributes:
        features: (bands, frames) of each chunk.
        notes: what was done to it, or seen in it, that is out of the ordinary.
        error: why it cannot be heard; empty if it can.
    """

    features: tuple[Tensor, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


def key_of(clip: Clip) -> str:
    """What a clip is known by: its content."""
    return clip.sha256 or clip.path


def decoded(clips: Iterable[Clip], policy: Policy, ear: Taps) -> dict[str, Decoded]:
    """Clips by key, each decoded once, on threads."""
    from akb.audio import Unhearable, decode_many

    different = {key_of(clip): clip for clip in clips}
    found = {}
    sounds = decode_many((clip.path for clip in different.values()), policy)
    for (key, clip), (_, sound) in zip(different.items(), sounds, strict=True):
        if isinstance(sound, Unhearable):
            found[key] = Decoded(error=str(sound))
        elif clip.sha256 and file_sha256(Path(clip.path)) != clip.sha256:
            changed = AkbError("the clip has changed since the task was loaded", where=clip.path,
                               fix="Run the same again.")  # fmt: skip
            found[key] = Decoded(error=str(changed))
        else:
            found[key] = _cut(sound, ear)
    return found


def _cut(sound: Sound, ear: Taps) -> Decoded:
    """A sound in chunks of what the encoder hears, the last as long as it comes; each is padded by its features."""
    most = round(ear.seconds * ear.rate)
    pieces = [sound.samples[start : start + most] for start in range(0, len(sound.samples), most)]
    notes = {name: seen for name, seen in sound.notes.items() if name not in ORDINARY}
    if len(pieces) > 1:
        notes["chunks"] = len(pieces)
    return Decoded(tuple(ear.features(pieces)), notes)
