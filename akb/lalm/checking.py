"""Two training steps with real shapes and random data, before hours are spent."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from akb.adapters.loading import check_device
from akb.errors import AkbError
from akb.lalm.prompting import IGNORED, Batch, Row, collate
from akb.lalm.recipe import Recipe
from akb.lalm.saving import Grounded, untrained
from akb.lalm.training.batching import share
from akb.lalm.training.memory import Room, free

STEPS = 2


@dataclass(frozen=True)
class Checked:
    """What two steps took.

    Attributes:
        rows: that went through the model at once; `tokens` of each.
        seconds: of each pass forward and backward with its update; the first holds what is done once.
        step_seconds: what a step of the recipe's whole batch takes on this device alone, from the last of them.
        losses: nats a token, on random data.
        peak: bytes at most on the GPU, or of the process; `estimate`: what was foretold.
        placeholder: the token that stands where clips are; `end`: the one that ends a response.
    """

    device: str
    rows: int
    tokens: int
    seconds: tuple[float, ...]
    step_seconds: float
    losses: tuple[float, ...]
    peak: int
    estimate: float
    placeholder: str
    end: str


def check(recipe: Recipe, *, include: Sequence[Path] = (), device: str = "auto", most: int | None = None) -> Checked:
    """Load all parts and take two steps.

    Args:
        device: "auto" (CUDA, else the CPU), or a torch device.
        most: bytes that may be used; null: what is free there.

    Raises:
        AkbError: something is missing or does not suit, there is too little memory (and what would fit), or the loss
            is not finite.
    """
    device = ("cuda:0" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    check_device(device, recipe.where)
    whole = share(recipe.train, 1, recipe.where)
    rows = whole.micro_batch
    room = Room(recipe, whole, device, free(device) if most is None else most, include)
    room.check()
    with room.explained():
        grounded = untrained(recipe, include=include, device=device)
        batch = random_batch(grounded, rows).to(device)
        seconds, losses = _steps(grounded, batch, device)
    if not all(math.isfinite(loss) for loss in losses):
        raise AkbError(f"the loss is {', '.join(str(loss) for loss in losses)}", where=recipe.where,
                       fix="Try train.precision: fp32, or a smaller train.lr.")  # fmt: skip
    prompting = grounded.prompting
    return Checked(
        device,
        rows,
        batch.ids.shape[1],
        tuple(seconds),
        seconds[-1] * recipe.train.batch / rows,
        tuple(losses),
        _peak(device),
        room.need,
        prompting.written,
        str(prompting.tokenizer.convert_ids_to_tokens(prompting.end)),
    )


def random_batch(grounded: Grounded, rows: int) -> Batch:
    """Rows of the longest length, a clip of noise at the beginning of each and a label on all that follows it."""
    train, queries = grounded.recipe.train, grounded.prompting.queries
    encoder = grounded.model.encoder
    if encoder is None:
        raise ValueError("the encoder is wanted for a check")
    draw = torch.Generator().manual_seed(train.seed)
    if queries + 2 > train.max_length:
        raise AkbError(f"train.max_length is {train.max_length}; {queries} vectors and a response do not fit",
                       where=grounded.recipe.where)  # fmt: skip
    words = torch.randint(len(grounded.prompting.tokenizer), (rows, train.max_length), generator=draw)
    words[:, 1 : 1 + queries] = grounded.prompting.placeholder
    made, features = [], {}
    for number, ids in enumerate(words.tolist()):
        labels = (*[IGNORED] * (1 + queries), *ids[1 + queries :])
        made.append(Row(tuple(ids), labels, (1,), (str(number),)))
        features[str(number)] = torch.randn(encoder.extractor.feature_size, encoder.frames, generator=draw)
    return collate(made, grounded.prompting.fill, features=features)


def _steps(grounded: Grounded, batch: Batch, device: str) -> tuple[list[float], list[float]]:
    train, model = grounded.recipe.train, grounded.model.train()
    parameters = list(model.trained_parameters().values())
    optimiser = torch.optim.AdamW(parameters, lr=train.lr, betas=train.betas, weight_decay=train.weight_decay)
    seconds, losses = [], []
    for _ in range(STEPS):
        started = time.perf_counter()
        loss, _tokens = model(batch)
        loss.backward()
        if train.clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, train.clip)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))  # waits for the device
        seconds.append(time.perf_counter() - started)
    return seconds, losses


def _peak(device: str) -> int:
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated(device))
    import resource
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
