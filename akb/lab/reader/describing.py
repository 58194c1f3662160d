"""What the acoustic captioner says of scenes: rendered, measured and put into words, kept in a file.

Clips go through 16 bits, as they do in files. A line of the file is a scene's hash and its caption; what is there is
not made again, so that a run that was broken off goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from akb.files import cut_unfinished_line
from akb.lab.sound import Scene

NICE = 10


def key(scene: Scene) -> str:
    """SHA-256 of the scene as JSON: two scenes with one key sound the same."""
    return hashlib.sha256(scene.model_dump_json().encode()).hexdigest()


def describe(scene: Scene) -> str:
    """The acoustic captioner's words for a scene, heard at 16 bits."""
    import numpy as np

    from akb.cascades.acoustic.measures import measure
    from akb.cascades.acoustic.wording import caption
    from akb.lab.sound import render

    samples = np.clip(np.rint(render(scene).astype(np.float64) * 32767), -32768, 32767) / 32768  # as a file is read
    return caption(measure(samples.astype(np.float32), scene.rate))


def describe_all(scenes: Sequence[Scene], path: Path, workers: int = 1) -> list[str]:
    """The captions of scenes, in their order; those that `path` lacks are made, by so many processes (0: by this one),
    and added to it."""
    known = dict(kept(path))
    missing = list({key(scene): scene for scene in scenes if key(scene) not in known}.values())
    if missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            for scene, text in zip(missing, _described(missing, workers), strict=True):
                file.write(json.dumps([key(scene), text]) + "\n")
                file.flush()
                known[key(scene)] = text
    return [known[key(scene)] for scene in scenes]


def _described(scenes: Sequence[Scene], workers: int) -> Iterator[str]:
    if workers == 0:
        yield from map(describe, scenes)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), os.nice, (NICE,)) as pool:
        yield from pool.map(describe, scenes, chunksize=16)


def kept(path: Path) -> Iterator[tuple[str, str]]:
    """The captions in a file, by key. Half a line at its end, of a run that was killed, is cut off."""
    if path.is_file():
        cut_unfinished_line(path)
        for line in path.read_text(encoding="utf-8").splitlines():
            name, text = json.loads(line)
            yield name, text
