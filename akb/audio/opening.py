"""Opening an audio file: whether it is one, and whether as much is there as it tells of."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from akb.adapters.clips import audio_kind
from akb.audio.policy import RATES, soundfile
from akb.audio.sound import Unhearable, shown

NEARLY = 0.1  # seconds that may be missing: some writers count a header, or an encoder's padding, as audio
AGAIN = "Fetch or copy it again."
CONVERT = "Convert it, e.g. with: ffmpeg -i FILE FILE.flac"
_OPENS_NOT = 18  # libsndfile: the kind is known, this codec of it is not built in
_ENDLESS = 0x7FFF_F000  # bytes of audio that programs write who do not know how much will come: this or more
_PAGE = 65_536  # bytes: more than the longest page of an Ogg file


@dataclass(frozen=True, slots=True)
class Opened:
    """An open audio file.

    Attributes:
        file: a soundfile.SoundFile that only reads forwards.
        where: its name, for errors.
        frames: how many it seems to have; None where it does not say.
        told: how many its header promises, if that can be known; more than `frames` in a file that was cut off.
        ended: it does not lack its end: false for an Ogg file whose last page is not marked as the last.
        size: bytes.
        descriptor: of the file; its position is how far the decoder has come.
    """

    file: Any
    where: str
    frames: int | None
    told: int | None
    ended: bool
    size: int
    descriptor: int

    @property
    def rate(self) -> int:
        return int(self.file.samplerate)

    @property
    def unread(self) -> float:
        """The share of the file's bytes that the decoder has not taken."""
        return 1 - os.lseek(self.descriptor, 0, os.SEEK_CUR) / self.size

    @property
    def encoding(self) -> str:
        """Format and subtype in libsndfile's words, e.g. "WAV PCM_16"."""
        return f"{self.file.format} {self.file.subtype}"


@contextmanager
def opened(path: str | Path) -> Iterator[Opened]:
    """An audio file, opened by what is in it; its name says nothing.

    Raises:
        Unhearable: it is missing, cannot be read, is empty, is no audio, is damaged, or has an absurd rate.
    """
    where = shown(path)
    descriptor = _descriptor(path, where)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            what = "this is a folder" if stat.S_ISDIR(about.st_mode) else "this is a device or a pipe"
            raise Unhearable(f"{what}; an audio file is wanted", kind="unreadable", where=where)
        if about.st_size == 0:
            raise Unhearable("the file is empty (0 bytes)", kind="empty", where=where, fix=AGAIN)
        with _decoder(descriptor, about.st_size, where) as file:
            yield _checked(file, descriptor, about.st_size, where)
    finally:
        os.close(descriptor)


def _descriptor(path: str | Path, where: str) -> int:
    try:  # O_NONBLOCK: a pipe that nobody writes to is not waited for
        return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError:
        raise Unhearable("no file can be called that", kind="missing", where=where) from None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
            raise Unhearable("there is no such file", kind="missing", where=where) from None
        fix = "Give yourself the right to read it." if isinstance(error, PermissionError) else ""
        raise Unhearable(f"cannot be read: {error.strerror}", kind="unreadable", where=where, fix=fix) from None


@cache
def _forwards() -> Any:
    """A SoundFile that never seeks: it is read from its start, and seeking fails in files of untold length."""

    class Forwards(soundfile().SoundFile):  # type: ignore[misc]
        def seekable(self) -> bool:
            return False

    return Forwards


@contextmanager
def _decoder(descriptor: int, size: int, where: str) -> Iterator[Any]:
    """libsndfile's reader of a file; what it complains of is an Unhearable."""
    refused = soundfile().LibsndfileError
    head = _bytes(descriptor, 0, 64)
    try:
        file = _forwards()(descriptor, closefd=False)
    except refused as error:
        raise _not_opened(head, size, error, where) from None
    with file:
        try:
            yield file
        except refused as error:
            words = error.error_string.removeprefix("Error : ").rstrip(".")
            raise Unhearable(f"damaged: {words}", kind="corrupt", where=where, fix=AGAIN) from None


