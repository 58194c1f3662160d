"""Which runs a board takes: each is checked against its task and against the runs that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from akb.alike import differences
from akb.errors import AkbError
from akb.leaderboards.entries import BoardItem, Entry, Store
from akb.run import Run, model_hash

if TYPE_CHECKING:
    from akb.registry import Registry

New = tuple[Entry, list[BoardItem], bool]  # with its items; whether another stood in its place
APART = "Give each a card with a name of its own (docs/adding-a-model.md), and ask it by that name."
NOT_OK = 0.05  # a larger share of answers that could not be read is told


@dataclass(frozen=True)
class Admitted:
    """A run that was let in.

    Attributes:
        path: where its entry lies.
        flags: what is notable, in words.
        replaced: another run of the same model stood there.
    """

    entry: Entry
    path: Path
    flags: tuple[str, ...]
    replaced: bool


def add(folder: Path, paths: Sequence[Path], registry: Registry, *, replace: bool = False) -> list[Admitted]:
    """Check runs and let them in: all of them, or none.

    Args:
        folder: the board's; it is made if it is not there.
        replace: a run may take the place of another one of the same model in the same column.

    Raises:
        AkbError: a run is refused; the error names every run that is, and why.
    """
    store = Store(folder)
    there = {store.entry_path(entry): entry for entry in store.entries()} if (folder / "entries").is_dir() else {}
    items: dict[Path, dict[str, BoardItem]] = {}
    new: dict[Path, New] = {}
    refused: list[str] = []
    for path in paths:
        try:
            entry, asked = checked(Run.load(path), registry)
            place, kept = store.entry_path(entry), items.setdefault(store.items_path(entry), store.items(entry))
            rivals = {**there, **{p: e for p, (e, _, _) in new.items()}}
            _same_items(asked, kept, where=str(path))
            comparable(entry, [e for p, e in rivals.items() if p != place], where=str(path))
            _free(entry, place, there, new, replace, where=str(path))
            kept.update({item.id: item for item in asked})
            new[place] = (entry, asked, place in there)
        except AkbError as error:
            refused.append(str(error))
    if refused:
        told = (
            f"{len(refused)} of {len(paths)} runs are refused, and nothing was added" if len(paths) > 1 else "refused"
        )
        raise AkbError("\n".join([told, *refused]), where=str(folder))
    everyone = [*(e for p, e in there.items() if p not in new), *(e for e, _, _ in new.values())]
    done: list[Admitted] = []
    for entry, asked, old in new.values():
        notable = flags(entry, everyone, registry, items[store.items_path(entry)])
        if old and _is_another(entry, there[store.entry_path(entry)]):
            notable.append(f"took the place of another model called {entry.model}")
        done.append(Admitted(entry, store.write(entry, asked), tuple(notable), old))
    return done


# -- a run by itself -------------------------------------------------------------------------------------------


def checked(run: Run, registry: Registry) -> tuple[Entry, list[BoardItem]]:
    """The entry of a run, if it is finished, whole, and no control.

    Raises:
        AkbError: it is not, or its questions are not those of its task's version.
    """
    where, manifest = str(run.path), run.manifest
    if manifest.status != "finished":
        raise AkbError(f"the run is {manifest.status}; only finished ones are comparable", where=where,
                       fix="Run the same command again to go on with it.")  # fmt: skip
    identity = manifest.identity
    if identity.get("control", "none") != "none":
        raise AkbError(f"a control run ({identity['control']}) measures the questions, not the model", where=where,
                       fix="Add the run without --control.")  # fmt: skip
    if identity.get("limit") is not None or identity.get("shard") is not None:
        asked = f"the first {identity['limit']}" if identity.get("limit") is not None else f"shard {identity['shard']}"
        raise AkbError(f"not every item of the task was asked (only {asked})", where=where,
                       fix="Run it without --limit; put shards together with: akb merge")  # fmt: skip
    if not manifest.sha256:
        raise AkbError("the record has no hashes of its files", where=where, fix="Make it anew with: akb score")
    entry, items = Entry.of(run)
    wanted, why = _wanted(run, registry)
    if wanted is None:
        return entry.model_copy(update={"notes": (f"coverage not checked against the task: {why}",)}), items
    _covers(items, wanted, where)
    return entry, items


def _wanted(run: Run, registry: Registry) -> tuple[dict[str, BoardItem] | None, str]:
    """The items that the run's task has here; None, and why, where it is not at hand in that version."""
    from akb.evaluation import unmanned
    from akb.plan import RunConfig
    from akb.strict import parse
    from akb.tasks.listening import Listening

    identity = run.manifest.identity
    told = identity.get("task", {})
    try:
        told_config = parse(RunConfig, run.manifest.config, str(run.path))
        deaf = Listening.parse(told_config.listen).way == "none"
        for selection in registry.select(told_config.task):
            if selection.task == told.get("name") and list(selection.parts) == list(identity.get("parts", ())):
                listen = "none" if deaf or _is_rendered(selection.task, registry) else "audio"
                plan = unmanned(told_config.model_copy(update={"listen": listen}), registry, selection)
                version = plan.task.describe().get("version")
                if version != told.get("version"):
                    return None, f"the run has version {told.get('version')}, here is {version}"
                return {trial.id: BoardItem.of(trial.id, trial.question) for trial in plan.trials()}, ""
    except AkbError as error:
        return None, error.what
    return None, "it is not known here"


