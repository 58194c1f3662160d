"""One run out of its shards: what `akb eval --shard 1/4` to `4/4` left, as the command without --shard leaves it.

Memory does not grow with the answers: trials and outcomes are read side by side and written in turn, responses are
copied, one shard after the other. What is kept of each trial is its id. The run appears in its folder whole or not at
all: it is written into a hidden folder beside it, and renamed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from akb import records
from akb.errors import AkbError
from akb.files import explained, explained_read, file_sha256, is_written_to, take_lock, write_whole
from akb.jsonable import dumps, trial_to
from akb.plan import shard_place, shard_suffix
from akb.records import MANIFEST, OUTCOMES, RESPONSES, TRIALS, Manifest, Recorded
from akb.run import Run
from akb.types import Outcome, Trial
from akb.usage import count

DATA = (TRIALS, RESPONSES, OUTCOMES)
RUN_FILES = (MANIFEST, *DATA, *(f".{name}.part" for name in (MANIFEST, TRIALS, OUTCOMES)))
_SHARD_FOLDER = re.compile(r"(.+)\.shard-[0-9]+-of-[0-9]+")
_CHUNK = 1 << 20

Row = TypeVar("Row")


class Merged(NamedTuple):
    """A merged run; `new` is False where it was there already and nothing was written."""

    run: Run
    new: bool


@dataclass(frozen=True)
class Shard:
    """One of the runs to be merged."""

    folder: Path
    manifest: Manifest
    number: int
    of: int

    @classmethod
    def read(cls, folder: Path) -> Shard:
        """The shard in a folder.

        Raises:
            AkbError: there is no run there, or a whole one.
        """
        manifest = records.read_manifest(folder)
        told = manifest.identity.get("shard")
        if told is None:
            raise AkbError("this is a whole run, not a shard of one", where=str(folder),
                           fix="Shards are made by: akb eval --shard 1/4 ...")  # fmt: skip
        try:
            return cls(folder, manifest, *shard_place(str(told)))
        except ValueError as error:
            raise AkbError(f"damaged: shard: {error}", where=str(folder / MANIFEST)) from None

    @property
    def label(self) -> str:
        return f"shard {self.number}/{self.of}"

    @property
    def identity(self) -> dict[str, Any]:
        """The identity of the whole run."""
        return {name: value for name, value in self.manifest.identity.items() if name != "shard"}

    @property
    def task(self) -> str:
        """What the whole run asks, as its table tells it."""
        label = self.manifest.task
        return label.replace(f", {self.label})", ")").replace(f" ({self.label})", "")


def merge(folders: Sequence[Path], out: Path | None = None, *, fresh: bool = False) -> Merged:
    """Write the run that all shards of it make together.

    Args:
        folders: the shards' folders; or the folder of the run without --shard, beside which they lie, or one in which
            they lie.
        out: the merged run's folder; default: the one that the command without --shard uses.
        fresh: replace the run that is there.

    Raises:
        AkbError: the shards are not all there, not of one run, not at their end or damaged; or the merged run's folder
            holds something else.
    """
    shards = _fitting([Shard.read(folder) for folder in _folders(folders)])
    target = _target(shards, out)
    with ExitStack() as held:
        for shard in shards:
            held.enter_context(_at_rest(shard))
        shards = [Shard.read(shard.folder) for shard in shards]
        for shard in shards:
            _check_ended(shard)
        there = _look_at(target, shards[0].identity, fresh)
        with _beside(target) as part:
            manifest = _write(shards, part)
            if there is None:
                _put(part, target)
            elif any(file_sha256(part / name) != file_sha256(target / name) for name in DATA):
                raise AkbError("the run is there already, with other answers or outcomes", where=str(target),
                               fix="Replace it with --fresh, or choose another folder with --out.")  # fmt: skip
            else:
                return Merged(there, new=False)
    return Merged(Run(target, manifest), new=True)


# -- which shards ----------------------------------------------------------------------------------------------


def _folders(paths: Sequence[Path]) -> list[Path]:
    """The shards' folders that paths stand for, each once."""
    found: dict[Path, Path] = {}
    for path in paths:
        for folder in _meant(path):
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _meant(path: Path) -> list[Path]:
    """The shards beside the folder of a whole run, those in a folder, or the folder itself."""
    named = path if path.name else path.resolve()
    beside = [folder for folder in _shard_folders(named.parent) if _base(folder) == named.name]
    if beside or (path / MANIFEST).is_file():
        return beside or [path]
    return _shard_folders(path) or [path]


