"""run.json: of what a training was made, so that it goes on only as what it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from akb.adapters import snapshot
from akb.errors import AkbError
from akb.files import explained, write_whole
from akb.lalm.kept import card_of, ear_of
from akb.lalm.recipe import Recipe
from akb.lalm.training import origin
from akb.strict import Strict, parse, parse_yaml, read_text

FORMAT = 2  # of run.json; raised when the same recipe would give other numbers
RUN, LOG, PICTURE, CHECKPOINTS = "run.json", "log.jsonl", "loss.png", "checkpoints"
FREE = ("title", "source", "train.save_every")  # may be changed while a training stands: they move no number
ROOM = "What was trained is kept in checkpoints. Make room, and give the same command again."
ANEW = "Begin anew with --fresh (what stands is then removed)."


class Run(Strict):
    """What a training is made of, and what came out.

    Attributes:
        recipe: with all that `--set` changed.
        data: the rows' file or folder, and its hash.
        backbone, encoder: versions.
        rows, held_out, clips, steps: how many.
        cache: whether the encoder's taps are kept, and why.
        devices: at the start; batches are the same on others.
        result: once it is done: loss, best, seconds ...
    """

    format: int = FORMAT
    akb: str
    recipe: dict[str, Any]
    data: str
    data_sha256: str
    backbone: str = ""
    encoder: str = ""
    rows: int = 0
    held_out: int = 0
    clips: int = 0
    steps: int = 0
    cache: str = ""
    cache_dtype: str = ""
    devices: int = 1
    notes: tuple[str, ...] = ()
    result: dict[str, Any] | None = None

    def write(self, folder: Path) -> None:
        write_whole(folder / RUN, self.model_dump_json(indent=2) + "\n", ROOM)


def begun(recipe: Recipe, data: Path, include: Sequence[Path] = (), *, own: bool = True) -> Run:
    """The record of a training that begins.

    Args:
        own: the data is what `akb lalm data` made by the recipe, and must be of it.

    Raises:
        AkbError: there is no data, it was made by another recipe, or a model cannot be found.
    """
    if not data.exists():
        raise AkbError("there is no training data", where=str(data),
                       fix=f"Make it first: akb lalm data {plain_name(recipe)}" if own else "")  # fmt: skip
    data_sha256 = origin.sha256(data)
    card = card_of(recipe, include)
    versions = [snapshot.find(name, revision) for name, revision in
                ((card.model, card.revision), (ear_of(recipe, include), recipe.encoder.revision))]  # fmt: skip
    backbone, encoder = (f"{version.name} {version.revision}" for version in versions)
    name, revision = plain_name(recipe), versions[0].revision
    notes = origin.notes(data, data_sha256, recipe, name, include, revision) if own else ()
    return Run(akb=metadata.version("akb"), recipe=recipe.model_dump(mode="json"), data=str(data.resolve()),
               data_sha256=data_sha256, backbone=backbone, encoder=encoder, notes=notes)  # fmt: skip


def earlier(folder: Path) -> Run | None:
    """The record that is there, if any.

    Raises:
        AkbError: it cannot be read, or there are checkpoints without one.
    """
    path = folder / RUN
    if not path.is_file():
        if any((folder / CHECKPOINTS).glob("step-*")):
            raise AkbError(f"there are checkpoints and no {RUN} that tells of what training", where=str(folder),
                           fix=ANEW)  # fmt: skip
        return None
    try:
        return parse(Run, json.loads(read_text(path)), str(path))
    except json.JSONDecodeError as error:
        raise AkbError(f"not valid JSON: {error.msg}", where=str(path), fix="Begin anew with --fresh.") from None


def check_same(now: Run, then: Run, folder: Path) -> None:
    """That a training goes on as what it was.

    Raises:
        AkbError: the recipe, the data, the backbone or the encoder changed; names the fields.
    """
    changed = [f"{name} was {was} and is {is_}" for name, was, is_ in differences(then.recipe, now.recipe)]
    if now.format != then.format:
        changed.append("an earlier akb began it, whose rows come in another order")
    if now.data_sha256 != then.data_sha256:
        changed.append(f"the data ({now.data}) was changed")
    changed += [f"the {what} was {a} and is {b}" for what, a, b in
                (("backbone", then.backbone, now.backbone), ("encoder", then.encoder, now.encoder))
                if a and b and a != b]  # fmt: skip
    if changed:
        raise AkbError(f"the training that stands here cannot go on, for {'; '.join(changed)}", where=str(folder),
                       fix="Set them back, or begin anew with --fresh (what stands is then removed).")  # fmt: skip


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Fields in which two recipes differ, but for those that move no number: name, as it was, as it is."""
    old, new = dict(_leaves(then)), dict(_leaves(now))
    return [(name, _shown(old, name), _shown(new, name))
            for name in sorted({*old, *new}) if old.get(name) != new.get(name) and name not in FREE]  # fmt: skip


