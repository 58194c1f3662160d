"""What a run leaves on disk: the truth of akb. A folder with

    run.json         what was run (identity), how to run it again (config), versions, status
    trials.jsonl     each question as it was asked
    responses.jsonl  each response, written down the moment it arrived
    outcomes.jsonl   the judgement of each trial, in the order of the trials; `akb score` writes it anew

Schema versions are in run.json; the JSON schema is printed by `akb runs --schema`.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from filelock import FileLock
from pydantic import Field

from akb.errors import AkbError
from akb.files import cut_unfinished_line, explained, explained_read, file_sha256, take_lock, write_whole
from akb.jsonable import dumps, outcome_from, outcome_to, response_from, response_to, trial_from, trial_to
from akb.strict import Strict, parse, read_text
from akb.types import MODEL, Outcome, Response, Trial
from akb.usage import Usage, count

SCHEMA = 1
TRIALS, RESPONSES, OUTCOMES, MANIFEST = "trials.jsonl", "responses.jsonl", "outcomes.jsonl", "run.json"


class Manifest(Strict):
    """run.json.

    Attributes:
        identity: everything that can move a number of this run; two runs of one identity are the same run.
        config: the run's settings, as `akb eval --config` takes them.
        environment: versions and machine; told, but not part of the identity.
        status: "incomplete" if every question was judged, but some for want of a response (errors): the same
            command asks these again.
        notes: what a reader should know, e.g. how an official file differs from the known counts.
        usage: what each party took, once the run has ended.
        sha256: of the data files, once the run is finished; of what is made from them (captions.jsonl), always.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    akb: str
    status: Literal["running", "incomplete", "finished"] = "running"
    model: str
    task: str
    protocol: str
    identity: dict[str, Any]
    config: dict[str, Any]
    environment: dict[str, Any] = Field(default_factory=dict)
    started: str
    finished: str | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    usage: dict[str, Usage] = Field(default_factory=dict)
    sha256: dict[str, str] = Field(default_factory=dict)

    model_config = Strict.model_config | {"populate_by_name": True}


def digest(value: Any) -> str:
    """A sha256 over a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def changed_fields(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two JSON values differ, as dotted names with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted({*old, *new}):
            found += changed_fields(old.get(key), new.get(key), f"{path}.{key}".strip("."))
        return found
    if old == new:
        return []
    told = [text if len(text) <= 40 else text[:37] + "..." for text in (repr(old), repr(new))]
    return [f"{path}: {told[0]} -> {told[1]}"]


class Recorded(NamedTuple):
    """A line of responses.jsonl: the response to one request of one trial.

    Attributes:
        request: its number in the trial, from 0.
        key: the request's identity (`request_key`).
        cached: it came from the response cache; no model was asked in this run.
        to: which party was asked.
    """

    trial: str
    request: int
    key: str
    response: Response
    cached: bool = False
    to: str = MODEL


class _Places:
    """Where in responses.jsonl what was recorded before may lie: 16 bytes a line, however long the ids are.

    Lines are found by the hash of (trial id, number of the request); two of one hash are told apart by reading them.
    """

    def __init__(self, lines: Iterable[tuple[int, Recorded]] = ()) -> None:
        hashes, places = array("q"), array("q")
        for at, line in lines:
            hashes.append(hash((line.trial, line.request)))
            places.append(at)
        order = sorted(range(len(hashes)), key=hashes.__getitem__)  # of one hash, the order is that of the lines
        self._hashes = array("q", (hashes[place] for place in order))
        self._places = array("q", (places[place] for place in order))

    def of(self, trial: str, request: int) -> Iterator[int]:
        """Bytes before the lines that may be a request's, the last one first."""
        wanted = hash((trial, request))
        first = last = bisect_left(self._hashes, wanted)
        while last < len(self._hashes) and self._hashes[last] == wanted:
            last += 1
        return (self._places[place] for place in reversed(range(first, last)))


