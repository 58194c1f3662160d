"""Proof of computed items: an item's `check` is a call such as `nyquist(rate_hz=44100)`, and the function of that
name says for each option whether it is right, from the arguments alone and without looking at the given answer."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from akb.bank.checks import (
    coding,
    levels,
    music,
    music_sound,
    music_theory,
    phonetic,
    rooms,
    signals,
    speech,
    technical,
)
from akb.errors import AkbError, unknown

CHECKS: dict[str, Callable[..., list[bool]]] = {
    **music.CHECKS,
    **music_sound.CHECKS,
    **music_theory.CHECKS,
    **phonetic.CHECKS,
    **technical.CHECKS,
    **signals.CHECKS,
    **levels.CHECKS,
    **coding.CHECKS,
    **rooms.CHECKS,
    **speech.CHECKS,
}


def parse_call(text: str, where: str) -> tuple[str, dict[str, Any]]:
    """The name and keyword arguments (literals) of a check; nothing is executed.

    Raises:
        AkbError: it is not such a call.
    """
    try:
        node = ast.parse(text, mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.args:
            raise ValueError("a call with keyword arguments is wanted")
        arguments = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg is not None}
    except (SyntaxError, ValueError) as error:
        raise AkbError(f"check: {text[:60]!r} cannot be read: {error}", where=where) from None
    return node.func.id, arguments


def prove(check: str, options: Sequence[str], where: str) -> list[bool]:
    """Which options a check finds right.

    Raises:
        AkbError: the check is unknown, or cannot decide over these options.
    """
    name, arguments = parse_call(check, where)
    if name not in CHECKS:
        raise unknown("check", name, CHECKS)
    try:
        return CHECKS[name](options, **arguments)
    except (ValueError, TypeError, KeyError) as error:
        raise AkbError(f"check: {name} cannot decide: {error}", where=where) from None
