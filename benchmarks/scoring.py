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
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from scoring_models import SHAPES, write_model, write_task
from scoring_sides import Akb, LmEval, Spec, Worker, on_gpu

CASES = ("letters-0", "cloze-0", "letters-5", "cloze-5", "reply-0")
DTYPES = ("float32", "bfloat16")
BATCHES = (1, 2, 4, 8, 16, 32)
SWEPT = {"letters": 64, "cloze": 16, "reply": 64}  # questions on which lm-eval's batch size is found


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
        a, b = rounds[0]  # of memory, what comes later keeps some
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


def command_line(theirs: tuple[float, float], ours: tuple[float, float]) -> str:
    """A round, as text, with the machine's load: two threads that share a core with others wait for each other."""
    sides = (f"{name} {wall:.1f} s, {cpu:.1f} s CPU" for name, (wall, cpu) in (("lm-eval", theirs), ("akb", ours)))
    return f"{'; '.join(sides)}; load {os.getloadavg()[0]:.1f}"


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
        print(command_line(theirs, ours), file=sys.stderr, flush=True)
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
    scoring, rows = Scoring(folder, given), list[Row]()
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
