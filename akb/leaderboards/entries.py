"""A board's folder: the runs that were let in, each as one small file, and the items that they were asked, once.

    board.yaml                          title, notes, facts on models (may be absent)
    entries/COLUMN/MODEL.json.gz        a run: its manifest, and per item status, choice, score, counts and reply
    items/TASK-VERSION.json.gz          the items of a task's version

A run always makes the same bytes, so that a board can be kept under version control.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from akb import records
from akb.errors import AkbError
from akb.files import explained, explained_read
from akb.jsonable import dumps
from akb.records import Manifest
from akb.run import Run
from akb.strict import Strict, parse, read_yaml
from akb.types import AUDIO_NAMES, MODEL, Question, Status, Trial

BOARD = "board.yaml"
REPLY = 400  # characters of a reply that are kept
CAPTION = 1000  # characters of a caption
SIXTH = 1e-6  # older entries hold scores with six digits


class Facts(Strict):
    """What a board's maker knows of a model; what is not given comes from the model's card.

    Attributes:
        params_b: parameters in billions.
        backbone: for an audio language model, the board's text model that it is built on.
    """

    family: str | None = None
    params_b: float | None = Field(default=None, gt=0)
    access: Literal["open", "proprietary", "baseline"] | None = None
    repository: str | None = None
    backbone: str | None = None
    notes: tuple[str, ...] = ()


class BoardFile(Strict):
    """board.yaml.

    Attributes:
        models: facts by the model's name, over those of its card.
        audio: address or folder (relative to the site) below which audio clips lie by file name; none: no player.
    """

    title: str = "Leaderboard"
    notes: tuple[str, ...] = ()
    models: dict[str, Facts] = Field(default_factory=dict)
    audio: str = ""


class BoardItem(Strict):
    """A question as a board keeps it.

    Attributes:
        version: of the item, from 1.
        audio: for each clip (sha256, file name); empty where nothing was heard and none was made.
        scene: of a clip that is made from a description, its name (`akb.tasks.rendered.scene_hash`): such a clip is
            known by it, made or not, for the last bits of samples differ between processors.
        names: what the task's record calls the clips, at hand or not.
        answer: place of the key among the options, from 0.
    """

    id: str
    version: int = 1
    category: str = ""
    subcategory: str = ""
    template: str = ""
    question: str
    options: tuple[str, ...]
    answer: int
    rationale: str = ""
    audio: tuple[tuple[str, str], ...] = ()
    scene: str = ""
    names: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _key_is_an_option(self) -> BoardItem:
        if self.options and not 0 <= self.answer < len(self.options):
            raise ValueError(f"answer: {self.answer} is out of range for {len(self.options)} options")
        return self

    @classmethod
    def of(cls, name: str, question: Question) -> BoardItem:
        """A question of a run, under the name of its trial."""
        version, *texts = (question.meta.get(key) for key in ("version", "rationale", "scene"))
        rationale, scene = (text if isinstance(text, str) else "" for text in texts)
        audio = tuple((clip.sha256, Path(clip.path).name) for clip in question.audio)
        return cls(
            id=name, version=version if isinstance(version, int) else 1, category=question.category,
            subcategory=question.subcategory, template=question.template_id, question=question.text,
            options=question.options, answer=question.answer, rationale=rationale, audio=audio, scene=scene,
            names=tuple(question.meta.get(AUDIO_NAMES, ())),
        )  # fmt: skip

    @cached_property
    def sha(self) -> str:
        """16 hex digits over what is asked: text, options, key, audio, and where the question belongs."""
        clips = [self.scene] if self.scene else [sha for sha, _ in self.audio]
        asked = [self.question, self.options, self.answer, clips]
        return records.digest([*asked, self.category, self.subcategory, self.template])[:16]


@dataclass(frozen=True)
class Counts:
    """Of the answers to one item (one for each option order): all, those that were ok, those that were right."""

    asked: int
    good: int
    right: int


class Answers(Strict):
    """What a model answered, one place an item in each list, sorted by id.

    Attributes:
        sha: of each item as it was asked (`BoardItem.sha`).
        status: as `akb.types.Status`.
        chosen: index of the option in the first order asked; None where none was read.
        score: strict, from 0 to 1.
        reply: the model's last words to the item, at most 400 characters; None where options were scored.
        captions: of a cascade, what the model was told of the item's audio, at most 1,000 characters; else empty.
        asked, good: how many answers there were (one for each option order), and how many of them were ok. Both empty
            in entries made before they were kept: one answer an item is taken then.
    """

    ids: tuple[str, ...] = Field(min_length=1)
    sha: tuple[str, ...]
    status: tuple[Literal["ok", "wrong_format", "refused", "empty", "truncated", "error"], ...]
    chosen: tuple[int | None, ...]
    score: tuple[float, ...]
    reply: tuple[str | None, ...]
    captions: tuple[str | None, ...] = ()
    asked: tuple[int, ...] = ()
    good: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _of_one_length(self) -> Answers:
        lists = (self.ids, self.sha, self.status, self.chosen, self.score, self.reply)
        if {len(values) for values in lists} != {len(self.ids)}:
            raise ValueError("ids, sha, status, chosen, score and reply must be of one length")
        if list(self.ids) != sorted(set(self.ids)):
            raise ValueError("ids must be sorted, each once")
        if any(not 0 <= score <= 1 for score in self.score):
            raise ValueError("scores must be from 0 to 1")
        if self.captions and len(self.captions) != len(self.ids):
            raise ValueError("captions must be of one length with ids, or empty")
        if (self.asked or self.good) and {len(self.asked), len(self.good)} != {len(self.ids)}:
            raise ValueError("asked and good must be of one length with ids, or both empty")
        if any(not 0 <= good <= asked or not asked for asked, good in zip(self.asked, self.good, strict=True)):
            raise ValueError("asked must be 1 or more, and good from 0 to asked")
        if any(score * n.asked > n.good + SIXTH for score, n in zip(self.score, self.counts, strict=True)):
            raise ValueError("a score is above the share of its answers that were ok; what is not ok counts as wrong")
        return self

    @property
    def counts(self) -> list[Counts]:
        """Of each item, as `akb.stats.summary` counts them for a run's table."""
        asked = self.asked or (1,) * len(self.ids)
        good = self.good or tuple(int(status == "ok") for status in self.status)
        right = (int(s > 0) if n == 1 else round(s * n) for n, s in zip(asked, self.score, strict=True))
        return [Counts(*one) for one in zip(asked, good, right, strict=True)]

    @property
    def shares(self) -> list[float]:
        """Of each item the score. What an older akb kept with six digits (.333333) is a share of the answers again:
        scores that are equal must be so to the last bit, or a permutation test sees no ties."""
        found = ((score, round(score * n.asked) / n.asked) for score, n in zip(self.score, self.counts, strict=True))
        return [share if abs(score - share) < SIXTH else score for score, share in found]


