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
from typing import Any, Literal

from akb.adapters import causal
from akb.adapters.gathering import Head, Places
from akb.adapters.keyvalues import Prefix
from akb.adapters.rendering import Encoded
from akb.adapters.trees import Tree, chains, grow, mask, positions
from akb.types import Choose, Response, Score

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
        head: its output layer.
    """

    model: Any
    pad: int
    engine: Engine = "auto"
    trees: bool | None = None
    _prefix: Prefix | None = None
    head: Head = field(init=False)

    def __post_init__(self) -> None:
        self.head = Head(self.model)

    def score(self, batch: Sequence[Encoded], shared: int = 0) -> list[Values]:
        """The log-probability of every continuation of each question, summed over its tokens.

        Args:
            shared: so many of the prompts' first tokens are alike in the whole batch.
        """
        import torch

        with torch.inference_mode():
            if self.engine == "plain":
                return [self._plainly(encoded) for encoded in batch]
            longest = max(len(e.prompt) + len(ids) for e in batch for group in e.continuations for ids in group)
            if self.takes_trees(batch[0].prompt) and longest <= causal.window(self.model):
                return self._by_trees(batch, shared)
            return self._by_chains(batch)

    def _plainly(self, encoded: Encoded) -> Values:
        """One forward for each continuation, all logits, softmax in fp32."""
        import torch

        values: Values = {}
        for place, group in enumerate(encoded.continuations):
            for spelling, continuation in enumerate(group):
                ids = torch.tensor([[*encoded.prompt, *continuation]], device=causal.device(self.model))
                logs = self.model(input_ids=ids[:, :-1], use_cache=False).logits[0].float().log_softmax(-1)
                start = len(encoded.prompt) - 1
                chosen = logs[start:].gather(1, ids[0, start + 1 :, None])
                values[place, spelling] = float(chosen.double().sum())
        return values

    def _by_trees(self, batch: Sequence[Encoded], shared: int) -> list[Values]:
        """All continuations of a question in one sequence, behind a prefix that the batch shares."""
        grown = [grow(encoded, shared) for encoded in batch]
        prefix = self.prefix(batch[0].prompt[:shared]) if shared else None
        return [_values(tree, found) for tree, found in zip(grown, self._forward(grown, prefix), strict=True)]

    def _by_chains(self, batch: Sequence[Encoded]) -> list[Values]:
        """Each continuation a sequence of its own."""
        owned = [(number, tree) for number, encoded in enumerate(batch) for tree in chains(encoded)]
        values: list[Values] = [{} for _ in batch]
        for (number, tree), found in zip(owned, self._forward([tree for _, tree in owned], None), strict=True):
            values[number] |= _values(tree, found)
        return values

    def _forward(self, grown: Sequence[Tree], prefix: Prefix | None) -> list[list[float]]:
        told = self.inputs(grown, 0 if prefix is None else len(prefix.ids)) | {"use_cache": False}
        if prefix is not None:
            told |= {"past_key_values": prefix.cache(len(grown)), "use_cache": True}
        places = Places(grown, told["input_ids"].shape[1])
        return places.sums(self.head.pieces(places.flat, lambda: self.model(**told).logits))

    def inputs(self, grown: Sequence[Tree], shared: int) -> dict[str, Any]:
        """What the model is given to read these trees, padded on the right, behind so many tokens that they share."""
        import torch

        length, device = max(len(tree.ids) for tree in grown), causal.device(self.model)
        ids = torch.full((len(grown), length), self.pad, dtype=torch.long)
        for number, tree in enumerate(grown):
            ids[number, : len(tree.ids)] = torch.tensor(tree.ids)
        told = {"input_ids": ids.to(device)}
        seen = mask(grown, length, shared)
        if seen is not None:
            told["attention_mask"] = causal.as_mask(self.model, torch.from_numpy(seen).to(device))
            told["position_ids"] = torch.from_numpy(positions(grown, length, shared)).to(device)
        return told

    def prefix(self, ids: tuple[int, ...]) -> Prefix:
        """The keys and values of these tokens, computed when they are others than before."""
        if self._prefix is None or self._prefix.ids != ids:
            self._prefix = Prefix.of(self.model, self.head, ids)
        return self._prefix

    def takes_trees(self, prompt: Sequence[int]) -> bool:
        """Whether the model can be given trees, prefixes and masks: tried when it is first asked."""
        if self.trees is None:
            self.trees = self._tried(tuple(prompt))
        return self.trees

    def _tried(self, prompt: tuple[int, ...]) -> bool:
        """Whether trees behind a prefix give the log-probabilities of sequences, for a short text made of a prompt's
        tokens, with branches of several tokens."""
        import torch

        text = (prompt * 24)[:24]
        trial = [Encoded(text[:cut], ((text[4:8],), (text[4:6] + text[:2],), (text[9:10],))) for cut in (20, 24)]
        wanted = self._by_chains(trial)
        try:
            found = self._by_trees(trial, 12)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, TypeError, ValueError, AttributeError, KeyError, IndexError, NotImplementedError):
            return False  # it takes no such mask or cache
        near = NEAR.get(str(causal.dtype(self.model)).removeprefix("torch."), NEAR_HALF)
        pairs = (
            (ours[key], value) for ours, theirs in zip(found, wanted, strict=True) for key, value in theirs.items()
        )
        return all(abs(one - other) <= near for one, other in pairs)


def _values(tree: Tree, found: Sequence[float]) -> Values:
    return {(place, spelling): value for (place, spelling, _), value in zip(tree.wanted, found, strict=True)}


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
