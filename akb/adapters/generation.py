"""Replies in words from a causal language model of transformers: batched, padded on the left, greedy by default.

The model's own generation defaults (temperatures, repetition penalties) are not used: only what the request says
and the model's end-of-text tokens hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from akb.adapters.rendering import Renderer
from akb.types import Decoding, Finish, Generate, Response

if TYPE_CHECKING:
    import torch

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


@dataclass(frozen=True)
class Generator:
    """Generates replies with one model.

    Attributes:
        ends: ids that end a reply.
        pad: id of the padding.
    """

    model: Any
    renderer: Renderer
    ends: tuple[int, ...]
    pad: int

    def replies(self, requests: Sequence[Generate], prompts: Sequence[Sequence[int]]) -> list[Response]:
        """The replies of one batch; all requests have the same decoding settings but for the draw."""
        import torch

        decoding = requests[0].decoding
        longest = max(len(prompt) for prompt in prompts)
        ids = torch.full((len(prompts), longest), self.pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for number, prompt in enumerate(prompts):
            ids[number, longest - len(prompt) :] = torch.tensor(prompt)
            mask[number, longest - len(prompt) :] = 1
        device = next(self.model.parameters()).device
        if decoding.temperature > 0:
            torch.manual_seed(_seed(requests, prompts))
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                generation_config=self._config(decoding),
                stopping_criteria=self._stops(decoding, longest),
            )
        pairs = zip(requests, prompts, out[:, longest:].tolist(), strict=True)
        return [self.response(request, prompt, new) for request, prompt, new in pairs]

    def _config(self, decoding: Decoding) -> Any:
        from transformers import GenerationConfig

        sampling: dict[str, Any] = {"do_sample": False}
        if decoding.temperature > 0:
            told = {"temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
            sampling = {"do_sample": True, **told}
        return GenerationConfig(
            max_new_tokens=room(decoding, self.renderer),
            eos_token_id=list(self.ends),
            pad_token_id=self.pad,
            **sampling,
        )

    def _stops(self, decoding: Decoding, prompt_length: int) -> Any:
        from transformers import StoppingCriteriaList

        stops: list[Any] = []
        if decoding.stop:
            stops.append(_StopTexts(self.renderer.tokenizer, decoding.stop, prompt_length))
        budget = thinking_budget(decoding)
        if budget and self.renderer.reasoning.can != "never":
            stops.append(_Overthinking(self.renderer, budget, prompt_length))
        if room(decoding, self.renderer) > decoding.max_tokens:
            stops.append(_AnswerSpent(self.renderer, decoding.max_tokens, prompt_length))
        return StoppingCriteriaList(stops)

    def response(self, request: Generate, prompt: Sequence[int], new: list[int]) -> Response:
        """A reply's tokens as a response: reasoning apart, cut at stops, why it ended."""
        end = next((i for i, token in enumerate(new) if token in self.ends), None)
        ids = new if end is None else new[:end]
        while end is None and ids and ids[-1] == self.pad:
            ids = ids[:-1]
        tokenizer, decoding = self.renderer.tokenizer, request.decoding
        reply = tokenizer.decode(ids, skip_special_tokens=False)
        thinking = decoding.thinking != "off" or self.renderer.reasoning.can == "always"
        reasoning, answer, ended = self.renderer.split_reasoning(reply, thinking=thinking)
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


def _cut(text: str, stops: Sequence[str]) -> str | None:
    """The text before the first stop; None if none occurs."""
    found = [text.index(stop) for stop in stops if stop in text]
    return text[: min(found)] if found else None


def _seed(requests: Sequence[Generate], prompts: Sequence[Sequence[int]]) -> int:
    """A seed of the batch's own content, so that sampling does not depend on what was asked before."""
    told = repr([(r.decoding, tuple(p)) for r, p in zip(requests, prompts, strict=True)])
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big") >> 1


class _StopTexts:
    """Ends a row when one of the texts occurs in what was generated."""

    def __init__(self, tokenizer: Any, stops: Sequence[str], start: int) -> None:
        self.tokenizer, self.stops, self.start = tokenizer, stops, start

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        import torch

        texts = self.tokenizer.batch_decode(input_ids[:, self.start :])
        done = [any(stop in text for stop in self.stops) for text in texts]
        return torch.tensor(done, device=input_ids.device)


class _Overthinking:
    """Ends a row whose reasoning has not closed when its budget is spent."""

    def __init__(self, renderer: Renderer, budget: int, start: int) -> None:
        self.renderer, self.budget, self.start = renderer, budget, start

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        import torch

        new = input_ids[:, self.start :]
        if new.shape[1] <= self.budget:
            return torch.zeros(len(new), dtype=torch.bool, device=input_ids.device)
        texts = self.renderer.tokenizer.batch_decode(new[:, : self.budget + 1])
        open_ = [self._still_thinking(text) for text in texts]
        return torch.tensor(open_, device=input_ids.device)

    def _still_thinking(self, text: str) -> bool:
        return not self.renderer.split_reasoning(text, thinking=True)[2]


class _AnswerSpent:
    """Ends a row whose answer, after its reasoning, has used its own budget. One for each call of generate."""

    def __init__(self, renderer: Renderer, most: int, start: int) -> None:
        self.renderer, self.most, self.start = renderer, most, start
        self.closed: dict[int, int] = {}  # row: new tokens when its reasoning had closed

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        import torch

        new, mark = input_ids[:, self.start :], self.renderer.reasoning.close
        # a mark has no more tokens than bytes, so the last few tokens are enough to see it come
        ends = self.renderer.tokenizer.batch_decode(new[:, -len(mark.encode()) - 1 :])
        for row, text in enumerate(ends):
            if mark in text:
                self.closed.setdefault(row, new.shape[1])
        done = [new.shape[1] - self.closed.get(row, new.shape[1]) > self.most for row in range(len(new))]
        return torch.tensor(done, device=input_ids.device)
