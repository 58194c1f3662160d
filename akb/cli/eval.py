"""akb eval: ask models questions, and leave a record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.cli import options
from akb.errors import AkbError, unknown

if TYPE_CHECKING:
    from akb.evaluation import RunConfig
    from akb.registry import Registry
    from akb.run import Run


def eval_(
    model: options.Models = None,
    task: options.Tasks = None,
    protocol: options.ProtocolName = None,
    shots: options.Shots = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="Only the first so many questions.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of option orders and sampling [default: 0].")] = None,
    control: Annotated[str | None, typer.Option(help="choices-only: withhold the question.")] = None,
    listen: options.Listen = None,
    data: options.Data = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda:0, mps, or several: cuda:0,cuda:1.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, float16.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A run file (YAML); options go over it.")
    ] = None,
    set_: options.Set = None,
    include: options.Include = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The run's folder [default: below runs/].")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Do not use earlier responses.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the run that is there, and ask anew.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look names and settings up, ask nothing; needs no key, hub or GPU.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Ask models questions: akb eval --model qwen2-7b --task phonetic

    A run that was interrupted goes on where it was when the same command is given again. What is not an option here
    is a setting: --set protocol.max_tokens=64, --set model.quantize=4bit.
    """
    found = options.registry(include)
    changes = options.settings(set_, shots=shots)
    direct = {"limit": limit, "seed": seed, "control": control, "listen": listen, "data": data, "protocol": protocol}
    extra = {
        "protocol_args": changes["protocol"],
        "model_args": {**changes["model"], **_given(device=device, dtype=dtype)},
        "task_args": changes["task"],
    }
    configs = list(_configs(config, options.split_names(model), options.split_names(task), _given(**direct), extra))
    if dry_run:
        _dry_run(configs, found, json)
        return
    runs = list(_carry_out(configs, found, out, cache=not no_cache, fresh=fresh, quiet=json))
    _print(runs, json)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _configs(
    file: Path | None, models: list[str], tasks: list[str], direct: dict[str, Any], extra: dict[str, dict[str, Any]]
) -> Iterator[RunConfig]:
    """The settings of each run: those of the run file, with the command line's over them."""
    from akb.evaluation import RunConfig
    from akb.strict import parse, read_yaml

    base: dict[str, Any] = {}
    if file is not None:
        loaded = read_yaml(file)
        if not isinstance(loaded, dict):
            raise AkbError("a run file holds settings: model, task, protocol, ...", where=str(file))
        base = _spelled_out(loaded, str(file))
    named = base.pop("model", None)
    models = models or (options.split_names([named]) if isinstance(named, str) else named or [])
    if not isinstance(models, list):
        raise AkbError(f"model: a name or a list of names is wanted (found {models!r})", where=str(file))
    if not models:
        raise AkbError("no model is named", fix="E.g. --model akb-tiny; see them with: akb ls models")
    told = base.get("task")
    wanted = tasks or (options.split_names([told]) if isinstance(told, str) else told)
    if not wanted:
        raise AkbError("no task is named", fix="E.g. --task phonetic; see them with: akb ls tasks")
    for name, changes in extra.items():
        known = base.get(name)
        if known is not None and not isinstance(known, dict):
            raise AkbError(f"{name}: names with values are wanted (found {known!r})", where=str(file))
        base[name] = {**(known or {}), **changes}
    where = str(file) if file is not None else "akb eval"
    for model in models:
        yield parse(RunConfig, {**base, **direct, "model": model, "task": wanted}, where)


def _spelled_out(loaded: dict[str, Any], where: str) -> dict[str, Any]:
    """A run file's settings, with the options that stand for a setting put in its place."""
    from akb.evaluation import RunConfig

    base = dict(loaded)
    for short, of in {"shots": "protocol_args", "device": "model_args", "dtype": "model_args"}.items():
        if short in base:
            known = base.get(of)
            base[of] = {**(known if isinstance(known, dict) else {}), short: base.pop(short)}
    known_names = set(RunConfig.model_fields)
    for name in base:
        if name not in known_names:
            fix = unknown("setting", str(name), known_names, see=f"There are: {', '.join(RunConfig.model_fields)}.").fix
            raise AkbError(f"{name}: there is no such field", where=where, fix=fix)
    return base


def _carry_out(
    configs: list[RunConfig], registry: Registry, out: Path | None, *, cache: bool, fresh: bool, quiet: bool
) -> Iterator[Run]:
    from akb.cli.progress import watching
    from akb.evaluation import execute, plans

    if out is not None and sum(len(registry.select(config.task)) for config in configs) > 1:
        raise AkbError("several runs cannot share one folder", where="--out", fix="Leave --out away.")
    for config in configs:
        for plan in plans(config, registry):
            folder = out if out is not None else registry.settings.runs / plan.folder_name
            with watching(plan, folder, quiet=quiet) as progress:
                yield execute(plan, folder, registry.settings, cache=cache, progress=progress, fresh=fresh)


def _print(runs: list[Run], json: bool) -> None:
    from akb import report

    if json:
        report.print_json([run.to_dict() for run in runs])
        return
    several = len(runs) > 1
    for run in runs:
        baseline = all("baseline" in str(p.get("adapter")) for p in run.manifest.identity["parties"].values())
        if not (several and baseline):
            report.show(report.run_table(run))
            report.show("")
    if several:
        for table in report.comparisons(runs):
            report.show(table)


def _dry_run(configs: list[RunConfig], registry: Registry, json: bool) -> None:
    """What would be asked of whom, with the first question as text; the model's own files are not needed."""
    from akb import report
    from akb.adapters.rendering import plain
    from akb.evaluation import plans

    found = []
    for config in configs:
        for plan in plans(config, registry):
            trials = list(plan.trials())
            requests = [request for trial in trials for request in plan.task.requests(trial, ())]
            first = requests[0]
            start = getattr(first, "reply_start", "")
            found.append(
                {
                    "model": plan.model,
                    **_card(plan, registry),
                    "task": plan.selection.label,
                    "protocol": plan.protocol.name if plan.protocol else "",
                    "questions": len(trials),
                    "requests": len(requests),
                    "first": plain(first.messages, start),
                }
            )
    if json:
        report.print_json(found)
        return
    for run in found:
        report.show("\n".join(f"{name}: {value}" for name, value in run.items() if name != "first" and value))
        report.show(f"the first question, as plain text:\n\n{run['first']}\n")


def _card(plan: Any, registry: Registry) -> dict[str, Any]:
    card = registry.card(plan.config.model)
    return {"adapter": card.adapter, "repository": card.model, "revision": card.revision or "newest"}
