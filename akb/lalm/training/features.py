"""What the frozen encoder makes of clips, kept on disk where that pays; else clips decoded ahead of the training.

A shard is a safetensors file of a few chunks, `taps` of each by its key, in the dtype in which the encoder gives them:
nothing is rounded, and training with the cache is training without it. Keys take in the clip's hash, the chunk's
number, the encoder's identity and taps, the decoding policy and the dtype, so that recipes with one encoder share
shards. A shard is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import tee
from pathlib import Path
from queue import Full, Queue
from threading import Event, Lock, Thread
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from akb.audio import Sound, Unhearable, chunks, clip_of, decode_many
from akb.errors import AkbError
from akb.files import explained
from akb.lalm.encoder import Taps
from akb.lalm.prompting import Batch, Row, collate
from akb.lalm.training.batching import Numbers
from akb.lalm.training.record import ROOM
from akb.lalm.training.rows import Clip, Rows, pieces

SHARD = 16  # chunks of a file, encoded together
SHARE = 0.5  # of the free disk that the cache may take by itself
OPEN = 64  # files that are kept open
AHEAD = 2  # batches that are made ready before they are wanted
LEFT = 3600.0  # seconds after which a part of a shard belongs to a process that is gone


@dataclass(frozen=True)
class Chunk:
    """A piece of a clip that the encoder hears at once."""

    clip: Clip
    number: int


def chunks_of(clips: Mapping[str, Clip]) -> dict[str, Chunk]:
    """The chunks of clips by the keys that rows have for them."""
    return {
        (f"{name}#{number}" if clip.chunks > 1 else name): Chunk(clip, number)
        for name, clip in clips.items()
        for number in range(clip.chunks)
    }


def bytes_of(ear: Taps) -> int:
    """What a chunk's taps take."""
    return int(len(ear.taps) * ear.positions * ear.width * ear.dtype.itemsize)


@dataclass(frozen=True)
class Choice:
    """Whether taps are kept, and why."""

    on: bool
    why: str


def choose(wanted: Literal["auto", "on", "off"], ear: Taps, *, trained: bool, number: int, uses: float, folder: Path
           ) -> Choice:  # fmt: skip
    """Whether taps are kept on disk.

    By itself it is so where chunks are heard more than once on average, and all of them take at most half of what is
    free.

    Args:
        trained: the encoder is.
        number: of chunks that are not there yet; uses: how often a chunk is heard in the whole training.

    Raises:
        AkbError: they are wanted, and cannot be kept.
    """
    if trained:
        if wanted == "on":
            raise AkbError("train.cache is on, but the encoder is trained: what it makes of a clip changes",
                           fix="Set train.cache: off, or encoder.trained: false.")  # fmt: skip
        return Choice(False, "the encoder is trained")
    if wanted == "off":
        return Choice(False, "the recipe says so")
    with explained(folder, ROOM):
        folder.mkdir(parents=True, exist_ok=True)
    need, free = number * bytes_of(ear), shutil.disk_usage(folder).free
    told = f"{need / 1e9:.2f} GB for {number:,} chunks, {free / 1e9:.1f} GB are free"
    if wanted == "on":
        if need > free:
            raise AkbError(f"too little room for what the encoder makes of clips: {told}", where=str(folder),
                           fix="Set train.cache: off, or make room.")  # fmt: skip
        return Choice(True, f"the recipe says so ({told})")
    if number == 0:
        return Choice(True, "all of it is there")
    if uses <= 1.0 + 1e-9:
        return Choice(False, "each clip is heard once")
    return Choice(need <= SHARE * free, f"{told}; each is heard {uses:.1f} times")


