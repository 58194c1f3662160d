"""What the proofs share: picking one of several, courses of gaps and pitches, each with its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log2
from typing import Any

from akb.lab.audio.limits import least

ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3}
Known = Mapping[str, Any]


def known(value: Any, wanted: Any, name: str, unit: str = "ratio") -> bool:
    """Whether two quantities are the same; another one must be further away than a limit.

    Raises:
        ValueError: they are not the same, and too near.
    """
    if value == wanted:
        return True
    far = abs(value - wanted) if unit == "difference" else max(value / wanted, wanted / value)
    if far < least(name) - 1e-9:
        raise ValueError(f"{value} and {wanted} are nearer than {least(name)}")
    return False


def ordinal(option: str) -> int:
    """0 to 3 for an option that says "the first" to "the fourth"."""
    return next(number for word, number in ORDINALS.items() if word in option.split())


def the_one(values: Sequence[float], margin: float) -> int:
    """The place of the largest, which must be over every other by the margin."""
    order = sorted(range(len(values)), key=lambda place: values[place], reverse=True)
    if values[order[0]] - values[order[1]] < margin - 1e-9:
        raise ValueError(f"the largest of {list(values)} is not {margin} over the next")
    return order[0]


def the_other(values: Sequence[Any]) -> int:
    """The place of the one that is unlike the others, which are all alike."""
    odd = [place for place, value in enumerate(values) if list(values).count(value) == 1]
    if len(odd) != 1 or len(values) - 1 != max(list(values).count(value) for value in values):
        raise ValueError(f"not one is unlike the others: {list(values)}")
    return odd[0]


def picked(options: Sequence[str], place: int, of: int = 4) -> list[bool]:
    """Options "the first" to "the fourth" of which one is right."""
    if not 0 <= place < of:
        raise ValueError(f"place {place} is not among the options")
    return [ordinal(option) == place for option in options]


def semitones(low: float, high: float) -> float:
    """From one frequency to another."""
    return 12 * log2(high / low)


def course(steps: Sequence[float], name: str) -> str:
    """ "up", "down", "up-down" or "down-up" of steps in semitones, each way at least as far as a limit says."""
    runs: list[float] = []
    for step in steps:
        if runs and (step > 0) == (runs[-1] > 0):
            runs[-1] += step
        else:
            runs.append(step)
    if len(runs) > 2 or any(abs(run) < least(name) for run in runs):
        raise ValueError(f"no clear course: {runs}")
    return "-".join("up" if run > 0 else "down" for run in runs)


def gaps_of(starts: Sequence[float]) -> list[float]:
    """The times from one start to the next."""
    return [round(later - earlier, 4) for earlier, later in pairwise(starts)]


def alike(events: Sequence[Known], names: Sequence[str]) -> None:
    """Raises ValueError where events differ in what must not decide."""
    for name in names:
        if any(event.get(name) != events[0].get(name) for event in events):
            raise ValueError(f"they differ in {name}")
