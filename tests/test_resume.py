"""A run that was killed or interrupted goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

import pytest
from toys import (
    BATCH,
    TOYS,
    LocalToy,
    RemoteToy,
    akb,
    answers,
    asked,
    command,
    complaint,
    digest,
    lines,
    task,
    toy_plugin,
)

from akb import evaluate
from akb.errors import AkbError
from akb.records import Record
from akb.run import Run
from akb.types import Generate, Message, Option, Outcome, Question, Request, Response, Status, Task, Trial

N = 48
POINTS = 20
KINDS = ("local", "remote", "chain")


class Chain:
    """A cascade in small: a captioner is asked first, the model gets the caption."""

    name, version = "chain", "1"

    def questions(self) -> Iterable[Question]:
        return [Question(f"q{n:03d}", f"q{n:03d}: which?", ("yes", "no", "both"), n % 3) for n in range(N // 2)]

    def trial(self, question: Question) -> Trial:
        return Trial(question.id, question)

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        if not responses:
            return [Generate((Message("user", (f"describe {trial.id}",)),), to="captioner")]
        if len(responses) > 1:
            return []
        options = tuple(Option(label, text) for label, text in zip("ABC", trial.question.options, strict=True))
        return [Generate((Message("user", (f"{responses[0].text} {trial.question.text}",)),), options=options)]

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        right = (responses[1].text or "").startswith(f"({'ABC'[trial.question.answer]})")
        return Outcome(Status.OK, float(right), reason=str(responses[0].text))

    def describe(self) -> Mapping[str, Any]:
        return {"name": self.name, "version": self.version}


def start(kind: str, folder: Path, *, cache: bool = False) -> Run:
    """Run (or go on with) a toy run in `folder`/run, with its log beside it."""
    log = folder / "asked.log"
    if kind == "chain":
        whole: str | Task = Chain()
        model: LocalToy | RemoteToy = RemoteToy(log)
    else:
        whole, model = str(folder.parent / "questions"), TOYS[kind](log)
    parties = {"captioner": LocalToy(log, model="captioner")}
    return evaluate(model, whole, parties=parties, out=folder / "run", cache=cache)


OPENED = Record.open.__func__.__code__  # type: ignore[attr-defined]
ADDED = Record.add.__code__


def killed(kind: str, folder: Path, at: int, since: CodeType = OPENED, *, cache: bool = False) -> bool:
    """Run in a child that gets kill -9 at its `at`-th step (a Python or C call) after `since` was first called.

    Returns:
        Whether it was killed; if not, the number of its steps is in the file `steps`.
    """
    folder.mkdir(exist_ok=True)
    pid = os.fork()
    if pid == 0:
        steps = -1

        def step(frame: FrameType, event: str, arg: object) -> None:
            nonlocal steps
            if steps < 0 and frame.f_code is since:
                steps = 0
            if steps >= 0 and event in ("call", "c_call"):
                if steps == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                steps += 1

        try:
            sys.setprofile(step)
            start(kind, folder, cache=cache)
            sys.setprofile(None)
            (folder / f"steps-{since.co_name}").write_text(str(steps), "utf-8")
        except BaseException:
            sys.setprofile(None)
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def steps(kind: str, place: Path, since: CodeType = OPENED) -> int:
    """How many steps the uninterrupted run took."""
    return int((place / kind / f"steps-{since.co_name}").read_text("utf-8"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the questions and, for each kind of run, one that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    task(folder / "questions", N)
    (folder / "warm").mkdir()
    start("remote", folder / "warm")  # what a process does once (compiling patterns) is no part of the steps
    for kind in KINDS:
        assert not killed(kind, folder / kind, -1, ADDED)
        shutil.rmtree(folder / kind / "run")
        (folder / kind / "asked.log").unlink()
        assert not killed(kind, folder / kind, -1)
    return folder


def point(kind: str, place: Path, number: int) -> tuple[int, CodeType]:
    """The `number`-th of the random points at which runs of this kind are killed: most while answers come in."""
    since = OPENED if number < POINTS // 4 else ADDED
    return Random(f"{kind} 2603.19195").sample(range(steps(kind, place, since)), POINTS)[number], since


def check_whole(kind: str, place: Path, folder: Path) -> None:
    """The run in `folder` is the one that nobody interrupted."""
    assert (folder / "run/outcomes.jsonl").read_bytes() == (place / kind / "run/outcomes.jsonl").read_bytes()
    assert (folder / "run/trials.jsonl").read_bytes() == (place / kind / "run/trials.jsonl").read_bytes()
    assert answers(folder / "run") == answers(place / kind / "run")


@pytest.mark.parametrize("number", range(POINTS))
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_killed_at_any_point_ends_as_one_that_was_not(kind: str, number: int, place: Path) -> None:
    folder = place / f"{kind}-{number}"
    was_killed = killed(kind, folder, *point(kind, place, number))
    before = lines(folder / "run/responses.jsonl")
    log = asked(folder / "asked.log")
    run = start(kind, folder)
    after = asked(folder / "asked.log")[len(log) :]
    assert was_killed or not after
    assert lines(folder / "run/responses.jsonl")[: len(before)] == before
    check_whole(kind, place, folder)
    whole = len(answers(folder / "run"))
    assert len(after) == whole - len(before), "nothing recorded is asked again, and all else is"
    assert len(log) + len(after) <= whole + BATCH, "at most what was in flight is asked twice"
    assert len({(trial, request) for trial, request, _, _ in answers(folder / "run")}) == whole
    assert run.manifest.status == "finished"


def test_a_run_killed_over_and_over_ends_as_one_that_was_not(place: Path) -> None:
    folder = place / "over-and-over"
    whole, recorded = steps("remote", place, ADDED), []
    for since, share in ((ADDED, 0.2), (OPENED, 0.1), (ADDED, 0.2), (ADDED, 0.0), (ADDED, 0.1)):
        assert killed("remote", folder, int(whole * share), since)
        recorded.append(len(answers(folder / "run")))
    assert recorded == sorted(recorded)
    assert 0 < recorded[0] < recorded[-1]
    start("remote", folder)
    check_whole("remote", place, folder)


@pytest.mark.parametrize("full", [BATCH, N // 2 + 3], ids=["in a batch", "in a stream"])
def test_a_line_that_was_cut_at_any_byte_is_asked_again_and_no_other(full: int, place: Path, tmp_path: Path) -> None:
    whole = place / "chain/run"
    *before, last = (whole / "responses.jsonl").read_bytes().splitlines(keepends=True)[: full + 1]
    manifest = json.loads((whole / "run.json").read_text("utf-8"))
    manifest |= {"status": "running", "finished": None, "sha256": {}}
    for cut in range(len(last)):
        folder = tmp_path / str(cut)
        (folder / "run").mkdir(parents=True)
        shutil.copy(whole / "trials.jsonl", folder / "run")
        (folder / "run/run.json").write_text(json.dumps(manifest), "utf-8")
        (folder / "run/responses.jsonl").write_bytes(b"".join(before) + last[:cut])
        start("chain", folder)
        assert len(asked(folder / "asked.log")) == N - full
        check_whole("chain", place, folder)


# -- the command line ------------------------------------------------------------------------------------------


def toy_command(tmp_path: Path, kind: str, *more: str) -> list[str]:
    questions = task(tmp_path / "questions", N)
    told = f"model.log={tmp_path / 'asked.log'}"
    return command(
        "eval", "-m", f"toy:{kind}", "-t", questions, "--no-cache", "-s", told, "-s", "model.pause=0.01", *more
    )


def _interruptible() -> None:
    """A shell that runs its jobs in the background has them ignore interrupts, and what they start inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stopped(tmp_path: Path, args: Sequence[str], number: int, after: int) -> subprocess.CompletedProcess[str]:
    """Run a command and send it a signal once it has asked so many requests."""
    env = {**os.environ, "PYTHONPATH": toy_plugin(tmp_path)}
    with subprocess.Popen(
        args, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_interruptible
    ) as process:
        limit = time.monotonic() + 60
        while len(asked(tmp_path / "asked.log")) < after and time.monotonic() < limit:
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(args, process.returncode, out, err)


