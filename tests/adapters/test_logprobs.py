"""The hf adapter's log-probabilities against plain forwards written here, and against lm-eval's."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from models import FAMILIES, PROMPTS, TEXT, Zoo, adapter, answers, battery, logprobs, say, weights
from transformers import AutoModelForCausalLM, AutoTokenizer

from akb.adapters.hf import HF
from akb.errors import AkbError
from akb.types import Choose, Generate, Request

NEAR = 1e-4  # nats


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("models"))


def reference(folder: Path, request: Choose, text: str, *, bos: bool) -> list[float]:
    """Each continuation's log-probability by one forward of one sequence, all positions, softmax in fp64."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")

    def ids(written: str) -> list[int]:
        found: list[int] = tokenizer(written, add_special_tokens=False)["input_ids"]
        return found if not bos or found[0] == 0 else [0, *found]

    values = []
    for continuation in (c for group in request.continuations for c in group):
        prompt, whole = ids(text), ids(text + continuation)
        assert whole[: len(prompt)] == prompt
        with torch.no_grad():
            logs = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
        values.append(float(sum(logs[at - 1, whole[at]] for at in range(len(prompt), len(whole)))))
    return values


def farthest(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


# -- log-probabilities --


@pytest.mark.parametrize("template", ["none", "chat-bos"])
@pytest.mark.parametrize("family", FAMILIES)
def test_log_probabilities_are_those_of_one_forward_for_each_sequence(zoo: Zoo, family: str, template: str) -> None:
    folder = zoo.folder(family, "adds", template)
    asked = adapter(folder)
    ours = answers(asked, battery())
    for request, response in zip(battery(), ours, strict=True):
        theirs = reference(folder, request, asked.renderer.text(request), bos=True)
        assert farthest(logprobs([response]), theirs) < NEAR


@pytest.mark.parametrize("family", FAMILIES)
def test_log_probabilities_are_those_of_lm_eval(zoo: Zoo, family: str) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    folder = zoo.folder(family, "adds", "chat-bos")
    for template in ("plain", "chat"):
        asked = adapter(folder, template=template)
        pairs = [(asked.renderer.text(r), c) for r in battery() for group in r.continuations for c in group]
        model = HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=8)
        instances = [Instance("loglikelihood", {}, pair, 0) for pair in pairs]
        theirs = [value for value, _ in model.loglikelihood(instances, disable_tqdm=True)]
        assert farthest(logprobs(answers(asked, battery())), theirs) < NEAR


@pytest.mark.parametrize("family", FAMILIES)
def test_the_make_up_of_batches_does_not_move_log_probabilities(zoo: Zoo, family: str) -> None:
    folder, requests = zoo.folder(family), battery()
    alone = logprobs(answers(adapter(folder, batch_tokens=1), requests))
    for tokens in (64, 700, 100_000):
        assert farthest(logprobs(answers(adapter(folder, batch_tokens=tokens), requests)), alone) < NEAR
    order = list(range(len(requests)))
    random.Random(3).shuffle(order)
    mixed = answers(adapter(folder, batch_tokens=700), [requests[i] for i in order])
    back = [response for _, response in sorted(zip(order, mixed, strict=True), key=lambda pair: pair[0])]
    assert farthest(logprobs(back), alone) < NEAR


def test_a_plan_of_batches_holds_every_request_once_and_keeps_to_the_budget(zoo: Zoo) -> None:
    asked, requests = adapter(zoo.folder("llama"), batch_tokens=700), battery() * 3
    batches = asked.plan(requests)
    assert sorted(index for batch in batches for index in batch) == list(range(len(requests)))
    needs = [asked._need(request) for request in requests]
    for batch in batches:
        padded = max(needs[i].tokens for i in batch) * len(batch)
        assert padded <= 700 or len(batch) == 1


def test_an_empty_prompt_is_scored_after_bos_or_end_of_text(zoo: Zoo) -> None:
    empty = Choose((say(""),), ((" low",), (" high",)))
    for bos, first in (("adds", 0), ("silent", 0), ("none", 1)):
        folder = zoo.folder("llama", bos)
        model = AutoModelForCausalLM.from_pretrained(folder)
        ids = AutoTokenizer.from_pretrained(folder)(" low", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logs = model(torch.tensor([[first, *ids]])).logits[0].double().log_softmax(-1)
        wanted = float(sum(logs[at, token] for at, token in enumerate(ids)))
        asked = adapter(folder)
        encoded = asked.renderer.encode(empty)
        assert encoded.prompt == (first,)
        assert abs(logprobs(answers(asked, [empty]))[0] - wanted) < NEAR


def test_a_prompt_longer_than_the_model_takes_is_an_error_not_a_cut(zoo: Zoo) -> None:
    with pytest.raises(AkbError, match="the model takes 512"):
        answers(adapter(zoo.folder("llama")), [Choose((say(TEXT * 5),), ((" A",),), "Answer:")])


# -- BOS --


@pytest.mark.parametrize("template", ["none", "chat", "chat-bos", "no-system"])
@pytest.mark.parametrize("bos", ["adds", "silent", "none"])
def test_bos_stands_at_the_beginning_once_or_not_at_all(zoo: Zoo, bos: str, template: str) -> None:
    asked = adapter(zoo.folder("llama", bos, template))
    wanted = int(bos == "adds" or (bos == "silent" and template == "chat-bos"))
    requests: list[Request] = [*battery(), Generate((say("What is it?"),))]
    for request in requests:
        preview = asked.preview(request)
        assert preview.bos_count == wanted
        assert preview.ids.count(0) == wanted
        assert wanted == 0 or preview.ids[0] == 0
        assert all(0 not in ids for group in preview.continuations for ids in group)


@pytest.mark.parametrize("template", ["none", "chat", "chat-bos"])
@pytest.mark.parametrize("bos", ["adds", "silent", "none"])
def test_ids_are_those_that_the_tokenizer_itself_makes(zoo: Zoo, bos: str, template: str) -> None:
    folder = zoo.folder("llama", bos, template)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    asked = adapter(folder)
    messages = (say("Be short.", "system"), say("Which has reeds?"))
    turns = [{"role": m.role, "content": m.text} for m in messages]
    if template == "none":
        wanted = tokenizer("Be short.\n\nWhich has reeds?\n")["input_ids"]
    else:
        wanted = tokenizer.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]
        if bos == "adds" and template == "chat":
            wanted = [0, *wanted]  # a template that forgets BOS, a tokenizer that wants it
    assert list(asked.preview(Generate(messages)).ids) == wanted


