"""Turns written down as messages: of the training schema, and of akb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from akb.lalm.data.pool import AUDIO
from akb.lalm.prompting import Heard, Turn
from akb.types import Message


def turns_of(messages: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
    """Messages of the DeSTA schema: `{"role", "content" with <|AUDIO|>, "audios": [{"audio", "text"}]}`.

    An audio's `text` is its transcript, or a list of them if the clip has several chunks.
    """
    turns = []
    for message in messages:
        first, *pieces = str(message["content"]).split(AUDIO)
        parts: list[str | Heard] = [first]
        for audio, piece in zip(message.get("audios") or (), pieces, strict=True):
            text = audio.get("text")
            parts += [Heard(str(audio["audio"]), tuple(text) if isinstance(text, list) else (text,)), piece]
        turns.append(Turn(message["role"], tuple(part for part in parts if part != "")))
    return tuple(turns)


def turns_of_messages(messages: Sequence[Message], heard: Mapping[str, Heard]) -> tuple[Turn, ...]:
    """akb's messages, each clip as `heard` by its hash."""
    return tuple(
        Turn(m.role, tuple(part if isinstance(part, str) else heard[part.sha256] for part in m.parts)) for m in messages
    )
