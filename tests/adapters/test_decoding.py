"""Decoding: our own loop against transformers' `generate` and against closed forms."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
import torch
from models import TEXT, Zoo, adapter, answers, say, weights
from scipy.stats import chisquare
from transformers import TemperatureLogitsWarper, TopPLogitsWarper

from akb.adapters import keyvalues
from akb.adapters.decoding import Asked, Decoder, Over, Sampling
from akb.adapters.gathering import Head
from akb.adapters.keyvalues import Arena, Prefix, Store
from akb.adapters.scoring import Scorer
from akb.types import Decoding, Generate, Message, Response

WORDS = TEXT.split()
FULL = ("llama", "qwen2")  # families that read all that was before


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("models"))


def prompts(count: int, shared: int = 0) -> list[tuple[int, ...]]:
    """Different prompts of different lengths, which begin with so many tokens alike."""
    random = Random(7)
    head = tuple(random.randrange(2, 400) for _ in range(shared))
    return [head + tuple(random.randrange(2, 400) for _ in range(3 + 5 * number)) for number in range(count)]


def asked(given: Sequence[tuple[int, ...]], lengths: Sequence[int]) -> list[Asked]:
    def until(most: int) -> Over:
        return lambda new: len(new) >= most

    return [Asked(ids, until(most), most) for ids, most in zip(given, lengths, strict=True)]


@pytest.mark.parametrize("family", [*FULL, "gemma2"])
@pytest.mark.parametrize("shared", [0, 20])
def test_rows_that_end_at_different_times_say_what_generate_says(
    family: str, shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyvalues, "LEAST_ROOM", 3)  # room is made several times
    monkeypatch.setattr("akb.adapters.decoding.FIRST_ROOM", 1)
    model = weights(family)
    if family == "gemma2":
        model.config.sliding_window = 500
    batch = asked(prompts(6, shared), [2, 17, 5, 9, 1, 17])
    ours = Decoder(Scorer(model, 0, tokens=64), ()).replies(batch, Sampling(), shared)
    alone = Decoder(Scorer(model, 0, "plain"), ()).replies(batch, Sampling())
    assert ours == alone
    assert [len(new) for new in ours] == [2, 17, 5, 9, 1, 17]


def test_generate_is_not_called_where_our_own_loop_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = weights("llama"), asked(prompts(2), [3, 3])
    monkeypatch.setattr(type(model), "generate", lambda *_, **__: pytest.fail("generate was called"))
    found = Decoder(Scorer(model, 0), ()).replies(batch, Sampling())
    assert [len(new) for new in found] == [3, 3]


def test_examples_that_many_prompts_share_are_read_once(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    shots = tuple(
        message
        for n in range(3)
        for message in (say(" ".join(WORDS[7 * n : 7 * n + 12])), Message("assistant", ("Answer: B",)))
    )
    requests = [Generate((*shots, say(" ".join(WORDS[n : n + 4]))), Decoding(max_tokens=7)) for n in range(9)]
    reading, computed = Prefix.of, list[int]()

    def counted(model: object, head: Head, ids: Sequence[int]) -> Prefix:
        computed.append(len(ids))
        return reading(model, head, ids)

    monkeypatch.setattr(Prefix, "of", counted)
    ours = answers(adapter(zoo.folder("llama"), batch_tokens=250), requests)
    trial, *rest = computed
    assert trial == 12
    assert len(rest) == 1 < len(requests)
    assert said(ours) == said(answers(adapter(zoo.folder("llama"), engine="plain"), requests))


def said(responses: Sequence[Response]) -> list[str | None]:
    return [response.text for response in responses]


# -- drawing --


@pytest.mark.parametrize(("temperature", "top_p"), [(0.7, 1.0), (1.3, 0.8), (1.0, 0.3), (1.0, 1e-6)])
def test_tokens_are_drawn_with_the_probabilities_that_transformers_gives_them(temperature: float, top_p: float) -> None:
    logits = torch.tensor([[1.0, -0.5, 2.0, 0.3, -3.0, 1.9]])
    kept = TopPLogitsWarper(top_p)(None, TemperatureLogitsWarper(temperature)(None, logits.clone()))
    wanted = kept.softmax(-1)[0].double()
    count = 20_000
    randoms = [Random(seed) for seed in range(count)]
    drawn = Counter(Sampling(temperature, top_p).pick(logits.expand(count, -1), randoms))
    possible = [token for token in range(6) if wanted[token] > 0]
    assert set(drawn) <= set(possible)
    if len(possible) > 1:
        expected = wanted[possible] / wanted[possible].sum() * count
        assert chisquare([drawn[token] for token in possible], expected.numpy()).pvalue > 1e-4


def test_what_is_drawn_for_a_prompt_depends_on_no_other(zoo: Zoo) -> None:
    drawn = [
        Generate((say(" ".join(WORDS[n : n + 3 * n + 2])),), Decoding(10, temperature=1.2, draw=draw))
        for n in range(4)
        for draw in range(2)
    ]
    folder = zoo.folder("llama", "adds", "chat")
    together = said(answers(adapter(folder, batch_tokens=100_000), drawn))
    alone = [said(answers(adapter(folder), [request]))[0] for request in drawn]
    assert together == alone
    assert len(set(together)) == len(drawn)


# -- keys and values --


def test_a_store_keeps_rows_apart_and_drops_those_that_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyvalues, "LEAST_ROOM", 2)
    store, random = Store(Arena(), 3, 1, 1), torch.Generator().manual_seed(0)
    steps = [torch.randn(3, 2, length, 4, generator=random) for length in (3, 1, 1, 4)]
    for number, step in enumerate(steps):
        for rows in (slice(0, 2), slice(2, 3)):
            cache = store.cache(rows)
            assert cache.get_seq_length() == store.length
            keys, values = cache.update(step[rows], -step[rows], 0)
            assert torch.equal(keys, torch.cat(steps[: number + 1], 2)[rows])
            assert torch.equal(values, -keys)
        store.length += step.shape[2]
    store.keep([2, 0])
    kept = store.kept(0, slice(None))
    assert kept is not None
    assert torch.equal(kept[0], torch.cat(steps, 2)[[2, 0]])


def test_a_finished_batch_leaves_no_store_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    model, stores, before = weights("llama"), list[weakref.ref[Store]](), Store.cache

    def watched(self: Store, rows: slice = slice(None)) -> object:
        stores.append(weakref.ref(self))
        return before(self, rows)

    monkeypatch.setattr(Store, "cache", watched)
    gc.disable()  # a cycle of references would keep a store until the collector comes
    try:
        Decoder(Scorer(model, 0), ()).replies(asked(prompts(2), [3, 3]), Sampling())
    finally:
        gc.enable()
    assert stores
    assert all(ref() is None for ref in stores)


def test_the_next_batch_takes_the_memory_of_the_last() -> None:
    arena, like = Arena(), torch.zeros(1)
    first = arena.tensor((0, 0), like, (3, 2, 10, 4))
    assert arena.tensor((0, 0), like, (2, 2, 9, 4)).data_ptr() == first.data_ptr()
    assert arena.tensor((0, 1), like, (2, 2, 9, 4)).data_ptr() != first.data_ptr()
    assert arena.tensor((0, 0), like.bfloat16(), (2, 2, 9, 4)).dtype == torch.bfloat16


def test_what_memory_held_before_reaches_no_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = asked(prompts(5), [6] * 5)
    clean = Decoder(Scorer(weights("llama"), 0), ()).replies(batch, Sampling())
    empty = torch.Tensor.new_empty
    monkeypatch.setattr(torch.Tensor, "new_empty", lambda self, *size: empty(self, *size).fill_(float("nan")))
    assert Decoder(Scorer(weights("llama"), 0), ()).replies(batch, Sampling()) == clean


def test_rows_that_are_over_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, before = list[int](), Store.keep

    def watched(self: Store, rows: Sequence[int]) -> None:
        kept.append(len(rows))
        before(self, rows)

    monkeypatch.setattr(Store, "keep", watched)
    Decoder(Scorer(weights("llama"), 0), ()).replies(asked(prompts(6), [1, 1, 4, 6, 8, 9]), Sampling())
    assert kept == [4, 3, 2, 1]


def test_a_reply_longer_than_the_attention_window_is_left_to_generate(zoo: Zoo, tmp_path: Path) -> None:
    requests = [Generate((say(" ".join(WORDS[n : n + 4])),), Decoding(max_tokens=9)) for n in range(4)]
    folder = tmp_path / "window"
    shutil.copytree(zoo.folder("mistral"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "sliding_window": 30}))
    assert said(answers(adapter(folder), requests)) == said(answers(adapter(folder, engine="plain"), requests))
