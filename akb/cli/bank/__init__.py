"""akb bank: tools for those who extend a bank of questions."""

from __future__ import annotations

import typer

from akb.cli.bank import checking, figures, growing, models, release, review

app = typer.Typer(help="Tools for a bank's makers.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _bank() -> None:
    """Tools for a bank's makers."""


app.command("check")(checking.check)
app.command("agreement")(checking.agreement)
app.command("stats")(figures.stats)
app.command("gap")(figures.gap)
app.command("generate")(models.generate)
app.command("verify")(models.verify)
app.command("compute")(growing.compute)
app.command("admit")(growing.admit)
app.command("release")(release.release)
app.command("review")(review.review)
