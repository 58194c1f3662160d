"""The two sides of scoring.py, akb's adapter and lm-eval's model, each in a process of its own; and their clock."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from scoring_models import least_flops

NEW_TOKENS = 16
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "letters": ("akb-v1-loglik", {}),
    "cloze": ("akb-v1-cloze", {"unconditional": False}),
    "reply": ("akb-v1", {"max_tokens": NEW_TOKENS}),
}
T = TypeVar("T")


@dataclass(frozen=True)
class Spec:
    """What is measured.

    Attributes:
        folder: of the model and of the task.
        case: "letters-0" and so on; the number is that of the worked examples.
    """

    folder: Path
    case: str
    dtype: str
    questions: int

    @property
    def kind(self) -> str:
        return self.case.partition("-")[0]

    @property
    def model(self) -> str:
        return str(self.folder / "model")

    def requests(self) -> list[Any]:
        """The requests of the case's protocol."""
        from akb.evaluation import unmanned
        from akb.plan import RunConfig
        from akb.registry import Registry

        registry = Registry(include=[self.folder])
        protocol, own = ASKED[self.kind]
        config = RunConfig(
            model="random", task=("bench",), protocol=protocol, limit=self.questions,
            protocol_args={**own, "shots": int(self.case.partition("-")[2])},
        )  # fmt: skip
        plan = unmanned(config, registry, registry.select(config.task)[0])
        return [request for trial in plan.trials() for request in plan.task.requests(trial, ())]


@dataclass(frozen=True)
class Turn:
    """One side's turn.

    Attributes:
        rate: questions a second.
        values: log-probabilities, or texts.
        floor: seconds that the least work takes at the machine's rate; 0 where that is not known.
        peak: MiB of the process so far (of the GPU, if there is one).
    """

    rate: float
    values: list[Any]
    peak: float
    floor: float = 0.0


def on_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it returns, and its seconds: of the CPU, or between two events on the GPU."""
    import torch

    if not on_gpu():
        started = time.process_time()
        return work(), time.process_time() - started
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    found = work()
    end.record()
    torch.cuda.synchronize()
    return found, begin.elapsed_time(end) / 1000


def peak() -> float:
    import torch

    if on_gpu():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def gemm_rate(dtype: str) -> float:
    """Floating-point operations a second of a large product of matrices: the best of several."""
    import torch

    best = 0.0
    for size in (8192,) if on_gpu() else (1024, 2048):
        a, b = (torch.randn(size, size).to(getattr(torch, dtype)).to("cuda" if on_gpu() else "cpu") for _ in range(2))
        taken = min(timed(lambda a=a, b=b: torch.nn.functional.linear(a, b))[1] for _ in range(4))  # type: ignore[misc]
        best = max(best, 2 * size**3 / taken)
    return best


class Akb:
    """akb's adapter. Every turn has a new one, so that nothing is left of the turn before."""

    def __init__(self, spec: Spec, threads: int = 1) -> None:
        import torch

        torch.set_num_threads(threads)
        self.spec, self.requests = spec, spec.requests()

    def adapter(self) -> Any:
        from akb.adapters import hf
        from akb.adapters.cards import Card

        card = Card(name="bench", adapter="hf", model=self.spec.model)
        return hf.build(card, {"dtype": self.spec.dtype, "template": "plain"})

    def values(self, adapter: Any, requests: Sequence[Any]) -> list[Any]:
        batches = adapter.plan(requests)
        found: dict[int, Any] = {}
        for number, responses in adapter.ask([[requests[i] for i in batch] for batch in batches]):
            found.update(zip(batches[number], responses, strict=True))
        ordered = [found[number] for number in range(len(requests))]
        if self.spec.kind == "reply":
            return [response.text for response in ordered]
        return [score.logprob for response in ordered for group in response.scores for score in group]

    def warmed(self) -> Any:
        """An adapter that has answered something of the same kind, with nothing in common with the questions."""
        from akb.types import Message

        adapter, first = self.adapter(), self.requests[0]
        self.values(adapter, [replace(first, messages=(Message("user", (text,)),)) for text in ("la ti", "to po lu")])
        return adapter

    def turn(self) -> Turn:
        floor, adapter = self.floor(), self.warmed()
        values, seconds = timed(lambda: self.values(adapter, self.requests))
        adapter.close()
        return Turn(self.spec.questions / seconds, values, peak(), floor)

    def floor(self) -> float:
        if self.spec.kind == "reply":
            return 0.0
        shown = map(self.adapter().preview, self.requests)
        asked = [(one.ids, [ids for group in one.continuations for ids in group]) for one in shown]
        sizes = json.loads((Path(self.spec.model) / "sizes.json").read_text("utf-8"))
        return least_flops(sizes, asked)["flops"] / gemm_rate(self.spec.dtype)


class LmEval:
    """lm-eval's HFLM, given the very texts that akb scores."""

    def __init__(self, spec: Spec, batch: int = 1, threads: int = 1) -> None:
        import torch
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM

        from akb.adapters.rendering import plain

        torch.set_num_threads(threads)
        self.spec, self.asked = spec, list[Any]()
        for request in spec.requests():
            if spec.kind == "reply":
                how = {"until": [], "max_gen_toks": NEW_TOKENS, "do_sample": False}
                self.asked.append(Instance("generate_until", {}, (plain(request.messages), how), 0))
                continue
            text = plain(request.messages, request.reply_start)
            pairs = [(text, continuation) for group in request.continuations for continuation in group]
            self.asked += [Instance("loglikelihood", {}, pair, 0) for pair in pairs]
        self.model = HFLM(
            pretrained=spec.model, dtype=spec.dtype, device="cuda" if on_gpu() else "cpu", batch_size=batch
        )
        self.values(self.asked[:2])

    def values(self, asked: Sequence[Any]) -> list[Any]:
        if self.spec.kind == "reply":
            return list(self.model.generate_until(asked, disable_tqdm=True))
        return [value for value, _ in self.model.loglikelihood(asked, disable_tqdm=True)]

    def turn(self) -> Turn:
        values, seconds = timed(lambda: self.values(self.asked))
        return Turn(self.spec.questions / seconds, values, peak())

    def best_batch(self, sizes: Sequence[int]) -> int:
        """The batch size with which all is answered soonest."""
        taken: dict[int, float] = {}
        for size in sizes:
            self.model.batch_size_per_gpu = size
            taken[size] = timed(lambda: self.values(self.asked))[1]
            if taken[size] > 1.3 * min(taken.values()):
                break
        return min(taken, key=lambda size: taken[size])


def serve(wire: Any, kind: Callable[..., Any], args: Sequence[Any]) -> None:
    """A worker: makes its side, and calls the methods that it is told to."""
    try:
        side = kind(*args)
        while told := wire.recv():
            wire.send(getattr(side, told[0])(*told[1:]))
    except Exception as error:
        wire.send(error)


class Worker:
    """A side in a process of its own."""

    def __init__(self, kind: Callable[..., Any], *args: Any) -> None:
        context = get_context("spawn")
        self.wire, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, kind, args), daemon=True)
        self.process.start()
        other.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.is_alive():
            self.wire.send(None)
        self.process.join()

    def __call__(self, method: str, *args: Any) -> Any:
        self.wire.send((method, *args))
        found = self.wire.recv()
        if isinstance(found, Exception):
            raise found
        return found
