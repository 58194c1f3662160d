"""How long one waits for `akb` before anything is asked, beside lm-eval.

    python benchmarks/startup.py                                        # pip install -e ".[hf]" lm_eval
    python benchmarks/startup.py --cases help list --rounds 9
    python benchmarks/startup.py --questions 200 --rounds 1             # whether it works: a minute or two

Commands run as a user runs them, each in a process of its own, and take turns; seconds are wall time from start to end,
medians over the rounds. Cases: the help; the list of tasks; a finished run given again, of a local model and of a
baseline (of lm-eval: with all answers in its `--use_cache`); and the time to the first question, letters by
log-probability. There each process ends when the model's first forward begins, and what a program takes that only
imports torch and transformers and loads tokenizer and model is taken off. Every command has run once before it is
timed, so that bytecode, caches of data sets and hashes of model files are there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

from scoring_models import SHAPES, write_model, write_task

CASES = ("help", "list", "again", "again-baseline", "first")
UNTIL_FIRST = "--until-first"
ASKED = 42  # exit code of a process that was ended at its first question
AKB, LM_EVAL = "akb.cli.app:main", "lm_eval.__main__:cli_evaluate"

Command = Sequence[str]


# -- to the first question, in a process of its own ------------------------------------------------------------


def until_first(entry: str, arguments: list[str]) -> None:
    """Run a command line (`MODULE:FUNCTION`), and end the process when a model is first asked."""
    from torch.nn.modules.module import register_module_forward_pre_hook

    def asked(*_: object) -> NoReturn:
        os._exit(ASKED)

    register_module_forward_pre_hook(asked)
    if entry == "bare":
        load_and_ask(*arguments)
        return
    module, _, function = entry.partition(":")
    sys.argv = [module.partition(".")[0], *arguments]
    getattr(importlib.import_module(module), function)()


def load_and_ask(folder: str, dtype: str) -> None:
    """What anyone must do before a first question."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).to(device).eval()
    with torch.inference_mode():
        model(tokenizer("A question", return_tensors="pt")["input_ids"].to(device))


def ended_at_first(entry: str, *arguments: str) -> Command:
    return [sys.executable, __file__, UNTIL_FIRST, entry, *arguments]


