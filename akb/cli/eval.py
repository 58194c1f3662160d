"""akb eval: ask models questions, and leave a record."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.cli import options
from akb.errors import EXIT_INCOMPLETE, AkbError, unknown

if TYPE_CHECKING:
    from akb.calling import Budget
    from akb.cli.carrying import Done
    from akb.plan import Plan, RunConfig
    from akb.registry import Registry


PAID = frozenset({"openai", "anthropic", "google"})  # adapters whose answers cost money


def eval_(
    model: options.Models = None,
    task: options.Tasks = None,
    protocol: options.ProtocolName = None,
    shots: options.Shots = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="Only the first so many questions.")] = None,
    shard: Annotated[
        str | None, typer.Option(help="Only one part of the questions, e.g. 2/4; akb merge puts the parts together.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of option orders and sampling [default: 0].")] = None,
    control: Annotated[
        str | None,
        typer.Option(
            help="choices-only: withhold the question. none: ask audio questions without the controls that belong "
            "beside their score."
        ),
    ] = None,
    listen: options.Listen = None,
    data: options.Data = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda:0, mps, or several: cuda:0,cuda:1.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, float16.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="plain: one sequence at a time, nothing shared; slow, to check against.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A run file (YAML); options go over it.")
    ] = None,
    set_: options.Set = None,
    include: options.Include = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The run's folder [default: below runs/].")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Do not use earlier responses.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Remove the run that is there (not captions), and ask anew.")
    ] = False,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", min=0.0, help="Stop before these runs have cost more than so many US dollars."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Tell requests, tokens and cost; ask nothing. Needs no key, hub or GPU."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Ask models questions. E.g. akb eval --model qwen2-7b --task phonetic

    A run that was interrupted goes on where it was when the same command is given again. What is not an option here
    is a setting: --set protocol.max_tokens=64, --set model.quantize=4bit.
    """
    found = options.registry(include)
    changes = options.settings(set_, shots=shots)
    direct = {
        "limit": limit,
        "shard": shard,
        "seed": seed,
        "control": control,
        "listen": listen,
        "data": data,
        "protocol": protocol,
    }
    extra = {
        "protocol_args": changes["protocol"],
        "model_args": {**changes["model"], **_given(device=device, dtype=dtype, engine=engine)},
        "task_args": changes["task"],
        "captioner_args": changes["captioner"],
    }
    configs = list(_configs(config, options.split_names(model), options.split_names(task), _given(**direct), extra))
    bare = control is not None or shard is not None  # a shard's controls would be shards of their own
    if dry_run:
        _dry_run(configs, found, json, bare=bare)
        return
    from akb.cli.carrying import Carrying

    carrying = Carrying(found, out, _budget(max_cost), not no_cache, fresh, quiet=json, bare=bare)
    done = list(carrying.carry_out(configs))
    _print(done, json)
    if any(run.manifest.status == "incomplete" for one in done for run in one.all()):
        raise typer.Exit(EXIT_INCOMPLETE)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _budget(most: float | None) -> Budget | None:
    from akb.calling import Budget

    return None if most is None else Budget(most)


def _configs(
    file: Path | None, models: list[str], tasks: list[str], direct: dict[str, Any], extra: dict[str, dict[str, Any]]
) -> Iterator[RunConfig]:
    """The settings of each run: those of the run file, with the command line's over them."""
    from akb.plan import RunConfig
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
    from akb.plan import RunConfig

    base = dict(loaded)
    for short, of in {"shots": "protocol_args", **dict.fromkeys(("device", "dtype", "engine"), "model_args")}.items():
        if short in base:
            known = base.get(of)
            base[of] = {**(known if isinstance(known, dict) else {}), short: base.pop(short)}
    known_names = set(RunConfig.model_fields)
    for name in base:
        if name not in known_names:
            fix = unknown("setting", str(name), known_names, see=f"There are: {', '.join(RunConfig.model_fields)}.").fix
            raise AkbError(f"{name}: there is no such field", where=where, fix=fix)
    return base


