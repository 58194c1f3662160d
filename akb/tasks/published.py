"""Where a task's owner publishes it, as `fetch:` in task.yaml says it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from akb.settings import cache_folder
from akb.strict import Strict

_NAME = r"^[A-Za-z0-9_+=-][A-Za-z0-9._+=-]*$"
_SHA256 = r"^([0-9a-f]{64})?$"


class Rows(Strict):
    """How files lie in the rows of a Parquet file.

    Attributes:
        bytes: the column with the bytes, or with a record that holds them as `bytes`.
        name: the column with the file's name; "a.b" is b of the JSON text or the record in column a.
        ending: what the name lacks.
    """

    bytes: str
    name: str
    ending: str = Field(default="", pattern=r"^(\.[a-z0-9]+)?$")


class Hub(Strict):
    """A file of a dataset on the Hugging Face hub (HF_ENDPOINT names another server of the same kind).

    Attributes:
        path: the file, or a pattern that fits one alone, e.g. "*.parquet".
    """

    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    path: str


class ByHand(Strict):
    """An archive that the owner offers by a link that no program can follow.

    Attributes:
        name: what it is called when it lies in the task's folder.
        url: where people get it.
    """

    name: str = Field(pattern=_NAME)
    url: str


class Source(Strict):
    """One file of a task.

    Attributes:
        name: what it is called here; for the hub its own name if empty.
        urls: where it is published, tried in turn.
        by_hand: another way to the same; taken if the file lies there, and the only one if there is no other.
        unpack: "archive" (tar, zip) or "rows" (Parquet with the files in it, as `rows` says).
        into: folder below the task's folder for what lies in rows.
        unpacked: the most bytes that it may unpack to.
    """

    name: str = Field(default="", pattern=_NAME + "|^$")
    urls: tuple[str, ...] = ()
    hub: Hub | None = None
    by_hand: ByHand | None = None
    sha256: str = Field(default="", pattern=_SHA256)
    bytes: int | None = Field(default=None, ge=1)
    unpack: str = Field(default="", pattern="^(archive|rows)?$")
    into: str = Field(default="", pattern=r"^([A-Za-z0-9_-]+)?$")
    unpacked: int = Field(default=0, ge=0)
    rows: Rows | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Source:
        if (self.urls and self.hub) or not (self.urls or self.hub or self.by_hand):
            raise ValueError("urls, or hub, or by_hand alone is wanted")
        if self.urls and not (self.name and self.sha256):
            raise ValueError("what has urls needs a name and its sha256")
        if bool(self.unpack or self.by_hand) != bool(self.unpacked) or (self.unpack == "rows") != bool(self.rows):
            raise ValueError("unpack needs unpacked (the most bytes), and rows what they hold")
        return self


class Fetch(Strict):
    """`fetch:` in task.yaml.

    Attributes:
        questions: the names under which the owner publishes the question file; the first is the one fetched.
        terms: licences and what else the user agrees to before the first byte.
    """

    questions: tuple[str, ...] = Field(min_length=1)
    terms: str = Field(min_length=1)
    files: tuple[Source, ...] = Field(min_length=1)


def home(task: str) -> Path:
    """Where a task's data is put if the user names no folder."""
    return cache_folder() / "data" / task


def fetched(task: str, spec: Fetch) -> Path | None:
    """The question file that was fetched; None if it was not."""
    file = home(task) / spec.questions[0]
    return file if file.is_file() else None
