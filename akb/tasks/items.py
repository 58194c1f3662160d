"""Questions from files: the bank's own strict format, and anyone's JSON, JSONL, CSV or Parquet by field names.

Every error names the file, the line or record, the field, what was found and what is wanted.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from akb.errors import AkbError, missing_extra
from akb.strict import Strict, parse, read_jsonl, read_text
from akb.types import Question

MAX_OPTIONS = 26
GROUPS = ("task", "task_name", "modality", "category", "sub-category", "sub_category", "difficulty", "split",
          "language", "dataset", "dataset_name")  # fmt: skip


class Source(Strict):
    """Where a fact comes from. `seen` is true only for what was opened and read when the item was written."""

    kind: Literal["read", "formula", "standard", "general"]
    ref: str
    where: str = ""
    seen: bool = False


class Review(Strict):
    """One reading of an item by someone other than its writer. `kind` says honestly what kind of reader it was."""

    kind: Literal["program", "model", "human"]
    by: str
    verdict: Literal["agrees", "disagrees", "ambiguous", "accepted", "mended"]
    blind: bool = False
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    note: str = ""


class Item(Strict):
    """A question of akb-open, one a line. See tasks/akb-open/README.md for what each field means.

    Attributes:
        about: of an item from a template (`akb.bank.templates`), what it is about; no other item of its template is.
    """

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    version: int = Field(ge=1)
    category: str = Field(pattern=r"^[a-z0-9-]+$")
    subcategory: str = Field(pattern=r"^[a-z0-9-]+$")
    question: str = Field(min_length=1)
    options: tuple[str, ...] = Field(min_length=2, max_length=MAX_OPTIONS)
    answer: int = Field(ge=0)
    kind: Literal["computed", "table", "authored"]
    template_id: str
    sources: tuple[Source, ...]
    rationale: str
    dialect: str
    reviews: tuple[Review, ...]
    check: str | None
    canary: str
    about: str = ""

    @model_validator(mode="after")
    def _answer_is_an_option(self) -> Item:
        if self.answer >= len(self.options):
            raise ValueError(f"answer: {self.answer} is out of range for {len(self.options)} options")
        return self

    def question_(self) -> Question:
        """The item as a question of the contract."""
        meta = self.model_dump(mode="json", include={"version", "kind", "dialect", "check"})
        return Question(
            id=self.id,
            text=self.question,
            options=self.options,
            answer=self.answer,
            category=self.category,
            subcategory=self.subcategory,
            template_id=self.template_id,
            meta=meta,
        )


def read_items(paths: Iterable[Path]) -> Iterator[tuple[str, Item]]:
    """The items of JSONL files in the bank's format, each with "file:line"."""
    for path in paths:
        for number, row in read_jsonl(path):
            yield f"{path}:{number}", parse(Item, row, f"{path}:{number}")


