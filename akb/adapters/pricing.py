"""What requests take and cost: an estimate before they are asked, the price of an answer afterwards.

Before, only the texts are known, not the model's tokenizer; so a number of tokens is told as "about", and a cost as
"at most": by the densest text that tokenizers make of common languages, and a reply that uses its whole room.
"""

from __future__ import annotations

from pathlib import Path

from akb.adapters.cards import Prices
from akb.types import Choose, Clip, Estimate, Request, Response

MILLION = 1_000_000
CLIP_BYTES, CLIP_TOKENS = (
    8_000,
    32,
)  # a second of audio takes at least so many bytes (64 kbit/s), at most so many tokens


def estimate(request: Request, prices: Prices | None = None, room: int = 0) -> Estimate:
    """What a request will take.

    Args:
        room: tokens granted for reasoning on top of the answer's.
    """
    texts = [part for message in request.messages for part in message.parts if isinstance(part, str)]
    clips = [part for message in request.messages for part in message.parts if isinstance(part, Clip)]
    turns, audio = len(request.messages), sum(_audio_tokens(clip) for clip in clips)
    about = sum(_tokens(text, 0.25, 1.0) for text in texts) + 4 * turns + audio
    most = sum(_tokens(text, 0.5, 2.0) for text in texts) + 16 * turns
    reply = 1 if isinstance(request, Choose) else request.decoding.max_tokens + room
    return Estimate(round(about), reply, None if prices is None else _dollars(prices, most, reply, audio=audio))


def cost(prices: Prices | None, response: Response, *, cached: int = 0, audio: int = 0) -> float | None:
    """US dollars that an answer cost; None where no price is known.

    Args:
        cached: how many of its prompt's tokens the server had in its cache.
        audio: how many of its prompt's tokens were audio.
    """
    if prices is None:
        return None
    plain = max(response.prompt_tokens - cached - audio, 0)
    return _dollars(prices, plain, response.completion_tokens, cached=cached, audio=audio)


def _dollars(prices: Prices, plain: float, reply: float, *, cached: float = 0, audio: float = 0) -> float:
    of_cached = prices.input if prices.cached_input is None else prices.cached_input
    of_audio = prices.input if prices.audio_input is None else prices.audio_input
    return (plain * prices.input + cached * of_cached + audio * of_audio + reply * prices.output) / MILLION


def _tokens(text: str, ascii_each: float, other_each: float) -> float:
    """Tokens of a text, from its letters: English has about four to a token, Chinese one or fewer."""
    plain = sum(character.isascii() for character in text)
    return plain * ascii_each + (len(text) - plain) * other_each


def _audio_tokens(clip: Clip) -> float:
    try:
        return Path(clip.path).stat().st_size / CLIP_BYTES * CLIP_TOKENS
    except OSError:
        return 0.0
