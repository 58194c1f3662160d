"""Log-probabilities of continuations from a causal language model in torch.

Three small things do it: prefix sharing (`trees`), batching (`batching`) and gathering (`gathering`). Rows are padded
on the right: in a causal model no real token ever sees the padding, whatever the architecture.

Whether a model can be given trees is not looked up but tried: before the first question both ways are computed and
compared. A model of another kind (state spaces, an attention window that is too short, an attention that takes no mask)
gets each continuation as a sequence of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from akb.adapters.gathering import Head, Places
from akb.adapters.rendering import Encoded
from akb.adapters.trees import Tree, chains, grow, mask, positions
from akb.types import Choose, Response, Score

if TYPE_CHECKING:
    import torch

Engine = Literal["auto", "plain"]
Values = dict[tuple[int, int], float]  # by (place of the option, of its spelling)
NEAR = {"float32": 1e-3, "float64": 1e-3}  # nats; how near trees must come to sequences
NEAR_HALF = 0.5  # the same in half precision, where the order of sums moves a log-probability by tenths


@dataclass
class Scorer:
    """Scores questions with one model.

    Attributes:
        model: a transformers causal LM in eval mode.
        pad: id of the padding; any id will do.
        engine: "plain" is the oracle: one sequence at a time, no cache, no mask.
        trees: whether the model can be given trees; None until it was tried.
    """

    model: Any
    pad: int
    engine: Engine = "auto"
    trees: bool | None = None
    _prefix: tuple[tuple[int, ...], Any] = field(default=((), None))
    _head: Head = field(init=False)

    def __post_init__(self) -> None:
        self._head = Head(self.model)

    def score(self, batch: Sequence[Encoded], shared: int = 0) -> list[Values]:
        """The log-probability of every continuation of each question, summed over its tokens.

        Args:
            shared: so many of the prompts' first tokens are alike in the whole batch.
        """
        import torch

        with torch.inference_mode():
            if self.engine == "plain":
                return [self._plainly(encoded) for encoded in batch]
            if self.trees is None:
                self.trees = self._takes_trees(batch[0].prompt)
            longest = max(len(e.prompt) + len(ids) for e in batch for group in e.continuations for ids in group)
            if self.trees and longest <= _window(self.model):
                return self._by_trees(batch, shared)
            return self._by_chains(batch)

    def _plainly(self, encoded: Encoded) -> Values:
        """One forward for each continuation, all logits, softmax in fp32."""
        import torch

        values: Values = {}
        for place, group in enumerate(encoded.continuations):
            for spelling, continuation in enumerate(group):
                ids = torch.tensor([[*encoded.prompt, *continuation]], device=_device(self.model))
                logs = self.model(input_ids=ids[:, :-1], use_cache=False).logits[0].float().log_softmax(-1)
                start = len(encoded.prompt) - 1
                chosen = logs[start:].gather(1, ids[0, start + 1 :, None])
                values[place, spelling] = float(chosen.double().sum())
        return values

    def _by_trees(self, batch: Sequence[Encoded], shared: int) -> list[Values]:
        """All continuations of a question in one sequence, behind a prefix that the batch shares."""
        grown = [grow(encoded, shared) for encoded in batch]
        cache = self._shared(batch[0].prompt[:shared]) if shared else None
        return [_values(tree, found) for tree, found in zip(grown, self._forward(grown, cache, shared), strict=True)]

    def _by_chains(self, batch: Sequence[Encoded]) -> list[Values]:
        """Each continuation a sequence of its own."""
        owned = [(number, tree) for number, encoded in enumerate(batch) for tree in chains(encoded)]
        values: list[Values] = [{} for _ in batch]
        for (number, tree), found in zip(owned, self._forward([tree for _, tree in owned], None, 0), strict=True):
            values[number] |= _values(tree, found)
        return values

    def _forward(self, grown: Sequence[Tree], cache: Any, shared: int) -> list[list[float]]:
        import torch

        length, device = max(len(tree.ids) for tree in grown), _device(self.model)
        ids = torch.full((len(grown), length), self.pad, dtype=torch.long)
        for number, tree in enumerate(grown):
            ids[number, : len(tree.ids)] = torch.tensor(tree.ids)
        told: dict[str, Any] = {"use_cache": False}
        seen = mask(grown, length, shared)
        if seen is not None:
            told["attention_mask"] = _as_mask(self.model, torch.from_numpy(seen).to(device))
            told["position_ids"] = torch.from_numpy(positions(grown, length, shared)).to(device)
        if cache is not None:
            told |= {"past_key_values": cache(len(grown)), "use_cache": True}
        places = Places(grown, length)
        return places.sums(self._head.pieces(places.flat, lambda: self.model(input_ids=ids.to(device), **told).logits))

    def _shared(self, prefix: tuple[int, ...]) -> Any:
        """The keys and values of a prefix, computed when it is another one than before."""
        if self._prefix[0] != prefix:
            self._prefix = (prefix, _Prefix.of(self.model, self._head, prefix))
        return self._prefix[1]

    def _takes_trees(self, prompt: tuple[int, ...]) -> bool:
        """Whether trees behind a prefix give the log-probabilities of sequences: tried on a short text made of a
        prompt's tokens, with branches of several tokens."""
        import torch

        text = (prompt * 8)[:24]
        trial = [Encoded(text[:cut], ((text[4:8],), (text[4:6] + text[:2],), (text[9:10],))) for cut in (20, 24)]
        wanted = self._by_chains(trial)
        try:
            found = self._by_trees(trial, 12)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, TypeError, ValueError, AttributeError, KeyError, IndexError, NotImplementedError):
            return False  # it takes no such mask or cache
        near = NEAR.get(str(_dtype(self.model)).removeprefix("torch."), NEAR_HALF)
        pairs = (
            (ours[key], value) for ours, theirs in zip(found, wanted, strict=True) for key, value in theirs.items()
        )
        return all(abs(one - other) <= near for one, other in pairs)