# -- what is timed ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Commands that do the same.

    Attributes:
        goal: seconds that akb may take.
        lm_eval: None where it has no such command.
        bare: what both have to do anyhow; its time is taken off theirs.
        code: the exit code that is wanted.
    """

    name: str
    goal: float
    akb: Command
    lm_eval: Command | None = None
    bare: Command | None = None
    code: int = 0


@dataclass(frozen=True)
class Row:
    """A line of the table: seconds, medians over the rounds."""

    case: str
    goal: float
    akb: float
    lm_eval: float | None
    ratio: float | None
    bare: float | None
    akb_each: tuple[float, ...]


def cases(folder: Path, given: argparse.Namespace) -> Iterator[Case]:
    """What was asked for."""
    tools = Path(sys.executable).parent
    akb, lm_eval = str(tools / "akb"), str(tools / "lm_eval")
    task = ["--task", "bench", "-i", str(folder), "--protocol", "akb-v1-loglik"]
    ours = ["--model", str(folder / "model"), "--dtype", given.dtype, *task]
    theirs = [
        "run", "--model", "hf", "--model_args", f"pretrained={folder / 'model'},dtype={given.dtype}",
        "--device", given.device, "--batch_size", "16", "--include_path", str(folder / "out"),
        "--tasks", "bench_akb-v1-loglik",
    ]  # fmt: skip
    kept = ["--use_cache", str(folder / "lm_eval"), "--output_path", str(folder / "lm_eval-results")]
    fresh = ["eval", *ours, "--fresh", "--out", str(folder / "first")]
    found = {
        "help": Case("help", 0.2, [akb, "--help"], [lm_eval, "--help"]),
        "list": Case("list", 0.4, [akb, "ls", "tasks"], [lm_eval, "ls", "tasks"]),
        "again": Case("again", 1.5, [akb, "eval", *ours], [lm_eval, *theirs, *kept]),
        "again-baseline": Case("again-baseline", 1.5, [akb, "eval", "--model", "random", *task]),
        "first": Case("first", 0.5, ended_at_first(AKB, *fresh), ended_at_first(LM_EVAL, *theirs),
                      ended_at_first("bare", str(folder / "model"), given.dtype), ASKED),
    }  # fmt: skip
    yield from (found[name] for name in given.cases)


# -- timing ----------------------------------------------------------------------------------------------------


def seconds(command: Command, folder: Path, code: int = 0) -> float:
    """Wall time of a command without a network, with caches in this folder."""
    told = {"AKB_CACHE": "cache", "HF_HOME": "hub", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE",)}
    environment |= {name: str(folder / value) if value.isalpha() else value for name, value in told.items()}
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode != code:
        raise RuntimeError(f"{' '.join(command)}\nended with {done.returncode}\n{done.stderr[-3000:]}")
    return took


def timed(case: Case, folder: Path, rounds: int) -> Row:
    """All rounds of a case, the sides in turn."""
    sides = {"bare": case.bare, "lm_eval": case.lm_eval, "akb": case.akb}
    there = {name: command for name, command in sides.items() if command is not None}
    for command in there.values():
        seconds(command, folder, case.code)
    took = [{name: seconds(command, folder, case.code) for name, command in there.items()} for _ in range(rounds)]
    ours = [one["akb"] - one.get("bare", 0.0) for one in took]
    theirs = [one["lm_eval"] - one.get("bare", 0.0) for one in took if "lm_eval" in one]
    return Row(
        case.name, case.goal,
        akb=median(ours),
        lm_eval=median(theirs) if theirs else None,
        ratio=median(a / b for a, b in zip(theirs, ours, strict=True)) if theirs else None,
        bare=median(one["bare"] for one in took) if case.bare else None,
        akb_each=tuple(ours),
    )  # fmt: skip


HEAD = "case              goal      akb  (from - to)      lm-eval    ratio"


def line(row: Row) -> str:
    """A row of the table, as text."""
    spread = f"({min(row.akb_each):.2f} - {max(row.akb_each):.2f})"
    peer = "" if row.lm_eval is None else f"{row.lm_eval:8.2f} s {row.ratio:7.1f}x"
    over = "" if row.bare is None else f"  over {row.bare:.2f} s of importing and loading"
    return f"{row.case:15} {row.goal:4.1f} s {row.akb:6.2f} s  {spread:14} {peer}{over}"


# -- the command line ------------------------------------------------------------------------------------------


def measure(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for; rows are told as they come."""
    out = sys.stderr if given.json else sys.stdout
    given.device = prepared(folder, given)
    rows = []
    print(HEAD, file=out, flush=True)
    for case in cases(folder, given):
        rows.append(timed(case, folder, given.rounds))
        print(line(rows[-1]), file=out, flush=True)
    return {"rows": [asdict(row) for row in rows], "load": os.getloadavg()[0]}


def prepared(folder: Path, given: argparse.Namespace) -> str:
    """Write model and task, where they are needed; the kind of device for lm-eval, which does not find it itself."""
    write_task(folder / "tasks" / "bench", given.questions)
    if not {"again", "first"} & set(given.cases):
        return "cpu"
    write_model(folder / "model", given.model)
    seconds([
        str(Path(sys.executable).parent / "akb"), "export", "lm-eval", str(folder / "out"),
        "-i", str(folder), "-t", "bench", "--limit", str(given.questions),
    ], folder)  # fmt: skip
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def main() -> None:
    """The command line."""
    if sys.argv[1:2] == [UNTIL_FIRST]:
        until_first(sys.argv[2], sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--model", choices=SHAPES, default="48m")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="the figures as JSON; the table goes to the error output")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="akb-bench-") as folder:
        found = measure(Path(folder), given)
    if given.json:
        print(json.dumps({"settings": vars(given), **found}))


if __name__ == "__main__":
    main()
