"""Which recipe a command of `akb lalm` is about: its name or file, and what of it is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from akb.errors import AkbError

if TYPE_CHECKING:
    from akb.lalm.recipe import Recipe
    from akb.registry import Registry

Name = Annotated[str, typer.Argument(help="A recipe: a name from `akb lalm show`, or a file.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Change the recipe: train.lr=3e-4, data.shuffled=true. May be repeated."),
]


def recipe_of(name: str | None, set_: list[str] | None, registry: Registry, rows: int | None = None) -> Recipe:
    """The recipe that is meant, with its changes, and at most so many rows.

    Raises:
        AkbError: there is none, or a change is none.
    """
    from akb.lalm.recipe import find
    from akb.lalm.training.record import changed

    if name is None:
        raise AkbError("changes are of one recipe, and none is named", where="--set",
                       fix="E.g. akb lalm show desta-qwen2.5-7b --set train.micro_batch=3")  # fmt: skip
    return changed(find(name, registry.roots), set_ or [], rows)