@pytest.mark.parametrize("kind", ["local", "remote"])
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["table", "json"])
def test_an_interrupt_keeps_what_was_answered_and_says_how_to_go_on(
    kind: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    args = toy_command(tmp_path, kind, *more)
    done = stopped(tmp_path, args, signal.SIGINT, after=14)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.count("akb: interrupted") == 1
    assert "Give the same command again" in done.stderr
    (manifest,) = (tmp_path / "runs").rglob("run.json")
    folder = manifest.parent
    assert str(folder.relative_to(tmp_path)) in done.stderr
    before, log = lines(folder / "responses.jsonl"), asked(tmp_path / "asked.log")
    assert len(log) - BATCH <= len(before) < N
    again = subprocess.run(
        args, env={**os.environ, "PYTHONPATH": toy_plugin(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert again.returncode == 0, again.stderr
    assert len(asked(tmp_path / "asked.log")) - len(log) == N - len(before)
    assert lines(folder / "responses.jsonl")[: len(before)] == before
    assert Run.load(folder).summary.rows[0].n == N


def test_a_command_killed_in_the_middle_goes_on_when_given_again(tmp_path: Path) -> None:
    args = toy_command(tmp_path, "local")
    for after in (5, 20, 37):
        done = stopped(tmp_path, args, signal.SIGKILL, after)
        assert done.returncode == -signal.SIGKILL
    env = {**os.environ, "PYTHONPATH": toy_plugin(tmp_path)}
    assert subprocess.run(args, env=env, capture_output=True, timeout=60).returncode == 0
    assert len(asked(tmp_path / "asked.log")) <= N + 3 * BATCH
    (outcomes,) = (tmp_path / "runs").rglob("outcomes.jsonl")
    assert len(lines(outcomes)) == N == len(answers(outcomes.parent))


@pytest.mark.parametrize("more", [(), ("--fresh",)], ids=["as it is", "--fresh"])
def test_a_second_run_in_a_folder_is_told_so_and_leaves_the_first_alone(more: tuple[str, ...], tmp_path: Path) -> None:
    args = toy_command(tmp_path, "local", "--out", "mine")
    env = {**os.environ, "PYTHONPATH": toy_plugin(tmp_path)}
    with subprocess.Popen(args, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        while len(asked(tmp_path / "asked.log")) < 4:
            assert first.poll() is None
            time.sleep(0.001)
        first.send_signal(signal.SIGSTOP)
        log = asked(tmp_path / "asked.log")
        second = akb(*args[1:], *more, PYTHONPATH=env["PYTHONPATH"])
        complaint(second, "mine: another akb process is writing to this run", "--out")
        first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert len(asked(tmp_path / "asked.log")) == N >= len(log)
    assert Run.load(tmp_path / "mine").summary.rows[0].n == N


def test_the_same_command_again_reads_the_finished_run_and_touches_nothing(place: Path) -> None:
    folder = place / "local"
    before, log = digest(folder / "run"), asked(folder / "asked.log")
    assert start("local", folder).manifest.status == "finished"
    assert digest(folder / "run") == before
    assert asked(folder / "asked.log") == log


def test_another_run_cannot_take_the_folder_of_one_that_is_there(place: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(place / "local/run", tmp_path / "run")
    before = digest(folder)
    parties = {"captioner": LocalToy(tmp_path / "log", model="captioner")}
    with pytest.raises(AkbError, match="holds another run; it differs in seed: 0 -> 1"):
        evaluate(LocalToy(tmp_path / "log"), str(place / "questions"), parties=parties, out=folder, seed=1)
    assert digest(folder) == before
