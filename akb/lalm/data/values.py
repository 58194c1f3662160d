"""What metadata says in words, and what of it says nothing."""

from __future__ import annotations

import math

UNKNOWN = frozenset(
    {"", "-", "--", "–", "—", "?", "unknown", "unk", "<unk>", "n/a", "nan", "null", "none", "undefined", "unspecified",
     "not specified", "not available", "missing"}
)  # fmt: skip

_TRUTHS = {"True": "yes", "False": "no"}


def said(value: object) -> str:
    """A value in words on one line; empty where it says nothing.

    True and False are yes and no. What stands for "not known" in tables (an empty cell, "unknown", "N/A", None, NaN)
    says nothing: told of a clip, it would read as something to be heard.

    Examples:
        >>> said(True), said(120.0), said(" slow "), said("Unknown"), said(float("nan"))
        ('yes', '120', 'slow', '', '')
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value.is_integer() else str(value)
    text = " ".join(str(value).split())
    if text in _TRUTHS:  # as Python and tables that it wrote have them
        return _TRUTHS[text]
    return "" if text.casefold() in UNKNOWN else text
