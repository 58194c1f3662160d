"""What a source of sound is: parameters with bounds, the samples they make, and what is then exactly known."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from akb.lab.sound.signals import Samples, Slot, add, ramps
from akb.strict import Strict

Group = Literal["sound", "music", "speech"]


class Source(Strict):
    """A thing that sounds. Its fields are the parameters of an event; units stand beside each.

    Attributes:
        group: the study's group: sound, music or speech.
        label: what it is, in plain words with the article ("a siren"). Everything is synthetic and only like it.
    """

    group: ClassVar[Group] = "sound"
    label: ClassVar[str] = ""

    def natural(self) -> float:
        """How long it lasts where the event does not say, in seconds."""
        return 2.0

    def least(self) -> float:
        """The seconds that it needs: a shorter event is an error."""
        return 0.05

    def sound(self, slot: Slot) -> Samples:
        """The samples (n,), at any level: the event sets it."""
        raise NotImplementedError

    def sounding(self) -> dict[str, Any]:
        """The parameters that sound: those left out could be anything, and not a sample would be another."""
        return self.model_dump()

    def truth(self, seconds: float) -> dict[str, Any]:
        """What is exactly known of it. Onsets are in seconds from the event's start; see `scene.truth` for the keys."""
        return {}


def without(told: dict[str, Any], *names: str) -> dict[str, Any]:
    """`told` but for some of its names."""
    return {name: value for name, value in told.items() if name not in names}


class Repeated(Source):
    """The same thing several times: count, seconds from the first onset to the second, ratio of each gap to the last.

    A ratio under 1 speeds up, over 1 slows down. Each one lasts `one_seconds`, and may ring into the next. `inside`:
    the gap also decides how each one sounds.
    """

    count: int = Field(3, ge=1, le=100)
    gap: float = Field(0.5, ge=0.03, le=10.0)
    ratio: float = Field(1.0, ge=0.5, le=2.0)

    one_seconds: ClassVar[float] = 0.25
    overlapping: ClassVar[bool] = True
    inside: ClassVar[bool] = False

    def onsets(self) -> list[float]:
        gaps = self.gap * self.ratio ** np.arange(self.count - 1)
        return [0.0, *(float(at) for at in np.cumsum(gaps))]

    def natural(self) -> float:
        return self.onsets()[-1] + self.one_seconds

    def least(self) -> float:
        return self.onsets()[-1] + min(0.05, self.one_seconds)

    def sounding(self) -> dict[str, Any]:
        silent = ("ratio",) * (self.count < 3) + ("gap",) * (self.count < 2 and not self.inside)
        return without(super().sounding(), *silent)

    def one(self, slot: Slot, number: int) -> Samples:
        """One of them, `number` from 0, with room for `one_seconds`."""
        raise NotImplementedError

    def sound(self, slot: Slot) -> Samples:
        out, onsets = np.zeros(slot.n), self.onsets()
        for number, start in enumerate(onsets):
            seconds = self.one_seconds
            if not self.overlapping and number + 1 < self.count:
                seconds = min(seconds, 0.95 * (onsets[number + 1] - start))
            place = slot.of(seconds)
            add(out, self.one(place, number) * ramps(place, 0.0, 0.005), round(start * slot.rate))
        return out

    def truth(self, seconds: float) -> dict[str, Any]:
        known: dict[str, Any] = {"count": self.count, "onsets": [round(at, 6) for at in self.onsets()]}
        if self.count > 1:
            known["gap"] = self.gap
        if self.count > 2:
            known["course"] = course(1 / self.ratio, "speeding up", "slowing down")
        if self.count > 1 and self.ratio == 1:
            known["per_minute"] = round(60 / self.gap, 6)
        return known


def course(ratio: float, up: str = "rising", down: str = "falling", steady: str = "steady") -> str:
    """The word for a change by a ratio."""
    return steady if abs(ratio - 1) < 1e-9 else up if ratio > 1 else down
