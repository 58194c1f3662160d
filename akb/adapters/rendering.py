"""From messages to the exact tokens that a local model reads, and from a reply's tokens to reasoning and answer.

- The model's chat template is used when it has one (and the card does not say "plain"); a base model reads the
  messages as plain text.
- BOS stands at the beginning exactly once if the tokenizer uses one, whether the template writes it or not.
- A continuation is tokenised together with its prompt, never alone, because tokens cross boundaries (" A" is not
  " " and "A"). Where joining changes the prompt's last tokens, scoring starts at the first token that differs, and
  at the same place for all continuations of a question, so that they are compared over the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from akb.adapters.cards import Reasoning
from akb.errors import AkbError
from akb.types import Choose, Clip, Message, Request

THE_DAY = date(2024, 7, 26)
_NOW = re.compile(r"strftime_now\(\s*([\"'])(.*?)\1\s*\)")


@dataclass(frozen=True)
class Encoded:
    """A request in tokens.

    Attributes:
        prompt: ids that are given.
        continuations: of a Choose, for each option, for each spelling, the ids that are scored after `prompt`.
    """

    prompt: tuple[int, ...]
    continuations: tuple[tuple[tuple[int, ...], ...], ...]


class Renderer:
    """Renders requests for one tokenizer.

    Args:
        tokenizer: a transformers tokenizer.
        template: "chat" or "plain".
        reasoning: how the model's reasoning is switched.
        where: names the model in errors.
    """

    def __init__(self, tokenizer: Any, template: Literal["chat", "plain"], reasoning: Reasoning, where: str) -> None:
        self.tokenizer, self.reasoning, self.where = tokenizer, reasoning, where
        self.chat = template == "chat" and bool(getattr(tokenizer, "chat_template", None))
        self.template = dated(tokenizer.get_chat_template(), where) if self.chat else None
        self.bos: int | None = tokenizer.bos_token_id
        ids = tokenizer("a")["input_ids"]
        self.adds_bos = self.bos is not None and len(ids) > 0 and ids[0] == self.bos

    def text(self, request: Request) -> str:
        """The prompt as text, with everything that the template writes."""
        start = request.reply_start if isinstance(request, Choose) else ""
        if not self.chat:
            return plain(request.messages, start)
        return self._templated(request) + start

    def _templated(self, request: Request) -> str:
        messages = [{"role": m.role, "content": _text(m, self.where)} for m in request.messages]
        thinking = "off" if isinstance(request, Choose) else request.decoding.thinking
        switch = self.reasoning.off if thinking == "off" else self.reasoning.on
        try:
            text: str = self._apply(messages, switch)
        except Exception as error:
            if messages[0]["role"] != "system":
                raise AkbError(f"the chat template fails: {error}", where=self.where) from None
            first, *rest = messages[1:]
            merged = {"role": first["role"], "content": f"{messages[0]['content']}\n\n{first['content']}"}
            try:
                text = self._apply([merged, *rest], switch)
            except Exception:
                raise AkbError(f"the chat template fails: {error}", where=self.where) from None
        return text

    def _apply(self, messages: list[dict[str, str]], switch: dict[str, Any]) -> str:
        text = self.tokenizer.apply_chat_template(
            messages, chat_template=self.template, tokenize=False, add_generation_prompt=True, **switch
        )
        return str(text)

    def ids(self, text: str) -> list[int]:
        """A text's ids, with BOS exactly once in front if the tokenizer uses one."""
        return self.ids_of([text])[0]

    def ids_of(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of several texts, tokenised together, as `ids` gives them."""
        return [self._with_bos(ids) for ids in self._tokens(texts)]

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of texts, with nothing added; each different text is tokenised once."""
        different = list(dict.fromkeys(texts))
        if not different:
            return []
        told = self.tokenizer(different, add_special_tokens=False, return_attention_mask=False)
        found = dict(zip(different, told["input_ids"], strict=True))
        return [found[text] for text in texts]

    def _with_bos(self, ids: list[int]) -> list[int]:
        start = 0
        while self.bos is not None and start < len(ids) and ids[start] == self.bos:
            start += 1
        if self.bos is not None and (self.adds_bos or start > 0):
            return [self.bos, *ids[start:]]
        return ids

    def encode(self, request: Request) -> Encoded:
        """The prompt's ids and those of every continuation.

        Raises:
            AkbError: a continuation is empty.
        """
        return self.encode_all([request])[0]

    def encode_all(self, requests: Sequence[Request]) -> list[Encoded]:
        """`encode` for several requests, tokenised together."""
        prompts = [self.text(request) for request in requests]
        ids_of_prompts = self.ids_of(prompts)
        pairs = zip(requests, ids_of_prompts, self._with_continuations(requests, prompts, ids_of_prompts), strict=True)
        return [
            self._split(request, ids, whole) if isinstance(request, Choose) else Encoded(tuple(ids), ())
            for request, ids, whole in pairs
        ]

    def _with_continuations(
        self, requests: Sequence[Request], prompts: Sequence[str], ids: Sequence[list[int]]
    ) -> Iterator[list[list[list[int]]]]:
        """For each request the ids of its prompt with each of its continuations.

        Only the end of a prompt is tokenised again with each of them. Where the end by itself has not the tokens that
        it has in the prompt (some tokenizers begin a text otherwise than a line), the whole is.
        """
        ends = [_end(prompt) for prompt in prompts]
        pairs = zip(requests, ends, strict=True)
        found = iter(self._tokens([end + c for request, end in pairs for c in ("", *_flat(request))]))
        for request, prompt, known in zip(requests, prompts, ids, strict=True):
            begun, ended = next(found), [next(found) for _ in _flat(request)]
            before = len(known) - len(begun)
            if before >= 0 and known[before:] == begun and (begun or not prompt):
                whole = iter([known[:before] + ids for ids in ended])
            else:
                whole = iter(self.ids_of([prompt + continuation for continuation in _flat(request)]))
            yield [[next(whole) for _ in group] for group in _continuations(request)]

    def _split(self, request: Choose, prompt: list[int], whole: list[list[list[int]]]) -> Encoded:
        """Prompt and continuations, from the ids of the prompt alone and of the prompt with each continuation."""
        split = min(_common(prompt, ids) for group in whole for ids in group)
        if split == 0:
            prompt, split, whole = self._after_something(whole)
        for group, ids_group in zip(request.continuations, whole, strict=True):
            for text, ids in zip(group, ids_group, strict=True):
                if len(ids) <= split:
                    raise AkbError(f"the continuation {text!r} has no tokens of its own", where=self.where)
        return Encoded(tuple(prompt[:split]), tuple(tuple(tuple(ids[split:]) for ids in g) for g in whole))

    def _after_something(self, whole: list[list[list[int]]]) -> tuple[list[int], int, list[list[list[int]]]]:
        """A first token can only be scored after another one: end-of-text stands in where there is no BOS."""
        start = self.bos if self.bos is not None else self.tokenizer.eos_token_id
        if start is None:
            raise AkbError("an empty prompt cannot be scored: the tokenizer has neither BOS nor EOS", where=self.where)
        return [start], 1, [[[start, *ids] for ids in group] for group in whole]

    def split_reasoning(self, reply: str, *, thinking: bool) -> tuple[str | None, str, bool]:
        """Split a reply into reasoning and answer, as `split_reasoning` does."""
        return split_reasoning(self.reasoning, reply, thinking=thinking)


def split_reasoning(how: Reasoning, reply: str, *, thinking: bool) -> tuple[str | None, str, bool]:
    """Split a reply into reasoning and answer.

    Returns:
        The reasoning (None if there is none), the answer, and whether the reasoning came to its end.
    """
    if how.can == "never":
        return None, reply, True
    inside = reply.lstrip().startswith(how.open) or (thinking and how.opened_by_template)
    if how.close in reply:
        before, after = reply.split(how.close, 1)
        return before.replace(how.open, "", 1).strip() or None, after.strip(), True
    if inside:
        return reply.replace(how.open, "", 1).strip(), "", False
    return None, reply, True


def plain(messages: Sequence[Message], reply_start: str = "") -> str:
    """Messages as plain text for models without a chat template: turns set apart by an empty line, a reply on the
    line after its question, and at the end the start of the reply that is wanted."""
    text = ""
    for message in messages:
        gap = "\n" if message.role == "assistant" else "\n\n"
        text += (gap if text else "") + _text(message, "plain text")
    if not text:
        return reply_start
    return f"{text}\n{reply_start}"


def shown(messages: Sequence[Message], reply_start: str = "") -> str:
    """Messages as plain text for people: where a clip stands, its file's name."""
    told = (
        replace(message, parts=tuple(f"[audio: {Path(p.path).name}]\n" if isinstance(p, Clip) else p
                                     for p in message.parts))
        for message in messages
    )  # fmt: skip
    return plain(tuple(told), reply_start)


def _text(message: Message, where: str) -> str:
    if any(isinstance(part, Clip) for part in message.parts):
        raise AkbError("a text model cannot be given audio", where=where)
    return message.text


def dated(template: str, where: str) -> str:
    """A chat template that writes today's date, made to write the same day always: or no score could be had again
    tomorrow. It is the day that Llama 3.1's template writes by itself.

    Raises:
        AkbError: it writes the date in a way that is not understood.
    """
    fixed = _NOW.sub(lambda call: repr(THE_DAY.strftime(call[2])), template)
    if "strftime_now(" in fixed:
        raise AkbError("the chat template writes today's date in a way that cannot be held fast", where=where,
                       fix="Ask the model as plain text: --set model.template=plain")  # fmt: skip
    return fixed


def _continuations(request: Request) -> tuple[tuple[str, ...], ...]:
    return request.continuations if isinstance(request, Choose) else ()


def _flat(request: Request) -> list[str]:
    return [continuation for group in _continuations(request) for continuation in group]


def _end(text: str) -> str:
    """The end of a text from where a line begins with a letter or digit: tokens of a text hardly ever cross that."""
    cut = text.rfind("\n", 0, max(len(text) - 1, 0))
    while cut >= 0 and not text[cut + 1].isalnum():
        cut = text.rfind("\n", 0, cut)
    return text[cut + 1 :]


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common beginning."""
    for index, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return index
    return min(len(a), len(b))
