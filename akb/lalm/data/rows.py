"""Training rows: JSONL in the schema of DeSTA, ours and that of the released DeSTA-AQA5M.

    {"id", "dataset", "seed_description", "prompt",
     "messages": [{"role": "user", "content": "<|AUDIO|>\\n\\n...", "audios": [{"audio": "a.wav", "text": "Hello"}]}],
     "response": "..."}

`<|AUDIO|>` stands where each of a message's audios stands, in their order; `text` is what is spoken in it. An audio may
be its path alone; messages and audios may be JSON in a text, as flat tables keep them. Paths of audio are relative to
the file's folder. Ours also tell kind, type, duration and audio_sha256.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from akb.errors import AkbError, missing_extra
from akb.jsonable import dumps
from akb.lalm.data.manifest import library
from akb.lalm.data.pool import AUDIO
from akb.strict import parse, read_jsonl

LONGEST = 1e6  # seconds; what is more is no duration, or one in another unit
_READ = 1024  # rows of a Parquet file at a time


class _Theirs(BaseModel):
    """Data that others wrote may say more than is read."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def _listed(value: Any) -> Any:
    """A list that may be JSON in a text."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise ValueError("a list is wanted, or JSON of one")
    return found


def _is_null(value: Any) -> bool:
    """Nothing; tables of numbers have NaN in its place."""
    return value is None or (isinstance(value, float) and math.isnan(value))


class Sounding(_Theirs):
    """A clip in a message: its path, and the words that are spoken in it."""

    audio: str = Field(min_length=1)
    text: str = ""

    @field_validator("text", mode="before")
    @classmethod
    def _nothing_is_empty(cls, value: Any) -> Any:
        return "" if _is_null(value) else value


class Turn(_Theirs):
    """A message; in `content` a `<|AUDIO|>` for each of its audios."""

    role: Literal["system", "user", "assistant"]
    content: str
    audios: tuple[Sounding, ...] = ()

    @field_validator("audios", mode="before")
    @classmethod
    def _as_released(cls, value: Any) -> Any:
        found = () if _is_null(value) else _listed(value) or ()
        return [{"audio": one} if isinstance(one, str) else one for one in found] if isinstance(found, list) else found

    @model_validator(mode="after")
    def _each_has_its_place(self) -> Turn:
        if (places := self.content.count(AUDIO)) != len(self.audios):
            raise ValueError(f"content: {AUDIO} stands in it {places} times, and there are {len(self.audios)} audios")
        return self

    @property
    def parts(self) -> tuple[str | Sounding, ...]:
        """Texts and clips in the order in which they stand; empty texts are left out."""
        texts = self.content.split(AUDIO)
        found: list[str | Sounding] = [texts[0]]
        for clip, text in zip(self.audios, texts[1:], strict=True):
            found += [clip, text]
        return tuple(part for part in found if part != "")


class Row(_Theirs):
    """A row to train on.

    Attributes:
        messages: the conversation; its clips' paths are absolute once it was read from a file.
        response: what is to be learned.
        duration: of the clip, in seconds, where it is told.
        audio_sha256: of the clips' bytes in their order, where they are told.
    """

    id: str = ""
    dataset: str = ""
    seed_description: str = ""
    prompt: str = ""
    messages: tuple[Turn, ...]
    response: str
    kind: str = ""
    type: str = ""
    duration: float | None = Field(default=None, gt=0, le=LONGEST, allow_inf_nan=False)
    audio_sha256: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _as_released(cls, data: Any) -> Any:
        """Nulls are as if they were not there. An id that is a number may have come to be a float by them."""
        if not isinstance(data, Mapping):
            return data
        found = {name: value for name, value in data.items() if not _is_null(value)}
        number = found.get("id")
        if isinstance(number, int) or (isinstance(number, float) and number.is_integer()):
            found["id"] = str(int(number))
        return found

    @field_validator("messages", mode="before")
    @classmethod
    def _as_flat_tables_keep_them(cls, value: Any) -> Any:
        return _listed(value)

    @field_validator("messages", "response")
    @classmethod
    def _is_something(cls, value: Any) -> Any:
        if not (value.strip() if isinstance(value, str) else value):
            raise ValueError("there is nothing in it")
        return value

    @field_validator("messages")
    @classmethod
    def _is_to_be_replied_to(cls, value: tuple[Turn, ...]) -> tuple[Turn, ...]:
        if value and value[-1].role != "user":
            raise ValueError(f"the last is the {value[-1].role}'s, and `response` is learned as a reply to the user's")
        return value

    @model_validator(mode="after")
    def _each_hash_has_its_clip(self) -> Row:
        if self.audio_sha256 and len(self.audio_sha256) != len(self.audios):
            raise ValueError(f"audio_sha256: there are {len(self.audio_sha256)}, and {len(self.audios)} audios")
        return self

    @property
    def audios(self) -> tuple[Sounding, ...]:
        """All clips, in the order in which they stand."""
        return tuple(clip for turn in self.messages for clip in turn.audios)

    def placed(self, folder: Path) -> Row:
        """The row with its clips' paths below a folder."""
        turns = tuple(
            turn.model_copy(update={"audios": tuple(
                clip.model_copy(update={"audio": os.path.normpath(folder / clip.audio)}) for clip in turn.audios)})
            for turn in self.messages
        )  # fmt: skip
        return self.model_copy(update={"messages": turns})

    def line(self) -> str:
        """The row as a line of JSONL."""
        told = self.model_dump(mode="json", exclude_none=True)
        for turn in told["messages"]:
            if not turn["audios"]:
                del turn["audios"]
        return dumps({name: value for name, value in told.items() if value != []}) + "\n"


