"""The training loop: rows in their order through the model, one optimiser step a batch.

The loss of a step is the mean over all labelled tokens of its batch, however that is cut into passes and shared among
devices: gradients are those of the whole batch. Order, dropout and learning rate are functions of recipe and step.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from akb.lalm.model import Lalm
from akb.lalm.recipe import TrainPart
from akb.lalm.saving import Grounded
from akb.lalm.training.batching import Order, Share, evaluation
from akb.lalm.training.checkpoints import Checkpoints, State
from akb.lalm.training.features import Reader
from akb.lalm.training.sharded import gathered, restore
from akb.lalm.training.stopping import Stop
from akb.lalm.training.watching import Guard, Log, Watch


def rate(train: TrainPart, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0: up in a line over the warm-up, then down to zero by the schedule.

    Cosine: half a period (Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5, without restarts).
    """
    if step < train.warmup:
        return train.lr * (step + 1) / (train.warmup + 1)
    if train.schedule == "constant":
        return train.lr
    gone = (step - train.warmup) / max(steps - train.warmup, 1)
    return train.lr * (0.5 * (1 + math.cos(math.pi * gone)) if train.schedule == "cosine" else 1 - gone)


@dataclass
class Loop:
    """A training in one process.

    Attributes:
        accelerator: of Accelerate; tells which device of how many this is.
        rows, held: readers of what is trained and evaluated on.
        steps: in all.
        made: digest of what it is made of, for checkpoints.
        state: where it stands; `saved`: the step of the last checkpoint.
        stopped: one of the devices' processes was told to stop.
    """

    accelerator: Any
    grounded: Grounded
    rows: Reader
    held: Reader
    order: Order
    share: Share
    steps: int
    checkpoints: Checkpoints
    log: Log
    watch: Watch
    stop: Stop
    made: str
    state: State = field(default_factory=partial(State, step=0))
    saved: int | None = None
    stopped: bool = False

    @property
    def train(self) -> TrainPart:
        return self.grounded.recipe.train

    @property
    def main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    # -- begin, go on --

    def prepare(self) -> None:
        """Weights and optimiser as the last checkpoint has them, or as at the start.

        Raises:
            AkbError: the checkpoint cannot be read, or is of another training.
        """
        from akb.lalm.saving import fill

        lalm, train = self.grounded.model, self.train
        steps = self.checkpoints.steps()
        found = self.checkpoints.read(steps[-1]) if steps else None
        if found is not None:
            self.checkpoints.must_be_of(found[0], self.made)
            fill(lalm, found[1], str(self.checkpoints.path(found[0].step)))
        parameters = list(lalm.trained_parameters().values())
        optimiser = torch.optim.AdamW(parameters, lr=train.lr, betas=train.betas, weight_decay=train.weight_decay,
                                      fused=True)  # fmt: skip
        self.model, self.optimiser = self.accelerator.prepare(lalm, optimiser)
        if found is not None:
            restore(self.accelerator, self.model, self.optimiser, found[2])
            self.state, self.saved = found[0], found[0].step
        if self.main:
            self.log.cut(self.state.step)
        self.accelerator.wait_for_everyone()
        self.guard = Guard(self.log.losses(), self.grounded.recipe.where)

    @property
    def kept(self) -> str:
        """What is kept, in words."""
        return "there is no checkpoint yet" if self.saved is None else f"the checkpoint of step {self.saved} is kept"

    # -- steps --

    def run(self) -> None:
        """All steps that are left.

        Raises:
            AkbError: the loss is no number or goes astray, a clip cannot be heard, or memory or disk do not suffice.
            KeyboardInterrupt: it was told to stop; what is done is kept.
        """
        begun = self.state.step
        self.watch.begins(begun, self.steps)
        lalm: Lalm = self.grounded.model
        batches = self.rows.batches(self._parts(begun))
        for step in range(begun, self.steps):
            line = self._step(step, batches)
            done = step + 1
            self.state = self.state.model_copy(update={"step": done})
            best = self._evaluate(line) if self._due(done, self.train.eval_every) else False
            if self.main:
                self.log.write(line)
            self.accelerator.log({k: v for k, v in line.items() if k != "step"}, step=done)
            self.watch.step(line)
            if best or self.stopped or self._due(done, self.train.save_every):
                self._save(lalm)
            if self.stopped:  # all devices' processes are
                self.leave()
                raise KeyboardInterrupt

    def leave(self) -> None:
        """Leave the group of processes; the loop is over.

        The model that is shared goes before the group: DistributedDataParallel would else be the last to hold it, and
        end the group's threads with the interpreter locked, for which one of them may be waiting to drop a tensor
        (a deadlock that was seen in torch 2.13, about once in fifty trainings).
        """
        self.accelerator.wait_for_everyone()
        del self.model, self.optimiser
        self.accelerator.free_memory()
        gc.collect()
        self.accelerator.end_training()

    def _parts(self, begun: int) -> Iterator[Any]:
        """This device's rows of every pass that is to come."""
        for step in range(begun, self.steps):
            yield from self.share.of(self.order.rows(step), self.accelerator.process_index)

    def _step(self, step: int, batches: Iterator[Any]) -> dict[str, Any]:
        started = time.perf_counter()
        devices, passes = self.share.devices, self.share.passes
        numbers = self.order.rows(step)
        labelled = int(self.rows.rows.labelled[numbers].sum())
        lr = rate(self.train, step, self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.model.train()
        total: Any = 0.0
        for number in range(passes):
            batch = next(batches).to(self.accelerator.device)
            torch.manual_seed(_seed(self.train.seed, step, number, self.accelerator.process_index))
            last = number == passes - 1
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                loss, tokens = self.model(batch)
                self.accelerator.backward(loss * (tokens / labelled * devices))  # DDP takes the mean over devices
            total = total + loss.detach().double() * tokens  # the device is waited for once, below
        total, stopped = self._sum(total, self.stop.told)
        mean, self.stopped = total / labelled, stopped > 0
        self.guard.loss(step + 1, mean, self.kept)
        norm = float(self.accelerator.clip_grad_norm_(self.model.parameters(), self.train.clip or math.inf))
        self.guard.gradient(step + 1, norm, self.kept)
        self.optimiser.step()
        self.optimiser.zero_grad()
        seconds, tokens = time.perf_counter() - started, int(self.rows.rows.lengths[numbers].sum())
        return {"step": step + 1, "loss": mean, "labelled": labelled, "lr": lr, "grad_norm": norm,
                "epoch": (step + 1) * self.train.batch / len(self.order), "tokens": tokens,
                "seconds": seconds, "tokens_per_s": tokens / seconds, "memory_gb": self._memory()}  # fmt: skip

    def _sum(self, *values: Any) -> list[float]:
        """Over devices."""
        found = torch.stack([torch.as_tensor(value, dtype=torch.float64, device=self.accelerator.device)
                             for value in values])  # fmt: skip
        if self.share.devices > 1:
            found = self.accelerator.reduce(found, "sum")
        told: list[float] = found.tolist()
        return told

    def _memory(self) -> float:
        device = self.accelerator.device
        if device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(device)) / 1e9
        import resource
        import sys

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9

    def _due(self, done: int, every: int | None) -> bool:
        """Whether something is to be done after so many steps: at its times, or at an epoch's end; and at the end."""
        if done == self.steps:
            return True
        if every is not None:
            return done % every == 0
        rows, batch = len(self.order), self.train.batch
        return done * batch // rows > (done - 1) * batch // rows

    # -- evaluation and checkpoints --

    def _evaluate(self, line: dict[str, Any]) -> bool:
        """Add the loss on held-out rows to a line of the log; whether it is the lowest so far."""
        if not len(self.held.rows):
            return False
        loss, tokens = self.evaluate()
        self.guard.held_out(self.state.step, loss, self.kept)
        line |= {"eval_loss": loss, "eval_tokens": tokens}
        if self.state.best is not None and loss >= self.state.best[0]:
            return False
        self.state = self.state.model_copy(update={"best": (loss, self.state.step)})
        return True

    def evaluate(self) -> tuple[float, int]:
        """The mean loss over labelled tokens of the held-out rows, and how many these are."""
        device, devices = self.accelerator.process_index, self.share.devices
        parts = list(evaluation(self.held.rows.lengths, self.share.micro_batch, devices, device))
        self.model.eval()
        total, count = 0.0, 0
        with torch.no_grad():
            batches = self.held.batches(part for part, _ in parts)
            for batch, (_, counts) in zip(batches, parts, strict=True):
                loss, tokens = self.model(batch.to(self.accelerator.device))
                if counts:
                    total, count = total + float(loss) * tokens, count + tokens
        self.model.train()
        total, tokens = self._sum(total, count)
        return total / tokens, int(tokens)

    def _save(self, lalm: Lalm) -> None:
        weights, optimiser = gathered(self.accelerator, self.model, lalm, self.optimiser)
        if self.main:
            state = self.state.model_copy(update={"torch": torch.__version__, "made": self.made})
            self.checkpoints.write(state, weights, optimiser)
        self.saved = self.state.step
        self.accelerator.wait_for_everyone()


def _seed(*parts: int) -> int:
    """One seed for a pass, unlike those of others."""
    import hashlib

    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "big")
