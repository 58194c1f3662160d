"""Audio with metadata: a JSONL file or a `datasets` dataset, read lazily; what cannot be used is named, not lost.

    {"audio": "a/1.flac", "kind": "speech", "text": "Hello world", "attributes": {"Gender": "Female"}}
    {"audio": "b.wav", "kind": "sound", "caption": "There is the sound of a truck."}
    {"audio": "c.ogg", "kind": "speech", "segments": [{"start": 0, "end": 2.5, "text": "Hello"}, ...]}

Paths are relative to the manifest's folder. Of a dataset's columns those are read that have the name of a field.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from akb.errors import AkbError, missing_extra
from akb.files import explained
from akb.lalm.data.pool import AUDIO
from akb.lalm.data.values import said
from akb.strict import Strict, parse, parse_json, read_lines
from akb.types import Clip

Kind = Literal["speech", "sound", "music"]
Value = Annotated[str | int | float, BeforeValidator(lambda found: str(found) if isinstance(found, bool) else found)]
Seen = dict[int, str]  # by the hash of a clip's name, the source that it is in
NAMED = "datasets:"  # a dataset of the hub, or one that `datasets` finds by itself
BLOCK = 256  # files that are hashed side by side
OFF = 1.0  # seconds by which what is told may differ from the file
_SAVED = ("state.json", "dataset_dict.json")  # what `save_to_disk` leaves


class Source(Strict):
    """A manifest of a recipe.

    Attributes:
        path: a JSONL file, a folder of `datasets.save_to_disk`, or "datasets:NAME" ("datasets:NAME@SPLIT").
        kind: of those of its records that do not say it.
        dataset: what it is called in the data; by default the file's or folder's name.
        rows: how many rows of the data are to be of it; null: all that it gives.
    """

    path: str = Field(min_length=1)
    kind: Kind | None = None
    dataset: str = ""
    rows: int | None = Field(default=None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _a_path_will_do(cls, data: Any) -> Any:
        return {"path": data} if isinstance(data, (str, os.PathLike)) else data

    @property
    def name(self) -> str:
        """What the dataset is called."""
        plain = self.path.removeprefix(NAMED).partition("@")[0]
        return self.dataset or Path(plain).resolve().name.removesuffix(".jsonl")


class Part(Strict):
    """What is known of a clip, or of a segment of it.

    Attributes:
        text: the words that are spoken (in a record also called `transcript`).
        caption: a sentence on the sound.
        labels: names of sounds.
        attributes: anything else by name: Gender, Emotion, Genre ...
    """

    text: str = ""
    caption: str = ""
    labels: tuple[str, ...] = ()
    attributes: dict[str, Value] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _by_its_other_name(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        found = dict(data)
        if "transcript" in found and "text" not in found:
            found["text"] = found.pop("transcript")
        if isinstance(found.get("labels"), str):
            found["labels"] = [found["labels"]]
        return found

    @property
    def given(self) -> bool:
        """Whether anything is written of it, were it that nothing is known."""
        return bool(self.text.strip() or self.caption.strip() or self.labels or self.attributes)

    @property
    def tells(self) -> bool:
        """Whether anything is known."""
        return any(map(said, (self.text, self.caption, *self.labels, *self.attributes.values())))


class Segment(Part):
    """A stretch of a clip, in seconds from its start."""

    start: float = Field(ge=0, allow_inf_nan=False)
    end: float = Field(gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _has_a_length(self) -> Segment:
        if self.end <= self.start:
            raise ValueError(f"end: {self.end} is not after start ({self.start})")
        return self


class Entry(Part):
    """A record: a clip and what is known of it.

    Attributes:
        id: unique in its dataset; by default the audio's path.
        duration: seconds, as they are to be told; by default the file's own.
        segments: in any order; where there are some, they and not the clip as a whole are described.
        description: a seed description, word for word, in place of one that is written of all this.
        prompts: questions on this very clip, asked beside those that are drawn from the pool.
    """

    audio: str = Field(min_length=1)
    kind: Kind
    id: str = ""
    dataset: str = ""
    duration: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    segments: tuple[Segment, ...] = ()
    description: str = ""
    prompts: tuple[str, ...] = ()

    @field_validator("prompts")
    @classmethod
    def _can_be_asked(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        for prompt in prompts:
            if not prompt.strip():
                raise ValueError("a prompt is empty")
            if AUDIO in prompt:
                raise ValueError(f"a prompt holds {AUDIO}, which marks where audio stands; write it without")
        return prompts

    @property
    def texts(self) -> Iterator[str]:
        """All words that a description of it is written of."""
        for part in (self, *self.segments):
            yield from (part.text, part.caption, *part.labels)
            yield from (value for value in part.attributes.values() if isinstance(value, str))
        yield self.description

    @model_validator(mode="after")
    def _says_something(self) -> Entry:
        if not (self.description.strip() or self.given or any(segment.given for segment in self.segments)):
            wanted = "text, segments, caption, labels, attributes or a description"
            raise ValueError(f"nothing is said of the clip: {wanted} are wanted")
        return self


@dataclass(frozen=True)
class Heard:
    """A record whose audio is there.

    Attributes:
        id: the dataset's name and the record's own id.
        sha256: of the file's bytes.
        seconds: that the file lasts.
    """

    id: str
    entry: Entry
    path: Path
    sha256: str
    seconds: float


@dataclass(frozen=True)
class Fault:
    """A record that cannot be used: its form is wrong ("bad"), its audio is "missing" or cannot be heard."""

    where: str
    kind: Literal["bad", "missing", "unheard"]
    what: str


def read(source: Source, base: Path, keep: Path, seen: Seen | None = None) -> Iterator[Heard | Fault]:
    """The records of a manifest, in its order.

    Args:
        base: the folder that the source's own path is relative to.
        keep: a folder for audio that a dataset holds within itself; it is written there once, by its hash.
        seen: what other sources held; those of this one are added.

    Raises:
        AkbError: the manifest is not there or cannot be read at all.
    """
    rows = iter(_rows(source, base, keep))
    seen = {} if seen is None else seen
    while block := list(islice(rows, BLOCK)):
        yield from _checked(block, source, seen)


def _rows(source: Source, base: Path, keep: Path) -> Iterator[tuple[str, Entry | Fault, Path]]:
    """(where it stands, record or why it is none, file) of each record."""
    path = base / source.path
    if source.path.startswith(NAMED) or any((path / name).is_file() for name in _SAVED):
        pairs, folder = _dataset(source, path, keep), path
    elif path.is_dir():
        raise AkbError("this folder holds no dataset", where=str(path),
                       fix="Wanted: a JSONL file, or a folder that datasets' save_to_disk wrote.")  # fmt: skip
    else:
        pairs, folder = _lines(path), path.parent
    for where, row in pairs:
        if isinstance(row, Fault):
            yield where, row, folder
            continue
        usual = {name: value for name, value in (("kind", source.kind),) if value is not None}
        try:
            entry = parse(Entry, usual | row, where)
        except AkbError as error:
            yield where, Fault(where, "bad", error.what), folder
            continue
        yield where, entry, folder / entry.audio


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any] | Fault]]:
    """The objects of a JSONL file; a line that is none does not hide the others."""
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            row = parse_json(line, where)
            if "\\ud" in line.lower():
                json.dumps(row, ensure_ascii=False).encode()
        except AkbError as error:
            yield where, Fault(where, "bad", error.what)
        except UnicodeEncodeError:
            yield where, Fault(where, "bad", "not text: half of a surrogate pair stands alone")
        else:
            wrong = f"an object is wanted, found {type(row).__name__}"
            yield where, row if isinstance(row, dict) else Fault(where, "bad", wrong)


def _checked(block: Sequence[tuple[str, Entry | Fault, Path]], source: Source, seen: Seen) -> Iterator[Heard | Fault]:
    from akb.audio import clips_of

    clips = iter(clips_of(path for _, entry, path in block if isinstance(entry, Entry)))
    for where, entry, path in block:
        if isinstance(entry, Fault):
            yield entry
            continue
        clip = next(clips)
        name = f"{entry.dataset or source.name}/{entry.id or entry.audio}"
        if (earlier := seen.get(hash(name))) is not None:
            yield Fault(where, "bad", _twice(name, earlier, source.path))
        elif isinstance(clip, Clip):
            seen[hash(name)] = source.path
            yield _timed(where, name, entry, path, clip.sha256)
        else:
            yield Fault(where, "missing" if clip.kind == "missing" else "unheard", f"{path}: {clip.what}")


def _twice(name: str, earlier: str, now: str) -> str:
    if earlier == now:
        return f"id: {name!r} was there before; give the records ids of their own"
    return f"id: {name!r} is also in {earlier}; give one of the two manifests a name of its own in the recipe: dataset"


def _timed(where: str, name: str, entry: Entry, path: Path, sha256: str) -> Heard | Fault:
    from akb.audio import Unhearable

    try:
        seconds = length(path)
    except Unhearable as error:
        return Fault(where, "unheard", f"{path}: {error.what}")
    if entry.duration is not None and abs(entry.duration - seconds) > OFF + 0.1 * seconds:
        return Fault(where, "bad", f"duration: {entry.duration:g} s is told, and the file lasts {seconds:g} s")
    late = max((segment.end for segment in entry.segments), default=0.0)
    if late > seconds + OFF:
        return Fault(where, "bad", f"segments: one ends at {late:g} s, and the clip lasts {seconds:g} s")
    return Heard(name, entry, path, sha256, seconds)


def length(path: Path) -> float:
    """Seconds that an audio file lasts: by its header, if its last sample is there; else all of it is decoded.

    Raises:
        Unhearable: it is no audio, or damaged or cut off.
    """
    from akb.audio import Policy, read
    from akb.audio.opening import opened
    from akb.audio.policy import soundfile
    from akb.audio.quiet import quiet

    sf = soundfile()
    with quiet(), opened(path) as file:
        if file.frames is not None and file.ended and file.told == file.frames:
            try:
                with sf.SoundFile(str(path)) as whole:
                    whole.seek(file.frames - 1)
                    if len(whole.read(1)):
                        return file.frames / file.rate
            except sf.LibsndfileError:
                pass  # where and how it is damaged is found by reading it
    return read(path, Policy(longest=None)).seconds


# -- datasets ----------------------------------------------------------------------------------------------------


def _dataset(source: Source, path: Path, keep: Path) -> Iterator[tuple[str, dict[str, Any] | Fault]]:
    """The rows of a dataset; columns that are no field of a record are passed over."""
    datasets = library(f"the manifest {source.path}")
    name, _, split = source.path.removeprefix(NAMED).partition("@")
    try:
        if source.path.startswith(NAMED):
            found: Any = datasets.load_dataset(name, split=split or "train", streaming=True)
        else:
            found = datasets.load_from_disk(str(path))
    except Exception as error:
        raise AkbError(f"the dataset cannot be loaded: {error}", where=source.path) from None
    if isinstance(found, Mapping):
        raise AkbError(f"the dataset has splits: {', '.join(found)}", where=source.path,
                       fix=f"Name one: {source.path}/{next(iter(found), 'train')}")  # fmt: skip
    if isinstance((found.features or {}).get("audio"), datasets.Audio):
        found = found.cast_column("audio", datasets.Audio(decode=False))
    for number, row in enumerate(found):
        where = f"{source.path} row {number}"
        known = {key: value for key, value in _full(row).items() if key in _FIELDS}
        yield where, _filed(known, where, keep)


def library(needed_for: str) -> Any:
    """The package datasets.

    Raises:
        AkbError: it is not installed.
    """
    try:
        return importlib.import_module("datasets")
    except ImportError:
        raise missing_extra("datasets", "data", needed_for=needed_for) from None


_FIELDS = frozenset({*Entry.model_fields, "transcript"})


def _full(row: Any) -> Any:
    """A row without what is null: Arrow fills in every field of every record."""
    if isinstance(row, Mapping):
        return {key: _full(value) for key, value in row.items() if value is not None}
    return [_full(value) for value in row] if isinstance(row, list) else row


def _filed(row: dict[str, Any], where: str, keep: Path) -> dict[str, Any] | Fault:
    """A row whose audio is a file's path."""
    audio = row.get("audio")
    if not isinstance(audio, Mapping):
        return row
    held, path = audio.get("bytes"), audio.get("path")
    if not held:
        return {**row, "audio": path} if path else Fault(where, "bad", "audio: neither bytes nor a path")
    file = _written(held, Path(path or "").suffix, keep)
    return {**row, "id": row.get("id") or path or file.stem, "audio": str(file)}


def _written(held: bytes, suffix: str, keep: Path) -> Path:
    digest = hashlib.sha256(held).hexdigest()
    file = (keep / digest[:2] / f"{digest}{suffix}").absolute()
    if not file.exists():
        with explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f".{file.name}.part")
            part.write_bytes(held)
            part.replace(file)
    return file


def told(faults: Iterable[Fault], most: int = 5) -> str:
    """Faults in a line: how many of each kind, and the first of them by name."""
    kept = list(faults)
    words = {"bad": "not of the right form", "missing": "without their audio", "unheard": "whose audio cannot be heard"}
    counts = [f"{sum(f.kind == kind for f in kept):,} {word}" for kind, word in words.items()
              if any(f.kind == kind for f in kept)]  # fmt: skip
    first = "; ".join(f"{fault.where}: {fault.what}" for fault in kept[:most])
    more = f"; and {len(kept) - most:,} more" if len(kept) > most else ""
    return f"{', '.join(counts)}: {first}{more}"


def rounded(seconds: float) -> int:
    """Whole seconds, halves upwards."""
    return math.floor(seconds + 0.5)
