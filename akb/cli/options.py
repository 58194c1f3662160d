"""Options that several commands share, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.errors import AkbError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from akb.plan import RunConfig
    from akb.registry import Registry


def _names(kind: str) -> Any:
    def complete(incomplete: str) -> list[str]:
        from akb.registry import Registry

        registry = Registry()
        names = {"task": registry.task_names(), "model": list(registry.cards), "protocol": list(registry.protocols)}
        return [name for name in names[kind] if name.startswith(incomplete)]

    return complete


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Include = Annotated[
    list[Path] | None,
    typer.Option("--include", "-i", help="A folder of your own with tasks, model cards, protocols. May be repeated."),
]


def task_option(what: str) -> Any:
    """The option --task, with what the command does with a task."""
    return typer.Option("--task", "-t", autocompletion=_names("task"), help=f"{what}, a folder. May be repeated.")


Tasks = Annotated[list[str] | None, task_option("What to ask: phonetic, phonetic/rhyme, akb-open, 'music/*'")]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        autocompletion=_names("model"),
        help="Whom to ask: a name from `akb ls models`, hf:ORG/NAME, a folder. May be repeated.",
    ),
]
ProtocolName = Annotated[
    str | None,
    typer.Option("--protocol", "-p", autocompletion=_names("protocol"), help="How to ask [default: akb-v1]."),
]
Shots = Annotated[int | None, typer.Option("--shots", "-k", help="Worked examples before each question.")]
Listen = Annotated[
    str | None,
    typer.Option(
        help="How audio is heard: audio, none, silence, shuffled (another item's), caption:NAME (a cascade), "
        "shuffled-caption:NAME."
    ),
]
Data = Annotated[
    Path | None, typer.Option(help="The file with the questions, or the folder with them and their audio.")
]
SETTINGS = ("protocol", "model", "task", "captioner")


def set_option(*kinds: str) -> Any:
    """The option --set of a command that takes settings of these kinds; `settings` reads it."""
    several = " (of one of several: captioner.NAME.KEY=VALUE)" if "captioner" in kinds else ""
    return typer.Option("--set", "-s", help=f"Any other setting: {_forms(kinds)}{several}. May be repeated.")


def _forms(kinds: Sequence[str]) -> str:
    return ", ".join(f"{kind}.KEY=VALUE" for kind in kinds)


Set = Annotated[list[str] | None, set_option(*SETTINGS)]


def registry(include: list[Path] | None) -> Registry:
    """The registry with the user's settings and folders."""
    from akb.registry import Registry

    return Registry(include=tuple(include or ()))


def split_names(values: list[str] | None) -> list[str]:
    """Names given by repeating an option or separated by commas."""
    return [name.strip() for value in values or [] for name in value.split(",") if name.strip()]


def settings(
    pairs: list[str] | None, kinds: Sequence[str] = SETTINGS, *, shots: int | None = None
) -> dict[str, dict[str, Any]]:
    """`--set` pairs by what they are settings of: protocol, model, task, captioner. Values are read as YAML;
    `--shots` is a short way to say protocol.shots.

    Args:
        kinds: what the command takes settings of, as told to `set_option`.

    Raises:
        AkbError: a pair is not of the form KIND.KEY=VALUE, or its kind has no meaning for the command.
    """
    from akb.strict import parse_yaml

    found: dict[str, dict[str, Any]] = {name: {} for name in SETTINGS}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        of, dot, key = name.partition(".")
        known = bool(equals and dot and key) and of in found
        if not known or of not in kinds:
            what = f"{of}.KEY=VALUE has no meaning here" if known else f"{pair!r} is not a setting"
            raise AkbError(what, where="--set", fix=f"Wanted: {_forms(kinds)}.")
        found[of][key] = parse_yaml(value, f"--set {name}")
    if shots is not None:
        found["protocol"]["shots"] = shots
    return found


def run_config(where: str, changes: dict[str, dict[str, Any]], **values: Any) -> RunConfig:
    """The settings of a run from options (None: not given) and `--set` pairs, for commands that ask nobody."""
    from akb.plan import RunConfig
    from akb.strict import parse

    given = {name: value for name, value in values.items() if value is not None}
    sets = {f"{of}_args": pairs for of, pairs in changes.items()}
    return parse(RunConfig, {"model": "none", **sets, **given}, where)
