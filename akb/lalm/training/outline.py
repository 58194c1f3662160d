"""What rows hear, found before any is tokenised: their clips, which are held out, and which change places.

Of a row nothing else is kept, so that files of millions of rows need little memory; they are read again to be
tokenised.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from akb.audio import Unhearable, clips_of
from akb.audio.policy import soundfile
from akb.audio.sound import shown
from akb.errors import AkbError
from akb.lalm.data import rows as data
from akb.lalm.prompting import Heard, Turn
from akb.lalm.recipe import FEW, MOST
from akb.lalm.training.rows import SHOWN, Asked, Clip, pieces

LONG_NAME = 200  # characters of a path that an error shows
CHANGED = "the rows were changed while they were read"
Paths = tuple[str, ...]


@dataclass(frozen=True)
class Outline:
    """What rows hear.

    Attributes:
        rows: how many there are.
        clips: by their paths.
        sets: of clips, each different one, as the paths of the rows that hear it; with it the transcripts in the first
            of these rows, where they are wanted.
    """

    rows: int
    clips: dict[str, Clip]
    sets: dict[Paths, tuple[str, ...]]

    def name(self, paths: Paths) -> tuple[str, ...]:
        """A set's hashes: two files of the same bytes are one clip."""
        return tuple(self.clips[path].sha256 for path in paths)


def outlined(found: Iterable[data.Row], samples: int, rate: int, *, spoken: bool = False) -> Outline:
    """The outline of rows; clips of whose hash or duration a row tells nothing are read.

    Args:
        samples: that the encoder hears at once; `rate`: so many a second.
        spoken: keep transcripts.

    Raises:
        AkbError: some clips are not there, or cannot be opened.
    """
    known: dict[str, tuple[str, float | None]] = {}
    sets: dict[Paths, tuple[str, ...]] = {}
    count = 0
    for row in found:
        audios, count = row.audios, count + 1
        told = row.audio_sha256 or ("",) * len(audios)
        for audio, sha in zip(audios, told, strict=True):
            if audio.audio not in known:
                known[audio.audio] = sha, row.duration if len(audios) == 1 else None
        paths = tuple(audio.audio for audio in audios)
        if paths not in sets:
            sets[paths] = tuple(audio.text for audio in audios) if spoken else ()
    return Outline(count, _clips(known, samples, rate), sets)


def _clips(known: Mapping[str, tuple[str, float | None]], samples: int, rate: int) -> dict[str, Clip]:
    """The clips by their paths, of which hash and duration are known or not."""
    faults = [f"{_shown(path)}: there is no such file" for path in known if not os.path.isfile(path)]  # noqa: PTH113
    _stop_at(faults, len(known))
    unhashed = [path for path, (sha, _) in known.items() if not sha]
    hashes: dict[str, str] = {}
    for path, clip in zip(unhashed, clips_of(unhashed), strict=True):
        if isinstance(clip, Unhearable):
            faults.append(str(clip))
        else:
            hashes[path] = clip.sha256
    made: dict[str, Clip] = {}
    for path, (sha, length) in known.items():
        length = _seconds(path, faults) if length is None else length
        made[path] = Clip(Path(path), sha or hashes.get(path, ""), pieces(length, samples, rate))
    _stop_at(faults, len(known))
    return made


def _shown(path: str) -> str:
    """A path in an error; what others put in its place (the audio itself) may be long."""
    return shown(path if len(path) <= LONG_NAME else f"{path[:LONG_NAME]}... ({len(path):,} characters)")


def _seconds(path: str, faults: list[str]) -> float:
    """A file's length by its header."""
    sf = soundfile()
    try:
        return float(sf.info(path).duration)
    except sf.LibsndfileError as error:
        faults.append(f"{path}: {error}")
        return 0.0


def _stop_at(faults: Sequence[str], of: int) -> None:
    if faults:
        more = f" and {len(faults) - SHOWN:,} more" if len(faults) > SHOWN else ""
        raise AkbError(f"{len(faults):,} of {of:,} clips cannot be heard: {'; '.join(faults[:SHOWN])}{more}",
                       fix="Put them back, or make the data anew: akb lalm data")  # fmt: skip