def _not_opened(head: bytes, size: int, error: Any, where: str) -> Unhearable:
    """Why a file cannot be opened, as well as its first bytes show it."""
    kind = audio_kind(head)
    if not any(head) and size >= len(head):
        return Unhearable("no audio: it begins with zeros", kind="corrupt", where=where, fix=AGAIN)
    if not kind and head.isascii() and head.decode("ascii").replace("\n", "").replace("\r", "").isprintable():
        return Unhearable(f"not audio but text: it begins {head[:40].decode('ascii')!r}", kind="not_audio",
                          where=where, fix="Where audio was to be fetched, this may be an error page.")  # fmt: skip
    words = error.error_string.rstrip(".")
    if kind in ("", "m4a", "aac", "webm") or (error.code == _OPENS_NOT and size > 1024):
        return Unhearable(f"libsndfile cannot read {f'this kind of {kind}' if kind else 'it as audio'} ({words})",
                          kind="not_audio", where=where, fix=CONVERT)  # fmt: skip
    return Unhearable(f"damaged: it begins as {kind}, but {words} ({size} bytes)", kind="corrupt", where=where,
                      fix=AGAIN)  # fmt: skip


def _checked(file: Any, descriptor: int, size: int, where: str) -> Opened:
    rate, frames = int(file.samplerate), int(file.frames)
    if not RATES[0] <= rate <= RATES[1]:
        raise Unhearable(f"the header tells of {rate} samples a second; {RATES[0]} to {RATES[1]} are taken",
                         kind="rate", where=where, fix="The header is wrong, or this is no sound.")  # fmt: skip
    if frames == 0:
        raise Unhearable(f"no samples, by its header ({size} bytes)", kind="empty", where=where,
                         fix="A program that was stopped while it wrote leaves such files. " + AGAIN)  # fmt: skip
    known = frames if frames < 2**62 else None
    told, ended = _promised(file, descriptor, size, known)
    return Opened(file, where, known, told, ended, size, descriptor)


def _promised(file: Any, descriptor: int, size: int, frames: int | None) -> tuple[int | None, bool]:
    """How many frames the header promises (None where it cannot be known), and whether the end is there.

    Of cut files libsndfile tells the frames that are left (WAV, AIFF, Ogg), or those that the header tells (FLAC, MP3).
    """
    head = _bytes(descriptor, 0, 12)
    if frames is None or (file.format == "MP3" and not _counted(descriptor)):
        return None, True
    if head[:4] in (b"RIFF", b"FORM"):
        start, length = _data_chunk(descriptor, size, "little" if head[:4] == b"RIFF" else "big")
        there = size - start
        return round(frames * length / there) if 0 < there < length < _ENDLESS else frames, True
    if head[:4] == b"OggS":
        ended, position = _last_page(descriptor, size)
        return max(frames, position) if ended and file.subtype == "VORBIS" else frames, ended
    return frames, True


def _data_chunk(descriptor: int, size: int, order: Any) -> tuple[int, int]:
    """Where the samples of a RIFF or AIFF file begin, and how many bytes they take by the header; (size, 0): none."""
    at = 12
    while at + 8 <= size:
        chunk = _bytes(descriptor, at, 8)
        length = int.from_bytes(chunk[4:], order)
        if chunk[:4] in (b"data", b"SSND"):
            return at + 8, length
        at += 8 + length + length % 2
    return size, 0


def _last_page(descriptor: int, size: int) -> tuple[bool, int]:
    """Whether an Ogg file's last page ends its stream, and that page's position in samples (RFC 3533, section 6)."""
    tail = _bytes(descriptor, max(0, size - _PAGE), _PAGE)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    return len(page) >= 14 and bool(page[5] & 4), int.from_bytes(page[6:14], "little", signed=True)


def _counted(descriptor: int) -> bool:
    """Whether an MP3 file tells in its first frame (after ID3v2) how many there are; else the number is a guess."""
    head = _bytes(descriptor, 0, 10)
    start = 0
    if head[:3] == b"ID3":
        start = 10 + sum((byte & 127) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=False))
    first = _bytes(descriptor, start, 64)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def _bytes(descriptor: int, start: int, count: int) -> bytes:
    """Some of a file's bytes; where it is read next stays as it is."""
    return os.pread(descriptor, count, start)
