"""Tasks whose clips are made on the spot from descriptions in the question file (tasks/lab-audio).

A clip is rendered when it is first wanted, into the user's cache folder, and is there whole or not at all. Of a part
of a task only the clips are made that its questions are asked with.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akb.errors import AkbError
from akb.files import explained
from akb.settings import cache_folder
from akb.tasks.folder import FolderTask
from akb.tasks.listening import Hearing, Listening, dealt
from akb.types import Clip, Question

if TYPE_CHECKING:
    from akb.lab.audio.item import AudioItem
    from akb.lab.sound import Scene

RENDERER = "1"  # of akb.lab.sound: another number wherever a scene's samples become others
HEADER, FRAME = 44, 2  # bytes of a mono WAV file of 16 bits
FEW = 8  # clips; as many are made in this process, more by others as well
STALE = 86_400.0  # seconds after which what a killed process began is taken away


class RenderedTask(FolderTask):
    """The task of a folder with `format: rendered`: each record holds a scene (akb.lab.sound.Scene)."""

    @cached_property
    def items(self) -> list[tuple[str, AudioItem]]:
        """The items with where they stand."""
        from akb.lab.audio.item import read

        return list(read(self._files))

    def questions(self) -> Iterable[Question]:
        """All questions with their clips, which are made now where they are not there yet; where nothing is heard
        (`--listen none`) without clips, and nothing is made.

        Raises:
            AkbError: a record is wrong, or a clip cannot be made or written.
        """
        return self._with_clips(list(super().questions()))

    def some(self, keeps: Callable[[str, str], bool], limit: int | None = None) -> Iterator[Question]:
        """As of any folder; made are the clips of these questions, and those that they hear in place of their own."""
        chosen = islice((q for q in super().questions() if keeps(q.category, q.subcategory)), limit)
        return iter(self._with_clips(list(chosen)))

    @cached_property
    def hearing(self) -> Hearing:
        """How each question is heard. Whose clip another one hears is dealt out by the scenes, so that it is known
        before any is made."""
        return replace(super().hearing, another=self._another)

    def _located(self, files: Iterable[Path]) -> Iterator[tuple[str, Question]]:
        """The questions without clips; `scene` in their meta names what sounds."""
        del files  # read once, as items
        for where, item in self.items:
            question = item.question_()
            yield where, replace(question, meta={**question.meta, "scene": scene_hash(item.scene)})

    def _with_clips(self, questions: list[Question]) -> list[Question]:
        """The questions with their clips, all made side by side; as they are where nothing is heard."""
        way = Listening.parse(self.asking.listen)
        if way.way == "none":
            return questions
        names = [question.meta["scene"] for question in questions]
        self._make((*names, *(map(self._partners.__getitem__, names) if way.of_another else ())))
        return [replace(q, audio=(self._made[name],)) for q, name in zip(questions, names, strict=True)]

    def _another(self, question: Question) -> tuple[Clip, ...]:
        name = self._partners[question.meta["scene"]]
        self._make([name])
        return (self._made[name],)

    def _make(self, names: Iterable[str]) -> None:
        """See to it that the clips of these scenes are there."""
        from akb.audio import clip_of

        new = [name for name in dict.fromkeys(names) if name not in self._made]
        paths = rendered([self._scenes[name] for name in new], self.name)
        self._made.update(zip(new, map(clip_of, paths), strict=True))

    @cached_property
    def _made(self) -> dict[str, Clip]:
        """The clips that are known to be there, by scene."""
        return {}

    @cached_property
    def _scenes(self) -> Mapping[str, Scene]:
        return {scene_hash(item.scene): item.scene for _, item in self.items}

    @cached_property
    def _partners(self) -> Mapping[str, str]:
        """For each scene the one that is heard in its place where another question's audio is."""
        return dealt(sorted(self._scenes), self.asking.seed, self.name)

    def describe(self) -> Mapping[str, Any]:
        """As of any folder; the audio is known by the scenes and the renderer's version, whether it was made or not, so
        that a run and its control without audio are of one task. Each clip is known by its bytes as well."""
        names = "".join(f"{item.id}\0{scene_hash(item.scene)}\n" for _, item in self.items)
        told = hashlib.sha256(names.encode()).hexdigest()
        return {**super().describe(), "audio": f"scenes sha256:{told}", "renderer": RENDERER}


def scene_hash(scene: Scene) -> str:
    """The name of a scene's clip: a hash of all that it says and of the renderer's version."""
    told = json.dumps([RENDERER, scene.model_dump(mode="json")], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def rendered(scenes: Iterable[Scene], task: str, workers: int | None = None) -> list[Path]:
    """The files of scenes, in their order; those that are not there are made, many of them side by side.

    Args:
        task: names the folder in the cache.
        workers: how many processes make them; by default as many as there are cores.

    Raises:
        AkbError: a scene cannot be rendered, or a file cannot be written.
    """
    folder = cache_folder() / task
    places = [(scene, folder / f"{scene_hash(scene)}.wav") for scene in scenes]
    missing = {path: scene for scene, path in places if not _is_whole(path, scene)}
    if missing:
        with _told(folder), explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _tidy(folder)
        _make(missing, workers)
    return [path for _, path in places]


def _is_whole(path: Path, scene: Scene) -> bool:
    try:
        return path.stat().st_size == HEADER + FRAME * round(scene.seconds * scene.rate)
    except OSError:
        return False


def _tidy(folder: Path) -> None:
    """Take away what killed processes left."""
    for part in folder.glob(".*.part"):
        if time.time() - part.stat().st_mtime > STALE:
            part.unlink(missing_ok=True)


def _make(missing: Mapping[Path, Scene], workers: int | None) -> None:
    from akb.audio.ahead import cores

    jobs = [(str(path), scene.model_dump_json()) for path, scene in missing.items()]
    workers = min(workers or cores(), -(-len(jobs) // FEW))
    if workers < 2:
        for job in jobs:
            _render(job)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    try:
        with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_alone) as pool:
            for _ in pool.map(_render, jobs, chunksize=FEW):
                pass
    except BrokenProcessPool:
        raise AkbError("a process that made clips was ended from outside", where=str(jobs[0][0]),
                       fix="Run the same again: clips that are done are kept.") from None  # fmt: skip


def _alone() -> None:
    """A worker computes on one core, beside the others."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"


def _render(job: tuple[str, str]) -> None:
    """Make one clip: beside its place, and then put there."""
    from akb.lab.sound import Scene, render, write_wav

    path, scene = Path(job[0]), Scene.model_validate_json(job[1])
    part = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        samples = render(scene)
        with _told(path):
            write_wav(part, samples, scene.rate)
            with explained(path):
                part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Says of what cannot be written that it is no more than a cache."""
    try:
        yield
    except AkbError as error:
        fix = "Clips are kept there. Make room, or name another folder with AKB_CACHE, and run the same again."
        raise AkbError(error.what, where=str(path), fix=fix) from None
