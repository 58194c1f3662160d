"""What makes a local model's answer another answer is in its fingerprint, and what the day of the week is, is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from models import CHATML, tokenizer

from akb import content
from akb.adapters.cards import Card, Reasoning
from akb.adapters.hf import build
from akb.adapters.rendering import Renderer
from akb.types import Choose, Message

TINY = str(Path(content.builtin()) / "adapters/akb-tiny")


@pytest.mark.parametrize(
    "setting",
    [
        {"dtype": "bfloat16"},
        {"template": "plain"},
        {"attention": "eager"},
        {"quantize": "4bit"},
        {"device_map": "auto"},
        {"device": "cuda:0"},
    ],
    ids=str,
)
def test_a_setting_that_can_move_an_answer_changes_the_fingerprint(setting: dict[str, Any]) -> None:
    card = Card(name="tiny", adapter="hf", model=TINY)
    assert build(card, setting).fingerprint() != build(card, {"dtype": "float32"}).fingerprint()


@pytest.mark.parametrize("setting", [{"batch_tokens": 7}, {"threads": 1}, {"device": "auto"}], ids=str)
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