def _is_rendered(task: str, registry: Registry) -> bool:
    """Whether a task's clips are made from descriptions: its items are known by these, and nothing need be made."""
    folder = registry.folders.get(task)
    return folder is not None and folder.file.format == "rendered"


def _covers(items: Sequence[BoardItem], wanted: Mapping[str, BoardItem], where: str) -> None:
    asked = {item.id: item for item in items}
    if missing := sorted(wanted.keys() - asked.keys()):
        raise AkbError(f"{len(missing)} of the task's {len(wanted)} items were not asked: {_some(missing)}",
                       where=where, fix="Ask all of them.")  # fmt: skip
    if strange := sorted(asked.keys() - wanted.keys()):
        raise AkbError(f"{len(strange)} items are not the task's: {_some(strange)}", where=where)
    _same_items(items, wanted, where=where)


# -- a run beside others ---------------------------------------------------------------------------------------


def _same_items(items: Iterable[BoardItem], kept: Mapping[str, BoardItem], where: str) -> None:
    other = [item.id for item in items if item.id in kept and kept[item.id].sha != item.sha]
    if other:
        raise AkbError(
            f"{len(other)} items are not the same as in this version of the task: {_some(other)}",
            where=where,
            fix="A task whose items change must change its version; ask the model again on the board's version.",
        )


def comparable(entry: Entry, others: Iterable[Entry], where: str) -> None:
    """Whether an entry may stand in its column, beside what is there.

    Raises:
        AkbError: it was not asked the same items in the same way.
    """
    other = next((other for other in others if other.column.key == entry.column.key), None)
    if other is None:
        return
    if changes := differences(other.manifest, entry.manifest, task=False):  # of the task, the items are compared
        raise AkbError(f"{entry.model} was not asked as {other.model} was: {'; '.join(changes[:4])}", where=where,
                       fix="A changed protocol must have a name of its own.")  # fmt: skip
    own, theirs = set(entry.answers.ids), set(other.answers.ids)
    if own != theirs:
        raise AkbError(f"{entry.model} was not asked the items of {other.model}: {_some(sorted(own ^ theirs))}",
                       where=where, fix="Ask both the same items.")  # fmt: skip


def _free(
    entry: Entry, place: Path, there: Mapping[Path, Entry], new: Mapping[Path, New], replace: bool, where: str
) -> None:
    if place in new:
        if _is_another(entry, new[place][0]):
            raise AkbError(f"another model is called {entry.model} as well", where=where, fix=APART)
        raise AkbError(f"{entry.model} is given twice for {entry.column.key}", where=where, fix="Name one of the runs.")
    if place in there and not replace:
        fix = "Let this one take its place with --replace."
        if _is_another(entry, there[place]):
            raise AkbError(f"another model called {entry.model} has a run in {entry.column.key}", where=where,
                           fix=f"{APART} Or: {fix[0].lower()}{fix[1:]}")  # fmt: skip
        raise AkbError(f"{entry.model} has a run in {entry.column.key} already", where=where, fix=fix)


def _is_another(entry: Entry, other: Entry) -> bool:
    """Whether two entries are of different models, though these may be of one name."""
    return model_hash(entry.manifest) != model_hash(other.manifest)


# -- what is notable -------------------------------------------------------------------------------------------


def flags(entry: Entry, entries: Sequence[Entry], registry: Registry, items: Mapping[str, BoardItem]) -> list[str]:
    """What a reader should know of an entry beside the others of its column, in words."""
    beside = [other for other in entries if other.column.key == entry.column.key]
    found = [*entry.notes, *entry.manifest.notes]
    version = _usual(other.manifest.akb for other in beside)
    if entry.manifest.akb != version:
        found.append(f"made with akb {entry.manifest.akb}; most of this column with {version}")
    found += Run(Path(), entry.manifest).strangers
    if any(other.model == entry.model and _is_another(entry, other) for other in entries):
        found.append(f"another model called {entry.model} has a run in another column")
    if (bad := not_ok(entry)) > NOT_OK:
        found.append(f"{100 * bad:.1f} % of the answers were not ok; they count as wrong")
    if wrong := _errata(entry, registry, items):
        found.append(f"{len(wrong)} items were found wrong since: {_some(wrong)}")
    dtypes = [dtype for other in beside if (dtype := _dtype(other))]
    if (own := _dtype(entry)) and own != (usual := _usual(dtypes)):
        found.append(f"computed in {own}; most of this column in {usual}")
    return found


def not_ok(entry: Entry) -> float:
    """The share of an entry's answers, from 0 to 1, that are no readable choice (wrong format, refused, empty,
    truncated, error). An item that was asked in several orders has an answer for each."""
    asked = sum(one.asked for one in entry.answers.counts)
    return (asked - sum(one.good for one in entry.answers.counts)) / asked


def _usual(values: Iterable[str]) -> str:
    """The most frequent value; of several the first by name."""
    every = list(values)
    return min(set(every), key=lambda value: (-every.count(value), value))


def _dtype(entry: Entry) -> str:
    model = entry.manifest.identity.get("parties", {}).get("model", {})
    return " ".join(str(model[name]) for name in ("dtype", "quantize") if model.get(name))


def _errata(entry: Entry, registry: Registry, items: Mapping[str, BoardItem]) -> list[str]:
    folder = registry.folders.get(entry.bank)
    if folder is None:
        return []
    known = folder.errata
    return [
        name
        for name in entry.answers.ids
        if name in known and name in items and items[name].version <= known[name].version
    ]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
