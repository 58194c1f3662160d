"""What it takes to make a large file of training rows ready: akb beside lists of rows and of tokens.

    python benchmarks/training_rows.py                  # pip install -e ".[lalm]"; some minutes
    python benchmarks/training_rows.py --rows 5000 --json

Rows are of the size of DeSTA-AQA5M's, each of a clip of its own, and tell hash and duration; no audio is read. "plain"
reads all rows into a list, tokenises one after another and makes arrays at the end. "akb" reads the file twice,
tokenises many rows together, adds them to arrays and keeps these on disk; "again" is a training that goes on, or
another process of one. Each in a process of its own. Memory is the most above what the process had at its start; CPU
time is that of all threads.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from grounding import SMALL, apart, peak

HEARS = (480_000, 16_000)  # samples at once, and a second
LONGEST = 3000
SIDES = ("plain", "akb", "again")


def write_rows(folder: Path, number: int) -> None:
    """Rows, and an empty file for each clip."""
    draw, words = Random(0), [f"w{n}" for n in range(3000)]
    (folder / "clips").mkdir()
    with (folder / "train.jsonl").open("w") as file:
        for n in range(number):
            (folder / f"clips/{n}.wav").touch()
            audio = {"audio": f"clips/{n}.wav", "text": " ".join(draw.choices(words, k=8))}
            message = {"role": "user", "content": f"<|AUDIO|>\n\nDescribe {draw.choice(words)}", "audios": [audio]}
            row = {"id": str(n), "seed_description": " ".join(draw.choices(words, k=40)), "messages": [message],
                   "response": " ".join(draw.choices(words, k=40)), "duration": 5.0,
                   "audio_sha256": [f"{n:064x}"]}  # fmt: skip
            file.write(json.dumps(row) + "\n")


def write_models(folder: Path) -> None:
    from grounding import write_all

    shape: dict[str, Any] = SMALL
    write_all(folder, {**shape, "llm": {**shape["llm"], "num_hidden_layers": 1, "hidden_size": 64}}, 1, 1)


def prompting_in(folder: Path) -> Any:
    from akb.adapters import snapshot
    from akb.lalm.kept import card_of
    from akb.lalm.recipe import read
    from akb.lalm.saving import prompting_of

    recipe = read(folder / "bench.yaml")
    card = card_of(recipe)
    return prompting_of(recipe, card, snapshot.find(card.model, card.revision))


def run(side: str, folder: Path) -> dict[str, float]:
    """One side's figures, a row."""
    from akb.lalm.data import rows as data
    from akb.lalm.prompting import Heard, Turn
    from akb.lalm.training import outline, rows, stored

    prompting, kept = prompting_in(folder), folder / "kept"
    prompting.digest()
    before, started, cpu = peak("cpu"), time.perf_counter(), time.process_time()
    found: Any
    if side == "plain":
        every, made = list(data.read(folder / "train.jsonl")), []
        for row in every:
            turns = [Turn(turn.role, tuple(part if isinstance(part, str) else Heard(part.audio, (part.text,))
                                           for part in turn.parts)) for turn in row.messages]  # fmt: skip
            made.append(prompting.row(turns, row.response, longest=LONGEST))
        found = np.array([token for row in made for token in row.ids], np.int32)
        number, tokens = len(made), len(found)
    else:
        if side == "akb":
            of = outline.outlined(data.read(folder / "train.jsonl"), *HEARS)
            asked = outline.asked(data.read(folder / "train.jsonl"), of, frozenset())
            stored.write(kept, "made", stored.Data(*rows.tokenised(asked, prompting, LONGEST), of.clips))
        elif not stored.is_whole(kept, "made"):
            raise SystemExit("what akb kept is not whole")
        found = stored.read(kept)
        number, tokens = len(found.train), int(found.train.starts[-1])
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"rows_per_s": number / seconds, "rows_per_cpu_s": number / cpu, "tokens": tokens / number,
            "bytes_a_row": (peak("cpu") - before) * 1e9 / number}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        apart(write_models, folder)
        write_rows(folder, args.rows)
        figures = {side: apart(run, side, folder) for side in SIDES}
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{args.rows:,} rows of {figures['akb']['tokens']:.0f} tokens")
    for side, one in figures.items():
        print(f"{side:6} {one['rows_per_s']:9,.0f} rows/s  {one['rows_per_cpu_s']:9,.0f} rows/CPU s  "
              f"{one['bytes_a_row']:9,.0f} bytes a row")  # fmt: skip


if __name__ == "__main__":
    main()
