"""Reading audio: decode, mix and resample block by block, and stop as soon as enough is there.

Memory is what is returned and one block: an hour-long file of which 30 s are heard costs as much as one of 30 s. The
samples do not depend on the blocks. A truncated sound is the beginning of the whole one, to rounding: the resampler is
given a little more than is heard, because its filter looks ahead.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akb.audio.opening import AGAIN, CONVERT, NEARLY, Opened, opened
from akb.audio.policy import QUALITY, Policy, soundfile, soxr
from akb.audio.quiet import quiet
from akb.audio.sound import Sound, Unhearable
from akb.errors import AkbError

Block = NDArray[np.float32]  # (frames, channels)

BLOCK = 1 << 18  # numbers decoded at a time: 1 MiB
AHEAD = 0.1  # seconds beyond what is heard that the resampler is given; its filter reaches a few milliseconds
SILENT = 2e-4  # between the lowest and the highest sample of a silent clip
FULL = 1 - 2**-15  # the highest value of 16 bits


def read(path: str | Path, policy: Policy = Policy()) -> Sound:  # noqa: B008 - it is frozen
    """The sound of a file: WAV, FLAC, Ogg (Vorbis, Opus), MP3 and whatever else libsndfile reads.

    What is heard must be there whole: a file of which a part is missing is refused if the policy would hear that part.

    Raises:
        Unhearable: there is nothing to hear, and why. A silent clip is heard; its notes say so.
        AkbError: a package is missing, or the policy cuts clips in pieces (use `chunks`).
    """
    check(policy)
    return _heard(path, policy)[0]


def chunks(path: str | Path, policy: Policy) -> list[Sound]:
    """A file's sounds: for `beyond="chunk"` pieces of `longest` seconds, the last as short as it comes; else one.

    Joined, the pieces are the whole sound, bit by bit: there is no seam where resampling began anew. The notes of each
    say where in the file it starts; "clipped" and "peak" are those of the whole file.

    Raises:
        as `read`.
    """
    _packages(policy)
    return _heard(path, policy)


def check(policy: Policy) -> None:
    """Whether a policy can be used for one sound a file.

    Raises:
        AkbError: a package is missing, or the policy cuts clips in pieces.
    """
    if policy.beyond == "chunk" and policy.longest is not None:
        raise AkbError("this policy cuts long clips in pieces, and one sound a clip is wanted",
                       where="decoding policy", fix="Set beyond to truncate or refuse.")  # fmt: skip
    _packages(policy)


def _packages(policy: Policy) -> None:
    soundfile()
    if policy.rate:
        soxr()


def _heard(path: str | Path, policy: Policy) -> list[Sound]:
    with quiet(), opened(path) as source:
        rate = policy.rate or source.rate
        most = None if policy.longest is None else max(1, round(policy.longest * rate))
        _refuse_long(source, policy, most, rate)
        seen = _Seen()
        pieces, more = [np.empty((0, 0), np.float32)], False
        if policy.beyond == "chunk" and most is not None:
            pieces = list(_pieces(_resampled(source, policy, rate, seen, None), most))
        else:
            pieces, more = _beginning(_resampled(source, policy, rate, seen, most), most)
        if more and policy.beyond == "refuse":
            raise _too_long(source, policy, None)
        if not more:
            _must_be_whole(source, seen.frames)
        if not len(pieces[0]):
            raise Unhearable(f"{seen.frames} samples at {source.rate} Hz are less than one at {rate} Hz",
                             kind="empty", where=source.where)  # fmt: skip
        starts = range(0, len(pieces) * (most or 0), most) if most is not None else (0,)
        return [
            _sound(piece, rate, policy, _notes(source, seen, piece, start / rate, rate, more))
            for piece, start in zip(pieces, starts, strict=True)
        ]


# -- decoding --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Seen:
    """What was seen of a file's samples on the way."""

    frames: int = 0
    samples: int = 0
    low: float = np.inf
    high: float = -np.inf
    full: int = 0
    clips: bool = False

    def take(self, block: Block, where: str) -> None:
        low, high = float(block.min()), float(block.max())  # NaN comes through both
        if not np.isfinite(low) or not np.isfinite(high):
            at = self.frames + int(np.argmin(np.isfinite(block).all(axis=1)))
            raise Unhearable(f"sample {at} is not a finite number (NaN or infinite)", kind="nan", where=where,
                             fix="The program that wrote it went wrong; make it again.")  # fmt: skip
        self.frames += len(block)
        self.samples += block.size
        self.low, self.high = min(low, self.low), max(high, self.high)
        if max(-low, high) >= FULL:
            full = np.abs(block) >= FULL
            self.full += int(full.sum())
            self.clips = self.clips or bool((full[2:] & full[1:-1] & full[:-2]).any())