class Cache:
    """Taps on disk; what is there may be read by several threads.

    Args:
        folder: for all encoders; each has one of its own in it.
        identity: of the encoder: its name's revision.
    """

    def __init__(self, folder: Path, ear: Taps, identity: str) -> None:
        told = "\x1f".join([identity, repr(ear.taps), ear.policy.told(), str(ear.dtype)])
        self.folder = folder / hashlib.sha256(told.encode()).hexdigest()[:16]
        self.told = told
        with explained(self.folder, ROOM):
            self.folder.mkdir(parents=True, exist_ok=True)
            note = self.folder / "encoder.txt"
            if not note.is_file():
                note.write_text(told.replace("\x1f", "\n") + "\n", "utf-8")
        self.index: dict[str, Path] = {}
        self._seen: set[str] = set()
        self._open: OrderedDict[Path, Any] = OrderedDict()
        self._reading = Lock()  # a safetensors file bears one reader at a time

    @staticmethod
    def key(chunk: Chunk) -> str:
        """A chunk's name in the files of one encoder."""
        return f"{chunk.clip.sha256}.{chunk.number}"

    def refresh(self) -> None:
        """Find files that were written since, also by others; one that cannot be read is as if it were not there."""
        from safetensors import SafetensorError, safe_open

        for file in sorted(self.folder.glob("*.safetensors")):
            if file.name not in self._seen:
                try:
                    with safe_open(str(file), "pt") as opened:
                        found = list(opened.keys())
                except (SafetensorError, OSError):
                    continue
                self._seen.add(file.name)
                self.index |= {key: self.index.get(key, file) for key in found}

    def missing(self, wanted: Iterable[Chunk]) -> list[Chunk]:
        """Those that are not there, each once."""
        return list({self.key(chunk): chunk for chunk in wanted if self.key(chunk) not in self.index}.values())

    def write(self, found: Mapping[str, Tensor]) -> None:
        """Keep a shard.

        Raises:
            AkbError: there is no room, or it cannot be written.
        """
        from safetensors.torch import save

        name = hashlib.sha256("\n".join(found).encode()).hexdigest()[:24]
        path, part = self.folder / f"{name}.safetensors", self.folder / f".{name}.{os.getpid()}.part"
        with explained(path, ROOM):
            try:
                with part.open("wb") as file:
                    file.write(save({key: value.contiguous() for key, value in found.items()}))
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove parts of shards that processes left when they were killed; those of others at work are young."""
        with explained(self.folder, ROOM):
            for part in self.folder.glob(".*.part"):
                if time.time() - part.stat().st_mtime > LEFT:
                    part.unlink(missing_ok=True)

    def read(self, chunk: Chunk) -> Tensor:
        """(taps, positions, width)."""
        from safetensors import safe_open

        key = self.key(chunk)
        path = self.index[key]
        with self._reading:
            if path not in self._open:
                opened: Any = safe_open(str(path), "pt")
                self._open[path] = opened.__enter__()
                if len(self._open) > OPEN:
                    self._open.popitem(last=False)[1].__exit__(None, None, None)
            self._open.move_to_end(path)
            found: Tensor = self._open[path].get_tensor(key)
        return found


def heard(ear: Taps, wanted: Iterable[Chunk]) -> Iterator[tuple[Chunk, Tensor]]:
    """Log-mel spectrograms, (bands, frames), of chunks in their order, files decoded ahead on threads.

    Raises:
        AkbError: a clip cannot be heard, or is not the one of which the data was made.
    """
    ahead, now = tee(wanted)
    sounds = decode_many((chunk.clip.path for chunk in ahead if chunk.clip.chunks == 1),
                         replace(ear.policy, beyond="truncate"))  # fmt: skip
    whole = lru_cache(1)(partial(chunks, policy=ear.policy))
    for chunk in now:
        if chunk.clip.chunks == 1:
            sound: Sound | Unhearable = next(sounds)[1]
            if isinstance(sound, Unhearable):
                raise sound
        else:
            sound = _piece(whole(chunk.clip.path), chunk, ear.rate)
        _must_be_the_one(chunk.clip, sound, ear)
        yield chunk, ear.features([sound])[0]


def _must_be_the_one(clip: Clip, sound: Sound, ear: Taps) -> None:
    """What was decoded is the clip that the data tells of, as long as it says."""
    seconds = sound.notes.get("seconds")
    if clip_of(clip.path).sha256 != clip.sha256:
        what = "the clip has changed since the data was made"
    elif seconds is not None and pieces(seconds, ear.extractor.n_samples, ear.rate) != clip.chunks:
        what = f"the clip lasts {seconds:g} s, and the data tells another duration"
    else:
        return
    raise AkbError(what, where=str(clip.path), fix="Put it back, or make the data anew: akb lalm data")


def _piece(found: Sequence[Sound], chunk: Chunk, rate: int) -> Sound:
    """A chunk's sound; silence where the file's header told of more than is in it."""
    if chunk.number < len(found):
        return found[chunk.number]
    return Sound(np.zeros(rate // 10, np.float32), rate, 0.1, found[-1].notes)


def fill(cache: Cache, ear: Taps, wanted: Iterable[Chunk], told: Callable[[int, int], None] = lambda done, of: None,
         device: int = 0, devices: int = 1, stopped: Callable[[], bool] = lambda: False) -> None:  # fmt: skip
    """Encode and keep those chunks that are not there; each device its shards.

    Which chunks are encoded together does not depend on what was killed in between: results are the same bit by bit.

    Args:
        stopped: asked after each shard.

    Raises:
        AkbError: a clip cannot be heard or has changed, or a shard cannot be written.
        KeyboardInterrupt: it was stopped; the shards that were made are kept.
    """
    cache.tidy()
    every = sorted({cache.key(chunk): chunk for chunk in wanted}.items())
    shards = [every[n : n + SHARD] for n in range(0, len(every), SHARD)][device::devices]
    lacking = [[chunk for key, chunk in shard if key not in cache.index] for shard in shards]
    lacking = [shard for shard in lacking if shard]
    sounds, done, of = heard(ear, (chunk for shard in lacking for chunk in shard)), 0, sum(map(len, lacking))
    place = ear.encoder.conv1.weight.device
    for shard in lacking:
        mels = torch.stack([next(sounds)[1] for _ in shard])
        with torch.no_grad():
            taps = ear(mels.to(place)).cpu()
        cache.write({cache.key(chunk): taps[:, n] for n, chunk in enumerate(shard)})
        done += len(shard)
        told(done, of)
        if stopped():
            raise KeyboardInterrupt


@dataclass
class Reader:
    """Makes batches of rows, with taps from the cache or features from files.

    Attributes:
        chunks: by the keys that rows have for them.
        fill: the id with which batches are padded.
        cache: null: features are made, and the encoder hears them in each step.
    """

    rows: Rows
    chunks: Mapping[str, Chunk]
    fill: int
    ear: Taps
    cache: Cache | None = None

    def batches(self, parts: Iterable[Numbers]) -> Iterator[Batch]:
        """A batch of each part's rows; made on a thread, some before they are wanted."""
        return ahead(self._taps(parts) if self.cache is not None else self._features(parts), AHEAD)

    def _taps(self, parts: Iterable[Numbers]) -> Iterator[Batch]:
        assert self.cache is not None
        for part in parts:
            rows = [self.rows[number] for number in part]
            taps = {key: self.cache.read(self.chunks[key]) for key in _keys(rows)}
            yield collate(rows, self.fill, taps=taps)

    def _features(self, parts: Iterable[Numbers]) -> Iterator[Batch]:
        if not self.rows.keys:  # nothing would be heard, and batches would wait for it in memory
            yield from (collate([self.rows[number] for number in part], self.fill) for part in parts)
            return
        first, second = tee([self.rows[number] for number in part] for part in parts)
        mels = heard(self.ear, (self.chunks[key] for rows in first for key in _keys(rows)))
        for rows in second:
            yield collate(rows, self.fill, features={key: next(mels)[1] for key in _keys(rows)})


def _keys(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.clips))


Item = TypeVar("Item")


def ahead(items: Iterator[Item], number: int) -> Iterator[Item]:
    """The same items, made on a thread, at most so many before they are wanted."""
    made: Queue[tuple[Item | None, BaseException | None]] = Queue(number)
    stopped = Event()

    def put(item: Item | None, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            try:
                made.put((item, error), timeout=0.1)
                return
            except Full:
                continue

    def make() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(None, StopIteration())
        except BaseException as error:  # whatever it is, it belongs to whoever waits
            put(None, error)

    thread = Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield cast(Item, item)
    finally:
        stopped.set()
        thread.join()