def _shard_folders(folder: Path) -> list[Path]:
    """The folders of shards in a folder, by their names."""
    if not folder.is_dir():
        return []
    with explained_read(folder):
        return sorted(child for child in folder.iterdir() if _base(child) and (child / MANIFEST).is_file())


def _base(folder: Path) -> str:
    """The name of the whole run's folder, of a shard's; empty for other folders."""
    found = _SHARD_FOLDER.fullmatch(folder.name)
    return found[1] if found else ""


def _fitting(shards: Sequence[Shard]) -> list[Shard]:
    """The shards in order; they must be all of one run's, each once."""
    if not shards:
        raise AkbError("no folder is named", fix="Name the shards' folders.")
    first, by_number = shards[0], dict[int, Shard]()
    for shard in shards:
        if changes := records.changed_fields(first.identity, shard.identity):
            raise AkbError(f"this is a shard of another run than {first.folder}; it differs in "
                           + "; ".join(changes[:6]), where=str(shard.folder),
                           fix="Name the shards of one run.")  # fmt: skip
        if shard.of != first.of:
            raise AkbError(f"this is {shard.label}, and {first.folder} is {first.label}", where=str(shard.folder),
                           fix="Name the shards of one division alone, e.g. ...shard-*-of-4")  # fmt: skip
        twin = by_number.setdefault(shard.number, shard)
        if twin is not shard:
            raise AkbError(f"{shard.label} is given twice; it is also in {twin.folder}", where=str(shard.folder),
                           fix="Name each shard once.")  # fmt: skip
    missing = [f"{number}/{first.of}" for number in range(1, first.of + 1) if number not in by_number]
    if missing:
        told = ", ".join(missing[:6]) + (", ..." if len(missing) > 6 else "")
        raise AkbError(f"of this run's shards {told} {'is' if len(missing) == 1 else 'are'} missing",
                       where=str(first.folder),
                       fix=f"Name their folders too, or run them first: akb eval --shard {missing[0]} ...")  # fmt: skip
    return [by_number[number] for number in sorted(by_number)]


@contextmanager
def _at_rest(shard: Shard) -> Iterator[None]:
    """Keeps a shard from being gone on with; one in a folder that cannot be written to is at rest anyway."""
    if not os.access(shard.folder, os.W_OK):
        yield
        return
    try:
        with explained(shard.folder):
            lock = take_lock(shard.folder)
    except AkbError as error:
        if not is_written_to(shard.folder):
            raise
        raise AkbError(f"{shard.label} is being written to", where=str(shard.folder),
                       fix="Wait until it has ended, and merge then.") from error  # fmt: skip
    try:
        yield
    finally:
        lock.release()


def _check_ended(shard: Shard) -> None:
    if shard.manifest.status == "running":
        raise AkbError(
            f"{shard.label} was interrupted before its end",
            where=str(shard.folder),
            fix=f"Go on with it first: give its command, akb eval ... --shard {shard.number}/{shard.of}, again.",
        )
    records.verify(shard.folder, shard.manifest)


# -- where to --------------------------------------------------------------------------------------------------


