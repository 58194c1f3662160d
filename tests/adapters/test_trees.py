"""Prefix sharing, batching and gathering, each alone; and all three against one sequence at a time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import FAMILIES, PROMPTS, Zoo, adapter, answers, battery, logprobs, say, weights

from akb.adapters import batching, gathering, trees
from akb.adapters.gathering import Head, Places
from akb.adapters.rendering import Encoded
from akb.types import Choose, Message

NEAR = 1e-4  # nats
ids = st.lists(st.integers(2, 9), min_size=1, max_size=5).map(tuple)
questions = st.builds(
    Encoded,
    st.lists(st.integers(2, 9), min_size=3, max_size=9).map(tuple),
    st.lists(st.lists(ids, min_size=1, max_size=2).map(tuple), min_size=2, max_size=4).map(tuple),
)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("models"))


def path(tree: trees.Tree, at: int) -> tuple[int, ...]:
    """The tokens from the beginning of a tree to one of them."""
    found = []
    while at >= 0:
        found.append(tree.ids[at])
        at = tree.parents[at]
    return tuple(reversed(found))


@given(questions, st.integers(0, 2))
def test_a_tree_holds_prompt_and_continuation_on_a_path_and_every_beginning_once(asked: Encoded, shared: int) -> None:
    tree = trees.grow(asked, shared)
    for place, spelling, steps in tree.wanted:
        continuation = asked.continuations[place][spelling]
        assert tuple(token for _, token in steps) == continuation
        for number, (at, _) in enumerate(steps):
            assert asked.prompt[:shared] + path(tree, at) == asked.prompt + continuation[:number]
    branches = {path(tree, at) for at in range(len(tree.ids))}
    assert len(branches) == len(tree.ids), "no beginning stands twice"
    beginnings = {c[:n] for group in asked.continuations for c in group for n in range(1, len(c))}
    assert len(tree.ids) - tree.trunk == len(beginnings)


@given(questions, st.integers(0, 2))
def test_a_token_sees_the_prefix_its_ancestors_and_itself_and_stands_at_its_depth(asked: Encoded, shared: int) -> None:
    tree = trees.grow(asked, shared)
    length = len(tree.ids) + 2
    seen = trees.mask([tree], length, shared)
    if seen is None:
        assert shared == 0
        assert len(tree.ids) == tree.trunk
        return
    places = trees.positions([tree], length, shared)
    for at in range(len(tree.ids)):
        ancestors, node = set(), at
        while node >= 0:
            ancestors.add(node)
            node = tree.parents[node]
        assert seen[0, at, :shared].all()
        assert set(np.flatnonzero(seen[0, at, shared:])) == ancestors
        assert places[0, at] == shared + len(ancestors) - 1
    assert seen[0, len(tree.ids) :].any(axis=1).all(), "padding sees something"


@given(questions)
def test_chains_are_one_sequence_for_each_beginning(asked: Encoded) -> None:
    made = trees.chains(asked)
    assert len({tree.ids for tree in made}) == len(made)
    for tree in made:
        for place, spelling, steps in tree.wanted:
            continuation = asked.continuations[place][spelling]
            assert tree.ids == asked.prompt + continuation[:-1]
            assert [at for at, _ in steps] == list(range(len(asked.prompt) - 1, len(tree.ids)))


def test_what_prompts_share_is_counted_and_leaves_each_a_token() -> None:
    head = tuple(range(40))
    assert trees.common([(*head, 1, 2), (*head, 3)]) == 40
    assert trees.common([head, (*head, 3)]) == 39
    assert trees.common([(*range(9), 1), (*range(9), 2)]) == 0, "too few to be worth it"
    assert trees.common([head]) == 0


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 60)), max_size=40),
    st.fixed_dictionaries({"a": st.integers(1, 200), "b": st.integers(1, 200)}),
)
def test_batches_hold_each_request_once_keep_kinds_apart_and_keep_to_the_budget(
    made: list[tuple[str, int]], budgets: dict[str, int]
) -> None:
    needs = [batching.Need(kind, tokens, budgets[kind]) for kind, tokens in made]
    batches = batching.plan(needs)
    assert sorted(i for batch in batches for i in batch) == list(range(len(made)))
    for batch in batches:
        (kind,) = {needs[i].kind for i in batch}
        padded = max(needs[i].tokens for i in batch) * len(batch)
        assert len(batch) == 1 or padded <= budgets[str(kind)]


def test_the_last_two_batches_share_what_is_left() -> None:
    assert [len(batch) for batch in batching.plan([batching.Need("a", 1, 8)] * 18)] == [8, 5, 5]


def gathered(head: Head, model: Any, text: torch.Tensor, flat: list[int]) -> torch.Tensor:
    return torch.cat(list(head.pieces(flat, lambda: model(input_ids=text, use_cache=False).logits)))


@pytest.mark.parametrize(("family", "bare"), [("llama", True), ("gemma2", False), ("mamba", True)])
def test_gathered_logits_are_those_of_the_whole_forward(
    family: str, bare: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "LEAST_ROWS", 2)
    monkeypatch.setattr(gathering, "PIECE", {})
    monkeypatch.setattr(gathering, "PIECE_ELSEWHERE", 1)
    model, flat = weights(family), [1, 4, 8]
    head = Head(model)
    text = torch.tensor([[2, 5, 7, 9, 4], [3, 3, 8, 6, 2]])
    with torch.no_grad():
        whole = model(input_ids=text, use_cache=False).logits
        wanted = whole.reshape(10, -1)[flat]
        for _ in range(2):  # the first time it is seen how the model uses its output layer
            assert torch.allclose(gathered(head, model, text, flat), wanted, atol=1e-5)
            assert head.bare is bare
        again = model(input_ids=text, use_cache=False).logits
    assert torch.equal(whole, again), "nothing is left on the model"
    made = [len(piece) for piece in head.pieces(flat, lambda: model(input_ids=text, use_cache=False).logits)]
    assert made == ([2, 1] if bare else [3])


class Odd(torch.nn.Module):  # type: ignore[misc]
    """A model whose output layer, as it names it, is not the one it uses."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = torch.nn.Embedding(11, 4), torch.nn.Linear(4, 11)

    def get_output_embeddings(self) -> torch.nn.Module:
        return torch.nn.Linear(4, 11)

    def forward(self, input_ids: torch.Tensor, use_cache: bool) -> Any:
        return SimpleNamespace(logits=self.head(self.embed(input_ids)))


