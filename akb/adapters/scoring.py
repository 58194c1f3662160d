"""Log-probabilities of continuations from a causal language model in torch.

Three small things do it: prefix sharing (`trees`), batching (`batching`) and gathering (`gathering`). Rows are padded
on the right: in a causal model no real token sees the padding.

Whether a model can be given trees is tried: before the first question both ways are computed and compared. A model of
another kind (state spaces, an attention window that is too short, an attention that takes no mask or no positions) gets
each continuation as a sequence of its own; and each by itself where what stands beside it would move it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from akb.adapters import causal
from akb.adapters.batching import Need, plan
from akb.adapters.gathering import Head, Places
from akb.adapters.keyvalues import Prefix
from akb.adapters.loading import lacks_memory
from akb.adapters.rendering import Encoded
from akb.adapters.trees import Tree, chains, grow, mask, positions
from akb.types import Choose, Response, Score

Engine = Literal["auto", "plain"]
Way = Literal["trees", "chains", "alone"]
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
        tokens: the most that go through the model at once where the batch is not planned for it.
        trees: whether the model can be given trees; None until it was tried.
        head: its output layer.
    """

    model: Any
    pad: int
    engine: Engine = "auto"
    tokens: int = 1024
    trees: bool | None = None
    _prefix: Prefix | None = None
    head: Head = field(init=False)

    def __post_init__(self) -> None:
        self.head = Head(self.model)
        self._window, self._reach = causal.window(self.model), causal.reach(self.model)

    def way(self, prompt: Sequence[int], longest: int) -> Way:
        """How sequences of at most so many tokens can be computed: with trees and prefixes, in batches of sequences, or
        each by itself."""
        if self.engine == "plain" or longest > self._reach:
            return "alone"
        return "trees" if longest <= self._window and self._takes_trees(tuple(prompt)) else "chains"

    def score(self, batch: Sequence[Encoded], shared: int = 0) -> list[Values]:
        """The log-probability of every continuation of each question, summed over its tokens.

        Args:
            shared: so many of the prompts' first tokens are alike in the whole batch.
        """
        import torch

        with torch.inference_mode():
            longest = max(len(e.prompt) + len(ids) for e in batch for group in e.continuations for ids in group)
            way = self.way(batch[0].prompt, longest)
            if way == "alone":
                return [self._plainly(encoded) for encoded in batch]
            return self._by_trees(batch, shared) if way == "trees" else self._by_chains(batch)

    def _plainly(self, encoded: Encoded) -> Values:
        """One forward for each continuation, all logits, softmax in fp32."""
        import torch

        values: Values = {}
        for place, group in enumerate(encoded.continuations):
            for spelling, continuation in enumerate(group):
                self.settle(len(encoded.prompt) + len(continuation))
                ids = torch.tensor([[*encoded.prompt, *continuation]], device=causal.device(self.model))
                logs = self.model(input_ids=ids[:, :-1], use_cache=False).logits[0].float().log_softmax(-1)
                start = len(encoded.prompt) - 1
                chosen = logs[start:].gather(1, ids[0, start + 1 :, None])
                values[place, spelling] = float(chosen.double().sum())
        return values

    def settle(self, longest: int) -> None:
        """Before a sequence of so many tokens: RoPE of the kind "dynamic" keeps the turn for the longest text so far,
        until a short one comes."""
        import torch

        if longest > self._reach:
            self.model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=causal.device(self.model)), use_cache=False)

    def _by_trees(self, batch: Sequence[Encoded], shared: int) -> list[Values]:
        """All continuations of a question in one sequence, behind a prefix that the batch shares."""
        grown = [grow(encoded, shared) for encoded in batch]
        prefix = self.prefix(batch[0].prompt[:shared]) if shared else None
        return [_values(tree, found) for tree, found in zip(grown, self._forward(grown, prefix), strict=True)]

    def _by_chains(self, batch: Sequence[Encoded]) -> list[Values]:
        """Each continuation a sequence of its own."""
        owned = [(number, tree) for number, encoded in enumerate(batch) for tree in chains(encoded)]
        values: list[Values] = [{} for _ in batch]
        for part in plan([Need(None, len(tree.ids), self.tokens) for _, tree in owned]):
            for at, found in zip(part, self._forward([owned[at][1] for at in part], None), strict=True):
                number, tree = owned[at]
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

    def forget(self) -> None:
        """Give the memory of the prefix back."""
        self._prefix = None

    def _takes_trees(self, prompt: tuple[int, ...]) -> bool:
        if self.trees is None:
            self.trees = causal.takes_positions(self.model) and self._tried(prompt)
        return self.trees

    def _tried(self, prompt: tuple[int, ...]) -> bool:
        """Whether trees behind a prefix give the log-probabilities of sequences, for a short text of different tokens,
        with branches of several tokens."""
        some = range(self.model.get_input_embeddings().weight.shape[0])
        own = [token for token in prompt[:24] if token in some]  # ids that stand for audio are not the vocabulary's
        text = tuple(dict.fromkeys((*own, *some[:24])))[:24]
        branches = ((text[4:8],), (text[4:6] + text[:4],), (text[9:10],), (text[2:10],))
        trial = [Encoded(text[:cut], branches) for cut in (20, 24)]
        wanted = self._by_chains(trial)
        try:
            found = self._by_trees(trial, 12)
        except (RuntimeError, TypeError, ValueError, AttributeError, LookupError) as error:
            if lacks_memory(error):
                raise
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