def _blocks(source: Opened, seen: _Seen, most: int | None) -> Iterator[Block]:
    """The file's samples as they are, of so many frames at most; each block is valid until the next."""
    left = min((count for count in (most, source.frames) if count is not None), default=sys.maxsize)
    buffer = np.empty((min(left, max(1, BLOCK // source.file.channels)), source.file.channels), np.float32)
    while left and len(block := source.file.read(out=buffer[:left])):
        left -= len(block)
        seen.take(block, source.where)
        yield block


def _mixed(source: Opened, policy: Policy, seen: _Seen, most: int | None) -> Iterator[Block]:
    """Blocks with one channel, the mean, or with all."""
    for block in _blocks(source, seen, most):
        if policy.channels == "keep" or block.shape[1] == 1:
            yield block
            continue
        mean = block[:, 0].copy()
        with np.errstate(over="ignore"):
            for channel in range(1, block.shape[1]):
                mean += block[:, channel]
        mean /= block.shape[1]
        if not np.isfinite(mean).all():
            raise Unhearable("the mean of the channels is not finite: absurdly loud", kind="nan", where=source.where)
        yield mean[:, None]


def _resampled(source: Opened, policy: Policy, rate: int, seen: _Seen, most: int | None) -> Iterator[Block]:
    """Blocks at the rate that is wanted, each the receiver's own: all, or a little more than so many frames."""
    if rate == source.rate:
        for block in _mixed(source, policy, seen, None if most is None else most + 1):
            yield block.copy()
        return
    taken = None if most is None else math.ceil((most / rate + AHEAD) * source.rate)
    channels = 1 if policy.channels == "mono" else source.file.channels
    stream = soxr().ResampleStream(source.rate, rate, channels, "float32", QUALITY)
    for block in _mixed(source, policy, seen, taken):
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty((0, channels), np.float32), last=True)


def _beginning(blocks: Iterator[Block], most: int | None) -> tuple[list[Block], bool]:
    """At most so many frames, as a list of one block, and whether there are more."""
    parts = list(blocks)
    whole = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
    if most is None or len(whole) <= most:
        return [whole], False
    return [whole[:most]], True


def _pieces(blocks: Iterator[Block], most: int) -> Iterator[Block]:
    """All frames in pieces of so many; the last has the rest. There is always one."""
    parts: list[Block] = []
    count = pieces = 0
    for block in blocks:
        while count + len(block) >= most:
            parts.append(block[: most - count])
            yield np.concatenate(parts)
            pieces += 1
            block, parts, count = block[most - count :], [], 0
        parts.append(block)
        count += len(block)
    if count or not pieces:
        yield np.concatenate(parts) if parts else np.empty((0, 1), np.float32)


# -- judging ---------------------------------------------------------------------------------------------------


def _refuse_long(source: Opened, policy: Policy, most: int | None, rate: int) -> None:
    """Refuse what is too long before any of it is decoded, where the file tells its length."""
    if policy.beyond == "refuse" and most is not None and source.frames is not None:
        seconds = source.frames / source.rate
        if round(seconds * rate) > most:
            raise _too_long(source, policy, seconds)


def _too_long(source: Opened, policy: Policy, seconds: float | None) -> Unhearable:
    told = "longer than" if seconds is None else f"{seconds:.2f} s long, more than"
    return Unhearable(f"the clip is {told} the {policy.longest:g} s that are taken", kind="too_long",
                      where=source.where, fix="Cut it, or have longer clips truncated or chunked.")  # fmt: skip


def _must_be_whole(source: Opened, decoded: int) -> None:
    """A file that was read to its end must have held what it tells of.

    Raises:
        Unhearable: more than a tenth of a second is missing.
    """
    allowed = NEARLY * source.rate
    if source.told is None and source.frames is not None and source.unread > 0.05:
        raise Unhearable(f"{source.unread:.0%} of the file is out of reach: it does not tell its length, and what "
                         "libsndfile takes for its length is less", kind="cut_off", where=source.where,
                         fix=CONVERT)  # fmt: skip
    if not source.ended:
        raise Unhearable("cut off: its last page does not end the stream", kind="cut_off", where=source.where,
                         fix=AGAIN)  # fmt: skip
    if source.told is not None and source.told - decoded > allowed:
        told, there = source.told / source.rate, decoded / source.rate
        raise Unhearable(f"cut off or damaged: it tells of {told:.2f} s, and {there:.2f} s are there", kind="cut_off",
                         where=source.where, fix=AGAIN)  # fmt: skip


def _notes(source: Opened, seen: _Seen, piece: Block, start: float, rate: int, more: bool) -> dict[str, Any]:
    seconds = None if source.frames is None else source.frames / source.rate
    if seconds is None and not more:
        seconds = seen.frames / source.rate
    notes: dict[str, Any] = {"rate": source.rate, "channels": source.file.channels, "seconds": seconds,
                             "encoding": source.encoding}  # fmt: skip
    if more:
        notes["cut_seconds"] = None if seconds is None else seconds - len(piece) / rate
    if missing := _missing(source, seen, more):
        notes["missing_seconds"] = missing
    if not source.ended:
        notes["open_end"] = True
    if start:
        notes["start_seconds"] = start
    if float(np.ptp(piece)) < SILENT:
        notes["silent"] = True
        if seen.high - seen.low >= SILENT and source.file.channels > piece.shape[1]:
            notes["cancels"] = True
    if seen.clips:
        notes["clipped"] = seen.full / seen.samples
    if (peak := max(-seen.low, seen.high)) > 1:
        notes["peak"] = peak
    return notes


def _missing(source: Opened, seen: _Seen, more: bool) -> float:
    """Seconds that the header tells of and that are not there, as far as it is known; 0: none."""
    if source.told is None or source.frames is None:
        return 0.0
    there = source.frames if more else seen.frames
    return max(0, source.told - there) / source.rate


def _sound(piece: Block, rate: int, policy: Policy, notes: dict[str, Any]) -> Sound:
    samples = piece[:, 0] if policy.channels == "mono" else piece.T
    return Sound(np.ascontiguousarray(samples), rate, len(piece) / rate, notes)
