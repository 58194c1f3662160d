"""The command line: one small file a subcommand. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from typing import Annotated, NoReturn

import typer

from akb.cli import (
    bank,
    caption,
    cascade,
    compare,
    correlate,
    doctor,
    eval,
    export,
    fetch,
    lalm,
    lalm_data,
    lalm_train,
    leaderboard,
    ls,
    merge,
    power,
    runs,
    score,
    show,
    validate,
)
from akb.errors import EXIT_ERROR, EXIT_INTERRUPTED, AkbError

app = typer.Typer(
    name="akb",
    help="Choose the backbone of an audio language model by text-only tests of auditory knowledge.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"akb {version('akb')}")
        raise typer.Exit


@app.callback()
def _akb(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Choose the backbone of an audio language model by text-only tests of auditory knowledge."""


app.command("eval")(eval.eval_)
app.command("caption")(caption.caption)
app.command("fetch")(fetch.fetch)
app.command("merge")(merge.merge)
app.command("score")(score.score)
app.command("show")(show.show)
app.command("compare")(compare.compare)
app.command("correlate")(correlate.correlate)
app.command("power")(power.power)
app.command("ls")(ls.ls)
app.command("validate")(validate.validate)
app.command("doctor")(doctor.doctor)
app.command("runs")(runs.runs)
app.add_typer(cascade.app, name="cascade")
app.add_typer(export.app, name="export")
app.add_typer(bank.app, name="bank")
lalm.app.command("data")(lalm_data.data)
lalm.app.command("train")(lalm_train.train)
app.add_typer(lalm.app, name="lalm")
app.add_typer(leaderboard.app, name="leaderboard")


LONG_NAME = 80  # characters of a name that an error shows


def main() -> None:
    """Run the command line; every error that a user can cause is one clear message and exit code 2."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed before we began, as some launchers do: what is printed goes nowhere
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 (to the end)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # while what it raises can still be told
    except AkbError as error:
        print(f"akb: {error}", file=sys.stderr)
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        print("akb: interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_ERROR)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # a name of anything may be a path; that it can be none is seen here
            name = str(error.filename)
            told = name if len(name) <= LONG_NAME else f"{name[:LONG_NAME]}... ({len(name):,} characters)"
            print(
                f"akb: {told}: this name is too long for a file\n  Look at the names that were given.", file=sys.stderr
            )
            sys.exit(EXIT_ERROR)
        if error.errno != errno.ENOSPC:
            _fault(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("akb: the output cannot be written: the disk is full\n  What was answered is kept.", file=sys.stderr)
        sys.exit(EXIT_ERROR)
    except Exception as error:
        _fault(error)


def _fault(error: Exception) -> NoReturn:
    """Tell of what should not happen, and keep the details out of the user's way."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="akb-error-", suffix=".txt", delete=False) as file:
            traceback.print_exc(file=file)
        details = f" The details, for a bug report: {file.name}"
    except OSError:  # no room for them
        details = ""
    print(
        f"akb: this is a fault of akb or of a plugin: {type(error).__name__}: {error}\n"
        f"  What was answered is kept.{details}",
        file=sys.stderr,
    )
    sys.exit(EXIT_ERROR)
