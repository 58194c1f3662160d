"""The vllm adapter, by a double of vLLM, against the hf adapter; and the double's names against vLLM's own source."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fake_vllm
import pytest
import record_vllm
from models import PROMPTS, Zoo, adapter, answers, battery, logprobs, say, tokenizer

from akb.adapters import vllm
from akb.adapters.cards import Card, Reasoning
from akb.errors import AkbError
from akb.registry import Registry
from akb.types import Choose, Decoding, Finish, Generate, LocalAdapter, Request, Response

ROOT = Path(__file__).resolve().parent.parent.parent
NEAR = 1e-5  # nats
FAMILIES = ("llama", "qwen2", "akb-tiny")


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def _double(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_vllm.install(monkeypatch)
    for name in vllm.ENVIRONMENT:
        monkeypatch.setenv(name, vllm.ENVIRONMENT[name])


def folder_of(zoo: Zoo, family: str, template: str = "chat") -> Path:
    return ROOT / "adapters" / "akb-tiny" if family == "akb-tiny" else zoo.folder(family, "adds", template)


def ours(folder: Path, reasoning: Reasoning | None = None, **args: Any) -> vllm.VLLM:
    card = Card(name="tiny", adapter="vllm", model=str(folder), reasoning=reasoning or Reasoning())
    return vllm.build(card, {"dtype": "float32", **args})


def same(found: Sequence[Response], wanted: Sequence[Response]) -> None:
    """Replies are the same in all that a run records of them, but for the time."""
    for a, b in zip(found, wanted, strict=True):
        assert (a.text, a.reasoning, a.finish, a.prompt_tokens, a.reasoning_tokens) == (
            b.text, b.reasoning, b.finish, b.prompt_tokens, b.reasoning_tokens
        )  # fmt: skip


# -- against the hf adapter --


@pytest.mark.parametrize("template", ["none", "chat"])
@pytest.mark.parametrize("family", FAMILIES)
def test_log_probabilities_of_letters_and_texts_are_those_of_the_hf_adapter(
    zoo: Zoo, family: str, template: str
) -> None:
    folder = folder_of(zoo, family, template)
    asked, wanted = answers(ours(folder), battery()), answers(adapter(folder), battery())
    for found, other in zip(asked, wanted, strict=True):
        assert logprobs([found]) == pytest.approx(logprobs([other]), rel=1e-6, abs=NEAR)  # fp32 holds 7 digits
        assert found.prompt_tokens == other.prompt_tokens
        assert [[s.tokens for s in g] for g in found.scores] == [[s.tokens for s in g] for g in other.scores]
        assert [[s.characters for s in g] for g in found.scores] == [[s.characters for s in g] for g in other.scores]


@pytest.mark.parametrize("family", FAMILIES)
def test_replies_are_those_of_the_hf_adapter_token_by_token(zoo: Zoo, family: str) -> None:
    folder = folder_of(zoo, family)
    requests = [*PROMPTS, *(Generate(p.messages, Decoding(max_tokens=40)) for p in PROMPTS)]
    found, wanted = answers(ours(folder), requests), answers(adapter(folder), requests)
    same(found, wanted)
    assert [r.completion_tokens for r in found] == [r.completion_tokens for r in wanted]
    assert {r.finish for r in found} & {Finish.LENGTH, Finish.STOP}


@pytest.mark.parametrize("family", FAMILIES)
def test_stop_texts_end_replies_as_in_the_hf_adapter(zoo: Zoo, family: str) -> None:
    folder = folder_of(zoo, family)
    stops = tuple({(r.text or "")[2:4] for r in answers(adapter(folder), PROMPTS)} - {""})
    requests = [Generate(p.messages, Decoding(max_tokens=12, stop=(*stops, "not to be found"))) for p in PROMPTS]
    found = answers(ours(folder), requests)
    same(found, answers(adapter(folder), requests))
    assert any(r.finish == Finish.STOP and r.completion_tokens < 12 for r in found)


class Script:
    """In place of a model that reasons: whatever is asked, the engine says one text, up to its last token."""

    def __init__(self, text: str) -> None:
        self.words = tokenizer("adds", "chat")
        self.ids: list[int] = self.words(text, add_special_tokens=False)["input_ids"]

    def __call__(self, prompt: list[int], how: Any) -> tuple[list[int], str]:
        said = self.ids[: how.max_tokens]
        return said, "stop" if said[-1] in how.stop_token_ids else "length"


SWITCH, ALWAYS = Reasoning(can="switch"), Reasoning(can="always", opened_by_template=True)
REPLIES = [
    ("<think>\na horn\n</think>\n\nAnswer: A</s>", Decoding(20, thinking=60), SWITCH),
    ("Answer: B</s>", Decoding(20, thinking=60), SWITCH),
    ("a horn</think>Answer: A</s>", Decoding(20, thinking=60), ALWAYS),
    ("<think>a horn</think>Answer: A</s>", Decoding(6), ALWAYS),
    ("<think>a horn</think>B</s>", Decoding(40), Reasoning()),
    ("<think>" + "a low hum " * 30, Decoding(20, thinking=12), SWITCH),
    ("<think>a</think>" + "Answer: A " * 20, Decoding(8, thinking=60), SWITCH),
    ("<think>a</think>" + "Answer: A " * 20, Decoding(8), ALWAYS),
]


@pytest.mark.parametrize(("text", "decoding", "reasoning"), REPLIES)
def test_reasoning_is_split_and_its_budget_kept_as_by_the_hf_adapter(
    zoo: Zoo, text: str, decoding: Decoding, reasoning: Reasoning, monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_replies import scripted

    wanted, _ = scripted([text], decoding, reasoning)
    script = Script(text)
    monkeypatch.setattr(fake_vllm.LLM, "_continue", lambda _, prompt, how: script(prompt, how))
    request = Generate((say("Which has reeds?"),), decoding)
    found = answers(ours(folder_of(zoo, "llama"), reasoning, max_model_len=10_000), [request])
    same(found, wanted)
    assert found[0].completion_tokens == wanted[0].completion_tokens


def test_the_same_request_has_the_same_ids_and_nearly_the_same_fingerprint() -> None:
    folder = ROOT / "adapters" / "akb-tiny"
    one, other = ours(folder), adapter(folder)
    requests: list[Request] = [*battery(), *PROMPTS]
    assert [one.preview(r) for r in requests] == [other.preview(r) for r in requests]
    assert all(one.preview(r).bos_count == 1 for r in requests)
    mine, theirs = dict(one.fingerprint()), dict(other.fingerprint())
    assert mine.pop("adapter") == vllm.VERSION != theirs.pop("adapter")
    assert {mine.pop("vllm"), mine.pop("logits")} == {"", "float32"}
    assert mine == theirs


# -- what vLLM is asked --


def test_a_question_of_letters_is_one_sequence_and_one_of_texts_one_for_each(zoo: Zoo) -> None:
    letters = Choose((say("Which has reeds?"),), tuple((f" {label}",) for label in "ABCD"), "Answer:")
    asked = ours(folder_of(zoo, "llama"))
    answers(asked, [letters])
    answers(asked, [Choose(letters.messages, ((" a low hum",), (" thunder",)), "Answer:")])
    assert asked._engine.calls == [1, 2]


def test_more_continuations_than_vllm_scores_at_once_are_scored_in_parts() -> None:
    from akb.adapters.rendering import Encoded

    rows = vllm._rows(Encoded((5, 6), tuple(((number,),) for number in range(300))))
    assert [len(row.wanted) for row in rows] == [128, 128, 44]
    assert fake_vllm.SIGNATURES["MAX_LOGPROB_TOKEN_IDS"] == vllm.MOST_IDS


def test_batches_hold_every_request_once_in_order_and_one_kind_each(zoo: Zoo) -> None:
    asked = ours(folder_of(zoo, "llama"))
    requests: list[Request] = [*battery() * 60, *PROMPTS, *battery()]
    batches = asked.plan(requests)
    assert sorted(place for batch in batches for place in batch) == list(range(len(requests)))
    assert all(list(batch) == sorted(batch) and len(batch) <= vllm.BATCH for batch in batches)
    assert all(len({type(requests[place]) for place in batch}) == 1 for batch in batches)


def test_drawn_replies_repeat_with_the_seed_alone_or_in_company(zoo: Zoo) -> None:
    drawn = [
        Generate(PROMPTS[0].messages, Decoding(12, temperature=1.5, seed=seed, draw=draw))
        for seed in (0, 1)
        for draw in (0, 1, 2)
    ]
    asked = ours(folder_of(zoo, "llama"))
    first = [r.text for r in answers(asked, drawn)]
    assert first == [answers(asked, [request])[0].text for request in drawn]
    assert len(set(first)) == len(drawn)


def test_settings_reach_the_engine_and_what_moves_numbers_the_fingerprint(zoo: Zoo) -> None:
    args: dict[str, Any] = {
        "tensor_parallel_size": 2,
        "gpu_memory_utilization": 0.5,
        "engine_args": {"max_num_seqs": 64},
    }
    folder = folder_of(zoo, "llama")
    asked = ours(folder, max_model_len=256, **args)
    told = asked._engine.told
    assert {name: told[name] for name in ("model", "dtype", "tensor_parallel_size", "max_num_seqs")} == {
        "model": str(folder), "dtype": "float32", "tensor_parallel_size": 2, "max_num_seqs": 64
    }  # fmt: skip
    assert told["hf_overrides"] == {"head_dtype": "float32"}
    assert "quantization" not in told
    plain = ours(folder).fingerprint()
    assert asked.fingerprint().keys() - plain.keys() == {"max_model_len", "engine_args"}
    assert ours(folder, tensor_parallel_size=2).fingerprint() == plain
    quantised = ours(folder, quantization="fp8")
    assert quantised._exact_logits is False
    assert quantised.fingerprint()["quantization"] == "fp8"


def test_the_engine_is_stopped_when_the_adapter_is_closed(zoo: Zoo) -> None:
    asked = ours(folder_of(zoo, "llama"))
    assert asked.environment() == {}
    engine = asked._engine
    assert asked.environment()["names"] == ["a double"]
    asked.close()
    asked.close()
    assert engine.shut
    assert isinstance(asked, LocalAdapter)


# -- names --


def test_a_registered_name_can_be_run_by_vllm_with_all_that_its_card_says() -> None:
    registry = Registry()
    for name in ("vllm:qwen3-8b", "vllm:Qwen/Qwen3-8B"):
        card, plain = registry.card(name), registry.card("qwen3-8b")
        assert card.adapter == "vllm"
        assert card.name != plain.name
        assert (card.model, card.revision, card.reasoning) == (plain.model, plain.revision, plain.reasoning)
    assert registry.card("vllm:someone/else").model == "someone/else"
    assert isinstance(registry.adapter(registry.card("vllm:akb-tiny")), vllm.VLLM)


# -- errors --


def refused(folder: Path, **args: Any) -> str:
    with pytest.raises(AkbError) as found:
        answers(ours(folder, **args), battery())
    return str(found.value)


def test_settings_that_are_not_there_are_refused_with_a_word_on_what_is(zoo: Zoo) -> None:
    folder = folder_of(zoo, "llama")
    assert "did you mean max_model_len" in refused(folder, max_model_length=5)
    assert "CUDA_VISIBLE_DEVICES" in refused(folder, device="cuda:1")
    assert "--shard" in refused(folder, data_parallel_size=2)
    assert "--shard" in refused(folder, engine_args={"data_parallel_size": 2})
    assert "--set model.dtype" in refused(folder, engine_args={"dtype": "float16"})
    assert "cannot be set" in refused(folder, engine_args={"logprobs_mode": "raw_logits"})
    assert "unexpected keyword argument 'max_seqs'" in refused(folder, engine_args={"max_seqs": 3})


def test_a_prompt_that_is_too_long_is_refused_before_anything_is_asked(zoo: Zoo) -> None:
    folder = folder_of(zoo, "llama")
    assert "the model takes 40" in refused(folder, max_model_len=40)
    asked = ours(folder)
    with pytest.raises(AkbError, match="the model takes 512"):
        asked.plan([Generate((say("A"),), Decoding(max_tokens=600))])
    assert "_engine" not in asked.__dict__


def test_an_engine_that_dies_is_an_error_and_what_was_answered_is_kept(
    zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ours(folder_of(zoo, "llama"))
    kept = asked.ask([battery()[:2], battery()[2:]])
    assert len(next(kept)[1]) == 2
    monkeypatch.setattr(fake_vllm.LLM, "broken", "EngineCore encountered an issue. CUDA out of memory")
    with pytest.raises(AkbError, match="EngineCore encountered an issue") as found:
        next(kept)
    assert "gpu_memory_utilization" in found.value.fix


def test_without_a_gpu_or_without_vllm_the_error_says_so(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(zoo, "llama")
    fake_vllm.install(monkeypatch, device="")
    assert "vLLM finds no GPU" in refused(folder)
    monkeypatch.setitem(sys.modules, "vllm", None)
    assert 'pip install "akb[vllm]"' in refused(folder)


# -- the double against the real thing --


def test_the_recorded_names_are_those_of_vllm() -> None:
    told = os.environ.get("AKB_VLLM_PATH", "")
    spec = None if told else _real()
    if not told and spec is None:
        pytest.skip("vLLM is not installed; AKB_VLLM_PATH may name an unpacked one")
    package = Path(told) if told else Path(str(spec)).parent
    found = record_vllm.record(package)
    assert found == json.loads((Path(__file__).parent / "vllm_signatures.json").read_text("utf-8"))


def _real() -> str | None:
    """Where an installed vLLM lies; the double is not one."""
    sys.modules.pop("vllm", None)
    sys.modules.pop("vllm.platforms", None)
    spec = find_spec("vllm")
    return None if spec is None else spec.origin