def _print(done: Sequence[Done], json: bool) -> None:
    from akb import report
    from akb.cascades.report import beside_table, beside_told
    from akb.run import names

    named = list(zip(names([one.run for one in done]), done, strict=True))
    if json:
        told = [one.run.to_dict() | {"model": name} | beside_told(one.run, one.controls) for name, one in named]
        report.print_json(told)
        return
    several = len(done) > 1
    for name, one in named:
        run = one.run
        baseline = all("baseline" in str(p.get("adapter")) for p in run.manifest.identity["parties"].values())
        if not (several and baseline):
            report.show(report.run_table(run, name))
            report.show("")
            if one.controls:
                report.show(beside_table(run, one.controls))
                report.show("")
    if several:
        for table in report.comparisons([one.run for one in done]):
            report.show(table)


def _dry_run(configs: list[RunConfig], registry: Registry, json: bool, *, bare: bool) -> None:
    """What would be asked of whom, what it would take, and the first question as text; the model's own files are not
    needed."""
    from akb import report
    from akb.cascades.captions import Foreseen
    from akb.cascades.foreseeing import told as told_ahead
    from akb.cli.carrying import controls_of
    from akb.evaluation import foreseen, plans

    found, ahead = [], []
    for plan in (plan for config in configs for plan in plans(config, registry)):
        asked = {"": plan} if bare else {"": plan, **controls_of(plan, registry)}
        for label, one in asked.items():
            one = foreseen(one, registry)
            found.append(foretold(one, registry, label))
            ahead += [one.captions] if isinstance(one.captions, Foreseen) else []
    if json:
        report.print_json(found)
        return
    for run in found:
        report.show("\n".join(f"{name}: {value}" for name, value in run.items() if name != "first" and value))
        report.show(f"the first question, as plain text:\n\n{run['first']}\n")
    captions, price = told_ahead(ahead)
    for line in captions:
        report.show(f"captions: {line}")
    costs = [run["cost at most, $"] for run in found if run["cost at most, $"] is not None] + [price] * bool(price)
    unknown = [run["model"] for run in found if run["cost at most, $"] is None and run["adapter"] in PAID]
    unknown += ["the captions"] * (price is None)
    if len(costs) > 1 or price or (costs and unknown):
        without = f", without {', '.join(dict.fromkeys(unknown))}, whose price is not known" if unknown else ""
        report.show(f"cost of all at most: ${math.ceil(100 * sum(costs)) / 100:.2f}{without}")


def foretold(plan: Plan, registry: Registry, label: str) -> dict[str, Any]:
    """A plan's requests, tokens and cost; of a task that asks again after the first responses, those of the first."""
    from akb.adapters.pricing import estimate
    from akb.adapters.rendering import shown
    from akb.engine import check_capabilities
    from akb.types import Priced

    questions = requests = prompt = reply = 0
    cost: float | None = 0.0
    first = None
    for trial in plan.trials():
        questions += 1
        for request in plan.task.requests(trial, ()):
            adapter = plan.parties.get(request.to)
            if first is None and adapter is not None:
                check_capabilities(request.to, adapter, [request])
            first = first or request
            told = adapter.estimate(request) if isinstance(adapter, Priced) else estimate(request)
            requests, prompt, reply = requests + 1, prompt + told.prompt_tokens, reply + told.reply_tokens
            cost = None if cost is None or told.cost is None else cost + told.cost
    if first is None:
        raise AkbError("none of its questions can be heard", where=f"task {plan.task_label}")
    return {
        "model": plan.model,
        "control": label,
        **_described(plan),
        **_card(plan, registry),
        "task": plan.task_label,
        "protocol": plan.protocol.name if plan.protocol else "",
        "questions": questions,
        "requests": requests,
        "prompt tokens, about": prompt,
        "reply tokens, at most": reply,
        "cost at most, $": None if cost is None else round(cost, 4),
        "first": shown(first.messages, getattr(first, "reply_start", "")),
    }


def _described(plan: Plan) -> dict[str, Any]:
    """What a cascade still needs before it can be asked, and what that may cost: once for all runs that need it, so it
    is not in a run's own cost."""
    from akb.cascades.captions import Foreseen
    from akb.cascades.foreseeing import told

    if not isinstance(plan.captions, Foreseen):
        return {"captions": ""}
    lines, price = told([plan.captions])
    return {"captions": "; ".join(lines), "captions' cost at most, $": None if price is None else round(price, 4)}


def _card(plan: Plan, registry: Registry) -> dict[str, Any]:
    card = registry.card(plan.config.model)
    return {"adapter": card.adapter, "repository": card.model, "revision": card.revision or "newest"}
