"""From a scene to samples, and from samples to a WAV file.

The same scene gives the same bytes again on the same machine; on another the last bit of a sample may differ, where
its processor rounds a sine or a sum otherwise.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from akb.errors import AkbError
from akb.files import explained
from akb.lab.sound.effects import at_level
from akb.lab.sound.scene import Event, Scene
from akb.lab.sound.signals import Samples, Slot, add, curve, level

BACKGROUND, EFFECTS = 10_000, 20_000  # the generators of these parts, after those of the events
LOST = 60.0  # dB: an event of which its effects leave less than this is an error


def render(scene: Scene) -> NDArray[np.float32]:
    """The samples (frames,), mono, within -1 to 1.

    Raises:
        AkbError: the mixture passes full scale and may not be turned down, an event's effects leave nothing of it, or
            a program that it needs is not there.
    """
    mixed, down = _mixed(scene)
    return (mixed * 10 ** (down / 20)).astype(np.float32)


def turned_down(scene: Scene) -> float:
    """The dB (0 or less) by which the whole is turned down. Renders the scene where it says that it may be."""
    return 0.0 if scene.over == "refuse" else round(_mixed(scene)[1], 6)


def _mixed(scene: Scene) -> tuple[Samples, float]:
    whole = Slot(round(scene.seconds * scene.rate), scene.rate, np.random.default_rng(scene.seed))
    out = np.zeros(whole.n)
    for number, event in enumerate(scene.events):
        add(out, _sounded(event, scene, number), round(event.start * scene.rate))
    for number, effect in enumerate(scene.effects):
        out = effect.apply(out, _slot(scene, whole.n, EFFECTS + number))
    if scene.background is not None:
        behind = scene.background.made.sound(_slot(scene, whole.n, BACKGROUND))
        out = out + at_level(behind, scene.rate, scene.background.level_db)
    peak = float(np.max(np.abs(out), initial=0.0))
    if peak <= 1.0:
        return out, 0.0
    if scene.over == "refuse":
        raise AkbError(
            f"the mixture passes full scale by {20 * np.log10(peak):.1f} dB",
            where=f"scene (seed {scene.seed})",
            fix='Lower the events\' level_db, or allow it to be turned down as a whole with "over": "turn_down".',
        )
    return out, float(-20 * np.log10(peak / 0.999))


def _sounded(event: Event, scene: Scene, number: int) -> Samples:
    """An event with its swell, its effects and its level."""
    slot = _slot(scene, max(1, round(event.seconds * scene.rate)), number)
    x = event.made.sound(slot)
    if event.swell_db:
        x = x * 10 ** (curve(slot, ((0, 0), (1, event.swell_db))) / 20)
    if level(x, scene.rate) < 1e-9:
        what = f"nothing is heard of the {event.source} at {scene.rate} samples a second"
        raise AkbError(what, where=f"scene (seed {scene.seed})", fix="Lower its pitch or raise the scene's rate.")
    x = at_level(x, scene.rate, event.level_db)
    if not event.effects:
        return x
    room = slot.of(slot.seconds + sum(effect.tail() for effect in event.effects))
    x = np.concatenate((x, np.zeros(room.n - slot.n)))
    for effect in event.effects:
        x = effect.apply(x, room)
    if level(x, scene.rate) < 10 ** ((event.level_db - LOST) / 20):
        raise AkbError(f"its effects leave nothing of the {event.source}", where=f"scene (seed {scene.seed})")
    return at_level(x, scene.rate, event.level_db)


def _slot(scene: Scene, n: int, part: int) -> Slot:
    return Slot(n, scene.rate, np.random.default_rng((scene.seed, part)))


def write_wav(path: Path, samples: NDArray[np.float32], rate: int) -> None:
    """A mono WAV file of 16 bits: 1.0 becomes 32,767, halves are rounded to even, and what lies beyond is cut off.

    Raises:
        AkbError: the samples are no row of numbers, or the file cannot be written.
    """
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise AkbError("one row of finite samples is wanted", where=str(path))
    whole = np.clip(np.rint(samples.astype(np.float64) * 32767), -32768, 32767).astype("<i2")
    with explained(path), wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(whole.tobytes())