def _target(shards: Sequence[Shard], out: Path | None) -> Path:
    """The merged run's folder."""
    if out is not None:
        for shard in shards:
            if out.resolve() == shard.folder.resolve():
                raise AkbError(f"this is the folder of {shard.label}", where=str(out), fix="Name another --out.")
        return out if out.name else out.resolve()
    found = dict[Path, Path]()
    for shard in shards:
        name, suffix = shard.folder.resolve().name, shard_suffix(f"{shard.number}/{shard.of}")
        if not name.endswith(suffix) or name == suffix:
            raise AkbError("the folder's name does not tell where the whole run belongs", where=str(shard.folder),
                           fix="Say it: --out DIR")  # fmt: skip
        target = shard.folder.parent / name.removesuffix(suffix)
        found.setdefault(target.resolve(), target)
    if len(found) > 1:
        told = " or ".join(map(str, list(found.values())[:2]))
        raise AkbError(f"the whole run could belong in {told}", where=str(shards[0].folder), fix="Say it: --out DIR")
    return next(iter(found.values()))


def _look_at(target: Path, identity: dict[str, Any], fresh: bool) -> Run | None:
    """See that the target is free, or may be replaced; returns the finished run of this identity that is there."""
    where = str(target)
    names = _names(target)
    if is_written_to(target):
        raise AkbError("another akb process is writing to this run", where=where, fix="Wait for it.")
    if MANIFEST not in names or fresh:
        if others := sorted(names.difference(RUN_FILES)):
            raise AkbError(f"the folder is not empty: it holds {others[0]}", where=where,
                           fix="Choose another with --out.")  # fmt: skip
        if names and not fresh:
            raise AkbError(f"this folder holds a run whose {MANIFEST} is missing", where=where,
                           fix="Replace it with --fresh, or choose another folder with --out.")  # fmt: skip
        return None
    old = records.read_manifest(target)
    if changes := records.changed_fields(old.identity, identity):
        raise AkbError("this folder holds another run; it differs in " + "; ".join(changes[:6]), where=where,
                       fix="Choose another with --out, or replace it with --fresh.")  # fmt: skip
    if old.status != "finished":
        raise AkbError(f"the run is there already, and is not finished (it is {old.status})", where=where,
                       fix="Go on with it by its command without --shard, or replace it with --fresh.")  # fmt: skip
    return Run.load(target)


def _names(folder: Path) -> set[str]:
    """What lies in a folder, but for its lock."""
    if not folder.exists():
        return set()
    with explained_read(folder):
        return {child.name for child in folder.iterdir()} - {".lock"}


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """An empty folder to write the run into, on the disk where it is to be; removed at the end."""
    place = target.with_name(f".{target.name}.merging")
    with explained(place):
        place.mkdir(parents=True, exist_ok=True)
        lock = take_lock(place)
    try:
        part = place / "run"
        with explained(place):
            if part.exists():  # of a process that was killed
                shutil.rmtree(part)
            part.mkdir()
        yield part
    finally:
        lock.release()
        shutil.rmtree(place, ignore_errors=True)


def _put(part: Path, target: Path) -> None:
    """Let the run appear in its folder, in place of the one that is there."""
    with explained(target):
        if target.exists():
            for name in (*RUN_FILES, ".lock"):
                (target / name).unlink(missing_ok=True)
            target.rmdir()
        part.rename(target)


# -- what is written -------------------------------------------------------------------------------------------


def _write(shards: Sequence[Shard], part: Path) -> Manifest:
    """The four files of the merged run."""
    homes = dict[str, int]()
    write_whole(part / TRIALS, (dumps(trial_to(trial)) + "\n" for trial in _trials(shards, homes)))
    records.write_outcomes(part, _outcomes(shards))
    usage = count(_responses(shards, homes))
    _copy_responses(shards, part / RESPONSES)
    manifests = [shard.manifest for shard in shards]
    first, whole = manifests[0], all(manifest.status == "finished" for manifest in manifests)
    sums = {name: file_sha256(part / name) for name in DATA}
    told = {
        "status": "finished" if whole else "incomplete",
        "task": shards[0].task,
        "identity": shards[0].identity,
        "config": {**first.config, "shard": None},
        "started": min(manifest.started for manifest in manifests),
        "finished": max(manifest.finished or "" for manifest in manifests),
        "seconds": sum(manifest.seconds for manifest in manifests),
        "notes": tuple(dict.fromkeys(_notes(shards))),
        "usage": usage,
        "sha256": sums if whole else {},
    }
    manifest = first.model_copy(update=told)
    records.write_manifest(part, manifest)
    return manifest


