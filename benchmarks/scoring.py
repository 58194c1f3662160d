"""What scoring costs: akb's `hf` adapter beside lm-eval's HFLM, with the same models, questions and texts.

    python benchmarks/scoring.py                                        # pip install -e ".[hf]" lm_eval
    python benchmarks/scoring.py --model 500m --cases cloze-5 --dtypes bfloat16 --questions 40 --rounds 3
    python benchmarks/scoring.py --cases --command                      # the whole command alone

Cases: letters or option texts (cloze) by log-probability, with 0 or 5 worked examples; reply is 16 tokens in words.
Each side has a process of its own with one torch thread (or the GPU, if there is one), and they take turns. What is
timed is CPU seconds (CUDA events on a GPU) from requests as texts to values, tokenisation included, loading left out.
lm-eval has the best of some batch sizes, found beforehand on a few questions.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from typing import Any, TypeVar

from scoring_models import SHAPES, least_flops, write_model, write_task

CASES = ("letters-0", "cloze-0", "letters-5", "cloze-5", "reply-0")
DTYPES = ("float32", "bfloat16")
BATCHES = (1, 2, 4, 8, 16, 32)
SWEPT = {"letters": 64, "cloze": 16, "reply": 64}  # questions on which lm-eval's batch size is found
NEW_TOKENS = 16
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
        from akb.evaluation import RunConfig, unmanned
        from akb.registry import Registry

        registry = Registry(include=[self.folder])
        own: dict[str, Any] = {"cloze": {"unconditional": False}, "reply": {"max_tokens": NEW_TOKENS}}.get(
            self.kind, {}
        )
        protocol = {"letters": "akb-v1-loglik", "cloze": "akb-v1-cloze", "reply": "akb-v1"}[self.kind]
        config = RunConfig(
            model="random", task=("bench",), protocol=protocol, limit=self.questions,
            protocol_args={**own, "shots": int(self.case.partition("-")[2])},
        )  # fmt: skip
        plan = unmanned(config, registry, registry.select(config.task)[0])
        return [request for trial in plan.trials() for request in plan.task.requests(trial, ())]


# -- the sides, each in a process of its own -------------------------------------------------------------------


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


# -- scoring, in turn ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A line of the table: rates in questions a second of CPU, medians over the rounds; MiB; and how near the values
    come to lm-eval's in fp32 (the farthest), or to those in fp32 (means of both sides)."""

    case: str
    dtype: str
    batch: int
    lm_eval: float
    akb: float
    ratio: float
    lm_eval_peak: float
    akb_peak: float
    floor: float
    farthest: float = 0.0
    lm_eval_error: float = 0.0
    akb_error: float = 0.0
    same: float = 0.0


