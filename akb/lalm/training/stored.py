"""A training's rows on disk, beside it: they are tokenised once, and whoever goes on and other processes read them.

They are a folder of flat arrays, which are mapped into memory, and an index that tells of what they were made and holds
the hash of each file. The folder is there whole or not at all. It may be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from akb.errors import AkbError
from akb.files import explained, file_sha256, write_whole
from akb.lalm.prompting import Heard
from akb.lalm.recipe import Recipe
from akb.lalm.saving import Grounded
from akb.lalm.training.record import ROOM, Run
from akb.lalm.training.rows import Clip, Rows

FORMAT = 1  # raised when the same would be written otherwise
INDEX, CLIPS = "index.json", "clips.jsonl"
TOLD, BEGUN, MADE, FAILED = ".rows-told", "begun", "made", "failed"
ARRAYS = ("ids", "starts", "answers", "blocks", "block_starts", "chunk_of")
PARTS = ("train", "held")
LIBRARIES = ("akb", "tokenizers", "transformers")
# fields of a recipe that rows depend on, beside the backbone, which is told by its version
FIELDS = (("data", "rows"), ("data", "shuffled"), ("seeds", "data"), ("connector", "queries"), ("prompt",),
          ("train", "held_out"), ("train", "max_length"))  # fmt: skip
WAIT = 1.0  # seconds between looks
SEEN = 120.0  # seconds after which a file that one machine wrote is seen by all that share its folder


@dataclass
class Data:
    """Rows as the model reads them, and their clips by their paths."""

    train: Rows
    held: Rows
    clips: dict[str, Clip]


def fields(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe rows depend on."""
    told: dict[str, Any] = {}
    for names in FIELDS:
        value: Any = recipe.model_dump(mode="json")
        for name in names:
            value = value[name]
        told[".".join(names)] = value
    return told


def digest(run: Run, grounded: Grounded, folder: Path) -> str:
    """Of all that rows depend on but the clips' files.

    Args:
        folder: that the paths of clips are relative to.
    """
    prompting = grounded.prompting
    told = [FORMAT, {name: metadata.version(name) for name in LIBRARIES}, run.data_sha256, str(folder.absolute()),
            run.backbone, fields(grounded.recipe), grounded.hears, grounded.card.reasoning.model_dump(mode="json"),
            prompting.renderer.template, prompting.written, prompting.end, prompting.digest()]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def write(folder: Path, made: str, data: Data) -> None:
    """Keep rows; what stands there goes when all is written.

    Args:
        made: the digest of what they were made of.

    Raises:
        AkbError: they cannot be written.
    """
    part = folder.with_name(f".{folder.name}.part")
    with explained(folder, ROOM):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            for name, array in _arrays(data):
                np.save(part / f"{name}.npy", array)
            with (part / CLIPS).open("w", encoding="utf-8") as file:
                file.writelines(json.dumps([path, clip.sha256, clip.chunks, *_state(clip.path)]) + "\n"
                                for path, clip in data.clips.items())  # fmt: skip
            files = sorted(part.iterdir())
            for one in files:
                with one.open("r+b") as opened:
                    os.fsync(opened.fileno())
            told = {"made": made, "sha256": {one.name: file_sha256(one) for one in files}}
            write_whole(part / INDEX, json.dumps(told, indent=2) + "\n", ROOM)
            if folder.exists():
                shutil.rmtree(folder)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _arrays(data: Data) -> Iterator[tuple[str, Any]]:
    names = {name: number for number, name in enumerate(_chunks(data.clips))}
    for part, rows in zip(PARTS, (data.train, data.held), strict=True):
        yield from ((f"{part}-{name}", getattr(rows, name)) for name in ARRAYS)
        yield f"{part}-keys", np.fromiter((names[key] for key in rows.keys), np.int32, len(rows.keys))


def _chunks(clips: dict[str, Clip]) -> Iterator[str]:
    """The keys of all clips' chunks."""
    return (key for path, clip in clips.items() for key in Heard(path, (None,) * clip.chunks).chunks)


def _state(file: Path) -> tuple[int, int]:
    """By which it is seen that a file changed."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def is_whole(folder: Path, made: str) -> bool:
    """Whether the rows that are there are those that would be made, byte for byte, of the clips as they are now."""
    try:
        told = json.loads((folder / INDEX).read_text("utf-8"))
        return bool(
            told["made"] == made
            and all(file_sha256(folder / name) == sha256 for name, sha256 in told["sha256"].items())
            and all(_state(Path(path)) == tuple(state) for path, _, _, *state in _lines(folder))
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _lines(folder: Path) -> Iterator[Any]:
    with (folder / CLIPS).open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def read(folder: Path) -> Data:
    """Rows that are whole; the arrays stay on disk until they are looked at."""
    clips = {path: Clip(Path(path), sha256, chunks) for path, sha256, chunks, *_ in _lines(folder)}
    names = list(_chunks(clips))

    def array(name: str) -> Any:
        return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))

    def rows(part: str) -> Rows:
        arrays = {name: array(f"{part}-{name}") for name in ARRAYS}
        return Rows(**arrays, keys=tuple(names[number] for number in array(f"{part}-keys")))

    train, held = map(rows, PARTS)
    return Data(train, held, clips)


# -- several processes --


def tell(place: Path, launch: str, state: str) -> None:
    """Tell the other processes of a launch how it stands with the rows."""
    write_whole(place / TOLD, f"{launch} {state}", ROOM)


def wait(place: Path, launch: str) -> None:
    """Wait until the rows are there, however long the first process needs; a barrier of processes would give up. That
    process has told that it began.

    Raises:
        AkbError: they cannot be made, or are made where this machine does not see them.
    """
    latest = time.monotonic() + SEEN
    while True:
        told, state = (place / TOLD).read_text("utf-8").rsplit(" ", 1) if (place / TOLD).is_file() else ("", "")
        if told == launch and state != BEGUN:
            break
        if told != launch and time.monotonic() > latest:
            raise AkbError("what the first process writes there is not seen by this one", where=str(place),
                           fix="A training needs one folder that all machines share (lalms in akb.toml).")  # fmt: skip
        time.sleep(WAIT)
    if state != MADE:
        raise AkbError("the first process could not read the rows", where=str(place), fix="It says why.")
