"""Models behind OpenAI's API, and behind servers that speak it (vLLM, llama.cpp ...: `--set model.base_url=...`).

    akb eval --model gpt-5 ...        akb eval --model openai:NAME ...

It is asked by chat completions, which those other servers know too. A model that reasons takes no temperature here
and returns its reasoning only where such a server does, apart or between the card's marks in the reply.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from akb.adapters.cards import Card, Reasoning
from akb.adapters.faults import ToldError
from akb.adapters.remote import (
    Args,
    Reading,
    Remote,
    Thinking,
    count,
    decoding_of,
    name,
    read_args,
    response,
)
from akb.adapters.rendering import split_reasoning
from akb.errors import AkbError
from akb.types import Choose, Clip, Finish, Message, Request, Response

_FAULTS = ("error", "abort", "insufficient_system_resource")  # of OpenRouter, vLLM, DeepSeek
_KINDS = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "content_filter": Finish.REFUSAL,
    **dict.fromkeys(_FAULTS, Finish.ERROR),
}
_REFUSALS = {  # error codes: a filter took the prompt
    "content_filter",
    "content_policy_violation",
    "invalid_prompt",
    "ResponsibleAIPolicyViolation",  # Azure's
}


class OpenAI(Remote):
    """A model by OpenAI's chat completions."""

    NAME = "openai"
    MODULE = PACKAGE = "openai"
    KEYS = ("OPENAI_API_KEY",)
    URL = "OPENAI_BASE_URL"
    DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})$")
    SHOWS = PREFILLS = True
    SOUNDS = {"wav": "wav", "mp3": "mp3"}  # noqa: RUF012

    @cached_property
    def marks(self) -> Reasoning:
        """How the reasoning stands in a reply, and is switched in the chat template of a server of one's own."""
        return self.card.reasoning.model_copy(update={"can": self.reasons})

    def fingerprint(self) -> Mapping[str, Any]:
        told = dict(super().fingerprint())
        marks = self.marks.model_dump(mode="json", exclude={"can"}, exclude_defaults=True)
        return told | {"marks": marks} if marks and self.reasons != "never" else told

    def takes_audio(self) -> bool:
        """By OpenAI's own names those with "audio" or "omni" in them; of another server, it is left to the server."""
        return self.base_url is not None or re.search("audio|omni", self.card.model, re.IGNORECASE) is not None

    def connect(self, sdk: Any, key: str) -> Any:
        address = self.base_url or "https://api.openai.com/v1"
        http = sdk.DefaultAsyncHttpxClient(follow_redirects=False)  # the key is for this address alone
        return sdk.AsyncOpenAI(
            api_key=key, base_url=address, timeout=self.args.timeout, max_retries=0, http_client=http
        )

    async def send(self, client: Any, request: Request) -> Any:
        decoding = decoding_of(request)
        thinking = self.thinking(decoding)
        body: dict[str, Any] = {
            "model": self.card.model,
            "messages": [{"role": message.role, "content": self._content(message)} for message in request.messages],
            "max_completion_tokens": decoding.max_tokens + thinking.room,
            **self.sampling(decoding, thinking),
        }
        extra: dict[str, Any] = {}  # what servers of one's own know, and the SDK does not
        if switch := self.marks.on if thinking.on else self.marks.off:
            extra["chat_template_kwargs"] = switch
        if isinstance(thinking.effort, str):  # a number of tokens has no word here: it is the room alone
            body["reasoning_effort"] = thinking.effort
        elif not thinking.on and self.reasons == "switch" and not switch:
            body["reasoning_effort"] = "none"
        if decoding.stop:
            body["stop"] = list(decoding.stop)
        if isinstance(request, Choose):
            body |= {"logprobs": True, "top_logprobs": self.args.top_logprobs}
            if request.reply_start and self.args.prefill:
                body["messages"].append({"role": "assistant", "content": request.reply_start})
                extra |= {"continue_final_message": True, "add_generation_prompt": False}
        return await client.chat.completions.create(**body, extra_body=extra or None)

    def _content(self, message: Message) -> str | list[dict[str, Any]]:
        if not any(isinstance(part, Clip) for part in message.parts):
            return message.text
        return [self._part(part) for part in message.parts]

    def _part(self, part: str | Clip) -> dict[str, Any]:
        if isinstance(part, str):
            return {"type": "text", "text": part}
        kind, data = self.sound(part)
        return {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode(), "format": kind}}

    def read(self, answer: Any, thinking: Thinking) -> Reading:
        _raise_told(answer)
        choice, usage = answer.choices[0], answer.usage
        _raise_told(choice)
        message = choice.message
        of_reply = getattr(usage, "completion_tokens_details", None)
        of_prompt = getattr(usage, "prompt_tokens_details", None)
        thought = count(getattr(of_reply, "reasoning_tokens", None))
        reasoning, text = self._apart(message, thinking)
        got = response(
            "content_filter" if message.refusal else choice.finish_reason,
            text=message.refusal or text,
            reasoning=reasoning,
            thought=bool(thinking.on or thought or reasoning),
            kinds=_KINDS,
            prompt_tokens=count(getattr(usage, "prompt_tokens", None)),
            completion_tokens=count(getattr(usage, "completion_tokens", None)),
            reasoning_tokens=thought,
            served_model=name(answer.model),
        )
        cached = count(getattr(of_prompt, "cached_tokens", None))
        audio = count(getattr(of_prompt, "audio_tokens", None))
        return Reading(got, cached, audio, _shown(choice))

    def _apart(self, message: Any, thinking: Thinking) -> tuple[str, str]:
        """(reasoning, answer): by the server, or by the marks in the reply."""
        told = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
        text = message.content or ""
        if isinstance(told, str) and told:
            return told, text
        reasoning, text, _ = split_reasoning(self.marks, text, thinking=thinking.on)
        return reasoning or "", text

    def refused(self, error: Exception) -> Response | None:
        body = getattr(error, "body", None)
        body = body if isinstance(body, dict) else {}
        inner, more = body.get("innererror"), body.get("metadata")
        codes = [getattr(error, "code", None), inner.get("code") if isinstance(inner, dict) else None]
        code = next((code for code in codes if code in _REFUSALS), None)
        status = getattr(error, "status_code", None)
        if status == 403 and isinstance(more, dict) and "flagged_input" in more:  # OpenRouter's moderation
            code = "flagged_input"
        elif status != 400 or code is None:
            return None
        return Response(text="", finish=Finish.REFUSAL, notes={"finish_reason": code})


def _raise_told(part: Any) -> None:
    """Raises if a part of a reply is an error, as servers in between send it with status 200."""
    told = getattr(part, "error", None)
    if told and not getattr(part, "choices", None):
        raise ToldError(told)


def _shown(choice: Any) -> Sequence[tuple[str, float]] | None:
    """The most probable first tokens; none at all where the reply ended before its first."""
    tokens = getattr(getattr(choice, "logprobs", None), "content", None)
    if tokens is None or (not tokens and choice.message.content):
        return None
    if not tokens:
        return ()
    return [(top.token, float(top.logprob)) for top in tokens[0].top_logprobs or ()] or None


def build(card: Card, args: Mapping[str, Any]) -> OpenAI:
    """The adapter for a card and its settings.

    Raises:
        AkbError: an unknown or wrong setting.
    """
    read: Args = read_args(card, args)
    for field in ("effort", "least_effort"):
        if isinstance(getattr(read, field), int):
            raise AkbError(f"{field}: a word is wanted, such as low or high (found {getattr(read, field)})",
                           where=f"model {card.name}")  # fmt: skip
    return OpenAI(card, read)
