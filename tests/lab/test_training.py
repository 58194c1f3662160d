"""The trainer, at a size that takes seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from akb.lab.corpus import ANSWER, documents
from akb.lab.tokenizer import build
from akb.lab.train import Settings, Stage, batches, encode, rate, run_stage, save, train

ROWS = ((64, 0.8), (128, 0.2))
SMALL = Settings(
    stages=(Stage(40, 1, 0.5, ((64, 1.0),), 4e-3), Stage(20, 2, 0.0, ROWS, 1e-3)),
    width=64,
    layers=1,
    heads=1,
    inner=64,
    batch_tokens=256,
)


@pytest.fixture
def one_thread() -> object:
    """Training sets torch to one thread and to deterministic algorithms; other tests get back what they had."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield None
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


@pytest.mark.usefixtures("one_thread")
def test_two_runs_with_the_same_settings_give_the_same_weights(tmp_path: Path) -> None:
    one, tokenizer, about = train(SMALL)
    two, _, _ = train(SMALL)
    for (name, a), (_, b) in zip(one.named_parameters(), two.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    save(tmp_path / "model", one, tokenizer, about)
    saved = {file.name for file in (tmp_path / "model").iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    } <= saved
    assert json.loads((tmp_path / "model" / "lab.json").read_text())["corpus_sha256"] == about["corpus_sha256"]
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_every_token_has_the_weight_of_its_piece() -> None:
    tokenizer, corpus = build(), list(documents(40))
    ids, weights = encode(corpus, tokenizer)
    assert len(ids) == len(weights)
    end = tokenizer.eos_token_id
    chat = next(d for d in corpus if d.pieces[-1][1] == ANSWER)
    one_ids, one_weights = encode([chat], tokenizer)
    assert tokenizer.decode(one_ids) == chat.text
    assert one_ids[-1] == end
    assert one_weights[0] == 0.0
    assert one_weights[-1] == ANSWER


def test_rows_are_short_first_and_long_at_the_end_and_nothing_is_read_twice() -> None:
    ids = torch.arange(256 * 10 + 7, dtype=torch.int16)
    rows = [row for row, _ in batches(ids, torch.ones(len(ids)), ROWS, 256)]
    assert [row.shape[1] for row in rows] == [64] * 8 + [128] * 2
    assert torch.equal(torch.cat([row.flatten() for row in rows]), ids[: 256 * 10].long())


def test_the_learning_rate_rises_and_then_falls_to_nothing() -> None:
    assert rate(0.02, peak=4e-3, warm_up=0.02) == pytest.approx(4e-3)
    assert rate(0.01, peak=4e-3, warm_up=0.02) == pytest.approx(2e-3)
    assert rate(1.0, peak=4e-3, warm_up=0.02) == 0.0


@pytest.mark.usefixtures("one_thread")
def test_a_stage_can_be_run_again_from_the_saved_model(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    whole, tokenizer, about = train(SMALL)
    part, _, _ = train(replace(SMALL, stages=SMALL.stages[:1]))
    save(tmp_path, part, tokenizer, about)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32, attn_implementation="eager").train()
    run_stage(loaded, tokenizer, SMALL.stages[1], SMALL)
    for (name, a), (_, b) in zip(whole.named_parameters(), loaded.named_parameters(), strict=True):
        assert torch.equal(a, b), name
