"""Judging again what was recorded: with the code as it is now, or by another rule. Nothing is asked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from akb import files, records, usage
from akb.engine import next_step
from akb.errors import AkbError
from akb.registry import Registry
from akb.run import Run
from akb.stats.summary import Row, Summary
from akb.strict import parse
from akb.tasks import errata
from akb.tasks.asking import Asking
from akb.tasks.multiple_choice import MultipleChoice
from akb.tasks.protocol import Prompt, Protocol
from akb.types import Outcome, Response, Task, Trial

POLICIES: dict[str, Callable[[Row], float | None]] = {
    "strict": lambda row: row.accuracy,
    "chance": lambda row: row.by_chance,
    "excluded": lambda row: row.readable,
}


def by_policy(summary: Summary, policy: str) -> float | None:
    """The accuracy of the whole by a policy for what was not readable; None where nothing was readable."""
    return POLICIES[policy](summary.rows[0])


def rescore(
    folder: Path,
    changes: Mapping[str, Any] | None = None,
    save: Path | None = None,
    known: errata.Errata | None = None,
) -> Run:
    """Judge a run again from its record.

    Args:
        folder: the run's folder.
        changes: fields of the protocol that concern judging alone (extraction, normalise, also). Without any, the run's
            outcomes are written anew.
        save: folder for the run under the changed protocol; None: it is not kept.
        known: errata; questions that were asked in a version with a fault are left out.

    Returns:
        The run as judged now.

    Raises:
        AkbError: the run has no responses to some question, or a rule is not known.
    """
    manifest = records.read_manifest(folder)
    records.verify(folder, manifest, (records.TRIALS, records.RESPONSES))  # the outcomes are what is made here
    run = Run(folder, manifest)
    if run.manifest.identity.get("protocol") is None and changes:
        raise AkbError("the task of this run asks in a way of its own; it has no such rule", where=str(folder))
    for setting, ask in (("extraction", "generate"), ("normalise", "text"), ("also", "generate")):
        if setting in (changes or {}) and run.manifest.identity["protocol"].get("ask") != ask:
            raise AkbError(f"--{setting} changes nothing in this run: its protocol does not ask for {ask}",
                           where=str(folder))  # fmt: skip
    task = task_of(run.manifest, dict(changes or {}))
    found = judged(run, task)
    without = {trial.id for trial, _ in found if known and errata.concerns(known, trial.question)}
    pairs = [(trial.id, outcome) for trial, outcome in found if trial.id not in without]
    if without and not pairs:
        raise AkbError("every question of this run has an erratum; nothing is left to judge", where=str(folder))
    if not changes and not without and save is not None:
        raise AkbError("nothing is changed that would make it another run", where="--save",
                       fix="Name another rule: --extraction, --normalise, --also.")  # fmt: skip
    if not changes and known is None:
        _write_anew(run, pairs)
        return Run.load(folder)
    if save is not None:
        return _saved(run, task, pairs, save, without)
    with tempfile.TemporaryDirectory(prefix="akb-score-") as scratch:
        copy = _saved(run, task, pairs, Path(scratch) / "run", without)
        _ = copy.summary  # read it while the files are there
        return Run(run.path, copy.manifest, judged_already=copy.summary)


def _write_anew(run: Run, pairs: Iterable[tuple[str, Outcome]]) -> None:
    with files.explained(run.path):
        lock = files.take_lock(run.path)
    try:
        records.write_outcomes(run.path, pairs)
        if run.manifest.sha256:
            sums = {**run.manifest.sha256, records.OUTCOMES: files.file_sha256(run.path / records.OUTCOMES)}
            records.write_manifest(run.path, run.manifest.model_copy(update={"sha256": sums}))
    finally:
        lock.release()


def judged(run: Run, task: Task) -> list[tuple[Trial, Outcome]]:
    """Each trial of a run with its outcome as the task judges it now."""
    answered: dict[str, dict[int, Response]] = {}
    for trial_id, number, response in run.responses():
        answered.setdefault(trial_id, {})[number] = response
    found = []
    for trial in records.read_trials(run.path):
        known = answered.get(trial.id, {})
        whole = sorted(known) == list(range(len(known)))
        outcome = next_step(task, trial, [known[number] for number in sorted(known)]) if whole else None
        if not isinstance(outcome, Outcome):
            raise AkbError(
                f"question {trial.id} has no response yet",
                where=str(run.path),
                fix="Go on with the run first: give its `akb eval` command again.",
            )
        found.append((trial, outcome))
    return found


def task_of(manifest: records.Manifest, changes: Mapping[str, Any]) -> Task:
    """The task of a recorded run, to judge with. A multiple-choice run needs nothing but its record."""
    identity = manifest.identity
    if (
        not {"task", "protocol", "prompt", "seed", "listen", "control"} <= set(identity)
        or "name" not in identity["task"]
    ):
        raise AkbError(
            "damaged: the identity lacks what it is judged by", where=f"{records.MANIFEST} of {manifest.task}"
        )
    name = str(identity["task"]["name"])
    if identity.get("protocol") is None:
        raise _program(name, manifest)
    protocol = parse(Protocol, identity["protocol"], "run.json").changed(dict(changes))
    prompt = parse(Prompt, identity["prompt"], "run.json")
    asking = Asking(protocol, prompt, identity["seed"], identity["listen"], identity["control"])
    registry = Registry()
    if name in registry.task_plugins:
        return registry.task(name, asking)
    if identity["task"].get("asks") != "multiple-choice":  # it judges in its own way
        raise _program(name, manifest)
    task = MultipleChoice(asking)
    task.name, task.version = name, str(identity["task"].get("version", ""))
    return task


def _program(name: str, manifest: records.Manifest) -> AkbError:
    return AkbError(
        f"task {name} was made by a program, and its record cannot be judged without it",
        where=f"run of {manifest.model}",
        fix="Judge it in Python: akb.scoring.judged(run, task)",
    )


def errata_of(manifest: records.Manifest) -> errata.Errata:
    """The errata of a run's task, as they are known now; empty for a task that has none, or that is not there."""
    folder = Registry().folders.get(str(manifest.identity.get("task", {}).get("name", "")))
    return {} if folder is None else folder.errata