@dataclass
class Record:
    """A run's folder, open for writing by one process.

    Attributes:
        mended: bytes of an unfinished last line that a killed run left and that were cut off.
    """

    folder: Path
    manifest: Manifest
    mended: int = 0
    _known: _Places = field(default_factory=_Places)
    _lock: FileLock | None = None
    _file: IO[str] | None = None
    _earlier: IO[bytes] | None = None

    @classmethod
    def open(cls, folder: Path, manifest: Manifest, *, fresh: bool = False, grows: bool = False) -> Record:
        """Start a run in a folder, or go on with the one that is there.

        Args:
            fresh: remove the run that is there, whatever it is, and start anew.
            grows: go on also with one that is finished: trials are added to it.

        Raises:
            AkbError: the folder cannot be written, another process writes there, it holds another run, or its
                record is damaged.
        """
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = take_lock(folder)
        try:
            record = cls(folder, manifest, _lock=lock)
            if fresh:
                _remove(folder)
            record._resume(grows=grows)
        except BaseException:
            lock.release()
            raise
        return record

    def _resume(self, *, grows: bool) -> None:
        path = self.folder / MANIFEST
        if path.exists():
            old = read_manifest(self.folder)
            changes = changed_fields(old.identity, self.manifest.identity)
            if changes and old.status == "incomplete" and all(c.startswith("captions.sha256: ") for c in changes):
                old = old.model_copy(update={"identity": self.manifest.identity, "notes": self.manifest.notes})
                (self.folder / TRIALS).unlink(missing_ok=True)  # captions that failed are there now, to be asked with
            elif changes:
                raise AkbError("this folder holds another run; it differs in " + "; ".join(changes[:6]),
                               where=str(self.folder),
                               fix="Give this run a folder of its own (--out), or remove the old one.")  # fmt: skip
            self.manifest = old
            if old.status == "finished":  # nothing to go on with: whoever reads it checks its hashes
                if not grows:
                    return
                verify(self.folder, old)
                self.manifest = old.model_copy(update={"status": "running", "sha256": _others(old)})
            responses = self.folder / RESPONSES
            with explained(responses):
                self.mended = cut_unfinished_line(responses)
            self._known = _Places(_placed_responses(self.folder))
        elif any(self.folder.glob("*.jsonl")) and not grows:
            raise AkbError(f"this folder holds a run whose {MANIFEST} is missing", where=str(self.folder),
                           fix="Choose another folder with --out.")  # fmt: skip
        write_manifest(self.folder, self.manifest)

    def recall(self, trial: str, request: int) -> Recorded | None:
        """What was recorded before this process took the run up; None for nothing."""
        found = (self._line_at(at) for at in self._known.of(trial, request))
        return next((line for line in found if (line.trial, line.request) == (trial, request)), None)

    def forget(self) -> None:
        """Recall nothing from now on: what is asked is asked anew, and the last line of each request counts."""
        self._known = _Places()

    def _line_at(self, at: int) -> Recorded:
        path = self.folder / RESPONSES
        with explained_read(path):
            if self._earlier is None:
                self._earlier = path.open("rb")
            self._earlier.seek(at)
            return _recorded(json.loads(self._earlier.readline()), str(path))

    def write_trials(self, trials: Iterable[Trial]) -> None:
        """Write down (anew) all trials of the run."""
        write_whole(self.folder / TRIALS, (dumps(trial_to(trial)) + "\n" for trial in trials))

    def add(self, lines: Iterable[Recorded]) -> None:
        """Write down responses. They are on disk on return."""
        path = self.folder / RESPONSES
        rows = [{**line._asdict(), "response": response_to(line.response)} for line in lines]
        with explained(path):
            if self._file is None:
                self._file = path.open("a", encoding="utf-8")
            self._file.writelines(dumps(row) + "\n" for row in rows)
            self._file.flush()

    def finish(self, ended: str, seconds: float, *, errors: int, devices: dict[str, Any]) -> None:
        """Write down that every trial was asked and judged, `errors` of its requests in vain, and on which devices."""
        sums = {name: file_sha256(self.folder / name) for name in (TRIALS, RESPONSES, OUTCOMES)}
        told = {
            "status": "incomplete" if errors else "finished",
            "finished": ended,
            "seconds": self.manifest.seconds + seconds,
            "sha256": _others(self.manifest) | ({} if errors else sums),
            "environment": {**self.manifest.environment, **({"devices": devices} if devices else {})},
            "usage": count(read_responses(self.folder)),
        }
        self.manifest = self.manifest.model_copy(update=told)
        write_manifest(self.folder, self.manifest)

    def discard_if_empty(self) -> None:
        """Remove a run that ended before anything was answered, so that it is not listed as one."""
        path = self.folder / RESPONSES
        if not path.exists() or path.stat().st_size == 0:
            _remove(self.folder)

    def close(self) -> None:
        """Close the files and let others in."""
        file, self._file = self._file, None
        earlier, self._earlier = self._earlier, None
        try:
            if earlier is not None:
                earlier.close()
            if file is not None:
                with explained(self.folder / RESPONSES):
                    file.close()
        finally:
            if self._lock is not None:
                self._lock.release()


def _others(manifest: Manifest) -> dict[str, str]:
    """The hashes of files beside the run's own."""
    return {name: sha for name, sha in manifest.sha256.items() if name not in (TRIALS, RESPONSES, OUTCOMES)}


