"""Making captions: each clip is described once by a captioner, for all tasks and all readers.

The captions of one captioner, prompt and settings lie in one folder, which grows with every task. It is a run's folder
(akb.records), so that captions are written down as they arrive, resumed, retried and counted as answers are;
`captions.jsonl` is made from it at the end, and is what readers read.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from akb import records
from akb.calling import Budget
from akb.cascades.captions import CAPTIONS, Caption, Captions, State, beyond_in, joined
from akb.cascades.cards import JOINED, Captioner, CaptionPrompt
from akb.cascades.human import Human
from akb.cascades.settings import config_of, settings_of, settled
from akb.engine import Engine, Progress
from akb.environment import environment, now, version
from akb.errors import AkbError
from akb.files import LockedError, file_sha256, write_whole
from akb.jsonable import dumps
from akb.records import Manifest, Record, Recorded
from akb.registry import Registry
from akb.store import Cache
from akb.strict import Strict, parse, read_jsonl
from akb.types import Adapter, Clip, Decoding, Generate, Message, Outcome, Question, Request, Response, Status, Trial

Watch = Callable[[str, Path], AbstractContextManager[Progress]]
WAIT = 1.0  # seconds between two looks at captions that another process is making


class Line(Strict):
    """A line of captions.jsonl.

    Attributes:
        audio: sha256 of the clip's bytes.
        file: the clip's file name when it was described; told for people, never used.
        tokens: of the caption, as the captioner counts them.
        cost: US dollars; null where no price is known.
    """

    audio: str = Field(pattern="^[0-9a-f]{64}$")
    caption: str
    state: State = "ok"
    why: str = ""
    cut: bool = False
    file: str = ""
    tokens: int = 0
    seconds: float = 0.0
    cost: float | None = None
    notes: dict[str, Any] = Field(default_factory=dict)


@dataclass
class Describing:
    """Who describes, and where the captions are kept.

    Attributes:
        watch: makes a watcher of the progress, from a label and the folder.
        cache: use earlier responses.
        fresh: describe anew what is described already.
    """

    registry: Registry
    watch: Watch
    cache: bool = True
    fresh: bool = False
    budget: Budget | None = None
    failed: set[str] = field(default_factory=set)  # clips asked in vain; what was said of them before stands
    _asked: set[tuple[Path, str]] = field(default_factory=set)  # folder and clip; of these nothing is asked again
    _counted: set[tuple[Path, str]] = field(default_factory=set)  # of these the budget knows what they have cost

    def captions(self, name: str, clips: Sequence[Clip], args: Mapping[str, Any] | None = None) -> Captions:
        """The captions of these clips by a captioner; those that are missing are made.

        Args:
            name: as in `--listen caption:NAME`.
            args: settings of the captioner, as `--set captioner.KEY=VALUE` gives them; NAME.KEY are those of the
                captioner of that name alone.

        Raises:
            AkbError: a name or a setting is wrong, or the captioner cannot do its work. What was described is kept.
        """
        card, own = settings_of(self.registry, name, args or {})
        if card.adapter == JOINED:
            return joined(card, [self.captions(part, clips, own) for part in card.parts])
        card, rest = settled(card, own)
        adapter = self.registry.cascades.adapter(card, rest)
        try:
            return self._by(card, adapter, clips, rest)
        finally:
            adapter.close()

    def _by(self, card: Captioner, adapter: Adapter, clips: Sequence[Clip], args: Mapping[str, Any]) -> Captions:
        if isinstance(adapter, Human):
            adapter.check(clips)
        task = DescribeTask(card, self.registry.cascades.prompt(card))
        identity = records.as_json({**task.describe(), "parties": {"captioner": adapter.fingerprint()}})
        folder = self.registry.settings.captions / f"{card.name}.{records.digest(identity)[:8]}"
        known = read(folder)
        if known is None or self._missing(folder, known, clips):
            if not adapter.capabilities.audio:
                raise AkbError("this model does not take audio", where=f"captioner {card.name}")
            manifest = Manifest(schema=1, akb=version("akb"), model=card.name, task="captions",
                                protocol=task.prompt.name, identity=identity, started=now(), environment=environment(),
                                config=config_of(card, args))  # fmt: skip
            known = self._make(folder, manifest, task, adapter, clips)
        return Captions(card, identity, known, (folder,))

    def _missing(self, folder: Path, known: Mapping[str, Caption], clips: Sequence[Clip]) -> list[Clip]:
        """The clips that are to be described, each once; none of which this process has asked in vain."""
        kept = {sha for sha, caption in known.items() if caption.state != "error" and not self.fresh}
        wanted = {clip.sha256: clip for clip in clips if clip.sha256 not in kept}
        return [clip for sha, clip in wanted.items() if (folder, sha) not in self._asked]

    def _make(self, folder: Path, manifest: Manifest, task: DescribeTask, adapter: Adapter,
              clips: Sequence[Clip]) -> dict[str, Caption]:  # fmt: skip
        """All captions of a folder, once those are made that nobody else has made meanwhile."""
        record = _opened(folder, manifest)
        try:
            _check(record)
            try:
                missing = self._missing(folder, _captions(_lines(folder)), clips)
                if missing:
                    self._count(folder, clips)
                    self._describe(record, task, adapter, missing)
                _finish(record, adapter)
            except BaseException:
                record.discard_if_empty()
                raise
            finally:
                known = _write(record)
        finally:
            record.close()
        return known

    def _count(self, folder: Path, clips: Sequence[Clip]) -> None:
        """Charge the budget with what the captions of these clips have cost before, unless it was charged already."""
        from akb.usage import spent

        new = {clip.sha256 for clip in clips} - {sha for place, sha in self._counted if place == folder}
        self._counted |= {(folder, sha) for sha in new}
        if self.budget is not None and not self.fresh:
            self.budget.spent += spent(line for line in records.read_responses(folder) if line.trial in new)

    def _describe(self, record: Record, task: DescribeTask, adapter: Adapter, clips: Sequence[Clip]) -> None:
        """Have clips described, whatever the record knows of them."""
        store = Cache(self.registry.settings.cache_file, write_only=self.fresh) if self.cache else None
        asked = [Trial(clip.sha256, Question(clip.sha256, "", (), 0, audio=(clip,))) for clip in clips]
        ids = {trial.id for trial in asked}
        record.write_trials([*(t for t in records.read_trials(record.folder) if t.id not in ids), *asked])
        record.forget()
        started = time.perf_counter()
        try:
            with self.watch(f"{record.manifest.model} describing", record.folder) as progress:
                progress.total(len(asked))
                for _ in Engine(task, {"captioner": adapter}, record, store, progress, budget=self.budget).run(asked):
                    pass
        finally:
            if store is not None:
                store.close()
        self._asked |= {(record.folder, sha) for sha in ids}
        last = {line.trial: _failed(line) for line in records.read_responses(record.folder)}
        self.failed |= {sha for sha in ids if last.get(sha)}
        took = record.manifest.seconds + time.perf_counter() - started
        record.manifest = record.manifest.model_copy(update={"seconds": took})


# -- asking ------------------------------------------------------------------------------------------------------


class DescribeTask:
    """The captioner's task: a clip and a prompt, and words to come back. A trial's id is the clip's hash."""

    name, version = "captions", "1"

    def __init__(self, card: Captioner, prompt: CaptionPrompt) -> None:
        self.card, self.prompt = card, prompt

    def describe(self) -> Mapping[str, Any]:
        return {"prompt": self.prompt.model_dump(mode="json"), "max_tokens": self.card.max_tokens}

    def questions(self) -> Iterable[Question]:
        return ()

    def trial(self, question: Question) -> Trial:
        return Trial(question.id, question)

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        if responses:
            return ()
        turns = [Message("system", (self.prompt.system,))] if self.prompt.system else []
        told = (self.prompt.user,) if self.prompt.user else ()
        turns.append(Message("user", (*trial.question.audio, *told)))
        return [Generate(tuple(turns), Decoding(max_tokens=self.card.max_tokens), to="captioner")]

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        caption = Caption.of(responses[0], trial.question.audio[0].path)
        status = {"ok": Status.OK, "empty": Status.EMPTY, "refused": Status.REFUSED}
        return Outcome(status.get(caption.state, Status.ERROR), float(caption.state == "ok"), reason=caption.why)


