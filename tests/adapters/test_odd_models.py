"""Models that could be computed wrongly without a word: positions that count columns or depend on the longest row,
small tables of positions, windows by other names, layers that PEFT replaces."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import peft
import pytest
import torch
from models import PROMPTS, Zoo, adapter, answers, battery, logprobs, weights
from transformers import AutoConfig, AutoModelForCausalLM

from akb.adapters import causal
from akb.adapters.decoding import Asked, Decoder, Sampling
from akb.adapters.rendering import Encoded
from akb.adapters.scoring import Scorer
from akb.errors import AkbError

NEAR = 1e-4
SMALL = {
    "vocab_size": 424,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
MPT = {"vocab_size": 424, "d_model": 32, "n_layers": 2, "n_heads": 4, "initializer_range": 0.35, "max_seq_len": 256}
GPT2 = {"vocab_size": 424, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
LONGROPE = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [4.0] * 4, "factor": 4.0}
DYNAMIC = {"rope_type": "dynamic", "factor": 4.0}


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("models"))


def made(family: str, **config: Any) -> Any:
    """A model with weights drawn wide, so that a wrong position shows."""
    torch.manual_seed(0)
    told = AutoConfig.for_model(family, **config, bos_token_id=0, eos_token_id=1, pad_token_id=1)
    model = AutoModelForCausalLM.from_config(told, dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.35)
    return model


def rope(kind: dict[str, Any]) -> Any:
    """A model trained for 64 tokens, whose positions are turned otherwise beyond."""
    told = {**kind, "rope_theta": 10000.0, "original_max_position_embeddings": 64}
    sizes = {**SMALL, "num_key_value_heads": 4, "max_position_embeddings": 512 if kind is LONGROPE else 64}
    own = {"original_max_position_embeddings": 64} if kind is LONGROPE else {}
    return made("phi3" if kind is LONGROPE else "llama", **sizes, **own, rope_parameters=told)


def questions(lengths: Sequence[int], branch: int = 4, options: int = 4, shared: int = 0) -> list[Encoded]:
    """Questions with prompts of these lengths that begin with so many tokens alike."""
    random = Random(3)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(random.randrange(2, 400) for _ in range(count))

    head = tokens(shared)
    return [Encoded(head + tokens(n - shared), tuple((tokens(branch),) for _ in range(options))) for n in lengths]


def off(model: Any, batch: Sequence[Encoded], shared: int = 0) -> float:
    """How far the values are from those of one sequence at a time."""
    ours, plain = Scorer(model, 1).score(batch, shared), Scorer(model, 1, "plain").score(batch)
    return max(abs(a[key] - b[key]) for a, b in zip(ours, plain, strict=True) for key in b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_that_cannot_be_told_positions_gets_no_trees(dtype: torch.dtype) -> None:
    model = made("mpt", **MPT).to(dtype)
    assert Scorer(model, 1).way(range(2, 60), 60) == "chains"
    assert off(model, questions([40, 30, 20], branch=8)) < (NEAR if dtype == torch.float32 else 0.3)


@pytest.mark.parametrize("kind", [LONGROPE, DYNAMIC], ids=["longrope", "dynamic"])
def test_positions_that_depend_on_the_longest_row_are_computed_alone(kind: dict[str, Any]) -> None:
    model = rope(kind)
    assert causal.reach(model) == 64
    assert off(model, questions([90, 50, 30])) < NEAR, "a long row beside short ones"
    assert off(model, questions([70, 75], shared=50), 50) < NEAR, "a prefix that is shorter by itself"
    assert off(model, questions([50, 40], branch=6, options=6)) < NEAR, "a tree longer than any text"
    if kind is DYNAMIC:
        return  # with a cache its keys keep the turns that they had, in transformers too; the oracle has no cache
    batch = [Asked(e.prompt, lambda new: len(new) >= 12, 12) for e in questions([60, 58])]
    ours, alone = (Decoder(Scorer(model, 1, engine), ()).replies(batch, Sampling()) for engine in ("auto", "plain"))
    assert ours == alone, "replies that cross the bound"


def test_no_position_is_beyond_what_the_texts_need() -> None:
    """Six branches and padding make rows longer than the model's table of positions, no text is."""
    assert off(made("gpt2", **GPT2), questions([50, 40, 20], branch=6, options=6)) < NEAR


