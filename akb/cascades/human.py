"""Captions that people (or other programs) wrote: a file with a caption for each clip.

JSONL, JSON, CSV or Parquet. A record names its clip by the sha256 of the file's bytes or by its file name (`audio`,
`sha256`, `file`, `path`, `audio_id` or `id`, with or without ending), and holds the words under `caption`, `text`,
`description` or `transcript`. The captions.jsonl that `akb caption` leaves is such a file.

A name with folders ("a/1.wav") means the clip whose path ends so; of several that fit, the longest counts. A bare one
means the clip of that name, whichever its folder, and is an error where there are two. Of clips that differ in their
ending alone, a name means the one whose ending it has.

A clip that the file does not name has no caption, and the run is incomplete: the file can be completed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from akb.adapters.cards import Card
from akb.errors import AkbError
from akb.files import file_sha256
from akb.tasks.items import read_records
from akb.types import Capabilities, Clip, Finish, Request, Response

CLIP = ("audio", "sha256", "file", "path", "audio_path", "audio_id", "id")
WORDS = ("caption", "text", "description", "transcript")
NO_CAPTION = ("error", "unheard")  # states of a line of captions.jsonl
SHA256 = re.compile(r"[0-9a-f]{64}")


class Named(NamedTuple):
    """A caption whose record names its clip by a path.

    Attributes:
        parts: of the path, from its end: the file's name, its folder ...
    """

    parts: tuple[str, ...]
    words: str
    where: str

    @property
    def name(self) -> str:
        """As the file has it."""
        return "/".join(reversed(self.parts))

    def fits(self, path: Sequence[str]) -> int:
        """How many parts it shares with a clip's path, from the end; 0 if it means another. The files' endings may
        differ: "1", "1.wav" and "1.flac" mean one another."""
        folders = list(zip(self.parts[1:], path[1:], strict=False))
        if _stem(self.parts[0]) != _stem(path[0]) or any(own != other for own, other in folders):
            return 0
        return 2 * len(folders) + 1 + (self.parts[0] == path[0])


class Human:
    """Who has written captions beforehand, as an adapter: it goes the same way as a model, and leaves the same
    record.

    Attributes:
        captions: by the sha256 of the clip's bytes, where the file says that.
        unheard: by the same, why nothing is to be heard in a clip, where a line of captions.jsonl says so.
        named: by the clip's file name without its ending, where it says names.
        beaten: the clips (by sha256) of whose record another clip has the very name, once that was looked at.
    """

    capabilities = Capabilities(generate=True, audio=True)

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise AkbError("there is no such file of captions", where=str(file),
                           fix="Name one: --listen caption:FILE, or --set captioner.file=FILE.")  # fmt: skip
        self.file = file
        self.captions: dict[str, str] = {}
        self.unheard: dict[str, str] = {}
        self.named: dict[str, list[Named]] = {}
        self.beaten = frozenset[str]()
        self._read()

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "human/3", "model": self.file.name, "file_sha256": file_sha256(self.file)}

    def check(self, clips: Iterable[Clip]) -> None:
        """See to it that the file is one of these clips, and that no name in it means two of them.

        Raises:
            AkbError: it has a caption for none of them, or a name means two.
        """
        unique = {clip.sha256: clip for clip in clips}
        meant: dict[Named, list[tuple[int, Clip]]] = {}
        for clip in unique.values():
            fits, found = self._named(clip)
            if found is not None:
                meant.setdefault(found, []).append((fits, clip))
        if unique and not meant and not unique.keys() & (self.captions.keys() | self.unheard.keys()):
            names = [*(row.name for rows in self.named.values() for row in rows), *self.captions, *self.unheard]
            raise AkbError(f"it has a caption for none of {len(unique):,} clips; it names "
                           f"{repr(names[0]) if names else 'none'}, and a clip is {next(iter(unique.values())).path}",
                           where=str(self.file),
                           fix="Name clips by their file names, or by the sha256 of their bytes. Of a part of a task "
                               "another item's captions are wanted too: --control none leaves these out.")  # fmt: skip
        for record, rows in meant.items():
            most = max(fits for fits, _ in rows)
            first, *others = [clip for fits, clip in rows if fits == most]
            if others:
                raise AkbError(f"{record.name!r} may mean {first.path} or {others[0].path}", where=record.where,
                               fix="Name each by its folder too, or by the sha256 of its bytes.")  # fmt: skip
            self.beaten |= {clip.sha256 for fits, clip in rows if fits < most}

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        return [range(len(requests))] if requests else []

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(batches):
            yield number, [self._answer(request) for request in batch]

    def _answer(self, request: Request) -> Response:
        (clip,) = [part for message in request.messages for part in message.parts if isinstance(part, Clip)]
        if (words := self.captions.get(clip.sha256)) is not None:
            return Response(text=words)
        _, named = self._named(clip)
        if named is not None and clip.sha256 not in self.beaten:
            return Response(text=named.words)
        if why := self.unheard.get(clip.sha256):
            return Response(finish=Finish.ERROR, error=f"{clip.path}: {why}", notes={"unhearable": "told"})
        return Response(finish=Finish.ERROR, error=f"{clip.path}: the file has no caption for it")

    def _named(self, clip: Clip) -> tuple[int, Named | None]:
        """How much the name that shares most with the clip's path does (`Named.fits`), and its caption; None if there
        is none, or the clip's hash is known."""
        if clip.sha256 in self.captions:
            return 0, None
        path = _parts(Path(clip.path).as_posix())
        rows = [(row.fits(path), row) for row in self.named.get(_stem(path[0]), ())]
        most = max((fits for fits, _ in rows), default=0)
        found = [row for fits, row in rows if fits == most > 0]
        if len({row.words for row in found}) > 1:
            raise AkbError(f"{found[0].where} and {found[1].where} may both mean it", where=clip.path,
                           fix="Name clips by the sha256 of their bytes.")  # fmt: skip
        return most, found[0] if found else None

    def _read(self) -> None:
        """Take in the records; a clip that is described twice in other words is an error."""
        seen: dict[str, tuple[str, str]] = {}
        for where, row in read_records(self.file):
            name, words = _first(row, CLIP, where, whole=True), _first(row, WORDS, where, empty=True)
            if row.get("state") in NO_CAPTION:
                if row["state"] == "unheard":
                    self.unheard[name] = str(row.get("why") or "nothing is to be heard in it")
                continue
            before = seen.setdefault(name, (words, where))
            if before[0] != words:
                raise AkbError(f"{name!r} was described in other words before, at {before[1]}", where=where)
            if SHA256.fullmatch(name):
                self.captions[name] = words
            elif before[1] == where:
                parts = _parts(name.replace("\\", "/"))
                self.named.setdefault(_stem(parts[0]), []).append(Named(parts, words, where))

    def close(self) -> None:
        """Nothing to give back."""


