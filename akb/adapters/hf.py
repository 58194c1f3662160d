"""Any causal language model of transformers (`AutoModelForCausalLM`), on CPU, CUDA or Apple GPUs.

    akb eval --model hf:ORG/NAME ...        akb eval --model /path/to/model ...

Nothing is imported from torch before the first question is asked: what a finished run needs (the fingerprint) comes
from the model's small files.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from akb.adapters import snapshot
from akb.adapters.cards import Card
from akb.adapters.rendering import Encoded, Renderer
from akb.errors import AkbError, missing_extra
from akb.strict import Strict, parse
from akb.types import Capabilities, Choose, Generate, Preview, Request, Response

if TYPE_CHECKING:
    from akb.adapters.batching import Need
    from akb.adapters.decoding import Decoder
    from akb.adapters.generation import Replies
    from akb.adapters.scoring import Scorer

VERSION = "hf/2"
READ, READ_ON_CPU = 16384, 1024  # tokens that go through the model at once; on a CPU, what its cache can hold of them
KEPT, KEPT_ON_CPU = 1 << 32, 1 << 27  # bytes of keys and values of replies that are generated together


class Args(Strict):
    """Settings of a local model: `--set model.KEY=VALUE`, or `args` of a card.

    Attributes:
        device: "auto" (CUDA, else Apple's mps, else the CPU), a torch device, or several separated by commas: then
            each gets a copy of the model and a share of the batches.
        dtype: "auto" (as the weights are kept), "float32", "bfloat16" or "float16".
        device_map: spreads one model over several devices (accelerate), e.g. "auto"; instead of `device`.
        revision: commit, branch or tag on the hub.
        quantize: 4 or 8 bit weights (bitsandbytes; CUDA).
        peft: folder or repository of a PEFT adapter to be put on the model.
        batch_tokens: the most tokens that go through the model at once, and the most of replies, with their prompts,
            that are generated together; null for sizes that suit the device.
        trust_remote_code: run code that comes with the model.
        attention: transformers' attention implementation; null for its choice.
        template: overrules the card: "chat" or "plain".
        threads: torch threads on the CPU; null for torch's choice.
        engine: how log-probabilities are computed: "auto" (continuations and common prefixes share what they can), or
            "plain" (one sequence at a time, nothing shared): slow, and the same to rounding.
    """

    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device_map: str | None = None
    revision: str | None = Field(default=None, coerce_numbers_to_str=True)  # a tag may look like a number
    quantize: Literal["4bit", "8bit"] | None = None
    peft: str | None = None
    batch_tokens: int | None = Field(default=None, ge=1)
    trust_remote_code: bool = False
    attention: str | None = None
    template: Literal["chat", "plain"] | None = None
    threads: int | None = Field(default=None, ge=1)
    engine: Literal["auto", "plain"] = "auto"


class HF:
    """A transformers model as an adapter."""

    capabilities = Capabilities(choose=True, generate=True)

    def __init__(self, card: Card, args: Args) -> None:
        self.card, self.args = card, args
        self.where = f"model {card.name}"
        self._held: tuple[Request, ...] = ()
        self._encoded: dict[int, Encoded] = {}
        self._shared: dict[object, int] = {}

    # -- what it is, without loading it --

    @cached_property
    def snapshot(self) -> snapshot.Snapshot:
        return snapshot.find(self.card.model, self.args.revision or self.card.revision, self.card.instead)

    @cached_property
    def template(self) -> Literal["chat", "plain"]:
        wanted = self.args.template or self.card.template
        return wanted if self.snapshot.chat_template else "plain"

    @cached_property
    def dtype(self) -> str:
        return self.snapshot.dtype if self.args.dtype == "auto" else self.args.dtype

    @cached_property
    def devices(self) -> tuple[str, ...]:
        if self.args.device != "auto":
            return tuple(part.strip() for part in self.args.device.split(","))
        torch = _torch(self.where)
        if torch.cuda.is_available():
            return ("cuda:0",)
        return ("mps",) if torch.backends.mps.is_available() else ("cpu",)

    def fingerprint(self) -> Mapping[str, Any]:
        template = self.snapshot.chat_template if self.template == "chat" else None
        told: dict[str, Any] = {
            "adapter": VERSION,
            "transformers": _version("transformers"),  # its faults are the model's faults
            "model": self.card.model if not self.snapshot.local else self.card.name,
            "revision": self.snapshot.revision,
            "dtype": self.dtype,
            "template": self.template,
            "template_sha256": None if template is None else snapshot.text_sha256(template),
            "reasoning": self.card.reasoning.model_dump(mode="json"),
        }
        for name in ("quantize", "attention", "device_map", "trust_remote_code"):
            if getattr(self.args, name):
                told[name] = getattr(self.args, name)
        if self.args.engine == "plain":  # it moves rounding alone, but who checks by it wants its own numbers
            told["engine"] = "plain"
        if self.args.peft is not None:
            told["peft"] = {"name": self.args.peft, "revision": self.peft_revision}
        return told

    @cached_property
    def peft_revision(self) -> str | None:
        """Commit of the PEFT adapter, or the hash of its folder's files; None without one."""
        if self.args.peft is None:
            return None
        folder = Path(self.args.peft)
        return snapshot.folder_identity(folder) if folder.is_dir() else snapshot.find(self.args.peft).revision

    def environment(self) -> dict[str, Any]:
        """On what the model ran, for the record; nothing where it was not loaded. It moves rounding alone, and is no
        part of the fingerprint."""
        if "_model" not in self.__dict__ and len(self.devices) == 1:
            return {}
        torch = _torch(self.where)
        names = [torch.cuda.get_device_name(d) if d.startswith("cuda") else d for d in self.devices]
        return {"devices": list(self.devices), "names": names}

    @property
    def context(self) -> int | None:
        """The longest sequence in tokens."""
        return self.card.context or self.snapshot.context

    # -- reading and planning --

    @cached_property
    def renderer(self) -> Renderer:
        from akb.adapters import loading

        tokenizer = loading.tokenizer(self.snapshot, self.args, self.where)
        return Renderer(tokenizer, self.template, self.card.reasoning, self.where)

    def preview(self, request: Request) -> Preview:
        renderer, bos = self.renderer, 0
        encoded = renderer.encode(request)
        while renderer.bos is not None and encoded.prompt[bos : bos + 1] == (renderer.bos,):
            bos += 1
        return Preview(renderer.text(request), encoded.prompt, bos, encoded.continuations)

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        from akb.adapters import batching, trees

        self._encode(requests)
        prompts: dict[object, list[tuple[int, ...]]] = {}
        for request in requests:
            prompts.setdefault(_group(request), []).append(self._encoded[id(request)].prompt)
        self._shared = {group: trees.common(several) for group, several in prompts.items()}
        return batching.plan([self._need(request) for request in requests])

    def _encode(self, requests: Sequence[Request]) -> None:
        """Tokenise requests, all at once; what is asked next is found without doing it again."""
        self._shared = {}  # what others share says nothing of these
        self._encoded = dict(zip(map(id, requests), self.renderer.encode_all(requests), strict=True))
        self._held = tuple(requests)  # an id means a request as long as that lives

    def _need(self, request: Request) -> Need:
        """What a request needs of a batch; an error if the model cannot take it."""
        from akb.adapters.batching import Need
        from akb.adapters.generation import room
        from akb.adapters.trees import grow

        encoded, shared = self._encoded[id(request)], self._shared[_group(request)]
        if isinstance(request, Generate):
            longest = tokens = len(encoded.prompt) + room(request.decoding, self.renderer)
            budget = self._kept_tokens
        else:
            longest = len(encoded.prompt) + max(len(ids) for group in encoded.continuations for ids in group) - 1
            tokens = len(grow(encoded, shared).ids) + shared // 16
            budget = self._read_tokens
        if self.context is not None and longest > self.context:
            raise AkbError(
                f"a question takes {longest} tokens with its reply, the model takes {self.context}",
                where=self.where,
                fix="Ask with fewer shots or a smaller max_tokens; the question begins: "
                f"{request.messages[-1].text[:80]!r}",
            )
        kind = _group(request) if shared else _group(request)[0]
        return Need(kind, tokens, budget)

    @property
    def _on_cpu(self) -> bool:
        return self.devices[0].startswith("cpu")

    @cached_property
    def _read_tokens(self) -> int:
        """The most tokens that go through the model at once."""
        return self.args.batch_tokens or (READ_ON_CPU if self._on_cpu else READ)

    @cached_property
    def _kept_tokens(self) -> int:
        """The most tokens, new ones included, of replies that are generated together."""
        each = (self.snapshot.key_values or 0) * (4 if self.dtype == "float32" else 2)
        if self.args.batch_tokens or not each:
            return self._read_tokens
        return (KEPT_ON_CPU if self._on_cpu else KEPT) // each

    # -- asking --

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        if len(self.devices) > 1:
            from akb.adapters.workers import ask_in_parallel

            known = {} if self.snapshot.local else {"revision": self.snapshot.revision}  # the newest may be another
            yield from ask_in_parallel(self.card, self.args.model_copy(update=known), self.devices, batches)
            return
        for number, batch in enumerate(batches):
            yield number, self.answer(batch)

    def answer(self, batch: Sequence[Request]) -> list[Response]:
        """The responses to one batch, in its order; a batch that memory cannot hold is split."""
        started = time.perf_counter()
        responses = self._split_on_oom(list(batch))
        each = (time.perf_counter() - started) / max(len(batch), 1)
        return [replace(response, seconds=each) for response in responses]

    def _split_on_oom(self, batch: list[Request]) -> list[Response]:
        torch = _torch(self.where)
        from akb.adapters.loading import lacks_memory

        try:
            return self._generate(batch) if isinstance(batch[0], Generate) else self._choose(batch)
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
            if len(batch) == 1:
                raise AkbError(
                    "there is too little memory for a single question",
                    where=f"{self.where} on {self.devices[0]}",
                    fix="Use a smaller dtype (--dtype bfloat16), --set model.quantize=4bit, or spread the model: "
                    "--set model.device_map=auto",
                ) from None
        self.__dict__.pop("_decoder", None)  # with the memory that it keeps for the next batch
        self._scorer.forget()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        middle = len(batch) // 2
        return self._split_on_oom(batch[:middle]) + self._split_on_oom(batch[middle:])

    @cached_property
    def _model(self) -> Any:
        from akb.adapters import loading

        on_hub = self.args.peft is not None and not Path(self.args.peft).is_dir()
        peft = self.peft_revision if on_hub else None
        return loading.model(self.snapshot, self.args, self.dtype, self.devices[0], self.where, peft)

    @property
    def _pad(self) -> int:
        tokenizer = self.renderer.tokenizer
        known = (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id)
        return next((token for token in known if token is not None), 0)

    @cached_property
    def _scorer(self) -> Scorer:
        from akb.adapters.scoring import Scorer

        return Scorer(self._model, self._pad, self.args.engine, self._read_tokens)

    def _in_tokens(self, requests: Sequence[Request]) -> tuple[list[Encoded], int]:
        """The requests of a batch in tokens, and how many tokens their prompts share."""
        from akb.adapters import trees

        if not all(id(request) in self._encoded for request in requests):  # a worker, or a caller without a plan
            self._encode(requests)
        encoded = [self._encoded[id(request)] for request in requests]
        known = self._shared.get(_group(requests[0]))
        return encoded, trees.common([e.prompt for e in encoded]) if known is None else known

    def _choose(self, batch: Sequence[Request]) -> list[Response]:
        from akb.adapters.scoring import response

        requests = [request for request in batch if isinstance(request, Choose)]
        encoded, shared = self._in_tokens(requests)
        values = self._scorer.score(encoded, shared)
        return [response(*three) for three in zip(requests, encoded, values, strict=True)]

    @cached_property
    def _decoder(self) -> Decoder:
        from akb.adapters.decoding import Decoder

        return Decoder(self._scorer, self._replies.ends)

    @cached_property
    def _replies(self) -> Replies:
        from akb.adapters.generation import Replies
        from akb.adapters.loading import end_ids

        return Replies(self.renderer, end_ids(self._model, self.renderer.tokenizer))

    def _generate(self, batch: Sequence[Request]) -> list[Response]:
        from akb.adapters.decoding import Asked, Sampling
        from akb.adapters.generation import seed

        requests = [request for request in batch if isinstance(request, Generate)]
        encoded, shared = self._in_tokens(requests)
        asked = []
        for request, tokens in zip(requests, encoded, strict=True):
            watch = self._replies.watch(request.decoding)
            asked.append(Asked(tokens.prompt, watch.over, watch.most, seed(request, tokens.prompt)))
        sampling = Sampling(requests[0].decoding.temperature, requests[0].decoding.top_p)
        new = self._decoder.replies(asked, sampling, shared)
        return [
            self._replies.response(request, tokens.prompt, ids)
            for request, tokens, ids in zip(requests, encoded, new, strict=True)
        ]

    def close(self) -> None:
        """Drop the model and give its memory back."""
        if "_model" not in self.__dict__:
            return
        for made in ("_decoder", "_replies", "_scorer"):
            self.__dict__.pop(made, None)
        del self.__dict__["_model"]
        torch = _torch(self.where)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _group(request: Request) -> tuple[object, object]:
    """What requests have in common that can go through the model together, and what comes before the last turn:
    where that is long, and alike in several requests, it is computed once for them."""
    how = "choose" if isinstance(request, Choose) else replace(request.decoding, draw=0)
    return how, request.messages[:-1]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _torch(where: str) -> Any:
    try:
        with contextlib.suppress(UserWarning):
            import torch
    except ImportError:
        raise missing_extra("torch", "hf", needed_for=where) from None
    return torch


def build(card: Card, args: Mapping[str, Any]) -> HF:
    """The adapter for a card and its settings.

    Raises:
        AkbError: an unknown or wrong setting.
    """
    return HF(card, parse(Args, dict(args), f"model {card.name}"))