class Column(Strict):
    """What makes runs comparable: one task, or part of it, in one version, heard in one way, asked in one way.

    Attributes:
        task: its name, with the parts that were asked, e.g. "akb-open/phonetic".
        setting: "text", or for audio questions how they were heard (`akb.tasks.listening`): "audio", "caption:NAME",
            "none" ...
    """

    task: str
    version: str
    protocol: str
    setting: str

    @property
    def key(self) -> str:
        """Its name on the board, e.g. "akb-open-0.2.0@text:akb-v1"."""
        return f"{self.task}-{self.version}@{self.setting}:{self.protocol}"

    @property
    def taskslug(self) -> str:
        """The task's folder in the site."""
        return slug(f"{self.task}-{self.version}")


class Entry(Strict):
    """A run on a board.

    Attributes:
        manifest: the run's own.
        notes: what the check of the run found that a reader should know.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    column: Column
    manifest: Manifest
    notes: tuple[str, ...] = ()
    answers: Answers

    model_config = Strict.model_config | {"populate_by_name": True}

    @property
    def model(self) -> str:
        """The model's name on the board."""
        return self.manifest.model

    @property
    def bank(self) -> str:
        """The task's name without its parts."""
        return str(self.manifest.identity["task"].get("name", self.column.task))

    @classmethod
    def of(cls, run: Run, notes: Iterable[str] = ()) -> tuple[Entry, list[BoardItem]]:
        """The entry that a run makes, and its items, both sorted by id.

        Raises:
            AkbError: the run is not finished or damaged.
        """
        replies = _replies(run)
        rows, items = [], []
        for trial, outcome in sorted(run.judged(), key=lambda pair: pair[0].id):
            item = BoardItem.of(trial.id, trial.question)
            chosen = outcome.answers[0].chosen if outcome.answers else None
            items.append(item)
            statuses = [answer.status for answer in outcome.answers] or [outcome.status]
            counts = (len(statuses), statuses.count(Status.OK))
            reply, caption = replies.get(item.id), _caption(trial)
            rows.append((item.id, item.sha, outcome.status.value, chosen, outcome.score, reply, caption, *counts))
        if not rows:
            raise AkbError("the run has no questions", where=str(run.path))
        names = ("ids", "sha", "status", "chosen", "score", "reply", "captions", "asked", "good")
        lists: dict[str, tuple[Any, ...]] = dict(zip(names, zip(*rows, strict=True), strict=True))
        if not any(lists["captions"]):
            del lists["captions"]
        answers = parse(Answers, lists, str(run.path))
        if fault := _fault(answers, {item.id: item for item in items}):
            raise AkbError(f"{fault}; what is right is the key, or says the same", where=str(run.path))
        heard = any(item.audio for item in items)
        return cls(
            column=column(run.manifest, heard), manifest=run.manifest, notes=tuple(notes), answers=answers
        ), items