def read(path: Path, audio: Path | None = None) -> Iterator[Row]:
    """The rows of a file or folder, in order: JSONL, JSON, Parquet, a folder of these, or one of `save_to_disk`.

    Args:
        audio: the folder that paths of audio are relative to; by default that of the file.

    Raises:
        AkbError: a row is not of the schema; with file and line.
    """
    folder = audio if audio is not None else home(path)
    for where, data in _records(path):
        yield parse(Row, data, where).placed(folder.absolute())


def home(path: Path) -> Path:
    """The folder that paths of audio are relative to, where none is told."""
    return path if path.is_dir() else path.parent


def _records(path: Path) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if path.is_dir():
        return _folder(path)
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    if path.suffix.lower() in (".jsonl", ".ndjson", ""):
        return ((f"{path}:{number}", row) for number, row in read_jsonl(path))
    from akb.tasks.items import read_records

    return read_records(path)


def _folder(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if (path / "state.json").is_file():
        datasets = library(f"reading {path}")
        try:
            found: Any = datasets.load_from_disk(str(path))
        except Exception as error:
            raise AkbError(f"the dataset cannot be loaded: {error}", where=str(path)) from None
        yield from ((f"{path} row {number}", row) for number, row in enumerate(found))
        return
    if (path / "dataset_dict.json").is_file():
        splits = sorted((one.parent.name for one in path.glob("*/state.json")), key=lambda name: name != "train")
        raise AkbError(f"the dataset has splits: {', '.join(splits)}", where=str(path),
                       fix=f"Name one: {path / next(iter(splits), 'train')}")  # fmt: skip
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in (".jsonl", ".parquet"))
    if not files:
        raise AkbError("no JSONL or Parquet file lies in this folder", where=str(path))
    for file in files:
        yield from _records(file)


def _parquet(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Rows of a Parquet file, some at a time."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise missing_extra("pyarrow", "data", needed_for=f"reading {path}") from None
    number = 0
    try:
        for batch in parquet.ParquetFile(path).iter_batches(_READ):
            for row in batch.to_pylist():
                number += 1
                yield f"{path} row {number}", row
    except (OSError, pyarrow.ArrowException) as error:
        raise AkbError(f"cannot be read as Parquet: {error}", where=str(path)) from None