class _Prefix:
    """Keys and values of a prefix, for batches of any size; they are not copied into what a batch computes."""

    def __init__(self, keys: list[torch.Tensor], values: list[torch.Tensor]) -> None:
        self.keys, self.values = keys, values

    @classmethod
    def of(cls, model: Any, head: Head, prefix: Sequence[int]) -> _Prefix:
        import torch
        from transformers import DynamicCache

        cache, ids = DynamicCache(), torch.tensor([prefix], device=_device(model))
        list(head.pieces([0], lambda: model(input_ids=ids, past_key_values=cache, use_cache=True).logits))
        return cls([layer.keys for layer in cache.layers], [layer.values for layer in cache.layers])

    def __call__(self, rows: int) -> Any:
        """A cache that begins with the prefix in each of so many rows, and keeps nothing of what is added."""
        from transformers import DynamicCache
        from transformers.cache_utils import DynamicLayer

        class Fixed(DynamicLayer):  # type: ignore[misc]
            def update(self, keys: Any, values: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
                import torch

                return torch.cat([self.keys, keys], dim=-2), torch.cat([self.values, values], dim=-2)

        cache = DynamicCache()
        for keys, values in zip(self.keys, self.values, strict=True):
            layer = Fixed()
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = (t.expand(rows, -1, -1, -1) for t in (keys, values))
            cache.layers.append(layer)
        return cache


def _values(tree: Tree, found: Sequence[float]) -> Values:
    return {(place, spelling): value for (place, spelling, _), value in zip(tree.wanted, found, strict=True)}


def _as_mask(model: Any, seen: torch.Tensor) -> torch.Tensor:
    """What tokens see as a mask of four dimensions, as the model's attention takes it."""
    import torch

    if _config(model)._attn_implementation == "sdpa":
        return seen[:, None]
    dtype = _dtype(model)
    blocked = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, torch.finfo(dtype).min)
    return blocked[:, None]


def _window(model: Any) -> float:
    """The longest sequence over which no attention window closes."""
    config = _config(model).get_text_config()
    window = getattr(config, "sliding_window", None)
    return window if window and getattr(config, "use_sliding_window", True) else float("inf")


def _config(model: Any) -> Any:
    return model.get_base_model().config if hasattr(model, "get_base_model") else model.config


def _device(model: Any) -> Any:
    return next(model.parameters()).device


def _dtype(model: Any) -> Any:
    """The dtype in which the model computes: that of most of its parameters' first block, not of its fp32 output."""
    return next(parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())


def response(request: Choose, encoded: Encoded, values: Mapping[tuple[int, int], float]) -> Response:
    """The response that log-probabilities by (place of the option, of its spelling) make."""
    scores = tuple(
        tuple(
            Score(min(values[place, spelling], 0.0), len(ids), len(text.strip()))
            for spelling, (text, ids) in enumerate(zip(texts, group, strict=True))
        )
        for place, (texts, group) in enumerate(zip(request.continuations, encoded.continuations, strict=True))
    )
    return Response(scores=scores, prompt_tokens=len(encoded.prompt))