class Scoring:
    """All cases of one model."""

    def __init__(self, folder: Path, given: argparse.Namespace) -> None:
        self.folder, self.given = folder, given
        self.truth: dict[str, list[float]] = {}

    def best_batch(self, spec: Spec) -> int:
        few = min(spec.questions, SWEPT[spec.kind] // (4 if self.given.quick else 1))
        with Worker(LmEval, replace(spec, questions=few)) as worker:
            return int(worker("best_batch", (4, 8, 16) if self.given.quick else BATCHES))

    def row(self, case: str, dtype: str) -> Row:
        """One case: lm-eval, akb, lm-eval, akb and so on."""
        spec = Spec(self.folder, case, dtype, self.given.questions)
        batch = self.best_batch(spec)
        with Worker(LmEval, spec, batch) as theirs, Worker(Akb, spec) as ours:
            rounds = [(theirs("turn"), ours("turn")) for _ in range(self.given.rounds)]
        a, b = rounds[-1]
        if dtype == "float32" and spec.kind != "reply":
            self.truth[case] = b.values
        return Row(
            case, dtype, batch,
            lm_eval=median(one.rate for one, _ in rounds),
            akb=median(other.rate for _, other in rounds),
            ratio=median(other.rate / one.rate for one, other in rounds),
            lm_eval_peak=a.peak,
            akb_peak=b.peak,
            floor=median(other.floor * other.rate / spec.questions for _, other in rounds),
            **self.nearness(spec, a.values, b.values),
        )  # fmt: skip

    def nearness(self, spec: Spec, theirs: list[Any], ours: list[Any]) -> dict[str, float]:
        if spec.kind == "reply":
            return {"same": mean(a == b for a, b in zip(theirs, ours, strict=True))}
        if spec.dtype == "float32":
            return {"farthest": max(errors(theirs, ours))}
        if spec.case not in self.truth:
            with Worker(Akb, replace(spec, dtype="float32")) as exact:
                self.truth[spec.case] = exact("turn").values
        truth = self.truth[spec.case]
        return {"lm_eval_error": mean(errors(theirs, truth)), "akb_error": mean(errors(ours, truth))}


def errors(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [abs(x - y) for x, y in zip(a, b, strict=True)]


HEAD = (
    "case       dtype     lm-eval (batch)      akb  ratio  peak MiB       of the floor  values\n"
    "                     questions/s CPU                  lm-eval   akb"
)


def line(row: Row) -> str:
    """A row of the table, as text."""
    near = f"at most {row.farthest:.1e} apart" if row.farthest else f"{row.same:.0%} the same"
    if row.akb_error:
        near = f"mean error: lm-eval {row.lm_eval_error:.4f}, akb {row.akb_error:.4f}"
    floor = f"{row.floor:12.0%}" if row.floor else " " * 11 + "-"
    return (
        f"{row.case:10} {row.dtype:9} {row.lm_eval:8.2f} ({row.batch:2}) {row.akb:12.2f} {row.ratio:5.2f}x "
        f"{row.lm_eval_peak:8.0f} {row.akb_peak:5.0f} {floor}  {near}"
    )


# -- the whole command -----------------------------------------------------------------------------------------


def ran(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command with two threads and no network."""
    told = {
        "OMP_NUM_THREADS": "2",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    environment = os.environ | told | {"AKB_CACHE": str(folder / "cache"), "HF_HOME": str(folder / "hub")}
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def whole_command(folder: Path, given: argparse.Namespace) -> dict[str, float]:
    """`akb eval`, with its record, beside `lm_eval` on the exported task: letters, bf16, two threads."""
    batch = Scoring(folder, given).best_batch(Spec(folder, "letters-0", "bfloat16", given.questions))
    count, tools, wide = (
        str(given.command_questions),
        Path(sys.executable).parent,
        ["--limit", str(given.command_questions)],
    )
    ran([str(tools / "akb"), "export", "lm-eval", str(folder / "out"), "-i", str(folder), "-t", "bench", *wide], folder)
    rounds = []
    for number in range(given.rounds):
        theirs = ran([
            str(tools / "lm_eval"), "--model", "hf", "--device", "cuda" if given.gpu else "cpu",
            "--model_args", f"pretrained={folder / 'model'},dtype=bfloat16", "--batch_size", str(batch),
            "--include_path", str(folder / "out"), "--tasks", "bench_akb-v1-loglik",
            "--output_path", str(folder / f"lm_eval-{number}"), "--log_samples",
        ], folder)  # fmt: skip
        ours = ran([
            str(tools / "akb"), "eval", "--model", str(folder / "model"), "--task", "bench", "-i", str(folder),
            "--protocol", "akb-v1-loglik", "--dtype", "bfloat16", "--limit", count, "--no-cache",
            "--out", str(folder / f"akb-{number}"),
        ], folder)  # fmt: skip
        rounds.append((theirs, ours))
    return {
        "batch": batch,
        "lm_eval_wall": median(a[0] for a, _ in rounds), "akb_wall": median(b[0] for _, b in rounds),
        "wall_ratio": median(a[0] / b[0] for a, b in rounds),
        "lm_eval_cpu": median(a[1] for a, _ in rounds), "akb_cpu": median(b[1] for _, b in rounds),
    }  # fmt: skip


# -- the command line ------------------------------------------------------------------------------------------


class Maker:
    """Writes the model, in a process of its own: this one stays small, or its size would be its children's peak."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name

    def made(self) -> dict[str, Any]:
        return {**write_model(self.folder, self.name), "gpu": on_gpu()}


def measure(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for; rows are told as they come."""
    out = sys.stderr if given.json else sys.stdout
    with Worker(Maker, folder / "model", given.model) as maker:
        sizes = maker("made")
    given.gpu = sizes["gpu"]
    write_task(folder / "tasks" / "bench", max(given.questions, given.command_questions))
    scoring, rows = Scoring(folder, given), []
    for dtype in given.dtypes:
        for case in given.cases:
            if not rows:
                print(f"{given.model}: {sizes['parameters'] / 1e6:.1f} M parameters\n{HEAD}", file=out)
            rows.append(scoring.row(case, dtype))
            print(line(rows[-1]), file=out, flush=True)
    found: dict[str, Any] = {"sizes": sizes, "rows": [asdict(row) for row in rows]}
    if given.command:
        found["command"] = whole_command(folder, given)
        print("whole command:", *(f"{k} {v:.2f}" for k, v in found["command"].items()), file=out)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SHAPES, default="48m")
    parser.add_argument("--cases", nargs="*", choices=CASES, default=CASES)
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--command", action="store_true", help="the whole command too")
    parser.add_argument("--command-questions", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="24 questions, one round, few batch sizes: to try it out")
    parser.add_argument("--json", action="store_true", help="the figures as JSON; the table goes to the error output")
    given = parser.parse_args()
    if given.quick:
        given.questions, given.rounds, given.command_questions = 24, 1, 200
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="akb-bench-") as folder:
        found = measure(Path(folder), given)
    if given.json:
        print(json.dumps({"settings": vars(given), **found}))


if __name__ == "__main__":
    main()