def _shown(leaves: Mapping[str, Any], name: str) -> str:
    return json.dumps(leaves[name]) if name in leaves else "not there"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from _leaves(one, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def digest(run: Run, clips: Iterable[str]) -> str:
    """Of all that a training is made of: the same where a checkpoint of the one is one of the other.

    Args:
        clips: hashes of what they hold.
    """
    recipe = [(name, value) for name, value in sorted(_leaves(run.recipe)) if name not in FREE]
    told = [run.format, recipe, run.data_sha256, run.backbone, run.encoder, sorted(set(clips))]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def clear(folder: Path) -> None:
    """Remove a training: checkpoints first, for nothing may go on from them without the record of what they are.

    Raises:
        AkbError: something cannot be removed.
    """
    checkpoints, gone = folder / CHECKPOINTS, folder / f".{CHECKPOINTS}.gone"
    with explained(folder, "Remove this folder, and give the same command again."):
        if gone.exists():  # a process was killed at it
            shutil.rmtree(gone)
        if checkpoints.exists():
            checkpoints.rename(gone)
            shutil.rmtree(gone)
        for name in (LOG, PICTURE, RUN):
            (folder / name).unlink(missing_ok=True)


# -- recipes with changes --

SHUFFLED = "-shuffled"


def changed(recipe: Recipe, pairs: list[str], rows: int | None = None) -> Recipe:
    """A recipe with `--set` pairs, and at most so many rows. One with shuffled pairs has a name that says so.

    Raises:
        AkbError: a pair is not PART.KEY=VALUE, or there is no such field.
    """
    told = recipe.model_dump(mode="json")
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (equals and name):
            raise AkbError(
                f"{pair!r} is not a setting", where="--set", fix="Wanted: PART.KEY=VALUE, e.g. train.lr=3e-4"
            )
        *parts, last = name.split(".")
        part: Any = told
        for key in parts:
            part = part.get(key) if isinstance(part, dict) else None
        if not isinstance(part, dict):
            raise AkbError(f"a recipe has no {'.'.join(parts)}", where=f"--set {name}")
        part[last] = _value(value, f"--set {name}")
    if rows is not None:
        told["data"]["rows"] = min(rows, told["data"]["rows"] or rows)
    made = parse(Recipe, told, f"recipe {recipe.name} with --set")
    if made.data.shuffled and not made.name.endswith(SHUFFLED):
        made = made.model_copy(update={"name": made.name + SHUFFLED})
    return made


def _value(text: str, where: str) -> Any:
    """YAML, and numbers such as 1e-4, which YAML takes for text."""
    value = parse_yaml(text, where)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def plain_name(recipe: Recipe) -> str:
    """The recipe's name without what marks shuffled pairs: its data lies there."""
    return recipe.name.removesuffix(SHUFFLED) if recipe.data.shuffled else recipe.name
