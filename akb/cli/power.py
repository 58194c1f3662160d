"""akb power: how many questions a difference takes, or how small a difference so many questions show."""

from __future__ import annotations

from typing import Annotated

import typer

from akb.cli import options
from akb.errors import AkbError


def power(
    discordance: Annotated[
        float,
        typer.Option(
            help="Share of questions on which one of the two models alone is right: above 0, up to 1, e.g. 0.2."
        ),
    ],
    n: Annotated[int | None, typer.Option("--n", "-n", help="Questions, 1 or more.")] = None,
    difference: Annotated[
        float | None,
        typer.Option(help="Difference of the two accuracies, in points: above 0, up to 100 times the discordance."),
    ] = None,
    wanted: Annotated[
        float, typer.Option("--power", help="Chance that a true difference is found: above alpha, below 1.")
    ] = 0.8,
    alpha: Annotated[float, typer.Option(help="Level of the test: above 0, below 1.")] = 0.05,
    comparisons: Annotated[
        int, typer.Option(help="Comparisons in the family, 1 or more: the level is shared among so many.")
    ] = 1,
    design: Annotated[
        float,
        typer.Option(help="Design effect of templates (akb compare --json tells it), above 0; 1: all independent."),
    ] = 1.0,
    json: options.Json = False,
) -> None:
    """Plan a comparison of two models on the same questions. E.g. akb power --n 2000 --discordance 0.2

    With --n alone, the smallest difference that is found; with --difference alone, the questions that it takes; with
    both, the power. McNemar's exact test, two-sided.
    """
    from akb import report

    if n is None and difference is None:
        raise AkbError("a number of questions or a difference is wanted", where="akb power",
                       fix="Give --n, --difference, or both.")  # fmt: skip
    if comparisons < 1:
        raise AkbError(f"--comparisons: {comparisons} is not 1 or more", where="akb power")
    for option, share in (("discordance", discordance), ("power", wanted), ("alpha", alpha)):
        if 1 < share <= 100:
            raise AkbError(f"--{option}: {share:g} is not from 0 to 1: a share is wanted", where="akb power",
                           fix=f"Did you mean {share / 100:g}?")  # fmt: skip
    if difference is not None and discordance > 0 and not 0 < difference / 100 <= discordance:
        most = f"{100 * discordance:g}, the discordance in points"
        raise AkbError(
            f"--difference: {difference:g} points is not from above 0 to {most}",
            where="akb power", fix="Two models cannot differ by more than the questions that one alone has right.",
        )  # fmt: skip
    level = alpha / comparisons
    try:
        found = _plan(discordance, n, None if difference is None else difference / 100, wanted, level, design)
    except ValueError as error:
        raise AkbError(str(error), where="akb power") from None
    setting = {"discordance": discordance, "alpha": level, "wanted_power": wanted, "design": design}
    if json:
        report.print_json({"n": n, "difference": None if difference is None else difference / 100, **setting, **found})
        return
    told = f"discordance {100 * discordance:g} %, level {level:.4g}, design effect {design:g}"
    report.show("\n".join([*_sentences(found, n, difference, wanted), f"({told}; two models on the same questions)"]))


def _plan(
    discordance: float, n: int | None, difference: float | None, wanted: float, alpha: float, design: float
) -> dict[str, float | int | None]:
    """What was asked for; shares, not points."""
    from akb.stats import power

    found: dict[str, float | int | None] = {}
    if n is not None:
        found["detectable"] = power.detectable(n, discordance, wanted, alpha, design)
    if difference is not None:
        found["needed"] = power.needed(discordance, difference, wanted, alpha, design)
    if n is not None and difference is not None:
        found["power"] = power.power(n, discordance, difference, alpha, design)
    return found


def _sentences(
    found: dict[str, float | int | None], n: int | None, difference: float | None, wanted: float
) -> list[str]:
    sure = f"power {100 * wanted:g} %"
    lines = []
    if "detectable" in found:
        least = found["detectable"]
        smallest = "no difference that this discordance allows" if least is None else f"{100 * least:.2f} points"
        lines.append(f"{n} questions show, with {sure}: {smallest}" + (" or more" if least is not None else ""))
    if "needed" in found:
        lines.append(f"{difference:g} points take, with {sure}: {found['needed']} questions")
    if (chance := found.get("power")) is not None:
        lines.append(f"{n} questions show a difference of {difference:g} points with power {100 * chance:.1f} %")
    return lines