@pytest.mark.parametrize(
    ("family", "config", "wanted"),
    [
        ("gemma3_text", {"sliding_window": 512}, 512),
        ("qwen2", {"use_sliding_window": False, "sliding_window": 4096}, float("inf")),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 4096, "max_window_layers": 3}, 4096),
        ("gpt_neo", {"window_size": 256}, 256),
        ("llama", {}, float("inf")),
    ],
)
def test_windows_are_known_by_their_names(family: str, config: dict[str, Any], wanted: float) -> None:
    class Configured:
        def __init__(self) -> None:
            self.config = AutoConfig.for_model(family, **config)

    assert causal.window(Configured()) == wanted


def test_a_first_prompt_of_one_token_hides_nothing() -> None:
    model = made("mpt", **MPT)
    model.forward.__func__.__signature__ = None  # as if it took positions
    scorer = Scorer(model, 1)
    assert not scorer._tried((5,))
    assert Scorer(weights("llama"), 1)._tried((5,))


def test_chains_keep_to_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, sizes = Scorer(weights("mamba"), 1, tokens=200), list[int]()
    forward = Scorer._forward

    def counted(self: Scorer, grown: Any, prefix: Any) -> Any:
        sizes.append(len(grown) * max(len(tree.ids) for tree in grown))
        return forward(self, grown, prefix)

    batch = questions([60, 50, 40, 30])
    monkeypatch.setattr(Scorer, "_forward", counted)
    values = scorer.score(batch)
    assert max(sizes) <= 200
    assert (
        max(abs(values[0][key] - value) for key, value in Scorer(scorer.model, 1, "plain").score(batch)[0].items())
        < NEAR
    )


def test_rows_that_generate_would_pad_go_by_length(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = adapter(zoo.folder("mamba"), batch_tokens=100_000)
    generate, seen = type(asked._model).generate, list[bool]()

    def watched(self: Any, **told: Any) -> Any:
        seen.append(bool(told["attention_mask"].all()))
        return generate(self, **told)

    monkeypatch.setattr(type(asked._model), "generate", watched)
    answers(asked, PROMPTS)
    assert seen
    assert all(seen)


# -- PEFT --


def tuned(zoo: Zoo, folder: Path, config: Any) -> Any:
    """A folder with an adapter whose weights are drawn, and the model with it in fp32."""
    base = AutoModelForCausalLM.from_pretrained(zoo.folder("llama"), dtype=torch.float32)
    torch.manual_seed(5)
    model = peft.get_peft_model(base, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * (0.3 if "lm_head" in name else 0.05))
    model.save_pretrained(folder)
    return model.eval()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_output_layer_that_an_adapter_brings_is_used(zoo: Zoo, tmp_path: Path, dtype: str) -> None:
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj"], modules_to_save=["lm_head"])
    model = tuned(zoo, tmp_path / "peft", config)
    asked = adapter(zoo.folder("llama"), dtype=dtype, peft=str(tmp_path / "peft"))
    ours, wanted = logprobs(answers(asked, battery())), []
    for request in battery():
        encoded = asked.renderer.encode(request)
        values = Scorer(model, 1, "plain").score([encoded])[0]
        wanted += [values[key] for key in sorted(values)]
    apart = [abs(a - b) for a, b in zip(ours, wanted, strict=True)]
    assert sum(apart) / len(apart) < (NEAR if dtype == "float32" else 0.15)
    without = logprobs(answers(adapter(zoo.folder("llama")), battery()))
    assert sum(abs(a - b) for a, b in zip(without, wanted, strict=True)) / len(wanted) > 0.5


def test_an_adapter_that_puts_tokens_before_the_prompt_is_refused(zoo: Zoo, tmp_path: Path) -> None:
    tuned(zoo, tmp_path / "peft", peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))
    with pytest.raises(AkbError, match="tokens of its own before the prompt"):
        answers(adapter(zoo.folder("llama"), peft=str(tmp_path / "peft")), battery()[:1])
    shutil.rmtree(tmp_path / "peft")
