"""Any causal language model that vLLM runs, by its offline engine (`vllm.LLM`).

    akb eval --model vllm:ORG/NAME ...      akb eval --model vllm:qwen2-7b ...

What the model is and what it reads is told by the hf adapter: the same commit, chat template, BOS and token ids, so
that one request is the same here and there. vLLM is given token ids and gives back token ids and log-probabilities.

Written against the source of vLLM 0.33.0, see docs/adding-a-model.md for what was checked.
"""

from __future__ import annotations

import gc
import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from types import SimpleNamespace
from typing import Any, Literal

from pydantic import Field

from akb.adapters import hf, snapshot
from akb.adapters.cards import Card
from akb.adapters.generation import Replies, room, seed, thinking_budget
from akb.adapters.rendering import Encoded
from akb.adapters.scoring import response
from akb.errors import AkbError, missing_extra
from akb.strict import Strict, parse
from akb.types import Capabilities, Choose, Finish, Generate, Preview, Request, Response

VERSION = "vllm/1"
BATCH = 512
"""Requests handed over at once. vLLM makes its own batches out of them (256 sequences at a time, 1024 on the largest
GPUs); more keep it busier while the longest replies of a batch are waited for, fewer lose less when a run is killed."""
MOST_IDS = 128  # vLLM's limit of `logprob_token_ids` for one sequence
ENVIRONMENT = {
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # by itself it writes where akb writes tables and JSON
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",  # nobody is told what is evaluated here
    "TOKENIZERS_PARALLELISM": "false",
}
DEAD = (
    "What was answered is kept; above vLLM may have told more. If memory ran out: "
    "--set model.max_model_len=4096, model.gpu_memory_utilization=0.8, model.tensor_parallel_size=2."
)
OURS = frozenset({"model", "tokenizer", "tokenizer_mode", "skip_tokenizer_init", "tokenizer_revision", "runner",
                  "logprobs_mode", "generation_config", "speculative_config", "spec_method"})  # fmt: skip
ELSEWHERE = {
    "device": "It takes the GPUs that it sees: CUDA_VISIBLE_DEVICES=0,1 akb eval ...",
    "data_parallel_size": "Run a share on each GPU (--shard 1/2 and 2/2, then akb merge), or ask a server: "
    "vllm serve --data-parallel-size 2 ... and --model openai:NAME.",
}


@dataclass(frozen=True)
class _Row:
    """One sequence that vLLM computes: all tokens but the last of a prompt and a continuation.

    Attributes:
        ids: the input.
        wanted: (place of the option, of its spelling, its ids) of the continuations that it scores.
    """

    ids: tuple[int, ...]
    wanted: tuple[tuple[int, int, tuple[int, ...]], ...]


class Args(Strict):
    """Settings of a model in vLLM: `--set model.KEY=VALUE`, or `args` of a card.

    Attributes:
        dtype: "auto" (as the weights are kept), "float32", "bfloat16" or "float16".
        revision: commit, branch or tag on the hub.
        trust_remote_code: run code that comes with the model.
        template: overrules the card: "chat" or "plain".
        tensor_parallel_size, pipeline_parallel_size: over so many GPUs one model is spread.
        gpu_memory_utilization: share of each GPU's memory that vLLM takes; null for its choice.
        max_model_len: the longest sequence in tokens; null for what the model allows.
        quantization: how the weights are quantised, by vLLM's name; null where the model's files say it.
        enforce_eager: without CUDA graphs.
        seed: vLLM's own; what is drawn has a seed of its request's.
        engine_args: anything else that `vllm.LLM` takes, by its name there.
    """

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    revision: str | None = Field(default=None, coerce_numbers_to_str=True)
    trust_remote_code: bool = False
    template: Literal["chat", "plain"] | None = None
    tensor_parallel_size: int = Field(default=1, ge=1)
    pipeline_parallel_size: int = Field(default=1, ge=1)
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    max_model_len: int | None = Field(default=None, ge=2)
    quantization: str | None = None
    enforce_eager: bool = False
    seed: int = 0
    engine_args: dict[str, Any] = Field(default_factory=dict)