def _remove(folder: Path) -> None:
    """Set a run aside: its files are removed, and nothing else that may lie in the folder."""
    for name in (MANIFEST, OUTCOMES, RESPONSES, TRIALS):
        with explained(folder / name):
            (folder / name).unlink(missing_ok=True)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """run.json."""
    write_whole(folder / MANIFEST, manifest.model_dump_json(indent=1, by_alias=True) + "\n")


def write_outcomes(folder: Path, pairs: Iterable[tuple[str, Outcome]]) -> None:
    """outcomes.jsonl, one line a trial."""
    lines = (dumps({"trial": trial, "outcome": outcome_to(outcome)}) + "\n" for trial, outcome in pairs)
    write_whole(folder / OUTCOMES, lines)


# -- reading ---------------------------------------------------------------------------------------------------


def read_manifest(folder: Path) -> Manifest:
    """run.json of a run's folder.

    Raises:
        AkbError: there is none, or it is damaged or of another schema.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise AkbError(f"this is not a run's folder (it has no {MANIFEST})", where=str(folder),
                       fix="See the runs with: akb runs")  # fmt: skip
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise AkbError(f"damaged: {error.msg}", where=f"{path}:{error.lineno}") from None
    if isinstance(data, dict) and data.get("schema") != SCHEMA:
        raise AkbError(f"schema {data.get('schema')!r}; this akb reads schema {SCHEMA}", where=str(path))
    return parse(Manifest, data, str(path))


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    """(where it stands, value) of each line."""
    return ((where, data) for _, where, data in _placed_lines(path))


def _placed_lines(path: Path) -> Iterator[tuple[int, str, Any]]:
    """(bytes before it, where it stands, value) of each line."""
    if not path.exists():
        return
    before = 0
    with explained_read(path), path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                data = json.loads(line.decode())
            except json.JSONDecodeError as error:
                raise _damaged(f"{path}:{number}", error.msg) from None
            except (UnicodeDecodeError, RecursionError) as error:
                raise _damaged(f"{path}:{number}", error) from None
            yield before, f"{path}:{number}", data
            before += len(line)


def _damaged(where: str, what: object) -> AkbError:
    return AkbError(
        f"the record is damaged: {what}",
        where=where,
        fix="Restore the file from a copy, or delete the line: its question is asked again, the rest is kept.",
    )


def lines_without(path: Path, key: str, without: Container[str]) -> Iterator[str]:
    """The lines of a record's file as they are, but for those whose `key` is to be left out."""
    return (dumps(data) + "\n" for _, data in _lines(path) if data.get(key) not in without)


def read_responses(folder: Path) -> Iterator[Recorded]:
    """The lines of responses.jsonl, in the order of arrival."""
    return (line for _, line in _placed_responses(folder))


def _placed_responses(folder: Path) -> Iterator[tuple[int, Recorded]]:
    """(bytes before it, line) of responses.jsonl."""
    for before, where, data in _placed_lines(folder / RESPONSES):
        yield before, _recorded(data, where)


def _recorded(data: Any, where: str) -> Recorded:
    try:
        line = Recorded(**{**data, "response": response_from(data["response"])})
        if not (isinstance(line.trial, str) and isinstance(line.request, int) and isinstance(line.key, str)):
            raise ValueError("trial, request and key must be a text, a number and a text")
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(where, f"{type(error).__name__} {error}") from None
    return line


def read_trials(folder: Path) -> Iterator[Trial]:
    """The trials of a run, in order."""
    for where, data in _lines(folder / TRIALS):
        try:
            yield trial_from(data)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(where, f"{type(error).__name__} {error}") from None


def read_outcomes(folder: Path) -> Iterator[tuple[str, Outcome]]:
    """(trial id, outcome) of each judged trial, in order."""
    for where, data in _lines(folder / OUTCOMES):
        try:
            yield data["trial"], outcome_from(data["outcome"])
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(where, f"{type(error).__name__} {error}") from None


def verify(folder: Path, manifest: Manifest, names: Iterable[str] = (TRIALS, RESPONSES, OUTCOMES)) -> None:
    """Check (some of) a finished run's files against the hashes taken when it ended.

    Raises:
        AkbError: a file is not what it was.
    """
    for name in names:
        if file_sha256(folder / name) != manifest.sha256.get(name, file_sha256(folder / name)):
            raise AkbError(
                "the file is not what it was when the run ended (its hash differs)",
                where=str(folder / name),
                fix=f"Make it anew from the answers with: akb score {folder}"
                if name == OUTCOMES
                else "Restore it from a copy, or run again into another folder.",
            )


def as_json(value: dict[str, Any]) -> dict[str, Any]:
    """A value as JSON gives it back: tuples are lists, paths are texts, keys are sorted."""
    found: dict[str, Any] = json.loads(json.dumps(value, sort_keys=True, default=str))
    return found
