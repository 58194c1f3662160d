"""All measures of a clip at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from akb.cascades.acoustic.events import Events, events_of, onsets_of, with_notes
from akb.cascades.acoustic.faults import Faults, faults_of
from akb.cascades.acoustic.frames import frames_of
from akb.cascades.acoustic.level import Level, level_of
from akb.cascades.acoustic.melody import Pitch, pitch_of
from akb.cascades.acoustic.partials import Partials, partials_of
from akb.cascades.acoustic.parts import Part, kinds_of, parts_of
from akb.cascades.acoustic.pitch import track_of
from akb.cascades.acoustic.rhythm import Rhythm, rhythm_of
from akb.cascades.acoustic.spectrum import Spectrum, spectrum_of
from akb.cascades.acoustic.speech import Speech, speech_of


@dataclass(frozen=True)
class Measures:
    """What was measured of a clip; each field's own class names its units, ranges and method.

    Attributes:
        seconds: length of the clip.
        silent: nothing in it reaches -80 dBFS; then all else but `level` and `faults` is None or empty.
        kinds: how many events there are of each kind.
    """

    seconds: float
    silent: bool
    level: Level
    faults: Faults
    events: Events | None = None
    pitch: Pitch | None = None
    partials: Partials | None = None
    rhythm: Rhythm | None = None
    spectrum: Spectrum | None = None
    speech: Speech | None = None
    parts: tuple[Part, ...] = ()
    kinds: tuple[int, ...] = ()


def measure(samples: NDArray[np.floating], rate: int) -> Measures:
    """Measure a clip. Deterministic; the same samples give the same numbers.

    Args:
        samples: (n,) mono, nominal range -1..1, finite, at least one.
        rate: Hz. Above 48,000 the clip is resampled (clipping and dropouts are measured before).

    Raises:
        ValueError: it is empty, not one-dimensional, or holds a value that is not finite.

    >>> import numpy as np
    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    >>> round(measure(tone, 16000).pitch.hz)
    440
    """
    frames = frames_of(samples, rate)
    faults = faults_of(samples, rate, frames)
    if frames.silent:
        return Measures(frames.seconds, True, level_of(frames, np.array([])), faults)
    struck, track = onsets_of(frames), track_of(frames)
    pitch = pitch_of(frames, track, struck)
    events = events_of(frames, with_notes(struck, [note.start for note in pitch.notes]))
    partials = partials_of(frames, track, pitch)
    return Measures(
        seconds=frames.seconds,
        silent=False,
        level=level_of(frames, events.onsets),
        faults=faults,
        events=events,
        pitch=pitch,
        partials=partials,
        rhythm=rhythm_of(events.events),
        spectrum=spectrum_of(frames, track),
        speech=speech_of(frames, track, pitch),
        parts=parts_of(frames, track, events, pitch, partials),
        kinds=kinds_of(frames, track, events.events),
    )
