"""From manifests to descriptions.jsonl: every clip that can be learned from, described, hashed and compared.

It is made again only when a manifest, one of its clips (by size and time of change), or what it is compared with has
changed: `prepared.json` beside it says of what it was made. What is left out as faulty, and datasets on the hub, are
looked at again with `--fresh`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from akb.errors import AkbError
from akb.files import explained_read, file_sha256, write_whole
from akb.lalm.data import describing
from akb.lalm.data.contamination import Evaluated
from akb.lalm.data.manifest import NAMED, Fault, Heard, Seen, Source, read, told
from akb.lalm.data.pool import Pool, Prompt, asked
from akb.strict import Strict, parse, parse_json, read_text

AGAIN = "What was answered so far is kept. Make room, and run the same again."  # when a file cannot be written
DESCRIPTIONS, PREPARED = "descriptions.jsonl", "prepared.json"
LONG = 30.0  # seconds that Whisper's encoder hears at once
Contaminated = Literal["refuse", "drop", "keep"]


class Described(Strict):
    """A line of descriptions.jsonl.

    Attributes:
        source: number of its manifest in the recipe, from 0.
        audio: path, relative to the file's folder.
        text: the words that are spoken.
        known: what prompts may need: "text", "several", names of attributes in lower case.
        prompts: the clip's own.
    """

    id: str
    dataset: str
    source: int
    kind: Literal["speech", "sound", "music"]
    audio: str
    sha256: str
    seconds: float
    text: str
    description: str
    known: tuple[str, ...]
    prompts: tuple[str, ...] = ()


class Prepared(Strict):
    """prepared.json: of what descriptions.jsonl was made, and what was found on the way.

    Attributes:
        key: the hash of all that it depends on.
        made: the hash of descriptions.jsonl, and of its clips' sizes and times of change.
        clips, hours: of each kind.
        long: clips of more than `LONG` seconds, which are described whole, and heard by the encoder in pieces or cut.
        faults: records that could not be used, [where, kind, what].
        contaminated: clips of evaluations, [id, file, of which question].
        questions: descriptions that nearly hold a question of an evaluation, [id, of which question, text].
    """

    key: str
    made: str
    clips: dict[str, int]
    hours: dict[str, float]
    long: int = 0
    faults: tuple[tuple[str, str, str], ...] = ()
    contaminated: tuple[tuple[str, str, str], ...] = ()
    questions: tuple[tuple[str, str, str], ...] = ()


@dataclass
class Preparing:
    """How manifests are read.

    Attributes:
        base: the folder that their paths are relative to.
        folder: where descriptions.jsonl is to lie.
        evaluated: what evaluations hold; None: nothing is compared.
        contaminated: what to do with a clip of an evaluation.
        skip_faulty: leave out, and count, records that cannot be used.
    """

    sources: Sequence[Source]
    base: Path
    folder: Path
    evaluated: Evaluated | None = None
    contaminated: Contaminated = "refuse"
    skip_faulty: bool = False
    _faults: list[Fault] = field(default_factory=list)
    _copies: list[tuple[str, str, str]] = field(default_factory=list)
    _questions: list[tuple[str, str, str]] = field(default_factory=list)
    _long: int = 0
    _clips: Counter[str] = field(default_factory=Counter)
    _seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def prepare(self, *, fresh: bool = False) -> Prepared:
        """Write descriptions.jsonl, unless it is there already.

        Raises:
            AkbError: a manifest is not there or has records that cannot be used, audio of an evaluation is in it, or
                nothing is left.
        """
        if not self.sources:
            raise AkbError("the recipe names no manifest", fix="Give it data.manifests: [FILE.jsonl, ...]")
        key, path = self._key(), self.folder / PREPARED
        if not fresh and (known := _known(path)) is not None and (known.key, known.made) == (key, _made(self.folder)):
            return known
        write_whole(self.folder / DESCRIPTIONS, self._lines(), AGAIN)
        found = Prepared(
            key=key,
            made=_made(self.folder),
            clips=dict(self._clips),
            hours={kind: round(seconds / 3600, 4) for kind, seconds in self._seconds.items()},
            long=self._long,
            faults=tuple((fault.where, fault.kind, fault.what) for fault in self._faults),
            contaminated=tuple(self._copies),
            questions=tuple(self._questions),
        )
        write_whole(path, found.model_dump_json(indent=1) + "\n", AGAIN)
        return found

    def _key(self) -> str:
        """The hash of all that descriptions depend on."""
        sums = [_sums(self.base / source.path) for source in self.sources if not source.path.startswith(NAMED)]
        parts: list[Any] = [describing.VERSION, sums, [source.model_dump() for source in self.sources]]
        parts += [self.skip_faulty, self.contaminated, None if self.evaluated is None else self.evaluated.digest]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _lines(self) -> Iterator[str]:
        seen: Seen = {}
        for number, source in enumerate(self.sources):
            for one in read(source, self.base, self.folder / "audio", seen):
                if isinstance(one, Fault):
                    self._faults.append(one)
                elif self._wanted(one):
                    line = self._described(one, number, source)
                    yield line.model_dump_json() + "\n"
        if self._faults and not self.skip_faulty:
            raise AkbError(told(self._faults), fix="Mend the manifest, or leave them out with --skip-faulty.")
        if self._copies and self.contaminated == "refuse":
            first = "; ".join(f"{file} is the audio of {question}" for _, file, question in self._copies[:5])
            raise AkbError(f"{len(self._copies):,} clips are audio of evaluations: {first}",
                           fix="Leave them out with --contaminated drop.")  # fmt: skip
        if not self._clips:
            raise AkbError("no clip is left to be learned from", where=", ".join(s.path for s in self.sources))

    def _wanted(self, one: Heard) -> bool:
        """Whether a clip may be learned from; what is found of it in evaluations is noted."""
        if self.evaluated is None:
            return True
        if (question := self.evaluated.clips.get(one.sha256)) is not None:
            self._copies.append((one.id, str(one.path), question))
            if self.contaminated != "keep":
                return False
        for text in one.entry.texts:
            if text and (match := self.evaluated.asks(text)) is not None:
                self._questions.append((one.id, match.question, text[:200]))
        return True

    def _described(self, one: Heard, number: int, source: Source) -> Described:
        entry = one.entry
        text = describing.transcript(entry)
        several = {"several"} if sum(part.tells for part in entry.segments) > 1 else set[str]()
        self._clips[entry.kind] += 1
        self._long += one.seconds > LONG + 0.5
        self._seconds[entry.kind] += one.seconds
        return Described(
            id=one.id,
            dataset=entry.dataset or source.name,
            source=number,
            kind=entry.kind,
            audio=os.path.relpath(one.path, self.folder),
            sha256=one.sha256,
            seconds=round(one.seconds, 6),
            text=text,
            description=describing.describe(one),
            known=tuple(sorted(describing.known(entry) | several | ({"text"} if text else set()))),
            prompts=entry.prompts,
        )


def _sums(path: Path) -> list[str]:
    """Hashes that tell a manifest's content, or a saved dataset's.

    Raises:
        AkbError: it is not there.
    """
    if path.is_dir():
        return [file_sha256(file) for file in sorted(path.rglob("state.json"))]
    if not path.exists():
        raise AkbError("there is no such manifest", where=str(path),
                       fix="Name yours in the recipe (data.manifests): docs/design/grounding-data.md")  # fmt: skip
    return [file_sha256(path)]


def _known(path: Path) -> Prepared | None:
    """What is known of the descriptions that are there; None if it is damaged, too: then they are made anew."""
    try:
        return parse(Prepared, parse_json(read_text(path), str(path)), str(path))
    except AkbError:
        return None


def _made(folder: Path) -> str:
    """The hash of descriptions.jsonl, and of its clips' sizes and times of change; empty if something is amiss."""
    digest = hashlib.sha256()
    try:
        with (folder / DESCRIPTIONS).open("rb") as file:
            for line in file:
                about = (folder / Described.model_validate_json(line).audio).stat()
                digest.update(line + f"{about.st_size} {about.st_mtime_ns}\n".encode())
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()


