"""Models behind Anthropic's API.

    akb eval --model claude-sonnet-4.5 ...        akb eval --model anthropic:NAME ...

Reasoning ("extended thinking") is asked for by a budget of tokens or, of newer models, by a word of effort. The API
takes no audio and shows no log-probabilities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from akb.adapters.cards import Card
from akb.adapters.faults import ToldError
from akb.adapters.remote import Reading, Remote, Thinking, count, decoding_of, name, read_args, response
from akb.types import Decoding, Finish, Request

_KINDS = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "refusal": Finish.REFUSAL,
    "pause_turn": Finish.ERROR,  # of tools of the server's, and none are given
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
        http = sdk.DefaultAsyncHttpxClient(follow_redirects=False)  # the key is for this address alone
        return sdk.AsyncAnthropic(
            api_key=key, base_url=address, timeout=self.args.timeout, max_retries=0, http_client=http
        )

    def thinking(self, decoding: Decoding) -> Thinking:
        """A budget counts against max_tokens, so that there must be room for the least one that the API takes."""
        found = super().thinking(decoding)
        budget = self._budget(found)
        return found if budget is None else replace(found, room=max(found.room, budget))

    def _budget(self, thinking: Thinking) -> int | None:
        """The budget of tokens to be told; None where reasoning is off, or goes by a word or the model's choice."""
        by_itself = thinking.effort is None and self.reasons == "always"
        if not thinking.on or isinstance(thinking.effort, str) or by_itself:
            return None
        return max(thinking.room if thinking.effort is None else thinking.effort, LEAST_BUDGET)

    async def send(self, client: Any, request: Request) -> Any:
        decoding = decoding_of(request)
        thinking = self.thinking(decoding)
        body: dict[str, Any] = {
            "model": self.card.model,
            "max_tokens": decoding.max_tokens + thinking.room,
            "messages": [{"role": m.role, "content": m.text} for m in request.messages if m.role != "system"],
            **self._reasoning(thinking),
        }
        if system := "\n\n".join(m.text for m in request.messages if m.role == "system"):
            body["system"] = system
        if decoding.stop:
            body["stop_sequences"] = list(decoding.stop)
        sampling = self.sampling(decoding, thinking)
        sampling.pop("seed", None)  # this API has none
        # The SDK no longer names temperature, because newer models refuse it; the older ones of the study take it.
        return await client.messages.create(**body, extra_body=sampling or None)

    def _reasoning(self, thinking: Thinking) -> dict[str, Any]:
        """The fields for reasoning."""
        if not thinking.on:
            return {"thinking": {"type": "disabled"}} if self.reasons == "switch" else {}
        if isinstance(thinking.effort, str):
            return {"thinking": {"type": "adaptive"}, "output_config": {"effort": thinking.effort}}
        budget = self._budget(thinking)
        return {} if budget is None else {"thinking": {"type": "enabled", "budget_tokens": budget}}

    def read(self, answer: Any, thinking: Thinking) -> Reading:
        if told := getattr(answer, "error", None):  # as servers in between send it with status 200
            raise ToldError(told)
        if not isinstance(answer.content, list):
            raise TypeError("a list of blocks is wanted")
        usage = answer.usage
        texts = [block.text for block in answer.content if block.type == "text"]
        thoughts = [block.thinking for block in answer.content if block.type == "thinking"]
        details = getattr(usage, "output_tokens_details", None)
        cached = count(usage.cache_read_input_tokens)
        # what is written into the cache costs a quarter more, and is never asked for here: it counts as input
        prompt = count(usage.input_tokens) + count(usage.cache_creation_input_tokens) + cached
        got = response(
            answer.stop_reason,
            text="".join(texts),
            reasoning="".join(thoughts),
            thought=thinking.on or bool(thoughts),
            kinds=_KINDS,
            prompt_tokens=prompt,
            completion_tokens=count(usage.output_tokens),
            reasoning_tokens=count(getattr(details, "thinking_tokens", None)),
            served_model=name(answer.model),
        )
        why = getattr(getattr(answer, "stop_details", None), "category", None)
        if got.finish == Finish.REFUSAL and isinstance(why, str):
            got = replace(got, notes={**got.notes, "refusal": why})
        return Reading(got, cached)


def build(card: Card, args: Mapping[str, Any]) -> Anthropic:
    """The adapter for a card and its settings.

    Raises:
        AkbError: an unknown or wrong setting.
    """
    return Anthropic(card, read_args(card, args))