class VLLM:
    """A model in vLLM's offline engine as an adapter."""

    capabilities = Capabilities(choose=True, generate=True)

    def __init__(self, card: Card, args: Args) -> None:
        self.card, self.args = card, args
        self.where = f"model {card.name}"
        told = args.model_dump(include={"dtype", "revision", "trust_remote_code", "template"})
        self.reader = hf.HF(card, hf.Args(**told))  # what the model is and what it reads; its weights stay unloaded

    # -- what it is, without loading it --

    def fingerprint(self) -> Mapping[str, Any]:
        told = {**self.reader.fingerprint(), "adapter": VERSION, "vllm": _version()}
        told["logits"] = "float32" if self._exact_logits else self.reader.dtype
        for name in ("quantization", "max_model_len", "engine_args"):  # a longer context can change positions' scale
            if getattr(self.args, name):
                told[name] = getattr(self.args, name)
        return told

    @property
    def _exact_logits(self) -> bool:
        """Whether logits are computed in fp32 from the last hidden states, as the hf adapter does it: in half
        precision the two best options often have the very same value. vLLM refuses it for a quantised output layer."""
        return self.args.quantization is None and not self.reader.snapshot.config.get("quantization_config")

    def environment(self) -> dict[str, Any]:
        """On what the model ran, for the record; nothing where it was not loaded."""
        if "_engine" not in self.__dict__:
            return {}
        from vllm.platforms import current_platform

        told = {name: getattr(self.args, name) for name in ("tensor_parallel_size", "pipeline_parallel_size")}
        return {"devices": [current_platform.device_type], "names": [current_platform.get_device_name()], **told}

    # -- reading and planning --

    def preview(self, request: Request) -> Preview:
        return self.reader.preview(request)

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        """Batches in the order of the requests, whose neighbours often begin alike: vLLM computes that once."""
        for request, longest in zip(requests, self._lengths(requests), strict=True):
            self._check_length(request, longest)
        batches: list[list[int]] = []
        for kind in (Choose, Generate):
            places = [place for place, request in enumerate(requests) if isinstance(request, kind)]
            batches += [places[start : start + BATCH] for start in range(0, len(places), BATCH)]
        return batches

    def _lengths(self, requests: Sequence[Request]) -> Iterator[int]:
        """How many tokens the longest sequence of each request may come to."""
        renderer = self.reader.renderer
        encoded = iter(renderer.encode_all([request for request in requests if isinstance(request, Choose)]))
        for request in requests:
            if isinstance(request, Generate):
                yield len(self._prompt(request)) + room(request.decoding, renderer)
            else:
                yield 1 + max(len(row.ids) for row in _rows(next(encoded)))  # vLLM wants room to generate a token

    def _check_length(self, request: Request, longest: int) -> None:
        most = self.args.max_model_len or self.reader.context
        if most is not None and longest > most:
            raise AkbError(
                f"a question takes {longest} tokens with its reply, the model takes {most}",
                where=self.where,
                fix="Ask with fewer shots or a smaller max_tokens; the question begins: "
                f"{request.messages[-1].text[:80]!r}",
            )

    def _prompt(self, request: Request) -> list[int]:
        return self.reader.renderer.ids(self.reader.renderer.text(request))

    # -- asking --

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(batches):
            started = time.perf_counter()
            responses = self._generate(batch) if isinstance(batch[0], Generate) else self._choose(batch)
            each = (time.perf_counter() - started) / len(batch)
            yield number, [replace(response, seconds=each) for response in responses]

    @cached_property
    def _engine(self) -> Any:
        vllm = _vllm(self.where)
        from vllm.platforms import current_platform

        if not current_platform.device_type:
            raise AkbError("vLLM finds no GPU on this machine", where=self.where,
                           fix="See what there is: akb doctor. Without a GPU: --model hf:ORG/NAME")  # fmt: skip
        with self._explained("the model cannot be loaded"):
            return vllm.LLM(**self._engine_args())

    def _engine_args(self) -> dict[str, Any]:
        """What `vllm.LLM` is told; what is null is left to it."""
        known = self.reader.snapshot
        folder = snapshot.weights(known)  # from a folder vLLM loads just this commit, and asks the hub nothing
        source = {"model": known.name, "revision": known.revision} if folder is None else {"model": str(folder)}
        told = self.args.model_dump(exclude={"revision", "template", "engine_args"}, exclude_none=True)
        told |= {"dtype": self.reader.dtype, "logprobs_mode": "raw_logprobs", "generation_config": "vllm"}
        told |= {"use_tqdm_on_load": False, **self.args.engine_args}
        if self._exact_logits:
            told["hf_overrides"] = {"head_dtype": "float32", **told.get("hf_overrides", {})}
        return {**source, **told}

    def _run(self, prompts: Sequence[Sequence[int]], params: Sequence[dict[str, Any]]) -> list[Any]:
        """vLLM's outputs for sequences of token ids, in their order."""
        engine, vllm = self._engine, _vllm(self.where)
        with self._explained("vLLM failed"):
            asked = [vllm.TokensPrompt(prompt_token_ids=list(ids)) for ids in prompts]
            told = [vllm.SamplingParams(**each) for each in params]
            outputs: list[Any] = engine.generate(asked, told, use_tqdm=False)
        if len(outputs) != len(prompts):
            raise AkbError(f"vLLM gave {len(outputs)} outputs for {len(prompts)} prompts", where=self.where)
        return outputs

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turns what vLLM raises into an AkbError: refused settings, too little memory, an engine that died."""
        try:
            yield
        except AkbError:
            raise
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            told = "" if type(error).__name__ == "VLLMValidationError" else DEAD  # of one request; the engine is well
            message = f"{what}: {type(error).__name__}: {lines[0][:300]}"
            raise AkbError(message, where=self.where, fix=told) from error

    # -- log-probabilities --

    def _choose(self, batch: Sequence[Request]) -> list[Response]:
        """One sequence for a question of letters; one more for each continuation of several tokens."""
        requests = [request for request in batch if isinstance(request, Choose)]
        encoded = self.reader.renderer.encode_all(requests)
        owned = [(number, row) for number, each in enumerate(encoded) for row in _rows(each)]
        outputs = self._run([row.ids for _, row in owned], [_scored(row) for _, row in owned])
        logprobs: list[dict[tuple[int, int], float]] = [{} for _ in requests]
        for (number, row), output in zip(owned, outputs, strict=True):
            for place, spelling, ids in row.wanted:
                logprobs[number][place, spelling] = self._sum(output, len(encoded[number].prompt), ids)
        return [response(*each) for each in zip(requests, encoded, logprobs, strict=True)]

    def _sum(self, output: Any, start: int, ids: Sequence[int]) -> float:
        """The log-probability of a continuation that begins at a place: of its last token as the one that comes next,
        of those before it as a part of the prompt."""
        *given, last = ids
        try:
            found = [output.prompt_logprobs[start + step][token].logprob for step, token in enumerate(given)]
            return float(sum(found) + output.outputs[0].logprobs[0][last].logprob)
        except (KeyError, IndexError, TypeError):
            raise AkbError("vLLM left out a log-probability that it was asked for", where=self.where,
                           fix=f"The adapter knows vLLM 0.33, this is {_version()}.") from None  # fmt: skip

    # -- replies --

    @cached_property
    def _replies(self) -> Replies:
        return Replies(self.reader.renderer, self._ends)

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        """The ids that end a reply: those of the model's files and the tokenizer's EOS."""
        import transformers

        from akb.adapters.loading import end_ids

        folder, trust = str(self.reader.snapshot.folder), self.args.trust_remote_code
        try:
            told = transformers.GenerationConfig.from_pretrained(folder)
        except OSError:  # there is none
            config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=trust)
            told = transformers.GenerationConfig.from_model_config(config)
        return end_ids(SimpleNamespace(generation_config=told), self.reader.renderer.tokenizer)

    def _generate(self, batch: Sequence[Request]) -> list[Response]:
        requests = [request for request in batch if isinstance(request, Generate)]
        prompts = [self._prompt(request) for request in requests]
        params = [self._sampled(*pair) for pair in zip(requests, prompts, strict=True)]
        outputs = self._run(prompts, params)
        return [self._reply(*each) for each in zip(requests, prompts, outputs, strict=True)]

    def _sampled(self, request: Generate, prompt: Sequence[int]) -> dict[str, Any]:
        """How a reply is generated. Special tokens stay in vLLM's text, because stops are looked for in it."""
        decoding = request.decoding
        told: dict[str, Any] = {
            "max_tokens": room(decoding, self.reader.renderer),
            "temperature": decoding.temperature,
            "stop_token_ids": list(self._ends),
            "detokenize": bool(decoding.stop),
            "skip_special_tokens": False,
        }
        if decoding.stop:
            told["stop"] = list(decoding.stop)
        if decoding.temperature > 0:
            told |= {"top_p": decoding.top_p, "seed": seed(request, prompt)}
        return told

    def _reply(self, request: Generate, prompt: Sequence[int], output: Any) -> Response:
        made = output.outputs[0]
        if made.finish_reason not in ("stop", "length"):
            return Response(finish=Finish.ERROR, error=f"vLLM ended the reply: {made.finish_reason}")
        return self._replies.response(request, prompt, self._in_budget(request, list(made.token_ids)))

    def _in_budget(self, request: Generate, ids: list[int]) -> list[int]:
        """A reply's tokens without those past the budgets of reasoning and answer, at which the hf adapter stops;
        vLLM knows only the two together."""
        renderer, decoding = self.reader.renderer, request.decoding
        budget = thinking_budget(decoding)
        if renderer.reasoning.can == "never":
            return ids
        if budget and len(ids) > budget:
            begun = renderer.tokenizer.decode(ids[: budget + 1])
            if not renderer.split_reasoning(begun, thinking=True)[2]:
                return ids[: budget + 1]

        def closed(count: int) -> bool:
            return renderer.reasoning.close in renderer.tokenizer.decode(ids[:count])

        return ids[: bisect_left(range(len(ids)), True, key=closed) + decoding.max_tokens + 1]

    def close(self) -> None:
        """Stop the engine and give its memory back."""
        engine = self.__dict__.pop("_engine", None)
        if engine is not None:
            engine.llm_engine.engine_core.shutdown()
            del engine
            gc.collect()


