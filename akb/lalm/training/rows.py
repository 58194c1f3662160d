"""Training rows as the model reads them: tokenised once, kept as flat arrays, and the clips that they hold."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akb.audio import Unhearable, clips_of
from akb.audio.policy import soundfile
from akb.errors import AkbError
from akb.lalm.data import rows as data
from akb.lalm.prompting import IGNORED, Heard, Prompting, Row, Turn

SHOWN = 5  # faults that an error names
MOST, FEW = 512, 10  # rows that are held out; clips of which none are


@dataclass(frozen=True)
class Clip:
    """A clip that rows hold.

    Attributes:
        sha256: of its encoded bytes.
        chunks: how many the encoder hears it in.
    """

    path: Path
    sha256: str
    chunks: int


@dataclass(frozen=True)
class Rows:
    """Rows in flat arrays: what lists of numbers would take is ten times as much.

    Attributes:
        ids: of all rows, one after another; `starts` (rows + 1): where each begins.
        answers: tokens of each row before its response; the rest is labelled.
        blocks, block_starts: where the audio's blocks begin, likewise.
        keys: of the chunks; `chunk_of`: which one each block is.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    answers: NDArray[np.int32]
    blocks: NDArray[np.int32]
    block_starts: NDArray[np.int64]
    chunk_of: NDArray[np.int32]
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, number: int) -> Row:
        ids = self.ids[self.starts[number] : self.starts[number + 1]].tolist()
        blocks = slice(self.block_starts[number], self.block_starts[number + 1])
        prompt = int(self.answers[number])
        return Row(tuple(ids), (*[IGNORED] * prompt, *ids[prompt:]), tuple(self.blocks[blocks].tolist()),
                   tuple(self.keys[chunk] for chunk in self.chunk_of[blocks]))  # fmt: skip

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row."""
        return np.diff(self.starts)

    @cached_property
    def labelled(self) -> NDArray[np.int64]:
        """Of them, those that are learned."""
        return self.lengths - self.answers

    @property
    def groups(self) -> NDArray[np.int64]:
        """A number for each row; rows that hear the same have the same."""
        heard = [tuple(self.chunk_of[a:b]) for a, b in zip(self.block_starts, self.block_starts[1:], strict=False)]
        known: dict[Any, int] = {}
        return np.array([known.setdefault(one or ("alone", n), len(known)) for n, one in enumerate(heard)], np.int64)


def flat(rows: Iterable[Row]) -> Rows:
    """Rows as arrays."""
    made = list(rows)
    keys = {key: n for n, key in enumerate(dict.fromkeys(key for row in made for key in row.clips))}
    return Rows(
        np.array([token for row in made for token in row.ids], np.int32),
        np.array([0, *accumulate(len(row.ids) for row in made)], np.int64),
        np.array([sum(label == IGNORED for label in row.labels) for row in made], np.int32),
        np.array([place for row in made for place in row.places], np.int32),
        np.array([0, *accumulate(len(row.places) for row in made)], np.int64),
        np.array([keys[key] for row in made for key in row.clips], np.int32),
        tuple(keys),
    )


def pieces(seconds: float, samples: int, rate: int) -> int:
    """How many chunks a clip makes, in whole samples of what the encoder hears, as when a grounded model is asked.

    Args:
        samples: that the encoder hears at once; `rate`: so many a second.

    >>> pieces(30.0, 480_000, 16_000), pieces(30 + 1 / 44_100, 480_000, 16_000), pieces(30.001, 480_000, 16_000)
    (1, 1, 2)
    """
    return max(1, math.ceil(round(seconds * rate) / samples))


def clips(found: Sequence[data.Row], samples: int, rate: int) -> dict[str, Clip]:
    """The clips of rows by their paths, hashed and measured; of what a row tells nothing is read anew.

    Args:
        samples: that the encoder hears at once; `rate`: so many a second.

    Raises:
        AkbError: some are not there, or cannot be opened.
    """
    known: dict[str, tuple[str, float | None]] = {}
    for row in found:
        audios = row.audios
        told = row.audio_sha256 if len(row.audio_sha256) == len(audios) else ("",) * len(audios)
        for audio, sha in zip(audios, told, strict=True):
            known.setdefault(audio.audio, (sha, row.duration if len(audios) == 1 else None))
    faults = [f"{path}: there is no such file" for path in known if not Path(path).is_file()]
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


def tokenised(found: Sequence[data.Row], prompting: Prompting, clips: dict[str, Clip], longest: int) -> Rows:
    """Rows as a backbone reads them.

    Raises:
        AkbError: a prompt is longer than a row may be; says how many are and names the first.
    """
    made, faults, last = [], [], None
    for row in found:
        turns = [Turn(turn.role, tuple(part if isinstance(part, str) else _heard(part, clips) for part in turn.parts))
                 for turn in row.messages]  # fmt: skip
        try:
            made.append(prompting.row(turns, row.response, longest=longest))
        except AkbError as error:
            faults.append(f"{row.id or 'row'}: {error.what}")
            last = error
    if last is not None:
        more = f" and {len(faults) - SHOWN:,} more" if len(faults) > SHOWN else ""
        raise AkbError(f"{len(faults):,} of {len(found):,} rows cannot be read: {'; '.join(faults[:SHOWN])}{more}",
                       where=last.where, fix=last.fix)  # fmt: skip
    return flat(made)


def _heard(audio: data.Sounding, clips: dict[str, Clip]) -> Heard:
    """A clip in a message; a transcript of the whole stands after its first chunk."""
    return Heard(audio.audio, (audio.text or None, *[None] * (clips[audio.audio].chunks - 1)))


def held_out(
    found: Sequence[data.Row], clips: Mapping[str, Clip], share: float, seed: int
) -> tuple[list[data.Row], list[data.Row]]:
    """Rows to train on and rows to evaluate on, which have no clip in common.

    Held out are the clips whose hashes with the seed are the lowest, so that another order of the rows leaves them
    where they are.

    Args:
        share: of the clips; fewer where that would be more than MOST rows, none of fewer than FEW clips.
    """
    every = {clips[audio.audio].sha256 for row in found for audio in row.audios}
    number = round(len(every) * min(share, MOST / max(len(found), 1)))
    number = max(number, 1) if share > 0 and len(every) >= FEW else 0
    out = set(sorted(every, key=lambda name: hashlib.sha256(f"{seed}\x1f{name}".encode()).digest())[:number])
    apart = [any(clips[audio.audio].sha256 in out for audio in row.audios) for row in found]
    kept = [row for row, is_out in zip(found, apart, strict=True) if not is_out]
    return (kept, [row for row, is_out in zip(found, apart, strict=True) if is_out]) if kept else (list(found), [])


def shuffled(found: Sequence[data.Row], clips: Mapping[str, Clip], seed: int) -> list[data.Row]:
    """Each row with another row's clips (and their transcripts): a control that has nothing to learn from audio.

    Clips are exchanged in a cycle drawn by the seed, so that each is heard as often as its partner was, and none stays
    where it was. Two files of the same bytes are one clip. Rows of several clips exchange with rows of as many.

    Raises:
        AkbError: some have no other clips to exchange with.
    """
    order: dict[int, dict[tuple[str, ...], tuple[data.Sounding, ...]]] = {}
    for row in found:
        order.setdefault(len(row.audios), {}).setdefault(_name(row, clips), row.audios)
    order.pop(0, None)
    other: dict[tuple[str, ...], tuple[data.Sounding, ...]] = {}
    for number, known in sorted(order.items()):
        names = sorted(known)
        if len(names) == 1:
            raise AkbError(f"pairs cannot be shuffled: all rows of {number} clips have the same")
        Random(f"{seed}:{number}").shuffle(names)
        other |= {name: known[names[n - 1]] for n, name in enumerate(names)}
    return [_with(row, other[_name(row, clips)]) if row.audios else row for row in found]


def clips_differ(found: Sequence[data.Row], clips: Mapping[str, Clip]) -> bool:
    """Whether rows can exchange clips."""
    heard: dict[int, set[tuple[str, ...]]] = {}
    for row in found:
        heard.setdefault(len(row.audios), set()).add(_name(row, clips))
    return all(len(names) > 1 for number, names in heard.items() if number)


def _name(row: data.Row, clips: Mapping[str, Clip]) -> tuple[str, ...]:
    return tuple(clips[audio.audio].sha256 for audio in row.audios)


def _with(row: data.Row, audios: Sequence[data.Sounding]) -> data.Row:
    given = iter(audios)
    turns = tuple(turn.model_copy(update={"audios": tuple(next(given) for _ in turn.audios)}) for turn in row.messages)
    return row.model_copy(update={"messages": turns, "duration": None, "audio_sha256": ()})
