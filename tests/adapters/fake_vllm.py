"""A double of vLLM: what the adapter uses of it, computed by transformers one sequence at a time.

It takes no argument and has no attribute that vllm_signatures.json does not name, and refuses what vLLM refuses. It
shows that the adapter asks for the right thing; that vLLM computes it is not shown here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

SIGNATURES: dict[str, Any] = json.loads((Path(__file__).parent / "vllm_signatures.json").read_text("utf-8"))


def check(where: str, told: dict[str, Any], known: dict[str, bool]) -> None:
    """Refuse arguments that vLLM does not know, and calls without those that it needs."""
    if unknown := sorted(told.keys() - known.keys()):
        raise TypeError(f"{where} got an unexpected keyword argument {unknown[0]!r}")
    if missing := sorted(name for name, default in known.items() if not default and name not in told):
        raise TypeError(f"{where} missing a required argument: {missing[0]!r}")


def parameters(of: str) -> dict[str, bool]:
    """Name -> whether it has a default, of a recorded function."""
    return {n: p["default"] for n, p in SIGNATURES[of].items() if p["kind"] != "any keyword"}


def made(of: str, **values: Any) -> SimpleNamespace:
    """One of vLLM's outputs, with recorded attributes alone."""
    assert values.keys() <= set(SIGNATURES[of])
    return SimpleNamespace(**values)


class TokensPrompt(dict[str, Any]):
    def __init__(self, **told: Any) -> None:
        check("TokensPrompt", told, {key: need == "optional" for key, need in SIGNATURES["TokensPrompt"].items()})
        super().__init__(told)


class SamplingParams(SimpleNamespace):
    def __init__(self, **told: Any) -> None:
        check("SamplingParams", told, SIGNATURES["SamplingParams"])
        usual = {"max_tokens": 16, "temperature": 1.0, "top_p": 1.0, "seed": None, "stop": None, "detokenize": True}
        usual |= {"stop_token_ids": None, "skip_special_tokens": True, "prompt_logprobs": None}
        super().__init__(**{**usual, "logprob_token_ids": None, **told})
        if self.stop and not self.detokenize:
            raise ValueError("stop strings are only supported when detokenize is True.")
        if not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature must be in [0, 2], got {self.temperature}.")
        if len(self.logprob_token_ids or ()) > SIGNATURES["MAX_LOGPROB_TOKEN_IDS"]:
            raise ValueError("Requested logprob_token_ids of a length greater than max allowed")


class LLM:
    calls: list[int]  # how many sequences each call of generate was given
    broken: str = ""  # what the next call fails with

    def __init__(self, **told: Any) -> None:
        known = {**SIGNATURES["EngineArgs"], **parameters("LLM.__init__")}
        check("LLM", told, known)
        assert told["logprobs_mode"] in SIGNATURES["logprobs_mode"]
        self.told, self.calls, self.shut = told, [], False
        self.model = AutoModelForCausalLM.from_pretrained(told["model"], dtype=getattr(torch, told["dtype"])).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(told["model"])
        self.longest = told.get("max_model_len") or self.model.config.max_position_embeddings
        assert {"llm_engine"} <= set(SIGNATURES["LLM"])
        assert {"engine_core"} <= set(SIGNATURES["LLMEngine"])
        assert {"shutdown"} <= set(SIGNATURES["EngineCoreClient"])
        self.llm_engine = SimpleNamespace(engine_core=SimpleNamespace(shutdown=self._shutdown))

    def _shutdown(self) -> None:
        self.shut = True

    def generate(self, *prompts: Any, **told: Any) -> list[SimpleNamespace]:
        names = [n for n, p in SIGNATURES["LLM.generate"].items() if p["kind"] == "positional or keyword"]
        check("LLM.generate", {**dict(zip(names, prompts, strict=False)), **told}, parameters("LLM.generate"))
        if self.broken:
            raise RuntimeError(self.broken)
        asked, params = prompts
        assert len(asked) == len(params)
        self.calls.append(len(asked))
        return [self._one(p["prompt_token_ids"], how) for p, how in zip(asked, params, strict=True)]

    def _logs(self, ids: Sequence[int]) -> torch.Tensor:
        with torch.no_grad():
            logits: torch.Tensor = self.model(torch.tensor([ids])).logits[0]
        return logits.double().log_softmax(-1)

    def _one(self, prompt: list[int], how: SamplingParams) -> SimpleNamespace:
        if len(prompt) >= self.longest:
            raise ValueError(f"The decoder prompt (length {len(prompt)}) is longer than the maximum model length")
        logs, shown = self._logs(prompt), None
        if how.prompt_logprobs is not None:
            assert how.prompt_logprobs == 0, "the double knows the prompt's own tokens alone"
            shown = [None, *({t: _logprob(logs[i, t])} for i, t in enumerate(prompt[1:]))]
        new, reason = self._continue(prompt, how)
        scored = None
        if how.logprob_token_ids:
            assert how.max_tokens == 1, "the double scores one token"
            scored = [{token: _logprob(logs[-1, token]) for token in (new[0], *how.logprob_token_ids)}]
        text = self.tokenizer.decode(new, skip_special_tokens=how.skip_special_tokens) if how.detokenize else ""
        output = made("CompletionOutput", index=0, text=text, token_ids=new, logprobs=scored, finish_reason=reason)
        return made("RequestOutput", prompt_token_ids=prompt, prompt_logprobs=shown, outputs=[output], finished=True)

    def _continue(self, prompt: list[int], how: SamplingParams) -> tuple[list[int], str]:
        """The new tokens, and why they ended."""
        ends = {self.tokenizer.eos_token_id, *(how.stop_token_ids or ())}
        drawing = torch.Generator().manual_seed(how.seed or 0)
        new: list[int] = []
        while len(new) < how.max_tokens and len(prompt) + len(new) < self.longest:
            logs = self._logs([*prompt, *new])[-1]
            if how.temperature > 0:
                new.append(int(torch.multinomial((logs / how.temperature).softmax(-1), 1, generator=drawing)))
            else:
                new.append(int(logs.argmax()))
            if new[-1] in ends:
                return new, "stop"
            text = self.tokenizer.decode(new, skip_special_tokens=how.skip_special_tokens)
            if any(stop in text for stop in how.stop or ()):
                return new, "stop"
        return new, "length"


def _logprob(value: torch.Tensor) -> SimpleNamespace:
    return made("Logprob", logprob=float(value), rank=None, decoded_token=None)


def install(patch: pytest.MonkeyPatch, device: str = "cuda") -> None:
    """Put the double in vLLM's place for a test."""
    vllm, platforms = ModuleType("vllm"), ModuleType("vllm.platforms")
    double: Any = vllm
    double.LLM, double.SamplingParams, double.TokensPrompt = LLM, SamplingParams, TokensPrompt
    seen: Any = platforms
    seen.current_platform = SimpleNamespace(device_type=device, get_device_name=lambda: "a double")
    assert set(vars(seen.current_platform)) <= set(SIGNATURES["Platform"])
    patch.setitem(sys.modules, "vllm", vllm)
    patch.setitem(sys.modules, "vllm.platforms", platforms)
