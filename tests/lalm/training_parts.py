"""A tiny recipe with data to train on: tones, each asked about twice, and a command that trains it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lalm_models import recipe

from akb.lalm.data.rows import Row
from akb.lalm.prompting import Heard
from akb.lalm.recipe import read
from akb.lalm.training import outline
from akb.lalm.training.rows import Clip
from akb.lalm.training.session import Session

sys.path.insert(0, str(Path(__file__).parent.parent))
from tones import write_tone

COMMAND = """
import sys
from akb.errors import AkbError
from akb.cli.lalm_train import train
import typer
app = typer.Typer()
app.command()(train)
try:
    app(standalone_mode=False)
except AkbError as error:
    print(f"akb: {error}", file=sys.stderr)
    sys.exit(2)
"""
TRAIN: dict[str, Any] = {
    "epochs": 2, "batch": 4, "micro_batch": 2, "bucket": 3, "precision": "fp32", "max_length": 160, "warmup": 2,
    "lr": 0.003, "eval_every": 6, "save_every": 3,
}  # fmt: skip


def train_rows(folder: Path, clips: int = 20, name: str = "tiny") -> Path:
    """`lalms/NAME/data/train.jsonl` in a folder: of each clip two rows; every fifth clip is of two chunks."""
    data = folder / "lalms" / name / "data"
    data.mkdir(parents=True)
    lines = []
    for number in range(clips):
        seconds = 2.5 if number % 5 == 4 else 0.5
        write_tone(data / "audio" / f"{number}.wav", 200 + 37 * number, seconds)
        audio = {"audio": f"audio/{number}.wav", "text": "a low hum" if number % 3 == 0 else ""}
        for prompt, response in (("What is heard?", "A bell" + " rings" * (number % 4)), ("Is it low?", "It is a hum")):
            message = {"role": "user", "content": f"<|AUDIO|>\n{prompt}", "audios": [audio]}
            lines.append({"id": f"{number}#{prompt}", "messages": [message], "response": response})
    (data / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return data


def made(folder: Path, clips: int = 20, **changes: Any) -> Path:
    """A folder with recipe, models and data; returns the recipe's file."""
    changes["train"] = {**TRAIN, **changes.get("train", {})}
    recipe(folder, **changes)
    train_rows(folder, clips)
    return folder / "tiny.yaml"


def outline_of(rows: Sequence[Row], clips: Mapping[str, Clip]) -> outline.Outline:
    """The outline of rows whose clips are known."""
    sets: dict[tuple[str, ...], tuple[str, ...]] = {}
    for row in rows:
        sets.setdefault(tuple(a.audio for a in row.audios), tuple(a.text for a in row.audios))
    return outline.Outline(len(rows), dict(clips), sets)


def parted(rows: Sequence[Row], clips: Mapping[str, Clip], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Rows to train on and those that are held out."""
    out = outline.held_out(outline_of(rows, clips), share, seed)
    apart = [any(clips[a.audio].sha256 in out for a in row.audios) for row in rows]
    return ([row for row, is_out in zip(rows, apart, strict=True) if not is_out],
            [row for row, is_out in zip(rows, apart, strict=True) if is_out])  # fmt: skip


def exchanged(rows: Sequence[Row], clips: Mapping[str, Clip], seed: int) -> list[tuple[str, list[Heard]]]:
    """Of shuffled rows, the response and the clips that are heard."""
    asked = outline.asked(rows, outline_of(rows, clips), frozenset(), seed)
    return [(row.response, [part for turn in row.turns for part in turn.parts if isinstance(part, Heard)])
            for row in asked]  # fmt: skip


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}


def start(folder: Path, *options: str, launch: tuple[str, ...] = (), first: str = "") -> subprocess.Popen[str]:
    """Begin `akb lalm train tiny.yaml` in a process of its own, some code before it."""
    script = folder / "command.py"
    script.write_text(first + COMMAND)
    command = [sys.executable, *launch, str(script), "tiny.yaml", "--device", "cpu", *options]
    return subprocess.Popen(command, cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)  # fmt: skip


def finish(folder: Path, *options: str, launch: tuple[str, ...] = (), first: str = ""
           ) -> subprocess.CompletedProcess[str]:  # fmt: skip
    process = start(folder, *options, launch=launch, first=first)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def session(place: Path, **options: Any) -> Session:
    """The training that the command would do."""
    lalms = place / "lalms"
    told = {"recipe": read(place / "tiny.yaml"), "data": lalms / "tiny" / "data" / "train.jsonl",
            "folder": lalms / "tiny", "taps": lalms / ".taps", "device": "cpu", **options}  # fmt: skip
    return Session(**told)


def trained(place: Path, **options: Any) -> list[dict[str, Any]]:
    """Train here; the log."""
    done = session(place, **options)
    done.run()
    return [json.loads(line) for line in (done.place / "log.jsonl").read_text().splitlines()]


def losses(lines: list[dict[str, Any]]) -> list[Any]:
    """What must be the same whenever the same is trained."""
    return [(line["step"], line["loss"], line["grad_norm"], line["lr"], line.get("eval_loss")) for line in lines]


def log(folder: Path, name: str = "tiny") -> list[dict[str, Any]]:
    path = folder / "lalms" / name / "train" / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]
