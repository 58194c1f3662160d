"""`evaluate()`: from a model's name and a task's name to a run."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from akb import records, settings
from akb.calling import Budget
from akb.engine import Engine, Progress, Silent
from akb.errors import AkbError
from akb.files import file_name
from akb.records import Manifest, Record
from akb.registry import Registry, Selection
from akb.run import Run
from akb.store import Cache
from akb.strict import Strict, parse
from akb.tasks.asking import Asking
from akb.tasks.folder import FolderTask
from akb.tasks.official import differences
from akb.tasks.protocol import Prompt, Protocol
from akb.types import MODEL, Adapter, Question, Task, Trial
from akb.usage import spent

PACKAGES = (
    "akb",
    "torch",
    "transformers",
    "tokenizers",
    "numpy",
    "lm_eval",
    "peft",
    "bitsandbytes",
    "openai",
    "anthropic",
    "google-genai",
)


class RunConfig(Strict):
    """The settings of a run, as `akb eval --config run.yaml` reads them and every record keeps them.

    Attributes:
        model: a registered name, `ADAPTER:MODEL`, or a folder.
        task: names or globs.
        protocol: its name; `protocol_args` changes fields of it, under a name that says so.
        model_args, task_args: settings of the adapter and of the task.
        limit: the first so many questions alone.
        shard: "2/4": every fourth of them, from the second on; `akb merge` puts the four runs together.
        seed: of everything that is drawn (option orders, sampling).
        listen: how audio is heard: "audio" or "none".
        control: "choices-only" withholds the question.
        data: the file with the questions, for tasks that need one.
    """

    model: str
    task: tuple[str, ...] = Field(min_length=1)
    protocol: str = "akb-v1"
    protocol_args: dict[str, Any] = Field(default_factory=dict)
    model_args: dict[str, Any] = Field(default_factory=dict)
    task_args: dict[str, Any] = Field(default_factory=dict)
    limit: int | None = Field(default=None, ge=1)
    seed: int = 0
    listen: Literal["audio", "none"] = "audio"
    control: Literal["none", "choices-only"] = "none"
    data: Path | None = None
    shard: str | None = None

    @field_validator("shard")
    @classmethod
    def _is_a_shard(cls, shard: str | None) -> str | None:
        if shard is not None:
            shard_place(shard)
        return shard


def shard_place(shard: str) -> tuple[int, int]:
    """Which shard of how many: (2, 4) of "2/4".

    Raises:
        ValueError: it is not of that form.
    """
    found = re.fullmatch("([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", shard)
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError("I/N is wanted, with I from 1 to N, e.g. 2/4")
    return int(found[1]), int(found[2])


def shard_suffix(shard: str) -> str:
    """What a shard's folder is called, after the name of the whole run's."""
    number, of = shard_place(shard)
    return f".shard-{number}-of-{of}"


@dataclass
class Plan:
    """A run that is ready to start: everything looked up, nothing asked yet.

    Attributes:
        parties: who is asked, by the name in `Request.to`.
        protocol, prompt: None for tasks that ask in a way of their own.
        categories: the task's categories and category/subcategory, in the order in which tables show them.
    """

    config: RunConfig
    model: str
    selection: Selection
    task: Task
    parties: Mapping[str, Adapter]
    protocol: Protocol | None = None
    prompt: Prompt | None = None
    categories: tuple[str, ...] = ()

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that can move a number of the run; asks the adapters for their fingerprints."""
        found: dict[str, Any] = {
            "parties": {name: adapter.fingerprint() for name, adapter in self.parties.items()},
            "task": self.task.describe(),
            "parts": self.selection.parts,
            "protocol": None if self.protocol is None else self.protocol.model_dump(mode="json"),
            "prompt": None if self.prompt is None else self.prompt.model_dump(mode="json"),
            "categories": self.categories,
            **{name: getattr(self.config, name) for name in ("seed", "limit", "listen", "control", "task_args")},
        }
        shard = {} if self.config.shard is None else {"shard": self.config.shard}
        return records.as_json(found | shard)

    @property
    def protocol_label(self) -> str:
        """The protocol's name, with whatever else of the settings makes its numbers another kind of number."""
        name = self.protocol.name if self.protocol else ""
        usual = RunConfig.model_fields
        told = [
            f"{setting}={getattr(self.config, setting)}"
            for setting in ("control", "listen", "seed")
            if getattr(self.config, setting) != usual[setting].default
        ]
        return name + ("," if "+" in name else "+") * bool(told) + ",".join(told)

    @property
    def model_label(self) -> str:
        """The model's name, with the settings that make it another model than the card says."""
        plain = (
            "device",
            "device_map",
            "batch_tokens",
            "threads",
            "revision",
            "key_env",
            "key_file",
            "concurrency",
            "timeout",
            "engine_args",
            "tensor_parallel_size",
            "pipeline_parallel_size",
            "gpu_memory_utilization",
            "enforce_eager",
            "prices",
        )
        told = [f"{name}={value}" for name, value in sorted(self.config.model_args.items()) if name not in plain]
        return self.model + "+" * bool(told) + ",".join(told)

    @property
    def task_label(self) -> str:
        """What was asked."""
        pairs = {"first": self.config.limit, "shard": self.config.shard}
        told = ", ".join(f"{name} {value}" for name, value in pairs.items() if value is not None)
        return self.selection.label + (f" ({told})" if told else "")

    @property
    def folder_name(self) -> str:
        """The run's folder below the runs folder: a run of the same identity finds the same place, and the shards of a
        run lie beside it."""
        whole = {name: value for name, value in self.identity.items() if name != "shard"}
        shard = "" if self.config.shard is None else shard_suffix(self.config.shard)
        task = file_name(self.selection.label.replace("/", "."))
        protocol = file_name(self.protocol_label or "own")
        return f"{file_name(self.model)}/{task}.{protocol}.{records.digest(whole)[:8]}{shard}"

    def questions(self) -> Iterator[Question]:
        """The selected questions, as many as are wanted: with a shard, every n-th of these.

        Raises:
            AkbError: there are more shards than questions.
        """
        if self.config.shard is None:
            return self._wanted()
        number, of = shard_place(self.config.shard)
        there = sum(1 for _ in self._wanted())
        if 0 < there < of:
            raise AkbError(f"there are {there} questions for {of} shards", where=f"task {self.selection.task}",
                           fix=f"Use at most {there} shards.")  # fmt: skip
        return islice(self._wanted(), number - 1, None, of)

    def _wanted(self) -> Iterator[Question]:
        """The selected questions up to the limit."""
        keeps = self.selection.keeps
        chosen = (q for q in self.task.questions() if keeps(q.category, q.subcategory))
        return islice(chosen, self.config.limit)

    def trials(self) -> Iterator[Trial]:
        """The selected questions as they will be asked.

        Raises:
            AkbError: there are none, or one id is used twice.
        """
        seen = set[str]()
        for question in self.questions():
            trial = self.task.trial(question)
            if trial.id in seen:
                raise AkbError(f"the id {trial.id!r} is used twice", where=f"task {self.selection.task}")
            seen.add(trial.id)
            yield trial
        if not seen:
            categories = sorted({q.category for q in self.task.questions() if q.category})
            parts = ", ".join(self.selection.parts) or "it"
            raise AkbError(
                f"no question of task {self.selection.task} is in {parts}",
                fix=f"Its categories: {', '.join(categories)}." if categories else "It has no categories.",
            )


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
    for plan in source:
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
            return Plan(config, config.model, Selection(task.name), task, everyone)
        told = {"protocol": own.protocol.name, "seed": own.seed, "listen": own.listen, "control": own.control,
                "task_args": own.options}  # fmt: skip
        config = config.model_copy(update=told)
        return Plan(config, config.model, Selection(task.name), task, everyone, own.protocol, own.prompt)
    return replace(unmanned(config, registry, registry.select(config.task)[0]), parties=everyone)


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
    told: dict[str, Any] = {name: getattr(adapter, "environment", dict)() for name, adapter in plan.parties.items()}
    used = {name: devices for name, devices in told.items() if devices}
    record.finish(_now(), time.perf_counter() - started, errors=engine.errors, devices=used)


def _manifest(plan: Plan) -> Manifest:
    return Manifest(
        schema=1,
        akb=_version("akb"),
        model=plan.model_label,
        task=plan.task_label,
        protocol=plan.protocol_label,
        identity=plan.identity,
        config=plan.config.model_dump(mode="json"),
        environment=environment(),
        started=_now(),
        notes=tuple(_notes(plan)),
    )


def _notes(plan: Plan) -> Iterable[str]:
    if isinstance(plan.task, FolderTask) and plan.task.folder.file.format == "official":
        for told in differences(list(plan.task.questions())):
            yield f"differs from AKB-2000 as known: {told}"
    if plan.config.control != "none":
        yield "control: the questions were withheld, the options shown alone"


def environment() -> dict[str, Any]:
    """Versions and machine, for the record."""
    found = {name: _version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "packages": {name: text for name, text in found.items() if text},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