def _rows(encoded: Encoded) -> list[_Row]:
    """The sequences that one question needs, none with more continuations than vLLM takes at once. Continuations of
    one token share the prompt's own."""
    by_ids: dict[tuple[int, ...], list[tuple[int, int, tuple[int, ...]]]] = {}
    for place, group in enumerate(encoded.continuations):
        for spelling, ids in enumerate(group):
            by_ids.setdefault((*encoded.prompt, *ids[:-1]), []).append((place, spelling, ids))
    return [
        _Row(ids, tuple(wanted[start : start + MOST_IDS]))
        for ids, wanted in by_ids.items()
        for start in range(0, len(wanted), MOST_IDS)
    ]


def _scored(row: _Row) -> dict[str, Any]:
    """How a sequence is scored: one token is generated, only to have the log-probabilities of exactly the tokens
    that are asked for in its place. They are taken from the raw logits, over the whole vocabulary.

    Where tokens before the last are scored too, vLLM computes the sequence without its cache of prefixes, because
    what is cached has no logits.
    """
    told: dict[str, Any] = {"max_tokens": 1, "temperature": 0.0, "detokenize": False}
    told["logprob_token_ids"] = sorted({ids[-1] for _, _, ids in row.wanted})
    if any(len(ids) > 1 for _, _, ids in row.wanted):
        told["prompt_logprobs"] = 0  # of the prompt's own tokens, and of no others
    return told