def held_out(of: Outline, share: float, seed: int) -> frozenset[str]:
    """Hashes of the clips that are not trained on; nor is a row that hears one of them.

    They are those that are the lowest when hashed with the seed, so that another order of the rows leaves them where
    they are. None are, if no row were left.

    Args:
        share: of the clips; fewer where that would be more than MOST rows, none of fewer than FEW clips.
    """
    every = {clip.sha256 for clip in of.clips.values()}
    number = round(len(every) * min(share, MOST / max(of.rows, 1)))
    number = max(number, 1) if share > 0 and len(every) >= FEW else 0
    drawn = sorted(every, key=lambda name: hashlib.sha256(f"{seed}\x1f{name}".encode()).digest())[:number]
    out = frozenset(drawn)
    return out if any(out.isdisjoint(of.name(paths)) for paths in of.sets) else frozenset()


def shuffled(of: Outline, sets: Sequence[Paths], seed: int) -> dict[Paths, Paths]:
    """For each set of clips another, whose clips (and their transcripts) are heard in its place: a control that has
    nothing to learn from audio.

    Clips are exchanged in a cycle drawn by the seed, so that each is heard as often as its partner was, and none stays
    where it was. Two files of the same bytes are one clip. Sets of several clips are exchanged with sets of as many.

    Raises:
        AkbError: some have no other clips to exchange with.
    """
    partners: dict[tuple[str, ...], Paths] = {}
    for number, known in sorted(_by_number(of, sets).items()):
        names = sorted(known)
        if len(names) == 1:
            raise AkbError(f"pairs cannot be shuffled: all rows of {number} clips have the same")
        Random(f"{seed}:{number}").shuffle(names)
        partners |= {name: known[names[n - 1]] for n, name in enumerate(names)}
    return {paths: partners[of.name(paths)] for paths in sets if paths}


def clips_differ(of: Outline, sets: Sequence[Paths]) -> bool:
    """Whether sets can be exchanged."""
    return all(len(known) > 1 for known in _by_number(of, sets).values())


def _by_number(of: Outline, sets: Sequence[Paths]) -> dict[int, dict[tuple[str, ...], Paths]]:
    """The first set of each name, by how many clips it has."""
    found: dict[int, dict[tuple[str, ...], Paths]] = {}
    for paths in sets:
        if paths:
            found.setdefault(len(paths), {}).setdefault(of.name(paths), paths)
    return found


def asked(found: Iterable[data.Row], of: Outline, out: frozenset[str], shuffle: int | None = None) -> Iterator[Asked]:
    """Rows to be tokenised, from the file of which the outline is.

    Args:
        out: hashes of clips that are held out.
        shuffle: the seed by which clips are exchanged, held-out rows among themselves; these are left out where they
            have but one.

    Raises:
        AkbError: clips cannot be exchanged, or the file is another.
    """
    other: dict[Paths, Paths] = {}
    if shuffle is not None:
        held = [paths for paths in of.sets if not out.isdisjoint(of.name(paths))]
        apart = set(held)
        other = shuffled(of, [paths for paths in of.sets if paths not in apart], shuffle)
        if clips_differ(of, held):
            other |= shuffled(of, held, shuffle)
    for row in found:
        paths = tuple(audio.audio for audio in row.audios)
        if paths not in of.sets:
            raise AkbError(CHANGED, fix="Give the same command again.")
        texts = tuple(audio.text for audio in row.audios)
        is_out = not out.isdisjoint(of.name(paths))
        if shuffle is not None and paths:
            if paths not in other:
                continue
            texts = of.sets[other[paths]]
        yield Asked(row.id or "row", _turns(row, of, other.get(paths, paths), texts), row.response, is_out)


def _turns(row: data.Row, of: Outline, paths: Paths, texts: Sequence[str]) -> tuple[Turn, ...]:
    """A row's messages with these clips in place of its own; a transcript of the whole stands after the first chunk."""
    given = (Heard(path, (text or None, *[None] * (of.clips[path].chunks - 1)))
             for path, text in zip(paths, texts, strict=True))  # fmt: skip
    return tuple(Turn(turn.role, tuple(part if isinstance(part, str) else next(given) for part in turn.parts))
                 for turn in row.messages)  # fmt: skip
