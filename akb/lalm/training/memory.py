"""Whether a training fits into memory: by estimate before hours are spent, and what to change where it did not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from akb.errors import AkbError
from akb.lalm import checking, sizes
from akb.lalm.kept import card_of
from akb.lalm.recipe import Recipe
from akb.lalm.saving import Grounded
from akb.lalm.training.batching import Share


def must_fit(recipe: Recipe, share: Share, device: str, include: Sequence[Path] = ()) -> None:
    """Compare what is needed with what is free, before anything is loaded.

    Raises:
        AkbError: it is too little; says what would fit.
    """
    of = sizes.counts(recipe, card_of(recipe, include), include)
    need, room = sizes.memory(recipe, of, share.micro_batch).whole, checking.free(device)
    if need > room * sizes.HEADROOM:
        raise AkbError(f"about {need / sizes.GB:.2f} GB are needed for {share.micro_batch} rows at a time, "
                       f"{room / sizes.GB:.2f} are free on {device}", where=recipe.where,
                       fix=sizes.what_fits(recipe, of, room * sizes.HEADROOM, share.devices))  # fmt: skip


def is_lacking(error: BaseException) -> bool:
    """Whether torch says that there is too little memory."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def explained(grounded: Grounded, share: Share, include: Sequence[Path] = ()) -> AkbError:
    """Too little memory while training, with what would fit."""
    recipe = grounded.recipe
    device = str(next(grounded.model.parameters()).device)
    of = sizes.counts(recipe, grounded.card, include)
    took = sizes.memory(recipe, of, share.micro_batch).whole
    room = min(float(checking.free(device)), took) * sizes.HEADROOM
    return AkbError(f"{share.micro_batch} rows at a time do not fit into the memory of {device}", where=recipe.where,
                    fix=sizes.what_fits(recipe, of, room, share.devices))  # fmt: skip
