"""Models behind the Gemini API of Google (not Vertex AI).

    akb eval --model gemini-2.5-pro ...        akb eval --model google:NAME ...

Reasoning ("thinking") is asked for by a budget of tokens (Gemini 2.5) or by a word, its level (from Gemini 3 on).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from akb.adapters.cards import Card
from akb.adapters.remote import Remote, Thinking, UnreadableError, read_args, response
from akb.types import Finish, Generate, Response

_FILTERS = ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "ESCALATION")
_KINDS = {"STOP": Finish.STOP, "MAX_TOKENS": Finish.LENGTH, **dict.fromkeys(_FILTERS, Finish.REFUSAL)}


class Google(Remote):
    """A model by the Gemini API's generateContent."""

    NAME = "google"
    MODULE, PACKAGE = "google.genai", "google-genai"
    KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    URL = "GOOGLE_GEMINI_BASE_URL"
    DATED = re.compile(r"-(\d{3}|\d{2}-\d{2}|\d{2}-\d{4})$")
    SAMPLES_WHILE_REASONING = True

    def connect(self, sdk: Any, key: str) -> Any:
        options = {
            "base_url": self.base_url or "https://generativelanguage.googleapis.com/",
            "api_version": "v1beta",
            "timeout": int(self.args.timeout * 1000),
            "retry_options": {"attempts": 1},
        }
        return sdk.Client(api_key=key, vertexai=False, http_options=options)

    async def disconnect(self, client: Any) -> None:
        await client.aio.aclose()
        client.close()

    async def send(self, client: Any, request: Generate) -> Any:
        decoding, thinking = request.decoding, self.thinking(request.decoding)
        config: dict[str, Any] = {
            "max_output_tokens": decoding.max_tokens + thinking.room,
            **self.sampling(decoding, thinking),
        }
        if system := "\n\n".join(m.text for m in request.messages if m.role == "system"):
            config["system_instruction"] = system
        if decoding.stop:
            config["stop_sequences"] = list(decoding.stop)
        if told := self._reasoning(thinking, wanted=decoding.thinking not in ("off", 0)):
            config["thinking_config"] = told
        turns = [
            {"role": "model" if m.role == "assistant" else "user", "parts": [{"text": m.text}]}
            for m in request.messages
            if m.role != "system"
        ]
        return await client.aio.models.generate_content(model=self.card.model, contents=turns, config=config)

    def _reasoning(self, thinking: Thinking, *, wanted: bool) -> dict[str, Any]:
        if not thinking.on:
            return {"thinking_budget": 0} if self.reasons == "switch" else {}
        told: dict[str, Any] = {"include_thoughts": True} if wanted else {}
        if thinking.effort is not None:
            told["thinking_level" if isinstance(thinking.effort, str) else "thinking_budget"] = thinking.effort
        return told

    def read(self, answer: Any, thinking: Thinking) -> Response:
        usage = answer.usage_metadata
        thought = getattr(usage, "thoughts_token_count", None) or 0
        counted: dict[str, Any] = {
            "prompt_tokens": getattr(usage, "prompt_token_count", None) or 0,
            "completion_tokens": (getattr(usage, "candidates_token_count", None) or 0) + thought,
            "reasoning_tokens": thought,
            "served_model": answer.model_version or "",
        }
        if not answer.candidates:
            blocked = getattr(answer.prompt_feedback, "block_reason", None)
            if blocked is None:
                raise UnreadableError("the server's reply has neither an answer nor a reason why not")
            told = str(getattr(blocked, "value", blocked))
            return Response(text="", finish=Finish.REFUSAL, notes={"finish_reason": f"prompt: {told}"}, **counted)
        candidate = answer.candidates[0]
        parts = (candidate.content.parts if candidate.content else None) or []
        return response(
            candidate.finish_reason,
            text="".join(part.text or "" for part in parts if not part.thought),
            reasoning="".join(part.text or "" for part in parts if part.thought),
            thought=bool(thinking.on or thought),
            kinds=_KINDS,
            **counted,
        )

    def retry_after(self, error: Exception) -> float | None:
        """This API tells the delay in the error's body ("37s"), seldom in a header."""
        found = re.search(r"'retryDelay': '(\d+(?:\.\d+)?)s'", str(getattr(error, "details", "")))
        return float(found[1]) if found else super().retry_after(error)


def build(card: Card, args: Mapping[str, Any]) -> Google:
    """The adapter for a card and its settings.

    Raises:
        AkbError: an unknown or wrong setting.
    """
    return Google(card, read_args(card, args))
