"""What makes a local model's answer another answer is in its fingerprint, and what the day of the week is, is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from models import CHATML, tokenizer

from akb import content
from akb.adapters.cards import Card, Reasoning
from akb.adapters.hf import build
from akb.adapters.rendering import Renderer
from akb.errors import AkbError
from akb.tasks.asking import LABELS
from akb.types import Choose, Decoding, Finish, Generate, Message

TINY = str(Path(content.builtin()) / "adapters/akb-tiny")


@pytest.mark.parametrize(
    "setting",
    [
        {"dtype": "bfloat16"},
        {"template": "plain"},
        {"attention": "eager"},
        {"quantize": "4bit"},
        {"device_map": "auto"},
        {"trust_remote_code": True},
        {"engine": "plain"},
    ],
    ids=str,
)
def test_a_setting_that_can_move_an_answer_changes_the_fingerprint(setting: dict[str, Any]) -> None:
    card = Card(name="tiny", adapter="hf", model=TINY)
    assert build(card, setting).fingerprint() != build(card, {"dtype": "float32"}).fingerprint()


@pytest.mark.parametrize(
    "setting", [{"batch_tokens": 7}, {"threads": 1}, {"device": "cuda:0"}, {"engine": "auto"}], ids=str
)
def test_a_setting_that_moves_nothing_does_not(setting: dict[str, Any]) -> None:
    card = Card(name="tiny", adapter="hf", model=TINY)
    assert build(card, setting).fingerprint() == build(card, {}).fingerprint()


def test_a_card_that_changes_how_reasoning_is_switched_changes_the_fingerprint() -> None:
    plain = Card(name="tiny", adapter="hf", model=TINY)
    switch = Card(
        name="tiny", adapter="hf", model=TINY, reasoning=Reasoning(can="switch", off={"enable_thinking": False})
    )
    assert build(plain, {}).fingerprint() != build(switch, {}).fingerprint()


def test_a_template_that_writes_the_date_gets_the_same_day_always() -> None:
    dated = tokenizer(template="chat")
    dated.chat_template = "Today Date: {{ strftime_now('%d %b %Y') }}\n" + CHATML
    renderer = Renderer(dated, "chat", Reasoning(), "a dated model")
    text = renderer.text(Choose((Message("user", ("What is heard?",)),), (("a",), ("b",))))
    assert text.startswith("Today Date: 26 Jul 2024\n<|im_start|>user\nWhat is heard?")


def test_a_template_whose_date_cannot_be_held_is_refused() -> None:
    dated = tokenizer(template="chat")
    dated.chat_template = "{% set f = '%d %b %Y' %}{{ strftime_now(f) }}" + CHATML
    with pytest.raises(AkbError, match="cannot be held fast"):
        Renderer(dated, "chat", Reasoning(), "a dated model")


def test_the_models_own_generation_defaults_do_not_move_its_replies(tmp_path: Path) -> None:
    """Many models ship a repetition penalty; no protocol asks for one."""
    hostile = tmp_path / "hostile"
    shutil.copytree(TINY, hostile)
    told = json.loads((hostile / "generation_config.json").read_text())
    told |= {
        "repetition_penalty": 1.7,
        "no_repeat_ngram_size": 1,
        "min_new_tokens": 20,
        "do_sample": True,
        "temperature": 3.0,
    }
    (hostile / "generation_config.json").write_text(json.dumps(told))
    ask = Generate((Message("user", ("Which word rhymes with night?",)),), Decoding(max_tokens=24))
    replies = [
        build(Card(name="tiny", adapter="hf", model=str(folder)), {"device": "cpu", "dtype": "float32"}).answer([ask])
        for folder in (TINY, hostile)
    ]
    assert replies[0][0].text == replies[1][0].text
    assert replies[0][0].finish == replies[1][0].finish == Finish.STOP


def test_a_half_precision_model_computes_its_logits_in_fp32_and_so_options_do_not_tie_by_rounding() -> None:
    card = Card(name="tiny", adapter="hf", model=TINY)
    letters = tuple((f" {label}",) for label in LABELS)
    asks = [Choose((Message("user", (f"Question number {n}: which?",)),), letters, "Answer:") for n in range(40)]
    model = build(card, {"device": "cpu", "dtype": "bfloat16"})
    rows = [[group[0].logprob for group in response.scores] for response in model.answer(asks)]
    assert all(len(set(row)) == len(row) for row in rows)
    loaded = model._model
    assert str(loaded.get_output_embeddings().weight.dtype) == "torch.float32"
    assert str(loaded.get_input_embeddings().weight.dtype) == "torch.bfloat16"
    model = build(card, {"device": "cpu", "dtype": "bfloat16"})
    loaded = model._model
    loaded.set_output_embeddings(loaded.get_input_embeddings())  # as it was: tied, and rounded
    loaded.lm_head = torch.nn.Linear(1, 1, bias=False)
    loaded.lm_head.weight = loaded.get_input_embeddings().weight
    rounded = [[group[0].logprob for group in response.scores] for response in model.answer(asks)]
    assert any(len(set(row)) < len(row) for row in rounded)
