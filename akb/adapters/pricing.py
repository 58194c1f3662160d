"""What requests take and cost: an estimate before they are asked, the price of an answer afterwards.

Before, only the texts are known, not the model's tokenizer; so a number of tokens is told as "about", and a cost as
"at most": by the densest text that tokenizers make of common languages, a reply that uses its whole room, and for
audio that is compressed at least 6 kbit/s (silence may have less).
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Protocol

from akb.types import Choose, Clip, Estimate, Request, Response

MILLION = 1_000_000
CLIP_TOKENS = 32  # of a second of audio: the most that a vendor makes of it
CLIP_BYTES, LEAST_CLIP_BYTES = 16_000, 750  # of a second of compressed audio: about (128 kbit/s), and at least (6)


class Prices(Protocol):
    """US dollars per million tokens: `cards.Prices`, or the user's own."""

    @property
    def input(self) -> float: ...
    @property
    def output(self) -> float: ...
    @property
    def cached_input(self) -> float | None: ...
    @property
    def audio_input(self) -> float | None: ...


def estimate(request: Request, prices: Prices | None = None, room: int = 0) -> Estimate:
    """What a request will take.

    Args:
        room: tokens granted for reasoning on top of the answer's.
    """
    texts = [part for message in request.messages for part in message.parts if isinstance(part, str)]
    if isinstance(request, Choose):
        texts.append(request.reply_start)
    clips = [part for message in request.messages for part in message.parts if isinstance(part, Clip)]
    turns, lengths = len(request.messages), [_seconds(clip) for clip in clips]
    about = sum(map(_about, texts)) + 4 * turns + CLIP_TOKENS * sum(about for about, _ in lengths)
    most = sum(map(_most, texts)) + 16 * turns
    reply = 1 if isinstance(request, Choose) else request.decoding.max_tokens + room
    dear = (
        None if prices is None else _dollars(prices, most, reply, audio=CLIP_TOKENS * sum(most for _, most in lengths))
    )
    return Estimate(round(about), reply, dear)


def cost(prices: Prices | None, response: Response, *, cached: int = 0, audio: int = 0) -> float | None:
    """US dollars that an answer cost; None where no price is known.

    Args:
        cached: how many of its prompt's tokens the server had in its cache.
        audio: how many of its prompt's tokens were audio.
    """
    if prices is None:
        return None
    cached = min(cached, response.prompt_tokens)
    audio = min(audio, response.prompt_tokens - cached)
    plain = response.prompt_tokens - cached - audio
    return _dollars(prices, plain, response.completion_tokens, cached=cached, audio=audio)


def _dollars(prices: Prices, plain: float, reply: float, *, cached: float = 0, audio: float = 0) -> float:
    of_cached = prices.input if prices.cached_input is None else prices.cached_input
    of_audio = prices.input if prices.audio_input is None else prices.audio_input
    return (plain * prices.input + cached * of_cached + audio * of_audio + reply * prices.output) / MILLION


def _about(text: str) -> float:
    """Tokens of a text, from its letters: English has about four to a token, Chinese one or fewer."""
    plain = sum(character.isascii() for character in text)
    return plain * 0.25 + (len(text) - plain)


def _most(text: str) -> float:
    """The most tokens that a text takes: two letters of English to a token, each digit and sign one of its own, and
    of other writing as many as it has bytes."""
    letters = sum(character.isascii() and (character.isalpha() or character == " ") for character in text)
    return letters * 0.5 + (len(text.encode("utf-8", "replace")) - letters)


def _seconds(clip: Clip) -> tuple[float, float]:
    """How long a clip is, about and at most: of plain sound by its header, of another kind by its size."""
    try:
        size = Path(clip.path).stat().st_size
        with wave.open(clip.path) as sound:
            seconds = size / (sound.getframerate() * sound.getnchannels() * sound.getsampwidth())
        return seconds, seconds
    except OSError:
        return 0.0, 0.0
    except (wave.Error, EOFError, ZeroDivisionError):
        return size / CLIP_BYTES, size / LEAST_CLIP_BYTES
