"""The hf adapter's replies: against greedy decoding written here, and with a model that says what it is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from models import FAMILIES, PROMPTS, Zoo, adapter, answers, say, tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from akb.adapters.cards import Reasoning
from akb.adapters.generation import Replies
from akb.adapters.rendering import Renderer
from akb.types import Decoding, Finish, Generate, Response


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("models"))


def greedy(folder: Path, ids: Sequence[int], most: int) -> list[int]:
    """Greedy decoding of one sequence without a cache."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    new: list[int] = []
    while len(new) < most and 1 not in new:
        with torch.no_grad():
            new.append(int(model(torch.tensor([[*ids, *new]])).logits[0, -1].argmax()))
    return new


@pytest.mark.parametrize("family", FAMILIES)
def test_replies_in_batches_are_those_of_one_sequence_at_a_time(zoo: Zoo, family: str) -> None:
    folder = zoo.folder(family, "adds", "chat")
    asked = adapter(folder, batch_tokens=100_000)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(asked.plan(PROMPTS)) == 1
    for request, response in zip(PROMPTS, answers(asked, PROMPTS), strict=True):
        new = greedy(folder, asked.preview(request).ids, 12)
        assert response.text == tokenizer.decode(new, skip_special_tokens=True)
        assert response.finish == (Finish.STOP if 1 in new else Finish.LENGTH)
        assert response.completion_tokens == len(new)


def test_a_stop_text_ends_a_reply_and_is_left_out_of_it(zoo: Zoo) -> None:
    folder = zoo.folder("llama", "adds", "chat")
    free = answers(adapter(folder), PROMPTS)
    told = free[1].text or ""
    stop = told[4:7]
    stopped = [Generate(p.messages, Decoding(max_tokens=12, stop=(stop, "not to be found"))) for p in PROMPTS]
    for before, after in zip(free, answers(adapter(folder), stopped), strict=True):
        whole = before.text or ""
        assert after.text == whole.split(stop)[0]
        assert after.finish == (Finish.STOP if stop in whole else before.finish)


def test_drawn_replies_repeat_with_the_seed_and_differ_between_draws(zoo: Zoo) -> None:
    folder = zoo.folder("llama", "adds", "chat")
    drawn = [
        Generate(PROMPTS[0].messages, Decoding(12, temperature=1.5, seed=seed, draw=draw))
        for seed in (0, 1)
        for draw in (0, 1, 2)
    ]
    first = [r.text for r in answers(adapter(folder), drawn)]
    assert first == [r.text for r in answers(adapter(folder), drawn)]
    assert len(set(first)) == len(drawn)


# -- reasoning --


def scripted(
    replies: Sequence[str], decoding: Decoding, reasoning: Reasoning, marks: Sequence[str] = ()
) -> tuple[list[Response], list[list[int]]]:
    """The responses to a model that says these texts until it is told that a reply is over, and the tokens it said."""
    words = tokenizer("adds", "chat", marks)
    renderer = Renderer(words, "chat", reasoning, "a scripted model")
    kept, request = Replies(renderer, (1,)), Generate((say("Which has reeds?"),), decoding)
    prompt = renderer.ids(renderer.text(request))
    found, said = [], []
    for reply in replies:
        ids, watch = words(reply, add_special_tokens=False)["input_ids"], kept.watch(decoding)
        new = next(ids[:count] for count in range(1, len(ids) + 1) if watch.over(ids[:count]))
        found.append(kept.response(request, prompt, new))
        said.append(new)
    return found, said


SWITCH = Reasoning(can="switch")
OPENED = Reasoning(can="always", opened_by_template=True)


@pytest.mark.parametrize("marks", [(), ("<think>", "</think>")])
def test_reasoning_is_kept_apart_from_the_answer(marks: Sequence[str]) -> None:
    replies = ["<think>\na horn\n</think>\n\nAnswer: A</s>", "Answer: B</s>"]
    found, _ = scripted(replies, Decoding(20, thinking=60), SWITCH, marks)
    assert [(r.reasoning, r.text, r.finish) for r in found] == [
        ("a horn", "Answer: A", Finish.STOP),
        (None, "Answer: B", Finish.STOP),
    ]
    assert found[0].reasoning_tokens > 0 == found[1].reasoning_tokens


def test_reasoning_that_the_template_opens_has_no_opening_mark_of_its_own() -> None:
    found, _ = scripted(["a horn</think>Answer: A</s>"], Decoding(20, thinking=60), OPENED)
    assert (found[0].reasoning, found[0].text) == ("a horn", "Answer: A")


def test_a_model_that_always_reasons_may_do_so_under_a_protocol_without_thinking() -> None:
    found, _ = scripted(["<think>a horn</think>Answer: A</s>"], Decoding(6), OPENED)
    assert (found[0].reasoning, found[0].text, found[0].finish) == ("a horn", "Answer: A", Finish.STOP)


def test_marks_are_plain_text_to_a_model_that_does_not_reason() -> None:
    found, _ = scripted(["<think>a horn</think>B</s>"], Decoding(40), Reasoning())
    assert (found[0].reasoning, found[0].text) == (None, "<think>a horn</think>B")


def test_reasoning_ends_with_its_budget_and_the_other_rows_go_on() -> None:
    replies = ["<think>" + "a low hum " * 30, "<think>a</think>" + "a horn and a bell</s>"]
    found, _ = scripted(replies, Decoding(20, thinking=12), SWITCH)
    assert (found[0].text, found[0].finish) == ("", Finish.THINKING)
    assert found[0].reasoning_tokens <= 12
    assert (found[1].text, found[1].finish) == ("a horn and a bell", Finish.STOP)
    _, alone = scripted(replies[:1], Decoding(20, thinking=12), SWITCH)
    assert len(alone[0]) == 13


def test_an_answer_has_its_own_budget_however_little_was_reasoned() -> None:
    replies = ["<think>a</think>" + "Answer: A " * 20]
    found, said = scripted(replies, Decoding(8, thinking=60), SWITCH)
    assert len(said[0]) < 30
    assert found[0].finish == Finish.LENGTH
    assert len(tokenizer()(found[0].text, add_special_tokens=False)["input_ids"]) == 8


@pytest.mark.parametrize(
    ("reply", "thinking", "wanted"),
    [
        ("<think>x</think>y", False, ("x", "y", True)),
        ("  <think>x", False, ("x", "", False)),
        ("x</think>y</think>z", True, ("x", "y</think>z", True)),
        ("<think></think>y", True, (None, "y", True)),
        ("y", True, (None, "y", True)),
    ],
)
def test_a_reply_is_split_at_the_first_closing_mark(
    reply: str, thinking: bool, wanted: tuple[str | None, str, bool]
) -> None:
    renderer = Renderer(tokenizer("adds", "chat"), "chat", SWITCH, "here")
    assert renderer.split_reasoning(reply, thinking=thinking) == wanted