def test_a_model_that_does_not_use_the_layer_it_names_gives_all_its_logits() -> None:
    model, text = Odd(), torch.tensor([[2, 5, 7], [3, 3, 8]])
    head = Head(model)
    for _ in range(2):
        assert torch.equal(
            gathered(head, model, text, [0, 4]), model(text, use_cache=False).logits.reshape(6, -1)[[0, 4]]
        )


def test_sums_are_over_the_tokens_of_each_continuation() -> None:
    tree = trees.grow(Encoded((5, 6), (((1,),), ((2, 3),))))
    places = Places([tree], 3)
    logits = torch.randn(len(places.order), 11, generator=torch.Generator().manual_seed(0))
    logs = logits.double().log_softmax(-1)
    wanted = [float(logs[0, 1]), float(logs[0, 2] + logs[1, 3])]
    assert places.flat == [1, 2]
    for size in (1, 2, 3):
        assert places.sums(logits.split(size))[0] == pytest.approx(wanted, abs=1e-6)
    with pytest.raises(RuntimeError, match="1 of 2 places"):
        places.sums([logits[:1]])


# -- together --------------------------------------------------------------------------------------------------

SHOTS = (
    say("Which of these has reeds? A. a drum B. an oboe"),
    Message("assistant", ("Answer: B",)),
    say("Which of these is low? A. a low hum B. a bell"),
    Message("assistant", ("Answer: A",)),
)


def with_shots(request: Choose) -> Choose:
    return Choose((*SHOTS, *request.messages), request.continuations, request.reply_start, request.options)


@pytest.mark.parametrize("family", FAMILIES)
def test_sharing_changes_no_log_probability(zoo: Zoo, family: str) -> None:
    folder = zoo.folder(family, "adds", "chat-bos")
    asked = [*battery(), *map(with_shots, battery())]
    shared, plain = adapter(folder), adapter(folder, engine="plain")
    ours, theirs = logprobs(answers(shared, asked)), logprobs(answers(plain, asked))
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) < NEAR
    assert max(shared._shared.values()) >= trees.LEAST_SHARED, "the examples were shared"


@pytest.mark.parametrize(
    ("family", "takes"),
    [("llama", True), ("qwen2", True), ("mistral", False), ("mamba", False), ("lfm2", False), ("qwen3_next", False)],
)
def test_models_that_cannot_be_given_trees_are_found_out(zoo: Zoo, family: str, takes: bool) -> None:
    asked = adapter(zoo.folder(family))
    answers(asked, battery()[:2])
    assert asked._scorer.way(range(2, 60), 60) == ("trees" if takes else "chains")


def test_an_attention_window_that_closes_over_a_question_is_heeded(zoo: Zoo, tmp_path: Path) -> None:
    """The trial before the first question is shorter than this window; the long questions are longer."""
    folder = tmp_path / "model"
    shutil.copytree(zoo.folder("mistral"), folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"sliding_window": 40}), "utf-8")
    asked = adapter(folder)
    ours = logprobs(answers(asked, battery()))
    theirs = logprobs(answers(adapter(folder, engine="plain"), battery()))
    assert [asked._scorer.way(range(2, 30), longest) for longest in (40, 41)] == ["trees", "chains"]
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) < NEAR


def test_eager_attention_gives_the_same(zoo: Zoo) -> None:
    folder = zoo.folder("llama")
    eager = logprobs(answers(adapter(folder, attention="eager"), battery()))
    usual = logprobs(answers(adapter(folder), battery()))
    assert max(abs(a - b) for a, b in zip(eager, usual, strict=True)) < NEAR


def test_replies_and_log_probabilities_in_one_wave(zoo: Zoo, tmp_path: Path) -> None:
    asked = adapter(zoo.folder("llama", "adds", "chat"))
    together = answers(asked, [*battery(), *PROMPTS])
    assert logprobs(together[: len(battery())]) == pytest.approx(logprobs(answers(asked, battery())), abs=NEAR)
    assert [r.text for r in together[len(battery()) :]] == [r.text for r in answers(asked, PROMPTS)]


def test_the_trial_of_trees_uses_no_ids_that_stand_for_audio() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    from akb.adapters.scoring import Scorer

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=99, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    scorer = Scorer(LlamaForCausalLM(config).eval(), 0)
    assert scorer.way((5, 2**40, 2**40 + 1, 7), 30) == "trees"
