"""Errata: items that were found wrong after they were published, and until which version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from akb.strict import Strict, parse, read_jsonl
from akb.types import Question


class Erratum(Strict):
    """A line of `errata.jsonl`.

    Attributes:
        version: the last version of the item that has the fault.
        what: withdrawn: it is asked no more; changed: a later version of the item has the fault no more.
    """

    item: str = Field(pattern=r"^[a-z0-9-]+$")
    version: int = Field(ge=1)
    what: Literal["withdrawn", "changed"]
    why: str = Field(min_length=1)
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    canary: str = ""


Errata = Mapping[str, Erratum]


def read(path: Path) -> dict[str, Erratum]:
    """The errata of a file by item; of several for one item the last counts.

    Raises:
        AkbError: a line is damaged or no erratum.
    """
    found = (parse(Erratum, row, f"{path}:{number}") for number, row in read_jsonl(path))
    return {erratum.item: erratum for erratum in found}


def concerns(errata: Errata, question: Question) -> bool:
    """Whether a question was asked in a version that has a fault. One without a version was the first."""
    erratum = errata.get(question.id)
    return erratum is not None and int(question.meta.get("version", 1)) <= erratum.version
