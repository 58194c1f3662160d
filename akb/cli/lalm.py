"""akb lalm: grounding a text model in audio. What a recipe takes (show), and whether it runs here (check)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.cli import options
from akb.cli.lalm_recipe import Changes, Name, recipe_of

if TYPE_CHECKING:
    from pathlib import Path

    from akb.lalm.checking import Checked
    from akb.lalm.recipe import Recipe
    from akb.lalm.sizes import Counts, OnGpu
    from akb.registry import Registry

app = typer.Typer(help="Ground a text model in audio.", no_args_is_help=True, rich_markup_mode=None)
DEFAULT_GPU = "A100-80G"


@app.callback()
def _lalm() -> None:
    """Ground a text model in audio."""


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="A recipe's name or file; none: all of them.")] = None,
    gpu: Annotated[
        list[str] | None,
        typer.Option("--gpu", help="Estimate memory and time on it [default: A100-80G]. May be repeated."),
    ] = None,
    gpus: Annotated[int, typer.Option("--gpus", min=1, help="How many of them train side by side.")] = 1,
    set_: Changes = None,
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """What a recipe is and takes. E.g. akb lalm show desta-qwen2.5-7b --gpu A100-80G --gpus 8"""
    from akb.lalm import sizes
    from akb.lalm.kept import card_of
    from akb.lalm.recipe import recipes

    registry = options.registry(include)
    if name is None and not set_:
        _list(recipes(registry.roots), json)
        return
    recipe = recipe_of(name, set_, registry)
    of = sizes.counts(recipe, card_of(recipe, include or ()), include or ())
    rows = _rows_made(registry, recipe)
    on = [sizes.on_gpu(recipe, of, one, gpus, rows) for one in options.split_names(gpu) or [DEFAULT_GPU]]
    if json:
        _print_json(_told(recipe, of, on, rows))
    else:
        _print(recipe, of, on, rows)


@app.command()
def check(
    name: Name,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda:0 ...")] = "auto",
    set_: Changes = None,
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """Two training steps with real shapes and random data. E.g. akb lalm check desta-qwen2.5-7b"""
    from akb.lalm.counting import wants_torch

    wants_torch()  # before it is imported in many places
    from akb.lalm.checking import check as checked

    recipe = recipe_of(name, set_, options.registry(include))
    found = checked(recipe, include=include or (), device=device)
    if json:
        _print_json({"recipe": recipe.name, **asdict(found)})
    else:
        _print_check(recipe, found)


@app.command()
def report(name: Name, set_: Changes = None, include: options.Include = None) -> None:
    """A training in one page, with its losses and those of its control: akb lalm report desta-qwen2.5-7b"""
    from akb.lalm.reporting import report as made

    registry = options.registry(include)
    page = made(recipe_of(name, set_, registry), registry.settings.lalms)
    typer.echo(page.read_text("utf-8"))
    typer.echo(f"report: {page}")


def _list(known: dict[str, Recipe], json: bool) -> None:
    if json:
        _print_json([{"name": r.name, "title": r.title, "backbone": r.backbone} for r in known.values()])
        return
    width = max((len(name) for name in known), default=0)
    for recipe in known.values():
        typer.echo(f"{recipe.name:{width}}  {recipe.title or recipe.backbone}")


def _rows_made(registry: Registry, recipe: Recipe) -> int | None:
    """Rows of the data that was made; None where none was."""
    from akb.lalm.training.record import plain_name

    file: Path = registry.settings.lalms / plain_name(recipe) / "data" / "train.jsonl"
    if not file.is_file():
        return None
    with file.open("rb") as opened:
        return sum(1 for line in opened if line.strip())


def _told(recipe: Recipe, of: Counts, on: list[OnGpu], rows: int | None) -> dict[str, Any]:
    from akb.lalm import sizes

    steps = sizes.steps(recipe, rows)
    return {
        "recipe": recipe.model_dump(mode="json"),
        "parameters": {
            "trained": of.trained,
            "frozen": of.frozen,
            "backbone": of.llm,
            "encoder": of.encoder,
            "connector": of.connector,
            "lora": of.lora,
            "from_files": of.from_files,
        },
        "rows_made": rows,
        "rows_learned": sizes.learned_rows(recipe, rows),
        "steps": steps,
        "tokens_at_most": None if steps is None else steps * recipe.train.batch * recipe.train.max_length,
        "row_flops": sizes.row_flops(recipe, of),
        "utilisation": sizes.UTILISATION,
        "gpus": [asdict(one) for one in on],
    }


def _print(recipe: Recipe, of: Counts, on: list[OnGpu], rows: int | None) -> None:
    from akb.lalm import sizes

    steps, train = sizes.steps(recipe, rows), recipe.train
    lines = [
        ("recipe", f"{recipe.name}: {recipe.title}".rstrip(": ")),
        ("backbone", f"{recipe.backbone} ({_scaled(of.llm)}, frozen{', LoRA' if recipe.lora else ''})"),
        ("encoder", f"{recipe.encoder.model} ({_scaled(of.encoder)}, "
                    f"{'trained' if of.encoder_trained else 'frozen'})"),
        ("trained", f"{_scaled(of.trained)} (connector {_scaled(of.connector)}"
                    f"{f', LoRA {_scaled(of.lora)}' if of.lora else ''})"),
        ("frozen", _scaled(of.frozen)),
        ("rows", _rows(recipe, rows)),
        ("steps", f"{_number(steps)} of {train.batch} rows"),
    ]  # fmt: skip
    if steps is not None:
        lines.append(("tokens", f"at most {_scaled(steps * train.batch * train.max_length)}"))
    lines += [line for one in on for line in _on_gpu(one)]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        typer.echo(f"{name:{width}}  {text}")
    if not of.from_files:
        typer.echo("Counted from a table of published configurations: not all of the models' files are at hand.")


def _rows(recipe: Recipe, rows: int | None) -> str:
    from akb.lalm import sizes

    learned, every = sizes.learned_rows(recipe, rows), rows or recipe.data.rows
    told = "" if learned is None else f", {learned:,} of them to train on"
    return f"{_number(every)}{' (made)' if rows else ''}{told}"


def _on_gpu(one: OnGpu) -> list[tuple[str, str]]:
    """Memory and time on a GPU, as two lines."""
    from akb.lalm import sizes

    need = one.need
    parts = ("weights", "gradients", "optimiser", "activations")
    told = (f"{_bytes(need.whole)} of {_bytes(one.memory)} with {max(one.micro_batch, 1)} rows at once: "
            + ", ".join(f"{part} {_bytes(getattr(need, part))}" for part in parts))  # fmt: skip
    name = f"{one.gpus} x {one.gpu}"
    if not one.micro_batch:
        return [(name, f"does not fit: {told.replace('1 rows', 'one row')}")]
    told += "" if one.fits else f"  (set train.micro_batch: {one.micro_batch}; the recipe's own will not do)"
    speed = f"{one.row_seconds * 1e3:.3g} ms a row, at {sizes.UTILISATION:.0%} of the peak"
    return [(name, told), ("", f"{_hours(one.hours)} ({speed})")]


def _scaled(value: float, units: tuple[str, ...] = ("B", "M", "k")) -> str:
    """A number with the unit that suits its size: 7.62 B, 130.88 M, 4.10 k, 12."""
    sizes = (10**9, 10**6, 10**3)
    unit, size = next(((u, s) for u, s in zip(units, sizes, strict=True) if value >= s), ("", 1))
    return f"{value / size:.2f} {unit}" if unit else f"{value:.0f}"


def _bytes(value: float) -> str:
    return _scaled(value, ("GB", "MB", "kB"))


def _number(value: int | None) -> str:
    return "not known until the data is made" if value is None else f"{value:,}"


def _hours(hours: float | None) -> str:
    if hours is None:
        return "time: not known until the data is made"
    if hours < 1 / 60:
        return "less than a minute"
    if hours >= 72:
        return f"about {hours / 24:.1f} days"
    return f"about {hours:.1f} hours" if hours >= 1 else f"about {hours * 60:.0f} minutes"


def _print_check(recipe: Recipe, found: Checked) -> None:
    steps = ", ".join(f"{seconds:.2f} s (loss {loss:.3f})"
                      for seconds, loss in zip(found.seconds, found.losses, strict=True))  # fmt: skip
    typer.echo(f"{recipe.name} on {found.device}: {len(found.seconds)} steps of {found.rows} x {found.tokens} tokens: "
               f"{steps}")  # fmt: skip
    typer.echo(f"a step of {recipe.train.batch} rows takes about {found.step_seconds:.2f} s on this device alone")
    typer.echo(f"memory: {_bytes(found.peak)} at most (estimated {_bytes(found.estimate)})")
    typer.echo(f"clips stand in the places of {found.placeholder}; a response ends with {found.end}")


def _print_json(told: Any) -> None:
    import json

    typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
