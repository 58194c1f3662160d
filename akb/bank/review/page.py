"""The page on which people read a bank: one file that needs nothing else and lets nothing in the items be executed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from akb.bank.readings import words
from akb.errors import AkbError
from akb.tasks.items import Item

SHOWN = {"id", "version", "category", "subcategory", "question", "options", "answer", "kind", "template_id", "sources",
         "rationale", "dialect", "check", "canary"}  # fmt: skip
SCRIPTS = ("base.js", "results.js", "page.js")  # the last begins
ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}  # what could end the element that holds the items


def make(items: Sequence[Item], number: int, *, served: bool = False) -> str:
    """The page as HTML.

    Args:
        items: what is to be read.
        number: of the round of building the bank.
        served: by `akb.bank.review.server`, which takes the results; else they are exported by hand.

    Raises:
        AkbError: there are no items, or two have the same id.
    """
    twice = [name for name, count in Counter(item.id for item in items).items() if count > 1]
    if twice or not items:
        raise AkbError(f"these ids are given twice: {', '.join(twice[:5])}" if twice else "there are no items",
                       where="akb bank review")  # fmt: skip
    rows = [item.model_dump(mode="json", include=SHOWN) | {"words": words(item)} for item in items]
    bank = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    script, style = _script(), _part("page.css")
    parts = {
        "policy": policy(script, style, served=served),
        "style": style,
        "data": _data({"bank": bank, "round": number, "served": served, "items": rows}),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("page.html"))


def policy(script: str, style: str, *, served: bool) -> str:
    """What the page may do: run its own script, use its own style, and speak to who served it; nothing else."""
    rules = ["default-src 'none'", f"script-src {_hash(script)}", f"style-src {_hash(style)}", "base-uri 'none'",
             "form-action 'none'"]  # fmt: skip
    return "; ".join([*rules, "connect-src 'self'"] if served else rules)


def _script() -> str:
    """The parts of the script as one, in which no name is the window's."""
    return '"use strict";\n(() => {\n' + "\n".join(map(_part, SCRIPTS)) + "})();\n"


def _part(name: str) -> str:
    return files("akb.bank.review").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(value: Any) -> str:
    """JSON of ASCII signs only, in which no element can end and no other begin."""
    return json.dumps(value).translate(ESCAPED)