def column(manifest: Manifest, heard: bool) -> Column:
    """The column of a run.

    Args:
        heard: whether its questions have audio.
    """
    identity = manifest.identity
    told, parts = identity.get("task", {}), identity.get("parts", ())
    name = str(told.get("name", manifest.task))
    others = [party for party in identity.get("parties", {}) if party != MODEL]
    setting = "text"
    if others:
        captioner = identity["parties"][others[0]]
        setting = f"caption:{captioner.get('name') or captioner.get('model') or others[0]}"
    elif heard or "audio" in told:
        setting = str(identity.get("listen", "audio"))
    task = f"{name}/{','.join(parts)}" if parts else name
    protocol = manifest.protocol or "own"
    for said in (f",listen={setting}", f"listen={setting},", f"+listen={setting}"):  # the setting says it
        protocol = protocol.replace(said, "")
    return Column(task=task, version=str(told.get("version", "")), protocol=protocol, setting=setting)


def _caption(trial: Trial) -> str | None:
    """What a model was told of a question's audio, cut; None where it was told nothing."""
    captions = trial.ask.get("captions")
    return cut("\n\n".join(captions), CAPTION) if captions else None


def _replies(run: Run) -> dict[str, str]:
    """The last text that the model under test gave to each trial, cut."""
    found: dict[str, tuple[int, str]] = {}
    for line in records.read_responses(run.path):
        text = line.response.text
        if line.to == MODEL and text is not None and found.get(line.trial, (-1, ""))[0] <= line.request:
            found[line.trial] = (line.request, cut(text, REPLY))
    return {trial: text for trial, (_, text) in found.items()}


def cut(text: str, most: int) -> str:
    """A text of at most so many characters that can be written as UTF-8; what was cut shows as an ellipsis."""
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def slug(name: str) -> str:
    """A name as part of a path or an address: lower case letters, digits, hyphens, dots, at most 80. A name that is not
    so already ends in a hash, so that two names never become one."""
    plain = re.sub(r"[^a-z0-9.]+", "-", name.casefold()).strip("-.")
    if plain == name and len(plain) <= 80:
        return plain
    return f"{plain[:70].strip('-.') or 'x'}-{records.digest(name)[:8]}"