def _opened(folder: Path, manifest: Manifest) -> Record:
    """The record, once no other process is at work on it."""
    told = False
    while True:
        try:
            return Record.open(folder, manifest, grows=True)
        except LockedError:
            if not told:
                print(f"akb: another process is making captions in {folder}; waiting for it", file=sys.stderr)
                told = True
            time.sleep(WAIT)


def _finish(record: Record, adapter: Adapter) -> None:
    """Note that all is asked, and how many of the folder's clips failed."""
    told: dict[str, Any] = getattr(adapter, "environment", dict)()
    errors = sum(line.state == "error" for line in _lines(record.folder).values())
    record.finish(now(), 0.0, errors=errors, devices={"captioner": told} if told else {})


# -- on disk -----------------------------------------------------------------------------------------------------


def read(folder: Path) -> dict[str, Caption] | None:
    """The captions of a folder, by the hash of the clip's bytes; None where its captions.jsonl is not the one whose
    hash run.json holds, or there is none.

    Raises:
        AkbError: a file is damaged.
    """
    path = folder / CAPTIONS
    if not path.is_file() or not (folder / records.MANIFEST).is_file():
        return None
    if records.read_manifest(folder).sha256.get(CAPTIONS) != file_sha256(path):
        return None
    return _captions({line.audio: line for line in read_lines(path)})


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a captions.jsonl."""
    return (parse(Line, row, f"{path}:{number}") for number, row in read_jsonl(path))


def _captions(lines: Mapping[str, Line]) -> dict[str, Caption]:
    return {sha: Caption(line.caption, line.state, line.why, line.cut, beyond_in(line.notes))
            for sha, line in lines.items()}  # fmt: skip


def _check(record: Record) -> None:
    """See to it that captions.jsonl is as it was made.

    Raises:
        AkbError: somebody has changed it.
    """
    path, told = record.folder / CAPTIONS, record.manifest.sha256.get(CAPTIONS)
    if told is not None and path.is_file() and file_sha256(path) != told:
        raise AkbError("the file is not what it was when the captions were made (its hash differs)", where=str(path),
                       fix="Remove it: it is made anew from responses.jsonl. For words of your own, copy it and name "
                           "the copy: --listen caption:FILE")  # fmt: skip


def _write(record: Record) -> dict[str, Caption]:
    """captions.jsonl from the responses, and its hash into run.json; between the two run.json has none."""
    lines = _lines(record.folder)
    if lines:
        path = record.folder / CAPTIONS
        _seal(record, {})
        write_whole(path, (dumps(line.model_dump(mode="json")) + "\n" for line in lines.values()))
        _seal(record, {CAPTIONS: file_sha256(path)})
    return _captions(lines)


def _seal(record: Record, sums: dict[str, str]) -> None:
    kept = {name: sha for name, sha in record.manifest.sha256.items() if name != CAPTIONS}
    record.manifest = record.manifest.model_copy(update={"sha256": kept | sums})
    records.write_manifest(record.folder, record.manifest)


def _lines(folder: Path) -> dict[str, Line]:
    """What the responses say, by clip: the last one of each counts, but that a failure takes no caption's place."""
    paths = {trial.id: trial.question.audio[0].path for trial in records.read_trials(folder)}
    last: dict[str, Recorded] = {}
    for line in records.read_responses(folder):
        if line.trial not in last or _failed(last[line.trial]) or not _failed(line):
            last[line.trial] = line
    return {sha: _line(line, paths.get(sha, "")) for sha, line in last.items()}


def _failed(line: Recorded) -> bool:
    return Caption.of(line.response).state == "error"


def _line(line: Recorded, path: str) -> Line:
    caption, response = Caption.of(line.response, path), line.response
    return Line(
        audio=line.trial,
        caption=caption.text,
        state=caption.state,
        why=caption.why,
        cut=caption.cut,
        file=Path(path).name,
        tokens=response.completion_tokens,
        seconds=round(response.seconds, 3),
        cost=response.cost,
        notes=dict(response.notes),
    )