def _version() -> str:
    """vLLM's version, without importing it; empty if it is not installed."""
    try:
        return metadata.version("vllm")
    except metadata.PackageNotFoundError:
        return ""


def _vllm(where: str) -> Any:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import vllm
    except ModuleNotFoundError as error:
        if error.name != "vllm":
            raise AkbError(f"vLLM cannot be imported: {error}", where=where) from error
        raise missing_extra("vllm", "vllm", needed_for=where) from None
    except (ImportError, OSError) as error:  # e.g. libraries of CUDA
        raise AkbError(f"vLLM cannot be imported: {error}", where=where) from error
    return vllm


def build(card: Card, args: Mapping[str, Any]) -> VLLM:
    """The adapter for a card and its settings.

    Raises:
        AkbError: an unknown or wrong setting, or one that vLLM's offline engine does not have.
    """
    where = f"model {card.name}"
    told = parse(Args, {name: value for name, value in args.items() if name not in ELSEWHERE}, where)
    for name in (name for name in (*args, *told.engine_args) if name in ELSEWHERE):
        raise AkbError(f"{name}: vLLM's offline engine has no such setting", where=where, fix=ELSEWHERE[name])
    for name in sorted(told.engine_args.keys() & (OURS | (Args.model_fields.keys() - {"engine_args"}))):
        fix = f"Say --set model.{name}=... instead." if name in Args.model_fields else "The adapter sets it itself."
        raise AkbError(f"engine_args.{name} cannot be set", where=where, fix=fix)
    return VLLM(card, told)