def _trials(shards: Sequence[Shard], homes: dict[str, int]) -> Iterator[Trial]:
    """All trials as one run asks them; notes down in `homes` which shard each is in."""
    for shard, trial in _in_turn(shards, lambda shard: records.read_trials(shard.folder)):
        if trial.id in homes:
            raise AkbError(f"the question {trial.id!r} is in shard {homes[trial.id]}/{shard.of} too",
                           where=str(shard.folder / TRIALS),
                           fix="Give the task's questions ids that differ, and run it again.")  # fmt: skip
        homes[trial.id] = shard.number
        yield trial


def _outcomes(shards: Sequence[Shard]) -> Iterator[tuple[str, Outcome]]:
    """All outcomes in the order of the trials; each shard must have one for each of its trials."""
    for _, (trial, outcome) in _in_turn(shards, lambda shard: Run(shard.folder, shard.manifest).judged()):
        yield trial.id, outcome


def _in_turn(shards: Sequence[Shard], read: Callable[[Shard], Iterator[Row]]) -> Iterator[tuple[Shard, Row]]:
    """The first of each shard, the second of each, ...: the order from which they were dealt out.

    Raises:
        AkbError: a shard is too short or too long to be one of these.
    """
    end = object()
    short: Shard | None = None
    for rows in zip_longest(*(read(shard) for shard in shards), fillvalue=end):
        for shard, row in zip(shards, rows, strict=True):
            if row is end:
                short = short or shard
            elif short is not None:
                raise AkbError(f"the record is damaged: there are too few questions for {short.label}, "
                               f"or too many for {shard.label}", where=str(short.folder / TRIALS),
                               fix="Restore the file from a copy, or run this shard again with --fresh.")  # fmt: skip
            else:
                yield shard, row  # type: ignore[misc]


def _responses(shards: Sequence[Shard], homes: dict[str, int]) -> Iterator[Recorded]:
    """All responses; each must be to a question of its shard."""
    for shard in shards:
        for line in records.read_responses(shard.folder):
            if homes.get(line.trial) != shard.number:
                raise AkbError(f"the record is damaged: a response to {line.trial!r}, which was not asked there",
                               where=str(shard.folder / RESPONSES),
                               fix="Restore the file from a copy, or run this shard again with --fresh.")  # fmt: skip
            yield line


def _copy_responses(shards: Sequence[Shard], path: Path) -> None:
    """All responses, byte for byte, one shard after the other."""
    with explained(path), path.open("wb") as file:
        for shard in shards:
            for chunk in _chunks(shard.folder / RESPONSES):
                file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _chunks(path: Path) -> Iterator[bytes]:
    if path.exists():
        with explained_read(path), path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


def _notes(shards: Sequence[Shard]) -> Iterator[str]:
    """The shards' own notes, and which of them ran with other packages than the first."""
    for shard in shards:
        yield from shard.manifest.notes
    usual = shards[0].manifest.environment.get("packages", {})
    for shard in shards[1:]:
        own = shard.manifest.environment.get("packages", {})
        names = [name for name in sorted({*usual, *own}) if usual.get(name) != own.get(name)]
        if names:
            here, there = (", ".join(f"{n} {found.get(n, 'absent')}" for n in names) for found in (own, usual))
            yield f"{shard.label} ran with {here} ({shards[0].label}: {there})"
