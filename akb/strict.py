"""Reading what users write: YAML, JSON and JSONL through pydantic, with errors that name file, line and field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from akb.errors import AkbError


class Strict(BaseModel):
    """Base of everything that is read from a user's file: frozen, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)
_NAME = "small letters from a to z, digits{} and hyphens are wanted"
_FORMS = {  # patterns of fields in words
    "^[a-z0-9-]+$": _NAME.format(""),
    "^[a-z0-9][a-z0-9.-]*$": _NAME.format(", dots") + ", first a letter or a digit",
    "^[a-z0-9][a-z0-9.+-]*$": _NAME.format(", dots, plus signs") + ", first a letter or a digit",
    r"^\d{4}-\d{2}-\d{2}$": "a date is wanted, as 2026-01-31",
    "^[0-9a-f]{40}$": "a commit of 40 hex digits is wanted",
}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(kind: type[Model], data: Any, where: str) -> Model:
    """`data` as a `kind`, or an AkbError that names each wrong field, what was found and what is wanted."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise AkbError(_explain(error, kind), where=where) from None


def _explain(error: ValidationError, kind: type[BaseModel]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        field = ".".join(str(part) for part in problem["loc"]) or "the whole"
        if problem["type"] == "extra_forbidden":
            *above, own = problem["loc"]
            close = get_close_matches(str(own), _fields(kind, above), n=1)
            meant = ".".join(map(str, (*above, *close)))
            lines.append(f"{field}: there is no such field" + (f"; did you mean {meant}?" if close else ""))
        elif problem["type"] == "missing":
            lines.append(f"{field}: is missing")
        else:
            pattern = str(problem.get("ctx", {}).get("pattern", "")).replace("\\-", "-")
            message = _FORMS.get(pattern, problem["msg"].removeprefix("Value error, "))
            found = repr(problem.get("input"))
            lines.append(f"{field}: {message} (found {found if len(found) <= 60 else found[:57] + '...'})")
    return "; ".join(lines)


def _fields(kind: type[BaseModel], place: Iterable[Any]) -> list[str]:
    """Names of the fields that stand at a place within a `kind`; none where that is not known."""
    for part in place:
        if isinstance(part, int):  # in a list, whose items were found already
            continue
        below = _models(kind.model_fields[part].annotation) if part in kind.model_fields else []
        if len(below) != 1:
            return []
        kind = below[0]
    return list(kind.model_fields)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that a type holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def parse_json(text: str, where: str) -> Any:
    """JSON text's content; `where` names it in errors."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise AkbError(f"not valid JSON: {error.msg} (column {error.colno})", where=where) from None
    except RecursionError:
        raise AkbError("not valid JSON: nested too deeply", where=where) from None
    except ValueError:  # Python reads no number of more than some thousand digits
        raise AkbError("not valid JSON: a number has too many digits", where=where) from None


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


def read_named(kind: type[Model], paths: Iterable[Path]) -> dict[str, Model]:
    """What YAML files hold, one `kind` each, by its name; no name may be given twice."""
    found: dict[str, Model] = {}
    origin: dict[str, Path] = {}
    for path in paths:
        made = parse(kind, read_yaml(path), str(path))
        name = str(getattr(made, "name"))  # noqa: B009
        if name in found:
            raise AkbError(f"name: {name!r} is already defined in {origin[name]}", where=str(path))
        found[name], origin[name] = made, path
    return found


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file with their line numbers (from 1); empty lines are passed over."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        row = parse_json(line, f"{path}:{number}")
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