def _saved(run: Run, task: Task, pairs: list[tuple[str, Outcome]], save: Path, without: Container[str]) -> Run:
    """The run under its changed protocol and without some of its trials, in a folder of its own."""
    if save.exists() and not (save.is_dir() and not any(save.iterdir())):
        raise AkbError("it is there already, and no empty folder", where=str(save), fix="Name a new one.")
    with files.explained(save):
        save.mkdir(parents=True, exist_ok=True)
        for name, key in ((records.TRIALS, "id"), (records.RESPONSES, "trial")):
            files.write_whole(save / name, records.lines_without(run.path / name, key, without))
    records.write_outcomes(save, pairs)
    sums = {name: files.file_sha256(save / name) for name in (records.TRIALS, records.RESPONSES, records.OUTCOMES)}
    told = {**_identified(run, task, pairs), "sha256": sums, "usage": usage.count(records.read_responses(save))}
    records.write_manifest(save, run.manifest.model_copy(update=told))
    return Run.load(save)


def _identified(run: Run, task: Task, pairs: list[tuple[str, Outcome]]) -> dict[str, Any]:
    """What names the run as judged now: its protocol's rules, and which questions have been left out."""
    identity, label, notes = run.manifest.identity, run.manifest.protocol, run.manifest.notes
    if isinstance(task, MultipleChoice):
        protocol = task.asking.protocol
        label = label.replace(identity["protocol"]["name"], protocol.name, 1)
        identity = {**identity, "protocol": protocol.model_dump(mode="json")}
    kept = {name for name, _ in pairs}
    left_out = [trial.id for trial in records.read_trials(run.path) if trial.id not in kept]
    if left_out:
        identity = {**identity, "left_out": left_out}
        notes = (*notes, f"{len(left_out)} questions left out, which have errata: {', '.join(left_out)}")
    return {"protocol": label, "identity": identity, "notes": notes}
