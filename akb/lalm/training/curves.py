"""The curves of trainings: losses by step, of one alone or beside that on shuffled pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from akb.errors import AkbError
from akb.strict import read_jsonl


@dataclass(frozen=True)
class Curve:
    """Losses of a training, in nats a token of the responses.

    Attributes:
        steps: (step, loss) of every step; `held_out`: of the held-out rows, where that was computed.
    """

    label: str
    steps: tuple[tuple[int, float], ...]
    held_out: tuple[tuple[int, float], ...]

    def smooth(self) -> list[float]:
        """The mean over the last fiftieth of the steps, at each step."""
        losses = [loss for _, loss in self.steps]
        width = max(len(losses) // 50, 1)
        return [sum(losses[max(0, n - width + 1) : n + 1]) / min(n + 1, width) for n in range(len(losses))]


def read(log: Path, label: str = "") -> Curve:
    """The curve of a log.jsonl."""
    lines = [line for _, line in read_jsonl(log)]
    held = tuple((line["step"], line["eval_loss"]) for line in lines if "eval_loss" in line)
    return Curve(label, tuple((line["step"], line["loss"]) for line in lines), held)


def draw(curves: Sequence[Curve], picture: Path, title: str) -> bool:
    """The curves as a picture; whether it was drawn, which takes matplotlib (the extra `board`)."""
    from akb import plotting

    try:
        made = plotting.figure(6.4, 4.0)
    except AkbError:
        return False
    axes = made.add_subplot()
    for curve, colour, marker in zip(curves, plotting.COLOURS, plotting.MARKERS, strict=False):
        name = f"{curve.label}, " if curve.label else ""
        axes.plot(*zip(*curve.steps, strict=True), color=colour, alpha=0.2, linewidth=0.6)
        axes.plot([step for step, _ in curve.steps], curve.smooth(), color=colour, label=f"{name}trained on")
        if curve.held_out:
            axes.plot(*zip(*curve.held_out, strict=True), marker, color=colour, markersize=4, markerfacecolor="white",
                      label=f"{name}held out")  # fmt: skip
    axes.set(xlabel="step", ylabel="loss (nats a token)", title=title, xlim=(0, None))
    axes.legend(frameon=False)
    plotting.save(made, picture)
    return True