@dataclass(frozen=True)
class Wanted:
    """A row to be made: a clip and a prompt."""

    clip: Described
    prompt: Prompt

    @property
    def id(self) -> str:
        """Unique in the data; the same as long as clip and prompt are."""
        return f"{self.clip.id}#{self.prompt.id}"


def wanted(folder: Path, sources: Sequence[Source], pool: Pool, per_clip: int, rows: int | None, seed: int
           ) -> Iterator[Wanted]:  # fmt: skip
    """The rows to be made: clips in an order drawn by the seed, so that fewer rows are a fair sample of more.

    Args:
        rows: the most in all; each source's own `rows` holds besides. None: all.
    """
    path = folder / DESCRIPTIONS
    made, of = 0, Counter[int]()
    with explained_read(path), path.open("rb") as file:
        for place in _order(path, seed):
            file.seek(int(place))
            clip = Described.model_validate_json(file.readline())
            most = sources[clip.source].rows
            prompts = [asked(text, clip.kind) for text in clip.prompts]
            prompts += pool.draw(clip.id, clip.kind, clip.known, per_clip, seed)
            for prompt in {prompt.id: prompt for prompt in prompts}.values():
                if rows is not None and made >= rows:
                    return
                if most is None or of[clip.source] < most:
                    made, of[clip.source] = made + 1, of[clip.source] + 1
                    yield Wanted(clip, prompt)


def _order(path: Path, seed: int) -> Any:
    """Where the lines of descriptions.jsonl begin, in the order drawn by the seed for their ids."""
    keys: list[int] = []
    places: list[int] = []
    at = 0
    with explained_read(path), path.open("rb") as file:
        for line in file:
            name = Described.model_validate_json(line).id
            keys.append(int.from_bytes(hashlib.sha256(f"{seed}\x1f{name}".encode()).digest()[:8], "big"))
            places.append(at)
            at += len(line)
    return np.array(places, np.int64)[np.argsort(np.array(keys, np.uint64), kind="stable")]