def test_a_system_message_that_the_template_refuses_goes_before_the_question(zoo: Zoo) -> None:
    asked = adapter(zoo.folder("llama", "adds", "no-system"))
    text = asked.preview(Generate((say("Be short.", "system"), say("Which has reeds?")))).text
    assert text == "<|im_start|>user\nBe short.\n\nWhich has reeds?<|im_end|>\n<|im_start|>assistant\n"


# -- memory, devices, adapters --


class Limited(torch.nn.Module):  # type: ignore[misc]
    """A model on a device that holds so many rows and no more, as a GPU says it or as a CPU does."""

    def __init__(self, inner: Any, most: int, error: Exception) -> None:
        super().__init__()
        self.inner, self.most, self.error = inner, most, error
        self.generation_config, self.refused = inner.generation_config, 0

    def get_base_model(self) -> Any:
        return self.inner

    def get_output_embeddings(self) -> Any:
        return self.inner.get_output_embeddings()

    def get_input_embeddings(self) -> Any:
        return self.inner.get_input_embeddings()

    def _check(self, ids: torch.Tensor) -> None:
        if len(ids) > self.most:
            self.refused += 1
            raise self.error

    def forward(self, input_ids: torch.Tensor, **rest: Any) -> Any:
        self._check(input_ids)
        return self.inner(input_ids=input_ids, **rest)

    def generate(self, input_ids: torch.Tensor, **rest: Any) -> Any:
        self._check(input_ids)
        return self.inner.generate(input_ids=input_ids, **rest)


ON_GPU = torch.OutOfMemoryError("out of memory, as ordered")
ON_CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to")


def limited(folder: Path, most: int, error: Exception = ON_GPU) -> tuple[HF, Limited]:
    asked = adapter(folder, batch_tokens=100_000)
    model = Limited(asked._model, most, error)
    asked.__dict__["_model"] = model
    return asked, model


def test_a_batch_that_memory_cannot_hold_is_split_and_answered_the_same(zoo: Zoo) -> None:
    folder = zoo.folder("mistral")
    asked, model = limited(folder, most=12)
    ours = logprobs(answers(asked, battery()))
    assert model.refused > 0
    assert farthest(ours, logprobs(answers(adapter(folder), battery()))) < NEAR


@pytest.mark.parametrize("error", [ON_GPU, ON_CPU], ids=["GPU", "CPU"])
def test_a_batch_of_replies_is_split_too(error: Exception, zoo: Zoo) -> None:
    folder = zoo.folder("llama")
    asked, model = limited(folder, most=8, error=error)
    ours = [response.text for response in answers(asked, PROMPTS * 2)]
    assert model.refused > 0
    assert ours == [response.text for response in answers(adapter(folder), PROMPTS * 2)]


def test_a_single_question_that_does_not_fit_is_an_error_that_says_what_to_do(zoo: Zoo) -> None:
    asked, _ = limited(zoo.folder("llama"), most=0)
    with pytest.raises(AkbError, match="too little memory for a single question"):
        answers(asked, battery())


@pytest.mark.slow
def test_two_devices_answer_as_one(zoo: Zoo) -> None:
    folder = zoo.folder("llama", "adds", "chat")
    two = answers(adapter(folder, device="cpu,cpu", batch_tokens=700, threads=1), [*battery(), *PROMPTS])
    one = answers(adapter(folder, batch_tokens=700), [*battery(), *PROMPTS])
    assert farthest(logprobs(two), logprobs(one)) < NEAR
    assert [response.text for response in two] == [response.text for response in one]


def test_a_lora_folder_moves_log_probabilities_to_those_of_the_merged_model(zoo: Zoo, tmp_path: Path) -> None:
    import peft

    folder = zoo.folder("llama")
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    torch.manual_seed(5)
    tuned = peft.get_peft_model(weights("llama"), config)
    tuned.save_pretrained(tmp_path / "lora")
    tuned.merge_and_unload().save_pretrained(tmp_path / "merged")
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "merged")
    with_lora, without = adapter(folder, peft=str(tmp_path / "lora")), adapter(folder)
    ours = logprobs(answers(with_lora, battery()))
    assert farthest(ours, logprobs(answers(without, battery()))) > 0.1
    assert farthest(ours, logprobs(answers(adapter(tmp_path / "merged"), battery()))) < NEAR
    assert with_lora.fingerprint() != without.fingerprint()
