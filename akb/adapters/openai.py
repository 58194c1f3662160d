"""Models behind OpenAI's API, and behind servers that speak it (vLLM, llama.cpp ...: `--set model.base_url=...`).

    akb eval --model gpt-5 ...        akb eval --model openai:NAME ...

It is asked by chat completions, which those other servers know too. A model that reasons takes no temperature here
and returns its reasoning only where such a server does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from akb.adapters.cards import Card
from akb.adapters.remote import Args, Remote, Thinking, read_args, response
from akb.errors import AkbError
from akb.types import Finish, Generate, Response

_KINDS = {"stop": Finish.STOP, "length": Finish.LENGTH, "content_filter": Finish.REFUSAL}
_REFUSALS = {"content_filter", "content_policy_violation", "invalid_prompt"}  # error codes: a filter took the prompt


class OpenAI(Remote):
    """A model by OpenAI's chat completions."""

    NAME = "openai"
    MODULE = PACKAGE = "openai"
    KEYS = ("OPENAI_API_KEY",)
    URL = "OPENAI_BASE_URL"
    DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})$")

    def connect(self, sdk: Any, key: str) -> Any:
        address = self.base_url or "https://api.openai.com/v1"
        return sdk.AsyncOpenAI(api_key=key, base_url=address, timeout=self.args.timeout, max_retries=0)

    async def send(self, client: Any, request: Generate) -> Any:
        decoding, thinking = request.decoding, self.thinking(request.decoding)
        body: dict[str, Any] = {
            "model": self.card.model,
            "messages": [{"role": message.role, "content": message.text} for message in request.messages],
            "max_completion_tokens": decoding.max_tokens + thinking.room,
            **self.sampling(decoding, thinking),
        }
        if isinstance(thinking.effort, str):  # a number of tokens has no word here: it is the room alone
            body["reasoning_effort"] = thinking.effort
        elif not thinking.on and self.reasons == "switch":
            body["reasoning_effort"] = "none"
        if decoding.stop:
            body["stop"] = list(decoding.stop)
        return await client.chat.completions.create(**body)

    def read(self, answer: Any, thinking: Thinking) -> Response:
        choice, usage = answer.choices[0], answer.usage
        message = choice.message
        details = getattr(usage, "completion_tokens_details", None)
        reasoning = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None) or ""
        thought = getattr(details, "reasoning_tokens", None) or 0
        return response(
            "content_filter" if message.refusal else choice.finish_reason,
            text=message.refusal or message.content or "",
            reasoning=reasoning if isinstance(reasoning, str) else "",
            thought=bool(thinking.on or thought or reasoning),
            kinds=_KINDS,
            prompt_tokens=getattr(usage, "prompt_tokens", None) or 0,
            completion_tokens=getattr(usage, "completion_tokens", None) or 0,
            reasoning_tokens=thought,
            served_model=answer.model or "",
        )

    def refused(self, error: Exception) -> Response | None:
        code = getattr(error, "code", None)
        if getattr(error, "status_code", None) != 400 or code not in _REFUSALS:
            return None
        return Response(text="", finish=Finish.REFUSAL, notes={"finish_reason": code})


def build(card: Card, args: Mapping[str, Any]) -> OpenAI:
    """The adapter for a card and its settings.

    Raises:
        AkbError: an unknown or wrong setting.
    """
    read: Args = read_args(card, args)
    for name in ("effort", "least_effort"):
        if isinstance(getattr(read, name), int):
            raise AkbError(f"{name}: a word is wanted, such as low or high (found {getattr(read, name)})",
                           where=f"model {card.name}")  # fmt: skip
    return OpenAI(card, read)
