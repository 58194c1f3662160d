"""Audio clips as APIs get them: their bytes as they are, their kind told by the bytes and not by the name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from akb.errors import AkbError, ClipError
from akb.types import Clip

_MAGIC = ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"ID3", "mp3"), (b"\x1aE\xdf\xa3", "webm"))


def read_clip(clip: Clip, kinds: Mapping[str, str]) -> tuple[str, bytes]:
    """A clip's bytes, and the API's word for their kind.

    Args:
        kinds: of audio files that the API takes, with its words for them.

    Raises:
        ClipError: it cannot be read, or is not of a kind that the API takes.
        AkbError: it is another than the task meant.
    """
    if clip.decoding:
        raise AkbError(f"the clip is to be decoded ({clip.decoding}), and an API gets its bytes as they are",
                       where=clip.path)  # fmt: skip
    try:
        data = Path(clip.path).read_bytes()
    except OSError as error:
        told = f"the clip cannot be read: {error.strerror}"
        raise ClipError(told, where=clip.path, kind="unreadable") from None
    if clip.sha256 and hashlib.sha256(data).hexdigest() != clip.sha256:
        raise AkbError("the clip has changed since the task was loaded", where=clip.path, fix="Run the same again.")
    kind = audio_kind(data)
    if kind not in kinds:
        raise ClipError(f"this API takes {', '.join(kinds)}, and the clip is {kind or 'of an unknown kind'}",
                        where=clip.path, fix="Convert it to wav.")  # fmt: skip
    return kinds[kind], data


def audio_kind(data: bytes) -> str:
    """The kind of an audio file, by its first bytes; empty if it is not known."""
    if data[:4] in (b"RIFF", b"FORM"):
        return {b"WAVE": "wav", b"AIFF": "aiff", b"AIFC": "aiff"}.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return "m4a"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:  # MPEG: its layer is 0 in AAC
        return "mp3" if data[1] & 0x06 else "aac" if data[1] & 0xF0 == 0xF0 else ""
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "")
