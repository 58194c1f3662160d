"""Decoding: the tokens of many replies at once, greedy or drawn.

Prompts are read some rows at a time, behind what they share, as `scoring` reads them, and their keys and values kept
in one store. Then every row that is not over gets one token a step; rows that are over are dropped a quarter at once.

A model that cannot be given masks and positions of our own (see `scoring`), or whose attention window is shorter than
prompt and reply, is left to transformers' `generate`, prompts of one length together; so is all decoding of the plain
engine, one prompt at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from akb.adapters import causal
from akb.adapters.keyvalues import Arena, Prefix, Store
from akb.adapters.rendering import Encoded
from akb.adapters.scoring import Scorer
from akb.adapters.trees import grow

if TYPE_CHECKING:
    import torch

Over = Callable[[Sequence[int]], bool]  # whether a reply with these tokens is over
KEPT = 0.75  # of the rows; with fewer left, the others are dropped
FIRST_ROOM = 64  # tokens of a reply for which room is made at once


@dataclass(frozen=True)
class Asked:
    """A prompt to be continued.

    Attributes:
        ids: its tokens.
        over: asked after each new token, with all of the reply's.
        most: tokens at which `over` says yes at the latest.
        seed: of what is drawn.
    """

    ids: tuple[int, ...]
    over: Over
    most: int
    seed: int = 0


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: from the softmax of logits over a temperature, cut to the smallest set of likeliest tokens
    that has the probability `top_p` (nucleus sampling, Holtzman et al. 2020). Temperature 0 is greedy."""

    temperature: float = 0.0
    top_p: float = 1.0

    def pick(self, logits: torch.Tensor, randoms: Sequence[Random]) -> list[int]:
        """A token for each row.

        Args:
            logits: (rows, vocabulary).
            randoms: of each row; what is drawn for a row depends on no other.
        """
        import torch

        if self.temperature == 0:
            if logits.device.type == "cpu":  # numpy's takes a tenth of the time
                return [int(token) for token in logits.numpy().argmax(-1)]
            return [int(token) for token in logits.argmax(-1).tolist()]
        below = logits - logits.amax(-1, keepdim=True)  # or a small temperature would make them infinite
        likely, tokens = (below / self.temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
        reached = likely.cumsum(-1)
        kept = (reached - likely < self.top_p).sum(-1, keepdim=True).clamp(min=1)
        within = reached.gather(1, kept - 1)
        drawn = torch.tensor([[random.random()] for random in randoms], dtype=reached.dtype, device=reached.device)
        at = torch.searchsorted(reached, drawn * within, right=True).minimum(kept - 1)
        picked: list[int] = tokens.gather(1, at)[:, 0].tolist()
        return picked


@dataclass(frozen=True)
class Decoder:
    """Continues prompts with one model.

    Attributes:
        scorer: the model's; it knows what the model can be given, and keeps prefixes.
        ends: ids that end a reply, for transformers' `generate`.
        arena: memory of the last batch's keys and values, for the next one's.
    """

    scorer: Scorer
    ends: tuple[int, ...]
    arena: Arena = field(default_factory=Arena)

    @property
    def model(self) -> Any:
        return self.scorer.model

    def replies(self, batch: Sequence[Asked], sampling: Sampling, shared: int = 0) -> list[list[int]]:
        """The new tokens of each prompt, with the one that ended it.

        Args:
            shared: so many of the prompts' first tokens are alike.
        """
        import torch

        longest = max(len(asked.ids) + asked.most for asked in batch)
        with torch.inference_mode():
            way = self.scorer.way(batch[0].ids, longest)
            if way == "trees":
                prefix = self.scorer.prefix(batch[0].ids[:shared]) if shared else None
                return self._together(batch, sampling, prefix)
            alike: dict[object, list[int]] = {}  # padding on the left reaches what some of these models compute
            for number, asked in enumerate(batch):
                single = way == "alone" or sampling.temperature > 0  # `generate` has one random state for all rows
                alike.setdefault((len(asked.ids), number if single else None), []).append(number)
            new: dict[int, list[int]] = {}
            for numbers in alike.values():
                new |= zip(numbers, self._generated([batch[number] for number in numbers], sampling), strict=True)
            return [new[number] for number in range(len(batch))]

    def _together(self, batch: Sequence[Asked], sampling: Sampling, prefix: Prefix | None) -> list[list[int]]:
        """Step by step, all rows that are not over."""
        rows = _Rows(self, batch, prefix)
        logits, there = rows.read(), list(range(len(batch)))
        new: list[list[int]] = [[] for _ in batch]
        randoms = [Random(asked.seed) for asked in batch]
        going = set(there)
        while True:
            picked = sampling.pick(logits, [randoms[number] for number in there])
            for number, token in zip(there, picked, strict=True):
                if number in going:
                    new[number].append(token)
                    if batch[number].over(new[number]):
                        going.remove(number)
            if not going:
                return new
            if len(going) <= KEPT * len(there):
                kept = [at for at, number in enumerate(there) if number in going]
                rows.keep(kept)
                there, picked = [there[at] for at in kept], [picked[at] for at in kept]
            logits = rows.step(picked)

    def _generated(self, batch: Sequence[Asked], sampling: Sampling) -> list[list[int]]:
        """By transformers' `generate`, for prompts of one length."""
        import torch
        from transformers import GenerationConfig, StoppingCriteriaList

        ids = torch.tensor([asked.ids for asked in batch], device=causal.device(self.model))
        drawn = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
        if sampling.temperature > 0:
            torch.manual_seed(batch[0].seed)
        self.scorer.settle(max(len(asked.ids) + asked.most for asked in batch))
        lengths = _Lengths(batch, ids.shape[1])
        out = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            generation_config=GenerationConfig(
                max_new_tokens=max(asked.most for asked in batch),
                eos_token_id=list(self.ends) or None,
                pad_token_id=self.scorer.pad,
                use_cache=self.scorer.engine != "plain",
                **(drawn if sampling.temperature > 0 else {"do_sample": False}),
            ),
            stopping_criteria=StoppingCriteriaList([lengths]),
        )
        new = out[:, ids.shape[1] :].tolist()
        return [ids[: lengths.found.get(number, len(ids))] for number, ids in enumerate(new)]


