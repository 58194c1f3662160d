"""What stands beside a score on audio questions, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from akb.cascades.controls import (
    FEW_CLUSTERS,
    OFFICIAL,
    QUESTION,
    Beside,
    as_heard,
    beside,
    official,
    unheard,
)
from akb.cascades.leaks import Leaks, leaks
from akb.report import percent
from akb.run import Run


def beside_told(run: Run, controls: Mapping[str, Run]) -> dict[str, Any]:
    """For --json: the controls, the official rule, and what captions give away; empty for a run without controls."""
    if not controls:
        return {}
    own = as_heard(run)
    told: dict[str, Any] = {
        "as heard": {"n": own.n, "clusters": own.clusters, "accuracy": own.value, "low": own.low, "high": own.high},
        "controls": [asdict(one) for one in beside(run, controls)], OFFICIAL: official(run), "unheard": unheard(run),
    }  # fmt: skip
    if captioned(run):
        told["captions"] = asdict(leaks(run, controls.get(QUESTION)))
    return told


def captioned(run: Run) -> bool:
    """Whether any question of a run was asked with a caption."""
    return any(trial.ask.get("captions") for trial, _ in run.judged())


def beside_table(run: Run, controls: Mapping[str, Run]) -> RenderableType:
    """The run's accuracy with its controls below it, and in words what else a reader must know."""
    whole = run.summary.rows[0]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "acc. %", "95 %\ninterval", "heard less\nthis", "95 %\ninterval", "p", "p (Holm)"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    heard = as_heard(run)
    table.add_row("as heard", percent(heard.value), f"{percent(heard.low)}-{percent(heard.high)}")
    found = beside(run, controls)
    for one in found:
        own, gain = f"{percent(one.low)}-{percent(one.high)}", f"{signed(one.gain_low)} to {signed(one.gain_high)}"
        table.add_row(one.label, percent(one.accuracy), own, signed(one.gain), gain, *map(p_value, (one.p, one.holm)))
    for label, share in (("first option", whole.first), ("longest option", whole.longest), ("chance", whole.chance)):
        table.add_row(label, percent(share))
    title = Text("beside it: what is right without hearing", style="bold")
    few = heard.clusters if heard.clusters < min(FEW_CLUSTERS, heard.n) else 0
    return Group(title, table, Text("\n".join(_notes(run, controls, found, few))))


def _notes(run: Run, controls: Mapping[str, Run], found: list[Beside], few: int) -> list[str]:
    lines = [""]
    if few:
        lines.append(few_templates(few))
    if missing := unheard(run):
        lines.append(f"{missing:,} questions could not be heard (no audio, or no caption of it): counted as wrong")
    if (share := official(run)) is not None:
        lines.append(f"by the string match of MMAU and MMAR, for comparison with published numbers: {percent(share)}")
    if captioned(run):
        lines += leak_lines(leaks(run, controls.get(QUESTION)))
    lines += [same_words(one) for one in found if one.same]
    only = next((one for one in found if one.label == QUESTION), None)
    if only is not None and only.gain_low <= 0 <= only.gain_high:
        lines.append("this run does not show that hearing adds anything to the question alone")
    return lines


def few_templates(count: int) -> str:
    """What to know of intervals that rest on few clusters."""
    return f"few templates ({count}): intervals rest on few independent questions"


def same_words(one: Beside) -> str:
    """How many of another item's captions are no other's, in words."""
    told = f"{one.label}: the same words as the item's own for {one.same:,} of {one.n:,} questions"
    if one.else_gain is None or one.else_low is None or one.else_high is None:
        return told
    return f"{told}; gain over it on the others: {signed(one.else_gain)} ({signed(one.else_low)} to " \
           f"{signed(one.else_high)})"  # fmt: skip


def leak_lines(told: Leaks) -> list[str]:
    """What captions give away, in words."""
    away, apart = (f"of {told.n:,} ({percent(count / told.n)} %)" for count in (told.given_away, told.apart))
    lines = [f"captions that hold the key's words and no other option's: {told.given_away:,} {away}; "
             f"those of one other option alone: {told.wrong_way:,}",
             f"captions that hold the words of some options and not of all: {told.apart:,} {apart}"]  # fmt: skip
    if told.accuracy_apart is not None and told.accuracy_else is not None:
        shares = f"{percent(told.accuracy_apart)}, elsewhere: {percent(told.accuracy_else)}"
        lines.append(f"accuracy where they do: {shares}")
    if told.gain is not None and told.gain_low is not None and told.gain_high is not None and told.p is not None:
        lines.append(f"gain over the question alone where they do not (looking for words is no help there): "
                     f"{signed(told.gain)} ({signed(told.gain_low)} to {signed(told.gain_high)}), "
                     f"p {p_value(told.p)}")  # fmt: skip
    return lines


def signed(value: float) -> str:
    """A difference of shares in points, with its sign."""
    return f"{100 * value:+.1f}"


def p_value(p: float) -> str:
    """A p to three digits, or that it is smaller than these show."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
