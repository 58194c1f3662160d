"""Replies in words: when one is over, and what its tokens say.

The model's own generation defaults (temperatures, repetition penalties) are not used: only what the request says
and the model's end-of-text tokens hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from akb.adapters.rendering import Renderer
from akb.types import Decoding, Finish, Generate, Response

UNBOUNDED_THINKING = 8192  # tokens of reasoning when thinking is "on" without a budget


def thinking_budget(decoding: Decoding) -> int:
    """The most tokens that reasoning may take; 0 when it is off."""
    if decoding.thinking == "off":
        return 0
    return UNBOUNDED_THINKING if decoding.thinking == "on" else decoding.thinking


def room(decoding: Decoding, renderer: Renderer) -> int:
    """The most new tokens a reply may take, reasoning included. A model that always reasons is given its budget
    even where the protocol says "off", because off it cannot be."""
    budget = thinking_budget(decoding)
    if budget == 0 and renderer.reasoning.can == "always":
        budget = UNBOUNDED_THINKING
    return decoding.max_tokens + (budget if renderer.reasoning.can != "never" else 0)


def _thinks(decoding: Decoding, renderer: Renderer) -> bool:
    return decoding.thinking != "off" or renderer.reasoning.can == "always"


@dataclass(frozen=True)
class Replies:
    """Between the tokens of one model and replies.

    Attributes:
        ends: ids that end a reply.
    """

    renderer: Renderer
    ends: tuple[int, ...]

    def watch(self, decoding: Decoding) -> Watch:
        """Says of a new reply when it is over."""
        return Watch(self.renderer, self.ends, decoding)

    def response(self, request: Generate, prompt: Sequence[int], new: Sequence[int]) -> Response:
        """A reply's tokens as a response: reasoning apart, cut at stops, why it ended."""
        end = next((i for i, token in enumerate(new) if token in self.ends), None)
        ids = new if end is None else new[:end]
        tokenizer, decoding = self.renderer.tokenizer, request.decoding
        reply = tokenizer.decode(ids, skip_special_tokens=False)
        reasoning, answer, ended = self.renderer.split_reasoning(reply, thinking=_thinks(decoding, self.renderer))
        said = tokenizer(answer, add_special_tokens=False)["input_ids"]
        spent = min(len(said), len(ids)) > decoding.max_tokens  # what reasoning left over is not the answer's
        answer = tokenizer.decode(said[: decoding.max_tokens] if spent else said, skip_special_tokens=True)
        cut = _cut(answer, decoding.stop)
        stopped = (end is not None and not spent) or cut is not None
        finish = Finish.STOP if stopped else Finish.LENGTH
        used = 0 if reasoning is None else len(tokenizer(reasoning, add_special_tokens=False)["input_ids"])
        budget = thinking_budget(decoding)
        if not ended or (budget and used > budget):
            finish, answer, cut = Finish.THINKING, "", None
        return Response(
            text=answer if cut is None else cut,
            reasoning=reasoning,
            finish=finish,
            prompt_tokens=len(prompt),
            completion_tokens=len(ids) + (end is not None),
            reasoning_tokens=used,
        )


def seed(request: Generate, prompt: Sequence[int]) -> int:
    """A seed of the request's own content, so that what is drawn depends on nothing that was asked beside it."""
    told = repr((request.decoding, tuple(prompt)))
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big") >> 1


class Watch:
    """Says, token by token, when a reply is over: at an end token, at a stop text in the answer, when reasoning has
    used up its budget and is not closed, when the answer has, or at the most tokens of all. One for each reply.

    Attributes:
        most: tokens of a reply at the most.
    """

    def __init__(self, renderer: Renderer, ends: Sequence[int], decoding: Decoding) -> None:
        self.renderer, self.ends, self.decoding = renderer, frozenset(ends), decoding
        self.most = room(decoding, renderer)
        self.budget = thinking_budget(decoding) if renderer.reasoning.can != "never" else 0
        self.closed: int | None = None  # tokens when the reasoning had closed
        self._tail = 1 + max((len(stop.encode()) for stop in decoding.stop), default=0)

    def over(self, new: Sequence[int]) -> bool:
        """Whether the reply is over with the last of these tokens; it is asked after each."""
        return (
            new[-1] in self.ends
            or len(new) >= self.most
            or self._stopped(new)
            or (len(new) == self.budget + 1 > 1 and self._still_thinking(new))
            or self._answer_spent(new)
        )

    def _stopped(self, new: Sequence[int]) -> bool:
        # a text has no more tokens than bytes, so the last few tokens are enough to see it come
        if not any(stop in self._text(new[-self._tail :]) for stop in self.decoding.stop):
            return False
        _, answer, _ = self.renderer.split_reasoning(self._text(new), thinking=_thinks(self.decoding, self.renderer))
        return any(stop in answer for stop in self.decoding.stop)

    def _still_thinking(self, new: Sequence[int]) -> bool:
        return not self.renderer.split_reasoning(self._text(new), thinking=True)[2]

    def _answer_spent(self, new: Sequence[int]) -> bool:
        if self.most == self.decoding.max_tokens:
            return False
        if self.closed is None:
            mark = self.renderer.reasoning.close
            if mark in self._text(new[-len(mark.encode()) - 1 :]):
                self.closed = len(new)
        return self.closed is not None and len(new) - self.closed > self.decoding.max_tokens

    def _text(self, ids: Sequence[int]) -> str:
        return str(self.renderer.tokenizer.decode(ids))


def _cut(text: str, stops: Sequence[str]) -> str | None:
    """The text before the first stop; None if none occurs."""
    found = [text.index(stop) for stop in stops if stop in text]
    return text[: min(found)] if found else None
