"""Toys for the tests: models that count what they are asked, questions, plugins, and the command line as a process."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from akb.cli.app import main
from akb.types import Capabilities, Choose, Fault, Request, Response, Score, request_key

TESTS = Path(__file__).parent
SCRIPT = Path(sys.executable).with_name("akb")
BATCH = 4

Done = subprocess.CompletedProcess[str]


# -- models ----------------------------------------------------------------------------------------------------


class Toy:
    """Answers by the hash of what it reads; each request leaves a line in a log before it is answered."""

    capabilities = Capabilities(choose=True, generate=True, audio=True)

    def __init__(self, log: Path, pause: float = 0.0, **told: Any) -> None:
        self.log, self.pause, self.told = log, pause, told

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "toy/1", "model": "toy", **self.told}

    def answer(self, request: Request) -> Response:
        """The reply; a seventh of them cannot be read."""
        draw = int(request_key(request, {})[:8], 16)
        if isinstance(request, Choose):
            return Response(
                scores=tuple(
                    tuple(Score(-float((draw >> place) % 11 + place / 8), 1, len(text)) for text in group)
                    for place, group in enumerate(request.continuations)
                )
            )
        if not request.options:
            return Response(text=f"a caption, number {draw % 97}")
        if draw % 7 == 0:
            return Response(text="Qui sait ? — 也许", reasoning="ñ")
        return Response(text=f"({request.options[draw % len(request.options)].label})")

    def note(self, request: Request) -> None:
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{told_of(request)}\n")

    def close(self) -> None:
        """Nothing to give back."""


class LocalToy(Toy):
    """A toy that is asked in batches."""

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        return [range(i, min(i + BATCH, len(requests))) for i in range(0, len(requests), BATCH)]

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(batches):
            for request in batch:
                self.note(request)
            time.sleep(self.pause)
            yield number, [self.answer(request) for request in batch]


class RemoteToy(Toy):
    """A toy that is asked single requests side by side."""

    concurrency = BATCH

    async def ask_one(self, request: Request) -> Response:
        self.note(request)
        await anyio.sleep(self.pause * (1 + int(request_key(request, {})[:2], 16) % 3))
        return self.answer(request)

    def classify(self, error: Exception) -> Fault:
        return Fault.fatal(str(error))


TOYS: dict[str, Callable[..., LocalToy | RemoteToy]] = {"local": LocalToy, "remote": RemoteToy}


def build(card: Any, args: Mapping[str, Any]) -> LocalToy | RemoteToy:
    """The plugin's factory: toy:local and toy:remote."""
    return TOYS[card.model](Path(args["log"]), float(args.get("pause", 0.0)))


def told_of(request: Request) -> str:
    """Which question a request is about, and which of its requests it is."""
    found = re.search(r"\bq\d+", request.messages[-1].text)
    return f"{found[0] if found else '?'} {request_key(request, {})[:16]}"


def asked(log: Path) -> list[str]:
    """What was asked so far, a line a request."""
    return log.read_text("utf-8").splitlines() if log.exists() else []


# -- questions -------------------------------------------------------------------------------------------------


def row(number: int) -> dict[str, Any]:
    """A question of the toy task."""
    options = [f"{word} {number}" for word in ("thunder", "whisper", "creak", "cœur")]
    text = f"q{number:03d}: which of these is right?"
    return {"id": f"q{number:03d}", "question": text, "options": options, "answer": number % 4}


def task(folder: Path, rows: int | Sequence[Mapping[str, Any]] = 12, name: str = "toy-task") -> Path:
    """A folder with a task of so many (or these) questions."""
    folder.mkdir(parents=True, exist_ok=True)
    told = [row(n) for n in range(rows)] if isinstance(rows, int) else rows
    (folder / "task.yaml").write_text(f'name: {name}\nversion: "1"\nquestions: [questions.jsonl]\n', "utf-8")
    lines = (json.dumps(r, ensure_ascii=False) + "\n" for r in told)
    (folder / "questions.jsonl").write_text("".join(lines), "utf-8")
    return folder


# -- plugins and the command line ------------------------------------------------------------------------------


def plugin(site: Path, group: str, entries: Mapping[str, str], modules: Mapping[str, str] | None = None) -> str:
    """An installed package with entry points, as far as Python can tell; returns the PYTHONPATH that installs it."""
    info = site / f"{group.replace('.', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {group.replace('.', '-')}\nVersion: 1.0\n", "utf-8")
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
    for name, text in (modules or {}).items():
        (site / f"{name}.py").write_text(text, "utf-8")
    return os.pathsep.join([str(site), str(TESTS)])


def toy_plugin(folder: Path) -> str:
    """PYTHONPATH with the toys installed (once) as the adapter `toy`."""
    site = folder / "site"
    if site.exists():
        return os.pathsep.join([str(site), str(TESTS)])
    return plugin(site, "akb.adapters", {"toy": "toys:build"})


def command(*args: object) -> list[str]:
    """The command line as users have it."""
    return [str(SCRIPT), *map(str, args)]


def akb(*args: object, seconds: float = 120, **env: str) -> Done:
    """Run a command in a process of its own, in the current folder."""
    return subprocess.run(
        command(*args), env={**os.environ, **env}, capture_output=True, text=True, encoding="utf-8", timeout=seconds
    )


def akb_here(capfd: pytest.CaptureFixture[str], *args: object) -> Done:
    """Run a command in this process, for what would import torch once more."""
    argv, sys.argv = sys.argv, ["akb", *map(str, args)]
    try:
        main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    finally:
        sys.argv = argv
    return Done(sys.argv, code, *capfd.readouterr())


def complaint(done: Done, *wanted: str) -> str:
    """The one clear message of a command that failed; it must say what is wanted."""
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert done.returncode == 2, (done.returncode, done.stdout[-300:], done.stderr)
    assert done.stderr.startswith("akb: "), done.stderr
    assert sum(line.startswith("akb: ") for line in done.stderr.splitlines()) == 1, done.stderr
    assert "this is a fault of akb" not in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) <= 3, done.stderr
    for text in wanted:
        assert text in done.stderr, (text, done.stderr)
    return done.stderr


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file; an unfinished last line is left out."""
    text = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]


def answers(folder: Path) -> list[tuple[str, int, str, str]]:
    """What a run recorded, sorted, without the time that it took."""
    found = []
    for line in lines(folder / "responses.jsonl"):
        line["response"].pop("seconds")
        found.append((line["trial"], line["request"], line["key"], json.dumps(line["response"], sort_keys=True)))
    return sorted(found)


def digest(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder; for "nothing was touched"."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != ".lock")
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
