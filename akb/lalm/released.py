"""The released weights of DeSTA2.5-Audio, by key.

The release holds what its training changed, under names of its own: those of transformers' BERT for the Q-Former. Here
query, key and value stand fused, so several of its tensors become one of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from akb.adapters.loading import explained_load
from akb.errors import AkbError
from akb.lalm.saving import Grounded, fill
from akb.lalm.shapes import Shape

PREFIX = "perception.connector."
PARTS = ("weight", "bias")
FIX = "A connector of the same queries, layers and taps is wanted: recipe desta2.5-audio."


def sources(shape: Shape) -> dict[str, tuple[str, ...]]:
    """For each of a connector's tensors the released ones of which it is made, put one after another."""
    made: dict[str, tuple[str, ...]] = {
        "queries": tuple(f"layer_prompts.{tap}" for tap in range(shape.taps)),
        "mix": ("layer_weights",),
    }
    for part in PARTS:
        made[f"norm.{part}"], made[f"project.{part}"] = (f"proj.0.{part}",), (f"proj.1.{part}",)
        for number in range(shape.layers):
            ours, theirs = f"layers.{number}", f"qformer.layer.{number}"
            own, cross = f"{theirs}.attention", f"{theirs}.crossattention"
            fused = [f"{own}.self.{name}.{part}" for name in ("query", "key", "value")]
            made[f"{ours}.attention.query_key_value.{part}"] = tuple(fused)
            made[f"{ours}.crossing.query.{part}"] = (f"{cross}.self.query.{part}",)
            made[f"{ours}.crossing.key_value.{part}"] = (f"{cross}.self.key.{part}", f"{cross}.self.value.{part}")
            for mine, name in (("attention", own), ("crossing", cross)):
                made[f"{ours}.{mine}.out.{part}"] = (f"{name}.output.dense.{part}",)
                made[f"{ours}.{mine}.norm.{part}"] = (f"{name}.output.LayerNorm.{part}",)
            made[f"{ours}.inner.{part}"] = (f"{theirs}.intermediate.dense.{part}",)
            made[f"{ours}.outer.{part}"] = (f"{theirs}.output.dense.{part}",)
            made[f"{ours}.norm.{part}"] = (f"{theirs}.output.LayerNorm.{part}",)
    return made


def translated(state: Mapping[str, Tensor], shape: Shape, where: str) -> dict[str, Tensor]:
    """Released tensors as those of a `Lalm`, by its names.

    Raises:
        AkbError: some are missing or over, with their names.
    """
    wanted = sources(shape)
    names = {PREFIX + name for several in wanted.values() for name in several}
    missing, over = sorted(names - set(state)), sorted(set(state) - names)
    if missing or over:
        told = [f"{len(some)} {what}: {', '.join(some[:12])}{' ...' if len(some) > 12 else ''}"
                for what, some in (("missing", missing), ("not known", over)) if some]  # fmt: skip
        raise AkbError(f"these are not the weights that were expected; {'; '.join(told)}", where=where, fix=FIX)
    try:
        return {
            f"connector.{name}": torch.cat([state[PREFIX + one] for one in several]).float()
            for name, several in wanted.items()
        }
    except RuntimeError as error:  # shapes that cannot stand one after another
        raise AkbError(f"the weights do not fit together: {error}", where=where, fix=FIX) from None


def load(grounded: Grounded, path: Path) -> None:
    """Fill a model with released weights, from a safetensors file or a folder with one or several.

    Raises:
        AkbError: there are none, or they do not fit the model.
    """
    from safetensors.torch import load_file

    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise AkbError("there are no weights in safetensors files", where=str(path))
    state: dict[str, Tensor] = {}
    with explained_load(str(path), "weights"):
        for file in files:
            state |= load_file(str(file))
    fill(grounded.model, translated(state, grounded.model.connector.shape, str(path)), str(path))
