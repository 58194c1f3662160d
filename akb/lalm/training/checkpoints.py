"""Checkpoints: all that a training needs to go on as if it had not been stopped.

Order and dropout are drawn anew from recipe and step, and the learning rate is a function of the step; so weights,
optimiser and step are all of it. A checkpoint is there whole or not at all.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from akb.errors import AkbError
from akb.files import explained
from akb.lalm.training.record import ANEW, ROOM
from akb.strict import Strict, parse, read_text

WEIGHTS, OPTIMISER, STATE = "model.safetensors", "optimiser.pt", "state.json"
KEPT = 2


class State(Strict):
    """state.json: where a training stands.

    Attributes:
        step: optimiser steps that are done.
        best: the lowest loss on held-out rows up to here, and after which step; null: none was computed.
        made: digest of what the training is made of.
        torch: the version that wrote it.
    """

    step: int
    made: str = ""
    best: tuple[float, int] | None = None
    torch: str = ""


class Checkpoints:
    """The checkpoints of a training: the last two and the best are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def steps(self) -> list[int]:
        """Those that are there, the earliest first."""
        found = self.folder.glob("step-*")
        return sorted(int(one.name[5:]) for one in found if one.name[5:].isdigit() and (one / STATE).is_file())

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step}"

    def write(self, state: State, weights: Mapping[str, Tensor], optimiser: Mapping[str, Any]) -> None:
        """Keep a checkpoint, and let go of those that are no longer wanted.

        Raises:
            AkbError: a weight is no finite number, or it cannot be written.
        """
        from safetensors.torch import save

        if bad := [name for name, value in weights.items() if not bool(torch.isfinite(value).all())]:
            raise AkbError(f"after step {state.step} weights are no finite numbers: {', '.join(bad[:5])}",
                           where=str(self.folder), fix="Lower train.lr and begin anew with --fresh.")  # fmt: skip
        path = self.path(state.step)
        part = path.with_name(f".{path.name}.part")
        moments = io.BytesIO()  # torch.save tells of a full disk in an error of its own
        torch.save(dict(optimiser), moments)
        with explained(path, ROOM):
            for old in (path, *self.folder.glob(".step-*")):  # parts, too, of processes that were killed
                shutil.rmtree(old, ignore_errors=True)
            try:
                part.mkdir(parents=True)
                _write(part / WEIGHTS, save({name: value.contiguous() for name, value in weights.items()}))
                _write(part / OPTIMISER, moments.getbuffer())
                _write(part / STATE, (state.model_dump_json() + "\n").encode())
                part.replace(path)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        self._tidy(state)

    def _tidy(self, state: State) -> None:
        steps = self.steps()
        wanted = {*steps[-KEPT:], *([state.best[1]] if state.best else [])}
        for step in steps:
            if step not in wanted:
                gone = self.path(step).rename(self.folder / f".step-{step}.gone")
                shutil.rmtree(gone, ignore_errors=True)

    def must_be_of(self, state: State, made: str) -> None:
        """A checkpoint is one of the training that goes on.

        Raises:
            AkbError: it was made of other data or models, or by another recipe.
        """
        if state.made != made:
            raise AkbError("the checkpoint is of another training (recipe, data, backbone, encoder or order of rows "
                           "differ)", where=str(self.path(state.step)), fix=ANEW)  # fmt: skip

    def read(self, step: int) -> tuple[State, dict[str, Tensor], dict[str, Any]]:
        """A checkpoint: where it stands, weights, optimiser.

        Raises:
            AkbError: it cannot be read.
        """
        from safetensors.torch import load_file

        path = self.path(step)
        try:
            state = parse(State, json.loads(read_text(path / STATE)), str(path / STATE))
            weights: dict[str, Tensor] = load_file(str(path / WEIGHTS))
            optimiser: dict[str, Any] = torch.load(path / OPTIMISER, map_location="cpu", weights_only=True)
        except AkbError:
            raise
        except Exception as error:  # safetensors and pickle raise kinds of their own
            raise AkbError(f"the checkpoint cannot be read: {str(error).splitlines()[0] or error!r}", where=str(path),
                           fix="Remove this folder: the training goes on from the one before.") from None  # fmt: skip
        return state, weights, optimiser


def _write(path: Path, content: bytes | memoryview) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
