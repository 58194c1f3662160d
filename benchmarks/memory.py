"""How much memory a run takes, by the number of its questions.

    python benchmarks/memory.py [--items 20000 200000] [--models local remote] [--json]

Each step has a process of its own, whose peak is asked of the kernel: a fresh run, a run that is killed half-way, the
same taken up again, and the table of a finished run. The models cost nothing: the baseline `first`, asked in batches
as local models are, and a toy that is asked as an API is, without a network.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

import akb
from akb.engine import Silent
from akb.run import Run
from akb.types import Adapter, Capabilities, Fault, Outcome, Request, Response, Trial

STEPS = ("fresh", "killed", "resumed", "table")
Found = dict[str, Any]


class Toy:
    """Answers at once, as an API would in time."""

    capabilities = Capabilities(generate=True, concurrent=True)
    concurrency = 32

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "toy/1", "model": "toy"}

    async def ask_one(self, request: Request) -> Response:
        return Response(text=f"({request.options[0].label})", prompt_tokens=60, completion_tokens=5)

    def classify(self, error: Exception) -> Fault:
        return Fault.fatal(str(error))

    def close(self) -> None:
        """Nothing to give back."""


class KillsHalfWay(Silent):
    """Ends the process, as `kill -9` does, when half of the questions are judged."""

    left = 0

    def total(self, trials: int) -> None:
        self.left = trials // 2

    def judged(self, trial: Trial, outcome: Outcome) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def write_task(folder: Path, count: int) -> None:
    """A task folder with so many questions."""
    folder.mkdir()
    about = {"name": "bench", "version": "1", "questions": ["questions.jsonl"]}
    (folder / "task.yaml").write_text(yaml.safe_dump(about), "utf-8")
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as file:
        for row in rows(count):
            file.write(json.dumps(row) + "\n")


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Questions of about the length that ours have, in twelve subcategories."""
    for number in range(count):
        yield {
            "id": f"bench-question-{number:06d}",
            "question": f"Number {number}: of these four sounds, heard one after the other at the same distance in a "
            "dry room, which has the highest fundamental frequency?",
            "options": [f"{word}, take {number}" for word in ("a kick drum", "a piccolo", "a tuba", "a cello")],
            "answer": number % 4,
            "category": ("music", "speech", "sounds")[number % 3],
            "subcategory": f"part-{number % 4}",
        }


def peak() -> int:
    """Bytes that this process has had in memory at most. (A child's `ru_maxrss` may be its parent's on Linux.)"""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def carry_out(model: str, step: str, folder: Path) -> None:
    """One step, in this process; prints its peak."""
    began = time.perf_counter()
    out = folder / ("run" if step in ("killed", "resumed") else "whole")
    asked: str | Adapter = "first" if model == "local" else Toy()
    if step == "table":
        Run.load(out).table()
    else:
        progress = KillsHalfWay() if step == "killed" else Silent()
        akb.evaluate(asked, str(folder / "task"), out=out, progress=progress)
    print(json.dumps({"bytes": peak(), "seconds": time.perf_counter() - began}))


def step_of(model: str, step: str, folder: Path) -> Found | None:
    """What a step took, in a process of its own; None for the one that is killed."""
    env = {**os.environ, "AKB_CACHE": str(folder / f"cache-{step}")}
    command = [sys.executable, __file__, "--step", model, step, str(folder)]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if step == "killed" and done.returncode == -signal.SIGKILL:
        return None
    if done.returncode != 0 or step == "killed":
        raise SystemExit(f"{model} {step}: the process ended with {done.returncode}")
    found: Found = json.loads(done.stdout)
    return found


def measure(models: list[str], sizes: list[int], say: Any) -> list[Found]:
    """All steps of all runs; each is told as soon as it is there."""
    found = []
    for model in models:
        for count in sizes:
            with tempfile.TemporaryDirectory(prefix="akb-bench-") as folder:
                write_task(Path(folder) / "task", count)
                for step in STEPS:
                    if took := step_of(model, step, Path(folder)):
                        found.append({"model": model, "items": count, "step": step, **took})
                        say(f"{model:7} {count:8,} {step:8} {took['bytes'] / 2**20:7.1f} MiB {took['seconds']:7.1f} s")
    return found


def growth(found: list[Found], sizes: list[int]) -> Iterator[Found]:
    """What each step takes more of memory with the most questions than with the fewest."""
    few, many = min(sizes), max(sizes)
    for one in (row for row in found if row["items"] == few):
        other = next(r for r in found if (r["model"], r["step"], r["items"]) == (one["model"], one["step"], many))
        yield {"model": one["model"], "step": one["step"], "bytes": other["bytes"] - one["bytes"]}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--models", nargs="+", choices=("local", "remote"), default=["local", "remote"])
    parser.add_argument("--json", action="store_true", help="the figures as JSON; the lines go to the error output")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        carry_out(given.step[0], given.step[1], Path(given.step[2]))
        return
    lines = sys.stderr if given.json else sys.stdout
    found = measure(given.models, given.items, lambda text: print(text, file=lines, flush=True))
    more = list(growth(found, given.items)) if len(set(given.items)) > 1 else []
    for row in more:
        told = f"{row['model']:7} {row['step']:8} {row['bytes'] / 2**20:+7.1f} MiB"
        print(f"{told} from {min(given.items):,} to {max(given.items):,} questions", file=lines)
    if given.json:
        print(json.dumps({"steps": found, "growth": more}))


if __name__ == "__main__":
    main()
