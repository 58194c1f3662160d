"""Whether runs were asked in one way: the one rule by which they are compared, correlated, or stand in one column."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from akb.records import Manifest, changed_fields
from akb.types import MODEL

ASKED = ("task_args", "protocol", "prompt", "seed", "control", "listen", "captions")  # of a run's identity
HEARD = frozenset({"listen", "captions", "others"})  # how audio reached the model


def differences(one: Manifest, other: Manifest, but: Collection[str] = (), task: bool = True) -> list[str]:
    """In what two runs were asked otherwise, whatever the model under test: task, protocol, prompt, seed, settings,
    captions, and who else was asked (a captioner). Which questions were asked is not looked at.

    Args:
        but: what may differ, e.g. `HEARD`.
        task: whether the task itself must be the same with all its data; without it that is for the caller to see.

    Returns:
        Dotted names with both values, as `changed_fields`; none where the two compare.
    """
    first, second = (_asked(manifest) | ({"task": manifest.identity.get("task")} if task else {})
                     for manifest in (one, other))  # fmt: skip
    if _selected(one) != _selected(other):  # captions are known by a hash of those of all that was selected
        first["captions"], second["captions"] = (_without_hash(told["captions"]) for told in (first, second))
    for name in but:
        first.pop(name, None), second.pop(name, None)
    return changed_fields(first, second)


def is_baseline(manifest: Manifest) -> bool:
    """Whether a run is of a strategy that knows nothing (random, first, longest ...)."""
    return str(manifest.identity.get("parties", {}).get(MODEL, {}).get("adapter", "")).startswith("baseline/")


def _asked(manifest: Manifest) -> dict[str, Any]:
    identity = manifest.identity
    others = {name: told for name, told in identity.get("parties", {}).items() if name != MODEL}
    return {**{name: identity.get(name) for name in ASKED}, "others": others}


def _selected(manifest: Manifest) -> list[Any]:
    return [manifest.identity.get(name) for name in ("parts", "limit")]


def _without_hash(captions: Any) -> Any:
    return (
        {name: told for name, told in captions.items() if name != "sha256"} if isinstance(captions, dict) else captions
    )
