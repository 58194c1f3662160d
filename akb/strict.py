"""Reading what users write: YAML, JSON and JSONL through pydantic, with errors that name file, line and field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from akb.errors import AkbError


class Strict(BaseModel):
    """Base of everything that is read from a user's file: frozen, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(kind: type[Model], data: Any, where: str) -> Model:
    """`data` as a `kind`, or an AkbError that names each wrong field, what was found and what is wanted."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise AkbError(_explain(error, list(kind.model_fields)), where=where) from None


def _explain(error: ValidationError, fields: list[str]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        field = ".".join(str(part) for part in problem["loc"]) or "the whole"
        if problem["type"] == "extra_forbidden":
            close = get_close_matches(field, fields, n=1)
            lines.append(f"{field}: there is no such field" + (f"; did you mean {close[0]}?" if close else ""))
        elif problem["type"] == "missing":
            lines.append(f"{field}: is missing")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            found = repr(problem.get("input"))
            lines.append(f"{field}: {message} (found {found if len(found) <= 60 else found[:57] + '...'})")
    return "; ".join(lines)


def read_text(path: Path) -> str:
    """A file's text, or a clear error. A byte order mark, as spreadsheets write it, is no part of the text."""
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise AkbError("there is no such file", where=str(path)) from None
    except IsADirectoryError:
        raise AkbError("this is a folder; a file is wanted", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise AkbError(f"not UTF-8 text (byte {error.start})", where=str(path)) from None
    except OSError as error:
        raise AkbError(f"cannot be read: {error.strerror}", where=str(path)) from None


def read_lines(path: Path) -> Iterator[str]:
    """A file's lines, without holding the whole of it; errors as of `read_text`."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                yield line.removesuffix("\n")
    except (OSError, UnicodeDecodeError):
        read_text(path)  # says what is wrong, and of the whole file at which byte
        raise


def read_yaml(path: Path) -> Any:
    """A YAML file's content."""
    return parse_yaml(read_text(path), str(path))


def parse_yaml(text: str, where: str) -> Any:
    """YAML text's content; `where` names it in errors."""
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: e.g. the date 2024-13-45
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or (str(error).splitlines() or ["cannot be parsed"])[0]
        raise AkbError(f"not valid YAML: {problem}", where=f"{where}{line}") from None


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file with their line numbers (from 1); empty lines are passed over."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise AkbError(f"not valid JSON: {error.msg} (column {error.colno})", where=f"{path}:{number}") from None
        except RecursionError:
            raise AkbError("not valid JSON: nested too deeply", where=f"{path}:{number}") from None
        if not isinstance(row, dict):
            raise AkbError(f"an object is wanted, found {type(row).__name__}", where=f"{path}:{number}")
        if "\\ud" in line.lower() and not _is_text(row):
            raise AkbError("not text: half of a surrogate pair stands alone", where=f"{path}:{number}")
        yield number, row


def _is_text(row: dict[str, Any]) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
