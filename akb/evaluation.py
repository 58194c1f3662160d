"""`evaluate()`: from a model's name and a task's name to a run."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from akb import records, settings
from akb.calling import Budget
from akb.cascades.captioning import Describing
from akb.cascades.captions import Captions
from akb.cascades.foreseeing import foreseen as foreseen_captions
from akb.cascades.settings import check_named
from akb.engine import Engine, Progress, Silent
from akb.environment import environment, now, version
from akb.errors import AkbError
from akb.plan import Plan, RunConfig
from akb.records import Manifest, Record
from akb.registry import Registry, Selection
from akb.run import Run
from akb.store import Cache
from akb.strict import parse
from akb.tasks.asking import Asking
from akb.tasks.folder import FolderTask
from akb.tasks.listening import Listening
from akb.tasks.multiple_choice import MultipleChoice
from akb.tasks.official import differences
from akb.types import MODEL, Adapter, Clip, Task
from akb.usage import spent


def plans(config: RunConfig, registry: Registry, parties: Mapping[str, Adapter] | None = None) -> Iterator[Plan]:
    """The runs that settings mean, one for each task, all with one copy of the model; it is closed at the end."""
    selections = registry.select(config.task)
    card = registry.card(config.model)
    adapter = registry.adapter(card, config.model_args)
    try:
        for selection in selections:
            plan = unmanned(config, registry, selection)
            yield replace(plan, model=card.name, parties={MODEL: adapter, **(parties or {})})
    finally:
        adapter.close()


def unmanned(config: RunConfig, registry: Registry, selection: Selection) -> Plan:
    """The plan for a task without anybody to ask: enough to make its questions and requests."""
    protocol, prompt = registry.protocol(config.protocol, config.protocol_args)
    data = None if config.data is None else str(config.data)
    told = Asking(protocol, prompt, config.seed, config.listen, config.control, data, config.task_args)
    task = registry.task(selection.task, told)
    return Plan(config, config.model, selection, task, {}, protocol, prompt, registry.categories(selection.task))


def described(plan: Plan, describing: Describing) -> Plan:
    """A plan of a cascade with the captions of all its clips, those made that are missing; other plans as they are.

    Raises:
        AkbError: the captioner is not known, or cannot do its work; the task has nothing to be described.
    """
    name = Listening.parse(plan.config.listen).captioner
    if not name:
        return plan
    return with_captions(plan, describing.captions(name, _audible(plan), plan.config.captioner_args))


def foreseen(plan: Plan, registry: Registry) -> Plan:
    """A plan as it may come out, for an estimate: the captions that are there, and for those still to be made as many
    words as a reader would be shown at most. Nobody is asked."""
    name = Listening.parse(plan.config.listen).captioner
    if not name:
        return plan
    return with_captions(plan, foreseen_captions(registry, name, _audible(plan), plan.config.captioner_args))


def with_captions(plan: Plan, captions: Captions) -> Plan:
    """A plan of a cascade that rests on these captions."""
    if not isinstance(plan.task, MultipleChoice):
        raise AkbError(f"task {plan.task.name} asks in a way of its own; it cannot be asked by captions",
                       where=f"--listen {plan.config.listen}")  # fmt: skip
    task = copy.copy(plan.task)
    task.__dict__.pop("hearing", None)
    task.asking = replace(plan.task.asking, captions=captions)
    return replace(plan, task=task, captions=captions)


def _audible(plan: Plan) -> list[Clip]:
    """The clips of a plan; an error where there is nothing to hear."""
    clips = plan.clips()
    if not clips:
        raise AkbError(f"no question of {plan.task_label} has audio at hand", where=f"--listen {plan.config.listen}",
                       fix="Leave --listen out; of a task with audio ask the text alone: --listen none")  # fmt: skip
    return clips


def evaluate(
    model: str | Adapter,
    task: str | Sequence[str] | Task,
    *,
    protocol: str = "akb-v1",
    parties: Mapping[str, Adapter] | None = None,
    include: Sequence[Path | str] = (),
    out: Path | str | None = None,
    cache: bool = True,
    max_cost: float | None = None,
    progress: Progress | None = None,
    **config: Any,
) -> Run:
    """Ask a model a task's questions, and leave a record.

    Args:
        model: a name as on the command line, or an adapter of your own.
        task: a name or names of parts of one task, or a task of your own (already bound to its `Asking`).
        protocol: the protocol's name.
        parties: further parties that the task asks, by the name in `Request.to`, e.g. a captioner.
        include: folders with tasks, cards and protocols of your own.
        out: the run's folder; default: one below the runs folder that a run of the same identity finds again.
        cache: use the response cache.
        max_cost: US dollars that the run may cost, with what it has cost before it was interrupted.
        progress: whoever watches.
        config: further fields of `RunConfig`: limit, shard, seed, listen, control, data, protocol_args,
            model_args ...

    Returns:
        The finished run. A run that was interrupted goes on where it was.

    Raises:
        AkbError: a name, file, setting or model is wrong; nothing that was answered is lost.

    Examples:
        >>> run = evaluate("random", "phonetic", protocol="akb-v1-loglik", cache=False, out=tmp_path)
        >>> run.summary.rows[0].chance
        0.25
    """
    if isinstance(model, (list, tuple)):
        raise AkbError("evaluate() asks one model at a time", where="model", fix="Call it once for each.")
    registry = Registry(include=tuple(Path(folder) for folder in include))
    names = (task,) if isinstance(task, str) else (task.name,) if isinstance(task, Task) else tuple(task)
    label = model if isinstance(model, str) else str(model.fingerprint().get("model", type(model).__name__))
    wanted = parse(RunConfig, {"model": label, "task": names, "protocol": protocol, **config}, "evaluate()")
    if isinstance(model, str) and not isinstance(task, Task):
        source = plans(wanted, registry, parties)
    else:
        source = iter((_own_plan(model, task, wanted, registry, parties),))
    budget = None if max_cost is None else Budget(max_cost)
    runs: list[Run] = []
    describing = Describing(registry, lambda label, folder: nullcontext(Silent()), cache=cache, budget=budget)
    if captioner := Listening.parse(wanted.listen).captioner:
        check_named(registry, [captioner], wanted.captioner_args)
    for bare in source:
        plan = described(bare, describing)
        folder = Path(out) if out is not None else registry.settings.runs / plan.folder_name
        if runs:
            raise AkbError(f"{', '.join(names)} are several tasks; evaluate() runs one at a time")
        watched = progress or Silent()
        runs.append(execute(plan, folder, registry.settings, cache=cache, progress=watched, budget=budget))
    return runs[0]


def _own_plan(
    model: str | Adapter,
    task: str | Sequence[str] | Task,
    config: RunConfig,
    registry: Registry,
    parties: Mapping[str, Adapter] | None,
) -> Plan:
    """A plan with an adapter or a task that the caller made; it stays the caller's to close."""
    adapter = registry.adapter(registry.card(model), config.model_args) if isinstance(model, str) else model
    everyone = {MODEL: adapter, **(parties or {})}
    if isinstance(task, Task):
        own = getattr(task, "asking", None)
        if not isinstance(own, Asking):
            _check_given(config, {"listen": "audio", "control": "none"})
            return Plan(config, config.model, Selection(task.name), task, everyone)
        told = {"protocol": own.protocol.name, "seed": own.seed, "listen": own.listen, "control": own.control,
                "task_args": own.options}  # fmt: skip
        _check_given(config, told)
        config = config.model_copy(update=told)
        return Plan(config, config.model, Selection(task.name), task, everyone, own.protocol, own.prompt)
    return replace(unmanned(config, registry, registry.select(config.task)[0]), parties=everyone)


