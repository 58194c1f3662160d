"""Where the audio of a task lies: from a record's fields to files on this machine.

Paths come from question files that others wrote, so they never lead out of the folders that the user named.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field, field_validator

from akb.errors import AkbError
from akb.strict import Strict
from akb.tasks.items import Fields, read_records
from akb.types import AUDIO_NAMES, Clip, Question

DATA = frozenset({".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"})
_FIELD = re.compile(r"\{([^{}]+?)(\.stem)?\}")

Name = tuple[str, ...]  # what a clip may be called: each is tried in turn


class Audio(Strict):
    """`audio:` in task.yaml: the task has audio.

    Attributes:
        path: how a clip's path is made of the record's fields, e.g. "{task_name}_{dataset_name}/{path}"; several are
            tried in turn; "{path.stem}" is the field without its ending. Empty: the field that `fields.audio` names.
        folders: below the data's folder and the question file's, where paths are looked for; "" is the folder itself.
    """

    path: tuple[str, ...] = ()
    folders: tuple[str, ...] = Field(default=("", "audio"), min_length=1)

    @field_validator("path", "folders", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


@dataclass(frozen=True)
class AudioFiles:
    """The audio of question files.

    Attributes:
        bases: folders in which to look, each with the `folders` of `audio` below it.
        files: the question files.
    """

    audio: Audio
    fields: Fields
    bases: tuple[Path, ...]
    files: tuple[Path, ...]

    @cached_property
    def clips(self) -> Mapping[Name, Clip | str]:
        """Every clip that a record names, hashed many side by side; for those that are not there, why."""
        from akb.audio import clips_of

        rows = (pair for file in self.files for pair in read_records(file))
        names = dict.fromkeys(name for where, row in rows for name in self.names(row, where))
        found = {name: self.find(name) for name in names}
        there = [path for path in found.values() if path is not None]
        clips = dict(zip(there, clips_of(there), strict=True))
        told: dict[Name, Clip | str] = {}
        for name, path in found.items():
            clip = None if path is None else clips[path]
            told[name] = clip if isinstance(clip, Clip) else "there is no such file" if clip is None else clip.what
        return told

    @cached_property
    def sha256(self) -> str:
        """The identity of the audio: what each clip is called and the hash of its bytes; "absent" if none is there."""
        if not any(isinstance(clip, Clip) for clip in self.clips.values()):
            return "absent"
        parts = {name[0]: clip.sha256 if isinstance(clip, Clip) else "missing" for name, clip in self.clips.items()}
        lines = (f"{name}\0{part}\n" for name, part in sorted(parts.items()))
        return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()

    def heard(self, question: Question, row: Mapping[str, Any], where: str) -> Question:
        """The question with its clips; `audio_names` in its meta is what the record calls them, at hand or not. If some
        are not there it keeps none and `audio_missing` in its meta says which; if none of the task's audio is there at
        all, nothing is said to be missing."""
        names = self.names(row, where)
        if names:
            question = replace(question, meta={**question.meta, AUDIO_NAMES: [name[0] for name in names]})
        if self.sha256 == "absent":
            return question
        found = [self.clips[name] for name in names]
        lost = [f"{name[0]}: {why}" for name, why in zip(names, found, strict=True) if isinstance(why, str)]
        if lost or not names:
            told = {"audio_missing": "; ".join(lost) or "the record names no audio"}
            return replace(question, meta={**question.meta, **told})
        return replace(question, audio=tuple(clip for clip in found if isinstance(clip, Clip)))

    def names(self, row: Mapping[str, Any], where: str) -> list[Name]:
        """The clips of a record, in their order, each with what it may be called; none if no field names one.

        Raises:
            AkbError: a path is not a text, is absolute or leads out of its folder.
        """
        value = next((row[name] for name in self.fields.audio if row.get(name) not in (None, "", [])), None)
        if self.audio.path:
            return [tuple(safe(made, where) for made in _made(self.audio.path, row, where))]
        paths = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
        for path in paths:
            if not isinstance(path, str) or not path.strip():
                raise AkbError(f"audio: a path or a list of paths is wanted (found {str(path)[:60]!r})", where=where,
                               fix="Sound inside the records must be written to files first.")  # fmt: skip
        return [(safe(path, where),) for path in paths]

    def find(self, name: Name) -> Path | None:
        """The file of a clip; None if there is none."""
        for path in name:
            for base in self.bases:
                for folder in self.audio.folders:
                    if (file := base / folder / path).is_file():
                        return file
        return None


def safe(path: str, where: str) -> str:
    """A path of a question file with slashes and without "./".

    Raises:
        AkbError: it is absolute or leads out of its folder.
    """
    parts = PurePosixPath(path.strip().replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or re.match("[A-Za-z]:", str(parts)) or "\0" in path:
        raise AkbError(
            f"audio: a path inside the data's folder is wanted (found {path[:80]!r})",
            where=where,
            fix="Paths are relative to the folder of --data, to the question file, or to audio/ there.",
        )
    return str(parts)


def _made(patterns: Sequence[str], row: Mapping[str, Any], where: str) -> Iterator[str]:
    for pattern in patterns:

        def fill(found: re.Match[str]) -> str:
            value = row.get(found[1])
            if not isinstance(value, (str, int)) or value == "":
                raise AkbError(f"audio.path: the field {found[1]!r} is wanted (found {', '.join(row)})", where=where)
            return str(PurePosixPath(str(value)).with_suffix("")) if found[2] else str(value)

        yield _FIELD.sub(fill, pattern)


def question_file(folder: Path, own: Sequence[str] = ()) -> Path:
    """The question file of a folder that the user has.

    Args:
        own: the names under which the task's owner publishes it.

    Returns:
        questions.jsonl, or the task's own file, or the only JSON, JSONL, CSV or Parquet file.

    Raises:
        AkbError: there is none, or there are several.
    """
    for name in ("questions.jsonl", *own):
        if (folder / name).is_file():
            return folder / name
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in DATA and path.is_file()
                       and not path.name.startswith(".") and path.name != "fetched.json")  # fmt: skip
    except OSError as error:
        raise AkbError(f"cannot be read: {error.strerror}", where=str(folder)) from None
    if len(found) == 1:
        return found[0]
    told = ", ".join(path.name for path in found[:5]) + (" ..." if len(found) > 5 else "")
    raise AkbError(
        f"which file holds the questions? Found {told}" if found else "no question file (JSON, JSONL, CSV or Parquet)",
        where=str(folder),
        fix=f"Call it {' or '.join(('questions.jsonl', *own))}, or name the file itself with --data FILE.",
    )
