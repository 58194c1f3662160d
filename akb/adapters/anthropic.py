"""Models behind Anthropic's API.

    akb eval --model claude-sonnet-4.5 ...        akb eval --model anthropic:NAME ...

Reasoning ("extended thinking") is asked for by a budget of tokens or, of newer models, by a word of effort.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from akb.adapters.cards import Card
from akb.adapters.remote import Remote, Thinking, read_args, response
from akb.types import Finish, Generate, Response

_KINDS = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "refusal": Finish.REFUSAL,
}
LEAST_BUDGET = 1024  # tokens; the API takes no smaller one


class Anthropic(Remote):
    """A model by Anthropic's messages."""

    NAME = "anthropic"
    MODULE = PACKAGE = "anthropic"
    KEYS = ("ANTHROPIC_API_KEY",)
    URL = "ANTHROPIC_BASE_URL"
    DATED = re.compile(r"-\d{8}$")

    def connect(self, sdk: Any, key: str) -> Any:
        address = self.base_url or "https://api.anthropic.com"
        return sdk.AsyncAnthropic(api_key=key, base_url=address, timeout=self.args.timeout, max_retries=0)

    async def send(self, client: Any, request: Generate) -> Any:
        decoding, thinking = request.decoding, self.thinking(request.decoding)
        body: dict[str, Any] = {
            "model": self.card.model,
            "max_tokens": decoding.max_tokens + thinking.room,
            "messages": [{"role": m.role, "content": m.text} for m in request.messages if m.role != "system"],
            **self._reasoning(thinking, decoding.max_tokens),
        }
        if system := "\n\n".join(m.text for m in request.messages if m.role == "system"):
            body["system"] = system
        if decoding.stop:
            body["stop_sequences"] = list(decoding.stop)
        sampling = self.sampling(decoding, thinking)
        sampling.pop("seed", None)  # this API has none
        # The SDK no longer names temperature, because newer models refuse it; the older ones of the study take it.
        return await client.messages.create(**body, extra_body=sampling or None)

    def _reasoning(self, thinking: Thinking, answer: int) -> dict[str, Any]:
        """The fields for reasoning; a budget counts against max_tokens, and must be smaller."""
        if not thinking.on:
            return {"thinking": {"type": "disabled"}} if self.reasons == "switch" else {}
        if isinstance(thinking.effort, str):
            return {"thinking": {"type": "adaptive"}, "output_config": {"effort": thinking.effort}}
        if thinking.effort is None and self.reasons == "always":
            return {}
        budget = max(thinking.effort or thinking.room, LEAST_BUDGET)
        room = max(thinking.room, budget)
        return {"thinking": {"type": "enabled", "budget_tokens": budget}, "max_tokens": answer + room}

    def read(self, answer: Any, thinking: Thinking) -> Response:
        usage = answer.usage
        texts = [block.text for block in answer.content if block.type == "text"]
        thoughts = [block.thinking for block in answer.content if block.type == "thinking"]
        details = getattr(usage, "output_tokens_details", None)
        cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        return response(
            answer.stop_reason,
            text="".join(texts),
            reasoning="".join(thoughts),
            thought=thinking.on or bool(thoughts),
            kinds=_KINDS,
            prompt_tokens=usage.input_tokens + cached,
            completion_tokens=usage.output_tokens,
            reasoning_tokens=getattr(details, "thinking_tokens", None) or 0,
            served_model=answer.model or "",
        )


def build(card: Card, args: Mapping[str, Any]) -> Anthropic:
    """The adapter for a card and its settings.

    Raises:
        AkbError: an unknown or wrong setting.
    """
    return Anthropic(card, read_args(card, args))
