"""Models behind the Gemini API of Google (not Vertex AI).

    akb eval --model gemini-2.5-pro ...        akb eval --model google:NAME ...

Reasoning ("thinking") is asked for by a budget of tokens (Gemini 2.5) or by a word, its level (from Gemini 3 on).
Audio goes with the request itself, which may not be larger than 20 MB.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from akb.adapters.cards import Card
from akb.adapters.faults import UnreadableError
from akb.adapters.remote import (
    Reading,
    Remote,
    Thinking,
    count,
    decoding_of,
    name,
    read_args,
    response,
)
from akb.errors import AkbError, ClipError
from akb.types import Choose, Clip, Finish, Request, Response

_FILTERS = ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "ESCALATION")
_FAULTS = (  # no tools are given, and no turn of the model's own but the study's
    *("FINISH_REASON_UNSPECIFIED", "OTHER", "MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"),
    *("TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"),
)
_KINDS = {
    "STOP": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    "CONTINUATION": Finish.LENGTH,
    **dict.fromkeys(_FILTERS, Finish.REFUSAL),
    **dict.fromkeys(_FAULTS, Finish.ERROR),
}
LARGEST = 20 * 2**20  # bytes of a request, audio in base64


class Google(Remote):
    """A model by the Gemini API's generateContent."""

    NAME = "google"
    MODULE, PACKAGE = "google.genai", "google-genai"
    KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    URL = "GOOGLE_GEMINI_BASE_URL"
    DATED = re.compile(r"-(\d{3}|\d{2}-\d{2}|\d{2}-\d{4})$")
    SAMPLES_WHILE_REASONING = True
    SHOWS = True
    SOUNDS = {kind: f"audio/{kind}" for kind in ("wav", "mp3", "flac", "ogg", "aac", "aiff")}  # noqa: RUF012

    def connect(self, sdk: Any, key: str) -> Any:
        # a word that the SDK does not know stands in the response's notes; its warning would quote the server
        warnings.filterwarnings("ignore", message=".* is not a valid ", module=r"google\.genai\.")
        options = {
            "base_url": self.base_url or "https://generativelanguage.googleapis.com/",
            "api_version": "v1beta",
            "timeout": int(self.args.timeout * 1000),
            "retry_options": {"attempts": 1},
            "client_args": {"follow_redirects": False},  # the key is for this address alone
            "async_client_args": {"follow_redirects": False, "allow_redirects": False},  # httpx's word, aiohttp's
        }
        return sdk.Client(api_key=key, vertexai=False, http_options=options)

    async def disconnect(self, client: Any) -> None:
        await client.aio.aclose()
        client.close()

    async def send(self, client: Any, request: Request) -> Any:
        decoding = decoding_of(request)
        thinking = self.thinking(decoding)
        config: dict[str, Any] = {
            "automatic_continuation": False,  # the SDK would ask on by itself when a reply is cut
            "max_output_tokens": decoding.max_tokens + thinking.room,
            **self.sampling(decoding, thinking),
        }
        if system := "\n\n".join(m.text for m in request.messages if m.role == "system"):
            config["system_instruction"] = system
        if decoding.stop:
            config["stop_sequences"] = list(decoding.stop)
        if told := self._reasoning(thinking, wanted=decoding.thinking not in ("off", 0)):
            config["thinking_config"] = told
        if isinstance(request, Choose):
            config |= {"response_logprobs": True, "logprobs": self.args.top_logprobs}
        turns = [
            {"role": "model" if m.role == "assistant" else "user", "parts": [self._part(part) for part in m.parts]}
            for m in request.messages
            if m.role != "system"
        ]
        self._check_size(request)
        return await client.aio.models.generate_content(model=self.card.model, contents=turns, config=config)

    def _part(self, part: str | Clip) -> dict[str, Any]:
        if isinstance(part, str):
            return {"text": part}
        kind, data = self.sound(part)
        return {"inline_data": {"mime_type": kind, "data": data}}

    def _check_size(self, request: Request) -> None:
        """Raises if the API would not take the request for its size; the server's own words would not say so."""
        clips = [part for message in request.messages for part in message.parts if isinstance(part, Clip)]
        size = sum(4 * Path(clip.path).stat().st_size / 3 for clip in clips)
        size += sum(len(message.text.encode("utf-8", "replace")) for message in request.messages)
        if clips and size > LARGEST:
            told = f"a request with {len(clips)} clips has {size / 2**20:.1f} MB; this API takes 20 MB at most"
            fix = "Shorten the clips, or convert them to mp3 or flac."
            raise ClipError(told, where=clips[0].path, fix=fix)

    def _reasoning(self, thinking: Thinking, *, wanted: bool) -> dict[str, Any]:
        if not thinking.on:
            return {"thinking_budget": 0} if self.reasons == "switch" else {}
        told: dict[str, Any] = {"include_thoughts": True} if wanted else {}
        if thinking.effort is not None:
            told["thinking_level" if isinstance(thinking.effort, str) else "thinking_budget"] = thinking.effort
        return told

    def read(self, answer: Any, thinking: Thinking) -> Reading:
        usage = answer.usage_metadata
        thought = count(getattr(usage, "thoughts_token_count", None))
        counted: dict[str, Any] = {
            "prompt_tokens": count(getattr(usage, "prompt_token_count", None)),
            "completion_tokens": count(getattr(usage, "candidates_token_count", None)) + thought,
            "reasoning_tokens": thought,
            "served_model": name(answer.model_version),
        }
        cached = count(getattr(usage, "cached_content_token_count", None))
        audio = _audio(getattr(usage, "prompt_tokens_details", None))
        audio = max(audio - _audio(getattr(usage, "cache_tokens_details", None)), 0)
        if not answer.candidates:
            return Reading(_blocked(answer, counted), cached, audio)
        candidate = answer.candidates[0]
        parts = (candidate.content.parts if candidate.content else None) or []
        if _word(candidate.finish_reason) == "PUP_LIMITED_DISABLED":  # no question will fare better
            raise AkbError("Google has limited or disabled the account of this key", where=self.where)
        got = response(
            candidate.finish_reason,
            text="".join(part.text or "" for part in parts if not part.thought),
            reasoning="".join(part.text or "" for part in parts if part.thought),
            thought=bool(thinking.on or thought),
            kinds=_KINDS,
            **counted,
        )
        return Reading(got, cached, audio, _shown(candidate.logprobs_result, got.text or ""))

    def retry_after(self, error: Exception) -> float | None:
        """This API tells the delay in the error's body ("37s"), seldom in a header."""
        found = re.search(r"'retryDelay': '(\d+(?:\.\d+)?)s'", str(getattr(error, "details", "")))
        return float(found[1]) if found else super().retry_after(error)


