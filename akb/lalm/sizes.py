"""What a recipe takes before it is run: parameters, steps, tokens, memory and time on a named GPU.

Parameters are those of configurations (akb.lalm.counting). Memory and time are estimates, made as each function says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akb.adapters.cards import Card
from akb.errors import AkbError, unknown
from akb.lalm import counting
from akb.lalm.kept import ear_of
from akb.lalm.recipe import FEW, MOST, Recipe
from akb.lalm.shapes import Shape, shape_of, taps_of

UTILISATION = 0.35  # of a GPU's peak that training is assumed to reach
HEADROOM = 0.9  # of a GPU's memory that is planned with
GB = 10**9
# name: memory in GB, peak TFLOP/s of dense bf16 matrices; NVIDIA's data sheets
GPUS = {
    "A100-40G": (40, 312),
    "A100-80G": (80, 312),
    "H100-80G": (80, 989),
    "H200": (141, 989),
    "B200": (180, 2250),
    "L40S": (48, 362),
    "RTX-4090": (24, 165),
    "RTX-3090": (24, 71),
}


@dataclass(frozen=True)
class Counts:
    """What is in a grounded model.

    Attributes:
        llm, encoder, connector, lora: parameters.
        head, tokens: of the llm's, those of its output layer and of its token embeddings; tied: they are the same.
        width, layers, inner, key_values: of the llm (key_values: width of its keys).
        ear_*: of the encoder. `heads` of either are not needed: attention is fused.
        from_files: configurations are the models' own files, not the table's.
    """

    llm: int
    encoder: int
    lora: int
    head: int
    tokens: int
    tied: bool
    width: int
    layers: int
    inner: int
    key_values: int
    vocabulary: int
    ear_width: int
    ear_layers: int
    positions: int
    shape: Shape
    encoder_trained: bool
    from_files: bool

    @property
    def connector(self) -> int:
        return self.shape.parameters

    @property
    def trained(self) -> int:
        return self.connector + self.lora + (self.encoder if self.encoder_trained else 0)

    @property
    def frozen(self) -> int:
        return self.llm + (0 if self.encoder_trained else self.encoder)


def counts(recipe: Recipe, card: Card, include: Sequence[Path] = ()) -> Counts:
    """Parameters and widths, from configurations alone.

    Args:
        include: folders of the user's, in which encoders may lie.

    Raises:
        AkbError: a configuration is not at hand, the encoder's depth is unknown, or its width does not suit the heads.
    """
    text, own = counting.backbone(card.model, card.revision, recipe.lora, f"{recipe.where}: backbone")
    ear, own_ear = counting.ear(ear_of(recipe, include), recipe.encoder.revision, f"{recipe.where}: encoder")
    taps = taps_of(ear.layers, recipe.encoder.taps, f"{recipe.where}: encoder")
    shape = shape_of(recipe.connector, len(taps), ear.width, ear.heads, text.width, f"{recipe.where}: connector")
    return Counts(
        llm=text.whole,
        encoder=ear.whole,
        lora=text.lora,
        head=text.head,
        tokens=text.tokens,
        tied=text.tied,
        width=text.width,
        layers=text.layers,
        inner=text.inner,
        key_values=text.key_values,
        vocabulary=text.vocabulary,
        ear_width=ear.width,
        ear_layers=ear.layers,
        positions=ear.positions,
        shape=shape,
        encoder_trained=recipe.encoder.trained,
        from_files=own and own_ear,
    )


@dataclass(frozen=True)
class Memory:
    """Bytes on one device.

    Attributes:
        weights: of all parts; gradients and optimiser: of what is trained.
        activations: what the forward pass keeps for the backward pass.
    """

    weights: float
    gradients: float
    optimiser: float
    activations: float

    @property
    def whole(self) -> float:
        return self.weights + self.gradients + self.optimiser + self.activations


def memory(recipe: Recipe, of: Counts, micro_batch: int) -> Memory:
    """An estimate for `micro_batch` rows of the longest length, a clip each.

    Frozen weights take 2 bytes each under bf16 (4 under fp32), trained ones 4, with 4 of gradient and 8 of Adam's two
    moments (Rajbhandari et al. 2020, arXiv 1910.02054, section 3.1). Activations: see `_activations`. What the
    allocator wastes and the CUDA context takes is left to the tenth of the memory that is not planned with.
    """
    half = 2 if recipe.train.precision == "bf16" else 4
    kept = _activations(recipe, of, half) * micro_batch
    return Memory(of.frozen * half + of.trained * 4, of.trained * 4.0, of.trained * 8.0, kept)


def _activations(recipe: Recipe, of: Counts, half: int) -> float:
    """Bytes that a row keeps for the backward pass; counted layer by layer as in Korthikanti et al. 2022 (arXiv
    2205.05198, section 4), for frozen weights (whose inputs are not kept), fused attention and gated layers.

    A layer of the backbone keeps, for each token: two norms, which compute in fp32 (3 numbers of 4 bytes for each of
    its width), queries, keys, values and the attention's output, and three times the inner width. The connector keeps
    keys and values of every position, tap and layer. The output layer's logits and their gradient, which are there for
    a moment only, are in fp32 and once more in half precision, at labelled tokens.
    """
    train, shape = recipe.train, of.shape
    layer = 2 * 3 * 4 * of.width + half * (2 * of.width + 2 * of.key_values + 3 * of.inner)
    if train.checkpointing:
        llm = train.max_length * (of.layers * half * of.width + layer)
    else:
        llm = train.max_length * of.layers * layer
    heard = shape.taps * of.positions * shape.width * half
    queries = shape.taps * shape.queries * (4 * 10 * shape.width + half * (8 * shape.width + 2 * shape.inner))
    each = 2 * heard + queries
    connector = heard + each * (1 if train.checkpointing else shape.layers)
    logits = (train.max_length - shape.queries) * of.vocabulary * (2 * 4 + half)
    ear = of.positions * of.ear_width * half
    encoder = ear * (of.ear_layers * 34 / 2 if of.encoder_trained else 12)
    return llm + connector + max(logits, 0) + encoder


def row_flops(recipe: Recipe, of: Counts) -> float:
    """Floating-point operations of training on one row of the longest length with one clip.

    A weight takes 2 a token forward and 4 backward, half of which for its own gradient (Kaplan et al. 2020, arXiv
    2001.08361, section 2.1), which frozen weights do not have; attention takes 4 x width for each pair of tokens and
    layer forward. Checkpointing adds a forward pass. A frozen encoder has no backward pass.
    """
    train, shape = recipe.train, of.shape
    t, p, taps = train.max_length, of.positions, shape.taps
    again = 2 if train.checkpointing else 0
    body = of.llm - of.tokens - (0 if of.tied else of.head)
    llm = body * t * (4 + again) + 6 * of.lora * t + of.layers * 4 * of.width * t * t * (3 + again / 2) / 2
    logits = of.head * (t - shape.queries) * 4
    encoder = (2 * of.encoder * p + of.ear_layers * 4 * of.ear_width * p * p) * (3 if of.encoder_trained else 1)
    heard = 2 * 2 * shape.width**2 * p * taps * shape.layers  # keys and values
    others = (shape.parameters - 2 * shape.width**2 * shape.layers) * shape.queries * taps * 2
    connector = heard * (3 if of.encoder_trained else 2) + others * 3 + (heard + others) * again / 2
    return float(llm + logits + encoder + connector)


@dataclass(frozen=True)
class OnGpu:
    """How a recipe runs on one GPU.

    Attributes:
        micro_batch: rows at once: the recipe's, or the most that fit and can be set; 0: not one row fits.
        fits: whether the recipe's own can be set and do.
        need: memory for so many rows, or for one.
        hours: of the whole training on `gpus` of them; None where the number of steps is not known, or no row fits.
    """

    gpu: str
    gpus: int
    memory: float
    micro_batch: int
    fits: bool
    need: Memory
    row_seconds: float
    hours: float | None


def on_gpu(recipe: Recipe, of: Counts, name: str, gpus: int = 1, rows: int | None = None) -> OnGpu:
    """Memory and time on a named GPU, at UTILISATION of its peak.

    Raises:
        AkbError: the GPU is not known, or so many cannot share the batch.
    """
    known = {gpu.casefold(): gpu for gpu in GPUS}
    if name.casefold() not in known:
        raise unknown("GPU", name, GPUS, see=f"Known: {', '.join(GPUS)}.")
    gpu = known[name.casefold()]
    gigabytes, peak = GPUS[gpu]
    could = shares(recipe.train.batch, gpus)
    if not could:
        raise AkbError(f"train.batch of {recipe.train.batch} rows cannot be shared by {gpus} GPUs", where=recipe.where,
                       fix=f"Make it a multiple of {gpus}, or name another number of them: --gpus")  # fmt: skip
    asked, most = recipe.train.micro_batch or could[-1], largest(recipe, of, gigabytes * GB * HEADROOM)
    micro = max((n for n in could if n <= min(asked, most)), default=0)
    half = 1 if recipe.train.precision == "bf16" else 0.5
    seconds = row_flops(recipe, of) / (peak * 1e12 * UTILISATION * half)
    all_rows = steps(recipe, rows)
    hours = all_rows * recipe.train.batch * seconds / 3600 / gpus if all_rows is not None and micro else None
    return OnGpu(gpu, gpus, gigabytes * GB, micro, micro == asked, memory(recipe, of, max(micro, 1)), seconds, hours)


def shares(batch: int, devices: int) -> list[int]:
    """Numbers of rows at once with which so many devices can share a batch, the smallest first; none: they cannot."""
    each, rest = divmod(batch, devices)
    return [] if rest else [n for n in range(1, each + 1) if each % n == 0]


def largest(recipe: Recipe, of: Counts, room: float) -> int:
    """The most rows that go through the model at once in so many bytes; 0 if not one does."""
    fixed = memory(recipe, of, 0).whole
    each = memory(recipe, of, 1).whole - fixed
    return max(int((room - fixed) // each), 0)


def steps(recipe: Recipe, rows: int | None = None) -> int | None:
    """Optimiser steps; None where neither they nor the number of rows is known.

    Args:
        rows: of the data that was made; else the recipe's. Those that are held out are not trained on.
    """
    if recipe.train.steps is not None:
        return recipe.train.steps
    learned = learned_rows(recipe, rows)
    return None if learned is None else math.ceil(learned * recipe.train.epochs / recipe.train.batch)


def learned_rows(recipe: Recipe, rows: int | None = None) -> int | None:
    """Rows to train on: of those that there are, some are held out (exact, if every clip has as many as it should)."""
    known = [number for number in (rows, recipe.data.rows) if number is not None]
    if not known:
        return None
    every, share = min(known), recipe.train.held_out
    clips = math.ceil(every / recipe.data.per_clip)
    out = max(round(clips * min(share, MOST / every)), 1) if share > 0 and clips >= FEW else 0
    return every - out * recipe.data.per_clip


def what_fits(recipe: Recipe, of: Counts, room: float, devices: int = 1) -> str:
    """In words, the change that makes a recipe fit into so many bytes on each of some devices, which share a batch."""
    could = shares(recipe.train.batch, devices)
    if not could:
        return f"Make train.batch a multiple of the {devices} devices."
    for told, changed in _smaller(recipe):
        most = largest(changed, of, room)
        if most:
            return f"Set {told}train.micro_batch: {max(n for n in could if n <= most)}."
    least = min(memory(changed, of, 1).whole for _, changed in _smaller(recipe))
    return f"Nothing would: {least / GB:.1f} GB are needed for one row at a time, {room / GB:.1f} GB are there."


def _smaller(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    """The recipe and ways to make it smaller, the cheapest first."""
    changes: dict[str, Any] = {}
    yield "", recipe
    for setting, value in (("precision", "bf16"), ("checkpointing", True)):
        if getattr(recipe.train, setting) != value:
            changes[setting] = value
            told = "".join(f"train.{name}: {str(v).lower()}, " for name, v in changes.items())
            yield told, recipe.model_copy(update={"train": recipe.train.model_copy(update=changes)})