@dataclass(frozen=True)
class Store:
    """A board's folder, to be read and written."""

    folder: Path

    @cached_property
    def file(self) -> BoardFile:
        """board.yaml; without one, what holds by default."""
        path = self.folder / BOARD
        return parse(BoardFile, read_yaml(path) or {}, str(path)) if path.is_file() else BoardFile()

    def entries(self) -> Iterator[Entry]:
        """All entries, sorted by path; their items are checked against the items kept.

        Raises:
            AkbError: there is no board here, or a file of it is damaged.
        """
        if not (self.folder / "entries").is_dir():
            raise AkbError("there is no board here (no folder entries/)", where=str(self.folder),
                           fix="Make one with: akb leaderboard add RUN --board DIR")  # fmt: skip
        kept: dict[Path, Mapping[str, BoardItem]] = {}
        for path in sorted((self.folder / "entries").glob("*/*.json.gz")):
            entry = parse(Entry, _read(path), str(path))
            if path != self.entry_path(entry):
                own = self.entry_path(entry).relative_to(self.folder)
                raise AkbError(f"this is the entry of {entry.model} in {entry.column.key}, whose place is {own}",
                               where=str(path), fix="Move it there, or remove it if there is one.")  # fmt: skip
            place = self.items_path(entry)
            if place not in kept:
                kept[place] = self.items(entry)
            if fault := _fault(entry.answers, kept[place]):
                raise AkbError(f"the board is damaged: {fault}", where=str(path),
                               fix="Remove the entry, and add its run again.")  # fmt: skip
            yield entry

    def entry_path(self, entry: Entry) -> Path:
        """Where an entry lies."""
        return self.folder / "entries" / slug(entry.column.key) / f"{slug(entry.model)}.json.gz"

    def items_path(self, entry: Entry) -> Path:
        """Where the items of an entry's task and version lie."""
        return self.folder / "items" / f"{slug(f'{entry.bank}-{entry.column.version}')}.json.gz"

    def items(self, entry: Entry) -> dict[str, BoardItem]:
        """The items kept of an entry's task and version, by id; empty if there are none yet."""
        path = self.items_path(entry)
        if not path.is_file():
            return {}
        data = _read(path)
        if not isinstance(data, dict) or data.get("schema") != 1 or not isinstance(data.get("items"), list):
            raise _damaged(path, "schema 1 with a list of items is wanted")
        found = (parse(BoardItem, row, f"{path}, item {number}") for number, row in enumerate(data["items"]))
        return {item.id: item for item in found}

    def write(self, entry: Entry, items: Iterable[BoardItem]) -> Path:
        """Write an entry, and those of its items that are not kept yet, or only without their clips."""
        kept = self.items(entry)
        more = {item.id: item for item in items if item.id not in kept or (item.audio and not kept[item.id].audio)}
        if more:
            rows = [one.model_dump(mode="json") for _, one in sorted((kept | more).items())]
            told = {"schema": 1, "task": entry.bank, "version": entry.column.version}
            _write(self.items_path(entry), {**told, "items": rows})
        path = self.entry_path(entry)
        _write(path, entry.model_dump(mode="json", by_alias=True))
        return path


def _fault(answers: Answers, items: Mapping[str, BoardItem]) -> str:
    """What is wrong with answers to these items; empty: they are about them, and scores go with what was chosen."""
    a = answers
    for name, sha, chosen, score in zip(a.ids, a.sha, a.chosen, a.score, strict=True):
        item = items.get(name)
        if item is None:
            return f"question {name} is not among the items kept"
        if item.sha != sha:
            return f"question {name} is another one than the item kept"
        if chosen is not None and not _fits(item, chosen, score):
            return f"question {name} has score {score:g}, which does not go with the option chosen"
    return ""


def _fits(item: BoardItem, chosen: int, score: float) -> bool:
    """Whether a score may go with the choice in the first order: where all orders were right, or none, so was it."""
    from akb.tasks.judging import same_text

    if not 0 <= chosen < len(item.options):
        return False
    right = chosen == item.answer or same_text(item.options[chosen], item.options[item.answer])
    return score > 0 if right else score < 1


def _damaged(path: Path, what: object) -> AkbError:
    return AkbError(f"damaged: {what}", where=str(path), fix="Remove the file, and add its runs again.")


def _read(path: Path) -> Any:
    with explained_read(path):
        data = path.read_bytes()
    try:
        return json.loads(gzip.decompress(data))
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from None


def _write(path: Path, value: Any) -> None:
    """JSON as gzip without time or name, whole or not at all."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(dumps(value).encode())
    beside = path.with_name(f".{path.name}.part")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(buffer.getvalue())
        beside.replace(path)
