"""What comes of reading an audio file: a sound, or the reason why there is none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from akb.errors import AkbError

Kind = Literal["missing", "unreadable", "empty", "not_audio", "corrupt", "cut_off", "nan", "rate", "too_long"]


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Decoded audio.

    Attributes:
        samples: float32, (frames,) for mono, (channels, frames) where channels are kept; nominal range -1 to 1.
        rate: samples a second.
        seconds: length of `samples`.
        notes: what was done or seen, JSON values only. Always there: "rate", "channels", "seconds" (of the file;
            None where it does not say) and "encoding". Only where it is so: "cut_seconds" (not heard, for the policy
            says so; None if the file does not say how much); "missing_seconds" (told by the header and not there: at
            most a tenth of a second, or beyond what is heard); "open_end" (an Ogg file that was cut off beyond what is
            heard); "silent" (within 1e-4 of a constant, -80 dB); "cancels" (silent as a mean of channels that are
            not); "clipped" (the share of samples at full scale, if three in a row are); "peak" (if above 1);
            "start_seconds" (of a piece, in the file).
    """

    samples: NDArray[np.float32]
    rate: int
    seconds: float
    notes: Mapping[str, Any] = field(default_factory=dict)


class Unhearable(AkbError):  # noqa: N818 - it is told of as a thing, not thrown only
    """A clip from which nothing is to be heard.

    Attributes:
        kind: "missing"; "unreadable" (no permission, a folder, a device, a failing disk); "empty" (no bytes, or no
            samples); "not_audio" (or of a kind that libsndfile does not read); "corrupt"; "cut_off" (less is there
            than the file tells of); "nan" (a sample is not a finite number); "rate" (below 1 kHz or above 1 MHz);
            "too_long" (and the policy refuses longer ones).
    """

    def __init__(self, what: str, *, kind: Kind, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.kind: Kind = kind

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.what, self.kind, self.where, self.fix)


def _rebuild(what: str, kind: Kind, where: str, fix: str) -> Unhearable:
    return Unhearable(what, kind=kind, where=where, fix=fix)


def shown(path: str | Path) -> str:
    """A path as it can be printed, also one with a newline or with bytes that are no text."""
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)[1:-1]