def _parts(path: str) -> tuple[str, ...]:
    """The parts of a path from its end; at least one."""
    return tuple(reversed([part for part in PurePosixPath(path).parts if part != "/"])) or ("",)


def _first(row: Mapping[str, Any], names: Sequence[str], where: str, *, empty: bool = False,
           whole: bool = False) -> str:  # fmt: skip
    """The text of the first of these fields that has one, which may be `empty`, or be a `whole` number."""
    for name in names:
        value = row.get(name)
        if whole and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and (value.strip() or empty):
            return value.strip()
    if there := [name for name in names if row.get(name) is not None]:
        wanted = "a text or a whole number" if whole else "a text"
        raise AkbError(f"{there[0]}: {wanted} is wanted, found {row[there[0]]!r}", where=where)
    raise AkbError(f"one of the fields {', '.join(names)} is wanted (found {', '.join(map(str, row))})", where=where)


def _stem(name: str) -> str:
    """The file name without its ending, if that looks like one of audio."""
    return re.sub(r"\.(wav|flac|mp3|ogg|opus|m4a|aiff?)$", "", PurePosixPath(name).name, flags=re.IGNORECASE)


def build(card: Card, args: Mapping[str, Any]) -> Human:
    """The captioner for a card: `model` or the setting `file` names the file.

    Raises:
        AkbError: an unknown setting, or the file is missing or wrong.
    """
    if unknown := set(args) - {"file"}:
        raise AkbError(f"no such setting: {', '.join(sorted(unknown))}; there is file", where=f"captioner {card.name}")
    file = str(args.get("file") or card.model)
    if not file:
        raise AkbError("no file of captions is named", where=f"captioner {card.name}",
                       fix="Name one: --listen caption:FILE, or --set captioner.file=FILE.")  # fmt: skip
    return Human(Path(file))