class Fields(Strict):
    """Which field of a record holds what; each may be one name or several to try in turn.

    `options` names one field that holds a list, or (as a list of two or more names) the fields that hold one each.

    Attributes:
        audio: of an audio task: which field holds the path of the clip, or a list of paths.
        groups: fields that are kept in the question's `meta`; by default those of `GROUPS`, for audio tasks alone.
        inline_options: the options stand in the question's text, as "Which? (a) this (b) that".
    """

    id: tuple[str, ...] = ("id", "question_id", "uid", "uniq_id")
    question: tuple[str, ...] = ("question", "prompt", "stem")
    options: tuple[str, ...] = ("options", "choices")
    option_columns: tuple[tuple[str, ...], ...] = (
        tuple("ABCDEFGHIJ"),
        tuple(f"choice_{c}" for c in "abcdefghij"),
        tuple(f"option_{c}" for c in "abcdefghij"),
        tuple("abcdefghij"),
    )
    answer: tuple[str, ...] = ("answer", "label", "answer_gt", "gold", "key", "correct_answer")
    category: tuple[str, ...] = ("category", "task", "topic")
    subcategory: tuple[str, ...] = ("subcategory", "sub-category", "sub_category", "subtopic")
    template_id: tuple[str, ...] = ("template_id",)
    audio: tuple[str, ...] = ("audio", "audio_path", "audio_id", "audio_file", "path", "file", "wav")
    groups: tuple[str, ...] | None = None
    inline_options: bool = False

    @model_validator(mode="before")
    @classmethod
    def _one_name_is_a_list(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = {k: [v] if isinstance(v, str) else v for k, v in data.items()}
        named = data.get("options")
        if isinstance(named, list) and len(named) > 1:
            data = {**data, "option_columns": [named], "options": []}
        return data

    def told(self) -> dict[str, Any]:
        """For a run's identity; what only some tasks set is told where it is set."""
        usual = Fields()
        some = {name for name in ("audio", "groups", "inline_options") if getattr(self, name) == getattr(usual, name)}
        return self.model_dump(mode="json", exclude=some)


def read_records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The records of a JSON, JSONL, CSV or Parquet file, each with where it stands ("file:line" or "file record n")."""
    kind = path.suffix.lower()
    if kind in {".jsonl", ".ndjson"}:
        yield from ((f"{path}:{number}", row) for number, row in read_jsonl(path))
    elif kind == ".json":
        yield from _json_records(path)
    elif kind in {".csv", ".tsv"}:
        reader = csv.DictReader(io.StringIO(read_text(path)), delimiter="\t" if kind == ".tsv" else ",", strict=True)
        try:
            for row in reader:
                yield f"{path}:{reader.line_num}", row
        except csv.Error as error:
            raise AkbError(f"not valid CSV: {error}", where=f"{path}:{reader.line_num}") from None
    elif kind == ".parquet":
        yield from _parquet_records(path)
    else:
        raise AkbError("the format is not known by its ending", where=str(path),
                       fix="Wanted: .jsonl, .json, .csv, .tsv or .parquet.")  # fmt: skip


def _json_records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise AkbError(f"not valid JSON: {error.msg}", where=f"{path}:{error.lineno}") from None
    if isinstance(data, dict):
        lists = [value for value in data.values() if isinstance(value, list)]
        data = lists[0] if len(lists) == 1 else data
    if not isinstance(data, list):
        raise AkbError("a list of records is wanted", where=str(path))
    for number, row in enumerate(data, start=1):
        if not isinstance(row, dict):
            raise AkbError(f"an object is wanted, found {type(row).__name__}", where=f"{path} record {number}")
        yield f"{path} record {number}", row


def _parquet_records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise missing_extra("pyarrow", "data", needed_for=f"reading {path.name}") from None
    if not path.is_file():
        raise AkbError("there is no such file", where=str(path))
    try:
        table = pq.read_table(path)
    except (OSError, ValueError) as error:
        raise AkbError(f"not a readable Parquet file: {error}", where=str(path)) from None
    for number, row in enumerate(table.to_pylist(), start=1):
        yield f"{path} record {number}", row


def question_from(row: Mapping[str, Any], fields: Fields, where: str, number: int) -> Question:
    """A record of any shape as a question.

    Args:
        row: the record.
        fields: which of its fields holds what.
        where: names the record in errors.
        number: its number from 1; makes the id where the record has none.

    Raises:
        AkbError: a field is missing, the options are fewer than 2 or more than 26, or the answer is not one of them.
    """
    text = _first(row, fields.question)
    if text is None or not str(text).strip():
        raise AkbError(f"no question: one of the fields {', '.join(fields.question)} is wanted "
                       f"(found {', '.join(map(str, row))})", where=where)  # fmt: skip
    text, inline = _inline(str(text), where) if fields.inline_options else (str(text), ())
    options = inline or _options(row, fields, where)
    raw = _first(row, fields.answer)
    if raw is None:
        raise AkbError(f"no answer: one of the fields {', '.join(fields.answer)} is wanted", where=where)
    identity = _first(row, fields.id)
    return Question(
        id=str(identity) if identity is not None else f"{number:05d}",
        text=text,
        options=options,
        answer=_labelled(raw, options, where) if inline else _answer(raw, options, where),
        category=group(_first(row, fields.category))[0],
        subcategory=group(_first(row, fields.subcategory))[0],
        template_id=str(_first(row, fields.template_id) or ""),
        meta={name: group(row[name])[0] for name in fields.groups or () if row.get(name) not in (None, "", [])},
    )


def group(value: Any) -> tuple[str, bool]:
    """A group's name, and whether it was given as a list or as the text of one: "['Reasoning']" is Reasoning."""
    if isinstance(value, str) and re.fullmatch(r"\s*\[.*\]\s*", value, re.DOTALL):
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value, False
    if isinstance(value, (list, tuple)):
        return ", ".join(str(part) for part in value), True
    return ("" if value is None else str(value)), False


def oddities(question: Question, row: Mapping[str, Any], fields: Fields) -> Iterator[str]:
    """What is odd about a record, and taken as it is: options that say the same, a group given as a list."""
    from akb.tasks.judging import same_text

    options = question.options
    if any(same_text(a, b) for place, a in enumerate(options) for b in options[:place]):
        yield "duplicate options"
    groups = (_first(row, fields.category), _first(row, fields.subcategory), *map(row.get, fields.groups or ()))
    if any(group(value)[1] for value in groups):
        yield "category given as a list"


def _inline(text: str, where: str) -> tuple[str, tuple[str, ...]]:
    """A question's text and the options "(a) this (b) that" at its end."""
    marks = list(re.finditer(r"\(([A-Za-z])\)\s*", text))
    starts = [place for place, mark in enumerate(marks) if mark[1] in "aA"]
    run = marks[starts[-1] :] if starts else []
    letters = "".join(mark[1].upper() for mark in run)
    if not 2 <= len(run) <= MAX_OPTIONS or letters != "".join(chr(ord("A") + place) for place in range(len(run))):
        raise AkbError(f"options: (a) ... (b) ... in the question's text is wanted (found {text[-60:]!r})", where=where)
    ends = [*(mark.start() for mark in run[1:]), len(text)]
    options = tuple(text[mark.end() : end].strip(" \t\r\n,;") for mark, end in zip(run, ends, strict=True))
    return text[: run[0].start()].strip(), options


def _labelled(raw: Any, options: tuple[str, ...], where: str) -> int:
    """The key's index from "(b) that", or from what `_answer` takes."""
    found = re.fullmatch(r"\s*\(([A-Za-z])\)\s*(.+?)\s*", str(raw), re.DOTALL)
    if found is None:
        return _answer(raw, options, where)
    index = ord(found[1].upper()) - ord("A")
    if index >= len(options) or options[index] != found[2].strip(" \t\r\n,;"):
        raise AkbError(f"answer: {str(raw)[:60]!r} is not one of the options with its letter", where=where)
    return index


def _first(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _options(row: Mapping[str, Any], fields: Fields, where: str) -> tuple[str, ...]:
    found = _first(row, fields.options)
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except json.JSONDecodeError:
            raise AkbError(f"options: a list is wanted (found {found[:60]!r})", where=where) from None
    if isinstance(found, Mapping):
        labels = [str(label).strip().upper() for label in found]
        if labels != [chr(ord("A") + place) for place in range(len(labels))]:
            raise AkbError(
                f"options: labels A, B, C ... in their order are wanted (found {', '.join(labels)})", where=where
            )
        found = list(found.values())
    if found is None:
        for columns in fields.option_columns:
            values = [row.get(name) for name in columns]
            if len([v for v in values if v not in (None, "")]) >= 2:
                found = [v for v in values if v not in (None, "")]
                if found != values[: len(found)]:
                    raise AkbError(
                        f"options: a column is empty before one that is not (of {', '.join(columns)})", where=where
                    )
                break
    if not isinstance(found, (list, tuple)):
        raise AkbError("no options: a list in 'options' or 'choices', or one column an option, is wanted", where=where)
    if not 2 <= len(found) <= MAX_OPTIONS:
        raise AkbError(f"options: 2 to {MAX_OPTIONS} are wanted, found {len(found)}", where=where)
    for option in found:
        if not isinstance(option, (str, int, float)):
            raise AkbError(f"options: each must be a text (found {str(option)[:60]!r})", where=where)
    return tuple(str(option) for option in found)


def _answer(raw: Any, options: tuple[str, ...], where: str) -> int:
    """The key's index from a text, a letter or an index; the option's text is tried first. A whole number is an index,
    unless none has it and it is an option; one that can be either is refused."""
    text = str(raw).strip()
    texts = [option.strip() for option in options]
    index = _whole_number(raw)
    if text in texts and not isinstance(raw, int):
        return texts.index(text)
    if index is not None and str(index) in texts:
        if 0 <= index < len(options) and texts[index] != str(index):
            raise AkbError(f"answer: {index} is an option's text, and as an index (from 0) it is the option "
                           f"{options[index]!r}", where=where,
                           fix=f'Give the key as a text ("{index}") or as a letter.')  # fmt: skip
        return texts.index(str(index))
    label = text.strip("().").upper()
    if len(label) == 1 and label.isalpha():
        index = ord(label) - ord("A")
    elif index is None and text.lstrip("-").isdigit():
        index = int(text)
    elif index is None:
        raise AkbError(f"answer: {text[:60]!r} is not one of the options, a letter or an index", where=where)
    if not 0 <= index < len(options):
        raise AkbError(f"answer: {text!r} is out of range for {len(options)} options (indices count from 0)",
                       where=where)  # fmt: skip
    return index


def _whole_number(raw: Any) -> int | None:
    """The number that a key is, where it is given as a number and not as a text that looks like one."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not float(raw).is_integer():
        return None
    return int(raw)
