"""A task from a folder: `task.yaml` beside its data, no Python needed. akb's own tasks are made the same way."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from akb.errors import AkbError
from akb.files import explained_read, file_sha256
from akb.strict import Strict, parse, read_yaml
from akb.tasks import errata, official
from akb.tasks.asking import Asking
from akb.tasks.audio_files import Audio, AudioFiles, question_file
from akb.tasks.errata import Errata
from akb.tasks.items import GROUPS, Fields, oddities, question_from, read_items, read_records
from akb.tasks.listening import Hearing
from akb.tasks.multiple_choice import MultipleChoice
from akb.tasks.published import Fetch, fetched
from akb.types import Question


class Subcategory(Strict):
    """One subcategory of a taxonomy: its slug, title, how many items it is to have, and what it covers."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    target: int = Field(default=0, ge=0)
    scope: str = ""


class Category(Strict):
    """A category and its subcategories."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    subcategories: tuple[Subcategory, ...] = ()


class Taxonomy(Strict):
    """The categories of a task, in the order in which tables show them."""

    name: str
    origin: str
    categories: tuple[Category, ...]


class TaskFile(Strict):
    """`task.yaml`.

    Attributes:
        format: "item" (the bank's strict format), "fields" (records of any shape), "official" (AKB-2000; the user
            brings the file), "templates" (made from the run's seed; `questions` are those not to be made again),
            "rendered" (audio that is made from scenes in the records, `akb.tasks.rendered`).
        questions: file names or globs, beside task.yaml.
        fewshot: file of worked examples in the same format; never test items.
        taxonomy: file with the categories, their titles and their order.
        errata: file of items that were found wrong; `akb score --errata` judges old runs without them.
        fields: for format "fields": which field of a record holds what.
        protocol: the protocol that the task is meant for; the run's setting goes first.
        audio: for format "fields": the questions are about audio, and where it lies.
        fetch: where the owner publishes questions and audio, for `akb fetch`.
        versions: names of the versions of the question file, by its sha256.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str = ""
    version: str
    license: str = ""
    url: str = ""
    citation: str = ""
    format: Literal["item", "fields", "official", "templates", "rendered"] = "fields"
    questions: tuple[str, ...] = ()
    fewshot: str | None = None
    taxonomy: str | None = None
    errata: str | None = None
    fields: Fields = Fields()
    audio: Audio | None = None
    fetch: Fetch | None = None
    versions: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _audio_comes_with_fields(self) -> TaskFile:
        if (self.audio or self.fetch or self.versions) and self.format != "fields":
            raise ValueError("audio, fetch and versions are for format: fields")
        return self


@dataclass(frozen=True)
class Folder:
    """A task folder that was found: what its task.yaml says, and where it is."""

    path: Path
    file: TaskFile

    @classmethod
    def read(cls, path: Path) -> Folder:
        """Read `path`/task.yaml.

        Raises:
            AkbError: the file is missing or wrong.
        """
        file = path / "task.yaml"
        return cls(path, parse(TaskFile, read_yaml(file), str(file)))

    @cached_property
    def taxonomy(self) -> Taxonomy | None:
        if self.file.taxonomy is None:
            return None
        path = self.path / self.file.taxonomy
        return parse(Taxonomy, read_yaml(path), str(path))

    @cached_property
    def errata(self) -> Errata:
        """Items that were found wrong, by id; empty if none were."""
        return {} if self.file.errata is None else errata.read(self.path / self.file.errata)

    @cached_property
    def data_files(self) -> tuple[Path, ...]:
        """The question files, in a fixed order.

        Raises:
            AkbError: a name or glob matches nothing.
        """
        found: list[Path] = []
        for pattern in self.file.questions:
            matches = sorted(self.path.glob(pattern))
            if not matches:
                raise AkbError(f"questions: no file matches {pattern!r}", where=str(self.path / "task.yaml"))
            found += matches
        return tuple(found)

    def sha256(self, files: Iterable[Path]) -> str:
        """The hash of every byte of these question files, and of the worked examples."""
        digest = hashlib.sha256()
        for path in (*files, *([self.path / self.file.fewshot] if self.file.fewshot else [])):
            with explained_read(path), path.open("rb") as file:
                while part := file.read(2**20):
                    digest.update(part)
        return digest.hexdigest()

    def names(self) -> list[str]:
        """The parts that can be named without reading the data: categories and category/subcategory."""
        if self.file.format == "official":  # its subcategories are known to the user's file alone
            return list(official.CATEGORIES)
        if self.taxonomy is None:
            return []
        parts = []
        for category in self.taxonomy.categories:
            known = [sub.name for sub in category.subcategories if self._has(sub.name)]
            parts += [category.name, *(f"{category.name}/{name}" for name in known)] if known else []
        return parts

    def _has(self, subcategory: str) -> bool:
        """Whether there may be questions of a subcategory: of those made from templates only where there are some."""
        if self.file.format != "templates":
            return True
        from akb.bank.templates import TEMPLATES

        return any(template.subcategory == subcategory for template in TEMPLATES)


class Options(Strict):
    """What `--set task.KEY=VALUE` may say.

    Attributes:
        allow_partial: take a file for AKB-2000 that is not all of it; the differences stay on the record.
    """

    allow_partial: bool = False


class FolderTask(MultipleChoice):
    """The task that a folder describes."""

    def __init__(self, folder: Folder, asking: Asking) -> None:
        super().__init__(asking)
        self.folder = folder
        self.name, self.version = folder.file.name, folder.file.version
        self.options = parse(Options, asking.options, f"task {self.name}")

    @cached_property
    def _files(self) -> tuple[Path, ...]:
        told = self.folder.file
        if self.asking.data is not None:
            data = Path(self.asking.data)
            own = told.fetch.questions if told.fetch else told.questions
            return (question_file(data, own) if told.format == "fields" and data.is_dir() else data,)
        if told.format == "official":
            raise official.needs_data(self.name)
        if told.fetch is not None:
            if (there := fetched(self.name, told.fetch)) is None:
                raise self._not_here("its questions are not here")
            return (there,)
        if not told.questions:
            raise AkbError("no questions: file names are wanted there, or --data FILE",
                           where=str(self.folder.path / "task.yaml"))  # fmt: skip
        return self.folder.data_files

    @property
    def is_here(self) -> bool:
        """Whether its questions need not be fetched first."""
        fetch = self.folder.file.fetch
        return fetch is None or self.asking.data is not None or fetched(self.name, fetch) is not None

    def _not_here(self, what: str) -> AkbError:
        name = "Name the folder in which you have it: --data DIR"
        get = f"Fetch it from its owners: akb fetch {self.name}\n  Or n{name[1:]}" if self.folder.file.fetch else name
        return AkbError(what, where=f"task {self.name}", fix=get)

    def questions(self) -> Iterable[Question]:
        """All questions, in the file's order.

        Raises:
            AkbError: a record is wrong, or the run hears audio and none of it is there. (Where some of it is missing,
                its questions stay, with the missing paths as `audio_missing` in their `meta`.)
        """
        if self._audio is not None and self.asking.listen != "none" and self._audio.sha256 == "absent":
            raise self._not_here("none of its audio is here, and without it only --listen none can be run")
        read = self._unique()
        if self.folder.file.format != "official":
            return read
        return official.checked(list(read), str(self._files[0]), allow_partial=self.options.allow_partial)

    def some(self, keeps: Callable[[str, str], bool], limit: int | None = None) -> Iterator[Question]:
        """The questions of some categories and subcategories, the first so many of them; as `questions`."""
        return islice((q for q in self.questions() if keeps(q.category, q.subcategory)), limit)

    def examples(self) -> Sequence[Question]:
        if self.folder.file.fewshot is None:
            return ()
        return tuple(q for _, q in self._located((self.folder.path / self.folder.file.fewshot,)))

    def _located(self, files: Iterable[Path]) -> Iterator[tuple[str, Question]]:
        if self.folder.file.format == "item":
            for where, item in read_items(files):
                yield where, item.question_()
            return
        for file in files:
            for number, (where, row) in enumerate(read_records(file), start=1):
                question = question_from(row, self._fields, where, number)
                yield where, self._audio.heard(question, row, where) if self._audio else question

    @property
    def _fields(self) -> Fields:
        """Which field holds what; of an audio task the benchmark's own groups are kept."""
        if self.folder.file.format == "official":
            return official.FIELDS
        fields = self.folder.file.fields
        if self.folder.file.audio is None or fields.groups is not None:
            return fields
        return fields.model_copy(update={"groups": GROUPS})

    @cached_property
    def _audio(self) -> AudioFiles | None:
        """The audio of the questions and of the worked examples; None for a task of text."""
        if self.folder.file.audio is None:
            return None
        data = [Path(self.asking.data)] if self.asking.data is not None and Path(self.asking.data).is_dir() else []
        fewshot = [self.folder.path / self.folder.file.fewshot] if self.folder.file.fewshot else []
        bases = dict.fromkeys((*data, *(file.parent for file in (*self._files, *fewshot))))
        return AudioFiles(self.folder.file.audio, self._fields, tuple(bases), (*self._files, *fewshot))

    @cached_property
    def hearing(self) -> Hearing:
        """How each question is heard; a task whose audio is not here yet is none of text."""
        return replace(super().hearing, absent=self._audio is not None and self._audio.sha256 == "absent")

    def oddities(self) -> Mapping[str, int]:
        """What is odd about the records and was taken as it is, and how often: options that say the same, another
        number of options than most have, a group given as a list, audio that is missing."""
        found, sizes = Counter[str](), Counter[int]()
        for file in self._files if self.folder.file.format == "fields" else ():
            for number, (where, row) in enumerate(read_records(file), start=1):
                question = question_from(row, self._fields, where, number)
                found.update(oddities(question, row, self._fields))
                sizes[len(question.options)] += 1
                if self._audio and "audio_missing" in self._audio.heard(question, row, where).meta:
                    found["audio missing"] += 1
        usual = sizes.most_common(1)[0][0] if sizes else 0
        return {f"{size} options": sizes[size] for size in sorted(sizes) if size != usual} | dict(sorted(found.items()))

    def _unique(self) -> Iterator[Question]:
        """Each question; where an id was used first is looked up only when it is used again, to keep memory flat."""
        seen = set[str]()
        for where, question in self.located():
            if question.id in seen:
                first = next(place for place, other in self.located() if other.id == question.id)
                raise AkbError(f"id: {question.id!r} was used before, at {first}", where=where)
            seen.add(question.id)
            yield question

    def located(self) -> Iterator[tuple[str, Question]]:
        """Each question with where it stands ("file:line"); duplicates included, for `akb validate`."""
        return self._located(self._files)

    def describe(self) -> Mapping[str, Any]:
        """Name, version and the hash of every byte of the data: another file is another run. The audio counts
        whether it is heard or not, so that a run and its control without audio are of one task."""
        told: dict[str, Any] = {
            "name": self.name,
            "version": self._version(),
            **self._way_of_asking(),
            "format": self.folder.file.format,
            "fields": self.folder.file.fields.told(),
            "data_sha256": self.folder.sha256(self._files),
        }
        if self._audio is not None:
            told["audio"] = self._audio.sha256
        if self.folder.taxonomy is not None:
            told["taxonomy"] = self.folder.taxonomy.name
        if self.folder.file.format == "official":
            told["taxonomy"] = "official"
        return told

    def _version(self) -> str:
        """The version of the question file, told by its hash where the task knows several."""
        if not self.folder.file.versions:
            return self.version
        found = file_sha256(self._files[0])
        return self.folder.file.versions.get(found, f"unknown version sha256:{found}")