def _blocked(answer: Any, counted: Mapping[str, Any]) -> Response:
    """The refusal of a prompt; an error if there is no word of one."""
    blocked = getattr(answer.prompt_feedback, "block_reason", None)
    if blocked is None:
        raise UnreadableError("the server's reply has neither an answer nor a reason why not")
    return Response(text="", finish=Finish.REFUSAL, notes={"finish_reason": f"prompt: {_word(blocked)}"}, **counted)


def _word(reason: Any) -> str:
    return str(getattr(reason, "value", reason))


def _audio(details: Any) -> int:
    """How many of the counted tokens were audio."""
    return sum(count(part.token_count) for part in details or () if _word(part.modality) == "AUDIO")


def _shown(result: Any, text: str) -> Sequence[tuple[str, float]] | None:
    """The most probable first tokens; none at all where the reply ended before its first."""
    if result is None:
        return None
    steps = result.top_candidates or []
    if not steps:
        return None if text else ()
    tops = steps[0].candidates or []
    return [(top.token or "", float(top.log_probability)) for top in tops if top.log_probability is not None] or None


def build(card: Card, args: Mapping[str, Any]) -> Google:
    """The adapter for a card and its settings.

    Raises:
        AkbError: an unknown or wrong setting.
    """
    return Google(card, read_args(card, args, least=-1))  # -1: as the model sees fit