def _check_given(config: RunConfig, told: Mapping[str, Any]) -> None:
    """See to it that what was asked for is how a task of the caller's own asks.

    Raises:
        AkbError: it is not.
    """
    usual = RunConfig.model_fields
    for name, own in told.items():
        given = getattr(config, name)
        if name not in config.model_fields_set or given == own or (name == "protocol" and given == usual[name].default):
            continue
        raise AkbError(f"{name}: {given!r} was asked for, and the task asks with {own!r}", where="evaluate()",
                       fix="A task of your own is bound to its Asking: say it there.")  # fmt: skip


def execute(
    plan: Plan,
    folder: Path,
    user: settings.Settings,
    *,
    cache: bool,
    progress: Progress,
    fresh: bool = False,
    budget: Budget | None = None,
) -> Run:
    """Carry out a plan in a folder; a finished run of the same identity is read, not asked again.

    Args:
        budget: what may be spent; what the run has cost before counts.
        fresh: remove the run that is there, and ask everything anew.
    """
    store = Cache(user.cache_file, write_only=fresh) if cache else None
    try:
        record = Record.open(folder, _manifest(plan), fresh=fresh)
        try:
            if budget is not None:
                budget.spent += spent(records.read_responses(folder))
            if record.manifest.status != "finished":
                _carry_out(plan, record, store, progress, budget)
        except BaseException:
            record.discard_if_empty()
            raise
        finally:
            record.close()
    finally:
        if store is not None:
            store.close()
    return Run.load(folder)


def _carry_out(
    plan: Plan, record: Record, store: Cache | None, progress: Progress, budget: Budget | None = None
) -> None:
    started = time.perf_counter()
    trials = record.folder / records.TRIALS
    if not trials.exists():
        record.write_trials(plan.trials())
    progress.total(sum(1 for _ in records.read_trials(record.folder)))
    engine = Engine(plan.task, plan.parties, record, store, progress, budget=budget)
    judged = ((trial.id, outcome) for trial, outcome in engine.run(records.read_trials(record.folder)))
    records.write_outcomes(record.folder, judged)
    failed = sum("failed" in trial.ask for trial in records.read_trials(record.folder))  # no caption, and not for good
    told: dict[str, Any] = {name: getattr(adapter, "environment", dict)() for name, adapter in plan.parties.items()}
    used = {name: devices for name, devices in told.items() if devices}
    record.finish(now(), time.perf_counter() - started, errors=engine.errors + failed, devices=used)


def _manifest(plan: Plan) -> Manifest:
    return Manifest(
        schema=1,
        akb=version("akb"),
        model=plan.model_label,
        task=plan.task_label,
        protocol=plan.protocol_label,
        identity=plan.identity,
        config=plan.config.model_dump(mode="json"),
        environment=environment(),
        started=now(),
        notes=tuple(_notes(plan)),
    )


def _notes(plan: Plan) -> Iterable[str]:
    if isinstance(plan.task, FolderTask) and plan.task.folder.file.format == "official":
        for told in differences(list(plan.task.questions())):
            yield f"differs from AKB-2000 as known: {told}"
    if isinstance(plan.task, FolderTask):
        odd = ", ".join(f"{kind} ({count:,})" for kind, count in plan.task.oddities().items())
        if odd and plan.task.folder.file.audio is not None:
            yield f"odd records, taken as they are: {odd}"
    if plan.captions is not None:
        yield from plan.captions.notes(plan.clips())
    if plan.config.control != "none":
        yield "control: the questions were withheld, the options shown alone"
