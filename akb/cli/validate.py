"""akb validate: check content before anybody runs on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akb.cli import options
from akb.errors import EXIT_ERROR


def validate(
    path: Annotated[
        Path | None, typer.Argument(help="A task's folder or a folder of content [default: akb's own].")
    ] = None,
    json: options.Json = False,
) -> None:
    """Check tasks, cards, protocols and prompts.

    Renders every question, proves computed keys, finds duplicates, unbalanced keys and telling lengths. Errors end
    with exit code 2; warnings do not."""
    from akb import report
    from akb.validation import check_content

    found = check_content(path)
    if json:
        report.print_json(found.to_dict())
    else:
        for finding in found.findings:
            report.show(f"{finding.level}: {finding.where}: {finding.what}")
        report.show(found.summary())
    if found.errors:
        raise typer.Exit(EXIT_ERROR)
