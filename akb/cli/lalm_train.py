"""akb lalm train: a recipe's connector (and what else it trains) on its data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from akb.cli import options
from akb.cli.lalm_recipe import Changes, Name, recipe_of

if TYPE_CHECKING:
    from akb.lalm.training.record import Run
    from akb.lalm.training.watching import Watch


def train(
    name: Name,
    set_: Changes = None,
    limit_rows: Annotated[
        int | None, typer.Option("--limit-rows", "--limit", "-n", min=1, help="Only the first so many rows.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew; what stands is removed.")] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Rows from elsewhere: JSONL, Parquet, a folder of these or a saved dataset."),
    ] = None,
    audio: Annotated[
        Path | None, typer.Option("--audio", help="The folder that paths of audio are relative to [default: --data's].")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, or cuda [default: what is there].")] = None,
    log_with: Annotated[
        str | None, typer.Option("--log-with", help="Also log by tensorboard, wandb ..., where installed.")
    ] = None,
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """Train a recipe on its data. E.g. akb lalm train desta-qwen2.5-7b

    Interrupted or killed, it goes on where it was when given again, with the same losses. On several GPUs:
    accelerate launch -m akb lalm train desta-qwen2.5-7b

    On rows of the schema of DeSTA that were released: akb lalm train NAME --data aqa5m.parquet --audio CLIPS
    """
    from akb import report
    from akb.lalm.training import record
    from akb.lalm.training.session import Session

    registry = options.registry(include)
    recipe = recipe_of(name, set_, registry, limit_rows)
    lalms = registry.settings.lalms
    folder = lalms / recipe.name
    with _watching(recipe.name, folder, quiet=json) as watch:
        done = Session(
            recipe,
            data or lalms / record.plain_name(recipe) / "data" / "train.jsonl",
            folder,
            lalms / ".taps",
            own=data is None,
            audio=audio,
            include=include or (),
            device=device,
            fresh=fresh,
            log_with=log_with,
            watch=watch,
        ).run()
    if not _is_main():
        return
    if json:
        report.print_json(done.model_dump(mode="json"))
    else:
        report.show("\n".join(_told(done, folder)))


def _told(done: Run, folder: Path) -> list[str]:
    result = done.result or {}
    lines = [f"trained: {done.steps:,} steps on {done.rows:,} rows ({done.clips:,} clips); loss {result['loss']:.4f}"]
    if (best := result["best"]) is not None:
        lowest = f"lowest {best['eval_loss']:.4f} after step {best['step']:,}"
        lines.append(f"held out: {done.held_out:,} rows, loss {result['eval_loss']:.4f}; {lowest}")
    lines.append(f"time: {result['seconds']:,.0f} s, {result['tokens'] / result['seconds']:,.0f} tokens/s; memory at "
                 f"most {result['memory_gb']:.2f} GB")  # fmt: skip
    lines.append(f"taps on disk: {done.cache_dtype or 'none'} ({done.cache})")
    lines += [f"note: {note}" for note in done.notes]
    curve = f"; curve: {folder}/train/loss.png" if result.get("drawn") else ""
    return [*lines, f"model: {result['model']}{curve}"]


def _is_main() -> bool:
    import os

    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _watching(label: str, folder: Path, *, quiet: bool) -> Iterator[Watch]:
    """Whoever is told; when it is interrupted, how to go on."""
    from akb.lalm.training.watching import Plain, Silent, Terminal

    try:
        if quiet or not _is_main():
            yield Silent()
        elif sys.stderr.isatty():
            with Terminal(label) as bar:
                yield bar
        else:
            yield Plain(label)
    except KeyboardInterrupt:
        if _is_main():
            kept = f"What was trained is kept in {folder}/train"
            print(f"\nakb: interrupted. {kept}\n  Give the same command again to go on.", file=sys.stderr)
        raise
