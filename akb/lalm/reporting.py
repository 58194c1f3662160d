"""A grounding in one page: of what it was made, what was dropped, how its losses went, and the control beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from akb.errors import AkbError
from akb.files import explained, write_whole
from akb.lalm.recipe import Recipe
from akb.lalm.training import curves, record
from akb.lalm.training.curves import Curve

REPORT, PICTURE = "report.md", "loss.png"
LINES = 10  # of the table of losses


def report(recipe: Recipe, lalms: Path) -> Path:
    """Write `report.md` and `loss.png` into a recipe's folder.

    Args:
        recipe: with what of it was changed; where a training was made otherwise, the page says in what.
        lalms: the folder in which grounded models lie; there the training on shuffled pairs is looked for as well.

    Raises:
        AkbError: nothing was trained by the recipe yet, or a file cannot be read or written.
    """
    folder = lalms / recipe.name
    run = record.earlier(folder / "train")
    if run is None or not (folder / "train" / record.LOG).is_file():
        raise AkbError("nothing was trained by this recipe yet", where=str(folder),
                       fix=f"Train it with: akb lalm train {recipe.name}")  # fmt: skip
    shuffled = lalms / f"{recipe.name}{record.SHUFFLED}"
    runs = {"as paired": run}
    if (control := record.earlier(shuffled / "train")) is not None and (shuffled / "train" / record.LOG).is_file():
        runs["shuffled pairs"] = control
    logs = {"as paired": folder, "shuffled pairs": shuffled}
    drawn = [curves.read(logs[name] / "train" / record.LOG, name if len(runs) > 1 else "") for name in runs]
    with explained(folder):
        picture = curves.draw(
            drawn, folder / PICTURE, f"{recipe.name}: {run.steps:,} steps of {run.recipe['train']['batch']} rows"
        )
        write_whole(folder / REPORT, (f"{line}\n" for line in _page(recipe, folder, runs, drawn, picture)))
    return folder / REPORT


def _page(recipe: Recipe, folder: Path, runs: Mapping[str, record.Run], drawn: Sequence[Curve], picture: bool
          ) -> Iterator[str]:  # fmt: skip
    yield f"# {recipe.name}"
    yield from ("", recipe.title, "") if recipe.title else ("",)
    yield from _table(("", *runs), _facts(recipe, runs))
    yield from _data(folder.parent / record.plain_name(recipe) / "data" / "report.json")
    yield from ("", "## Losses", "")
    if picture:
        yield from (f"![Losses by step]({PICTURE})", "")
    yield from _table(("step", *(f"{name}{part}" for name in runs for part in ("", ", held out"))), _losses(drawn))
    yield from ("", "Nats a token of the responses: means of the last fiftieth of the steps; held-out rows as "
                    "they were last. A training on shuffled pairs shows what is learned without hearing.")  # fmt: skip


def _facts(recipe: Recipe, runs: Mapping[str, record.Run]) -> Iterator[tuple[str, ...]]:
    """What each training was made of and came to."""
    found = runs.values()
    asked = recipe.model_dump(mode="json")
    yield "otherwise than asked for", *(_other(asked, one.recipe) for one in found)
    yield "backbone", *(one.backbone for one in found)
    yield "encoder", *(one.encoder for one in found)
    yield "rows, held out, clips", *(f"{one.rows:,}, {one.held_out:,}, {one.clips:,}" for one in found)
    yield "data (sha256)", *(one.data_sha256[:16] for one in found)
    yield "steps", *(f"{one.steps:,}" if one.result else f"{one.steps:,}, not all done" for one in found)
    yield "notes", *("; ".join(one.notes) or "none" for one in found)
    results = [one.result or {} for one in found]
    yield "loss at the end", *(_number(one.get("loss")) for one in results)
    yield "held out at the end", *(_number(one.get("eval_loss")) for one in results)
    best = [one.get("best") or {} for one in results]
    yield "held out at best", *(f"{_number(one.get('eval_loss'))} (step {one.get('step', '-')})" for one in best)
    yield "seconds, tokens", *(f"{one.get('seconds', 0):,.0f}, {one.get('tokens', 0):,}" for one in results)
    yield "memory at most, GB", *(_number(one.get("memory_gb"), 2) for one in results)


def _other(asked: Mapping[str, Any], trained: Mapping[str, Any]) -> str:
    """What of the recipe was changed for a training."""
    told = [f"{name}: {was}" for name, _, was in record.differences(asked, trained) if name != "name"]
    return ", ".join(told) or "nothing"


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _data(path: Path) -> Iterator[str]:
    """What `akb lalm data` kept and dropped, if it made the data here."""
    if not path.is_file():
        return
    try:
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
        kept, dropped, clips = told["kept"], told["dropped"], told["clips"]
        known = len(told["contamination"]["clips"]), told["contamination"]["clips are"]
    except (ValueError, KeyError, TypeError):
        raise AkbError("this is no report of `akb lalm data`", where=str(path), fix="Make the data again.") from None
    yield from ("", "## Data", "")
    yield (f"{sum(clips.values()):,} clips ({sum(told['hours'].values()):.2f} hours); responses by {told['writer']}; "
           f"prompts of the pool {told['pool']['name']}.")  # fmt: skip
    yield f"Clips that are in an evaluation: {known[0]} ({known[1]})."
    yield ""
    rows = [(name, f"{number:,}", "kept") for name, number in kept.items()]
    rows += [(name, f"{number:,}", "dropped") for name, number in dropped.items()]
    yield from _table(("rows", "number", ""), rows)


def _losses(drawn: Sequence[Curve]) -> Iterator[tuple[str, ...]]:
    """Losses at some steps, evenly over the longest training."""
    last = max(curve.steps[-1][0] for curve in drawn)
    for number in range(LINES + 1):
        step = max(1, round(last * number / LINES))
        row = [f"{step:,}"]
        for curve in drawn:
            at = max((n for n, (s, _) in enumerate(curve.steps) if s <= step), default=None)
            held = [loss for s, loss in curve.held_out if s <= step]
            row += [_number(None if at is None else curve.smooth()[at], 3), _number(held[-1] if held else None, 3)]
        yield tuple(row)


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