class _Rows:
    """The rows of a batch in the model: what all share, then prompts, padded on the right, then new tokens.

    Attributes:
        ends: where in its row each prompt ends.
        start: where new tokens begin, in all rows alike.
    """

    def __init__(self, decoder: Decoder, batch: Sequence[Asked], prefix: Prefix | None) -> None:
        self.decoder, self.shared = decoder, 0 if prefix is None else len(prefix.ids)
        self.trees = [grow(Encoded(asked.ids, ()), self.shared) for asked in batch]
        self.ends = [len(asked.ids) for asked in batch]
        self.start = max(self.ends)
        room = self.start + min(FIRST_ROOM, max(asked.most for asked in batch))
        blank = slice(min(self.ends), self.start)
        self.store = Store(decoder.arena, len(batch), causal.layers(decoder.model), room, blank, prefix)

    def read(self) -> torch.Tensor:
        """Read the prompts; the logits after each, (rows, vocabulary)."""
        import torch

        some = max(1, self.decoder.scorer.tokens // max(len(tree.ids) for tree in self.trees))
        parts = [slice(at, at + some) for at in range(0, len(self.trees), some)]
        logits = torch.cat([self._read(part) for part in parts])
        self.store.length = self.start
        return logits

    def _read(self, part: slice) -> torch.Tensor:
        import torch

        trees, scorer = self.trees[part], self.decoder.scorer
        told = scorer.inputs(trees, self.shared)
        length = told["input_ids"].shape[1]
        flat = [row * length + len(tree.ids) - 1 for row, tree in enumerate(trees)]
        cache = self.store.cache(part)
        pieces = scorer.head.pieces(flat, lambda: scorer.model(**told, past_key_values=cache, use_cache=True).logits)
        return torch.cat([piece.float() for piece in pieces])

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """One more token for each row; the logits after it, (rows, vocabulary)."""
        import torch

        model, ends = self.decoder.model, torch.tensor(self.ends)[:, None]
        new = self.store.length - self.start
        told = {"input_ids": torch.tensor(tokens)[:, None], "position_ids": ends + new}
        if min(self.ends) < self.start:
            at = torch.arange(self.start + new + 1)
            told["attention_mask"] = causal.as_mask(model, ((at < ends) | (at >= self.start))[:, None])
        told = {name: value.to(causal.device(model)) for name, value in told.items()}
        logits: torch.Tensor = model(**told, past_key_values=self.store.cache(), use_cache=True).logits
        self.store.length += 1
        return logits[:, -1].float()

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all other rows."""
        self.store.keep(rows)
        self.ends = [self.ends[row] for row in rows]


class _Lengths:
    """A stopping criterion of transformers: of how many tokens each reply was when it was over."""

    def __init__(self, batch: Sequence[Asked], start: int) -> None:
        self.batch, self.start = batch, start
        self.found: dict[int, int] = {}

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        import torch

        for number, new in enumerate(input_ids[:, self.start :].tolist()):
            if number not in self.found and self.batch[number].over(new):
                self.found[number] = len(new)
        over = [number in self.found for number in range(len(input_ids))]
        return torch.tensor(over, device=input_ids.device)
