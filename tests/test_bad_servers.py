"""Whole runs against a server that fails three calls of ten: nothing is lost, swapped or asked more than it must be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from bad_server import FAULTS, WORDS, BadServer, choice, row, serving
from toys import Done, akb, akb_here, command, complaint, lines, task

from akb.calling import Retry
from akb.engine import Engine
from akb.run import Run
from akb.types import MODEL

MODULES = {"openai": "openai", "anthropic": "anthropic", "google": "google.genai"}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAD_KEY", "sk-of-nobody")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def arguments(server: BadServer, count: int, *more: object, api: str = "openai", **args: Any) -> list[object]:
    """`akb eval` of so many questions, in the folder `run`."""
    pytest.importorskip(MODULES[api])
    folder = Path(f"questions-{count}")
    if not folder.exists():
        task(folder, [row(number) for number in range(count)])
    base = server.url + ("/v1" if api == "openai" else "")
    told = {"base_url": base, "key_env": "BAD_KEY", "timeout": 0.5, "concurrency": 64, **args}
    settings = [part for name, value in told.items() for part in ("-s", f"model.{name}={value}")]
    return ["eval", "-m", f"{api}:toy", "-t", folder, *settings, "-o", "run", *more]


def finished(done: Done) -> Run:
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    run = Run.load("run")
    assert run.manifest.status == "finished"
    return run


def check_answers(run: Run, count: int) -> None:
    """Every question has the reply that the server gave to it, once, and is judged by that."""
    record = lines(run.path / "responses.jsonl")
    answered = [line for line in record if line["response"].get("finish", "stop") != "error"]
    assert Counter((line["trial"], line["request"]) for line in answered) == {
        (f"q{number:04d}", 0): 1 for number in range(count)
    }
    for line in answered:
        number = int(line["trial"][1:])
        assert line["response"]["text"].endswith(f") {WORDS[choice(number)]} {number}"), line
    judged = {trial.id: outcome.answers[0].chosen for trial, outcome in run.judged()}
    assert judged == {f"q{number:04d}": choice(number) for number in range(count)}
    assert run.accuracy == sum(choice(number) == number % 4 for number in range(count)) / count


def check_faults(run: Run, server: BadServer, count: int) -> Counter[str]:
    """The record tells the faults that the server says it served; returns these. A reply that came too late because
    this machine was busy is one more fault than that; it may be so with one question of a hundred."""
    told = {trial: response.notes.get("faults", []) for trial, _, response in run.responses()}
    served: dict[str, list[str]] = {name: [] for name in told}
    for question, what in server.log:
        if what in FAULTS:
            served[question].append(what)
    late = {name for name in told if server.answered()[name] > 1 or not _same(told[name], served[name])}
    assert len(late) <= count / 100, {name: (told[name], served[name]) for name in late}
    kinds = Counter(FAULTS[what][0] for found in served.values() for what in found)
    usage = run.manifest.usage[MODEL]
    assert (usage.answered, usage.failed, usage.cached) == (count, 0, 0)
    assert usage.served == {"toy": count}
    assert abs(sum(usage.faults.values()) - sum(kinds.values())) <= len(late)
    if not late:
        assert usage.faults == kinds
        assert server.asked().total() == count + sum(usage.faults.values())
    return Counter(what for found in served.values() for what in found)


def _same(told: list[str], served: list[str]) -> bool:
    return len(told) == len(served) and all(
        line.startswith(": ".join(FAULTS[what])) for line, what in zip(told, served, strict=True)
    )


# -- three calls of ten fail -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_eight_hundred_questions_are_answered_by_a_server_that_fails_three_calls_of_ten() -> None:
    with serving(BadServer(seed=8)) as server:
        started = time.monotonic()
        done = akb(*arguments(server, 800, "--json"))
        seconds = time.monotonic() - started
        run = finished(done)
        check_answers(run, 800)
        met = check_faults(run, server, 800)
    print(f"{seconds:.1f} s, {len(server.log)} calls, at most {server.most} at once, {dict(met)}")
    assert set(met) == set(FAULTS)
    assert 0.25 < met.total() / len(server.log) < 0.35
    [shown] = json.loads(done.stdout)
    assert shown["usage"][MODEL]["faults"] == run.manifest.usage[MODEL].faults
    assert shown["usage"][MODEL]["prompt_tokens"] == 80_000


@pytest.mark.slow
@pytest.mark.parametrize("api", ["anthropic", "google"])
def test_the_other_apis_are_borne_with_too(api: str) -> None:
    with serving(BadServer(seed=92)) as server:
        started = time.monotonic()
        run = finished(akb(*arguments(server, 200, api=api)))
        check_answers(run, 200)
        met = check_faults(run, server, 200)
    print(f"{time.monotonic() - started:.1f} s, {len(server.log)} calls, at most {server.most} at once, {dict(met)}")
    assert set(met) == set(FAULTS)


# -- a run that is stopped -------------------------------------------------------------------------------------


def stopped(server: BadServer, args: list[object], number: int, after: int) -> Done:
    """Run a command, and send it a signal once the server was called so often."""
    told = command(*args)
    with subprocess.Popen(
        told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        limit = time.monotonic() + 60
        while len(server.log) < after and time.monotonic() < limit:
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        return Done(told, process.returncode, out, err)


def recorded() -> set[str]:
    """The questions that have an answer on the record."""
    return {
        line["trial"]
        for line in lines(Path("run/responses.jsonl"))
        if line["response"].get("finish", "stop") != "error"
    }


def texts(folder: str) -> dict[str, str]:
    return {line["trial"]: line["response"]["text"] for line in lines(Path(folder) / "responses.jsonl")}


@pytest.mark.slow
def test_a_run_that_is_killed_five_times_asks_again_only_what_was_under_way() -> None:
    most, count = 16, 240
    lost: Counter[str] = Counter()
    with serving(BadServer(seed=12, pause=0.01)) as server:
        args = arguments(server, count, "--no-cache", concurrency=most, timeout=0.3)
        for point in sorted(Random(2603).sample(range(10, 300), 5)):
            had = recorded()
            before = server.asked()
            done = stopped(server, args, signal.SIGKILL, max(point, len(server.log) + 5))
            assert done.returncode == -signal.SIGKILL
            time.sleep(0.1)  # what was sent before it died is still being read
            assert not had & set(server.asked() - before), "what was recorded is not asked again"
            under_way = {name for name, times in server.answered().items() if times > lost[name]} - recorded()
            assert len(under_way) <= most
            lost.update(under_way)
        had, before = recorded(), server.asked()
        assert 0 < len(had) < count
        run = finished(akb(*args))
        assert not had & set(server.asked() - before)
        check_answers(run, count)
        assert server.asked() == server.answered() + Counter(name for name, what in server.log if what in FAULTS)
        late = {name for name, times in server.answered().items() if times > 1 + lost[name]}
        assert len(late) <= 2, "no more is asked again, but for replies that this machine was too busy to read in time"
    print(f"{lost.total()} answers were under way at five kills; {len(server.log)} calls")
    with serving(BadServer(share=0.0)) as server:
        whole = arguments(server, count, "--no-cache", "-o", "whole")
        assert akb(*whole).returncode == 0
    assert texts("run") == texts("whole")
    assert Path("run/outcomes.jsonl").read_bytes() == Path("whole/outcomes.jsonl").read_bytes()


def test_an_interrupt_says_how_to_go_on() -> None:
    with serving(BadServer(seed=58, pause=0.02)) as server:
        args = arguments(server, 60, concurrency=4)
        done = stopped(server, args, signal.SIGINT, 25)
        assert done.returncode == 130, done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert done.stderr.count("akb: interrupted") == 1
        assert "kept in run\n  Give the same command again to go on." in done.stderr
        had, before = recorded(), server.asked()
        assert len(server.answered()) - 4 <= len(had) < 60
        check_answers(finished(akb(*args)), 60)
        assert not had & set(server.asked() - before)


# -- a server that is away -------------------------------------------------------------------------------------


def test_a_server_that_takes_nobody_for_a_while_is_waited_for() -> None:
    with serving(BadServer(share=0.0, closed=2.0)) as server:
        run = finished(akb(*arguments(server, 100)))
        check_answers(run, 100)
        assert set(run.manifest.usage[MODEL].faults) == {"rate_limit"}
        assert max(server.asked().values()) <= 5, "pauses double, so that nobody asks on and on"


def test_a_server_that_is_not_there_is_told_in_one_message(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("akb.evaluation.Engine", partial(Engine, retry=Retry(tries=3, first=0.05)))
    args = arguments(BadServer(url="http://127.0.0.1:9"), 20)
    started = time.monotonic()
    complaint(
        akb_here(capfd, *args), "http://127.0.0.1:9", "the model cannot be asked: ", "onnect", "run the same again"
    )
    assert time.monotonic() - started < 60
    assert not Path("run/run.json").exists() or not recorded()


# -- what may be spent -----------------------------------------------------------------------------------------


@pytest.fixture
def healthy() -> Iterator[BadServer]:
    with serving(BadServer(share=0.0)) as server:
        yield server


def test_two_models_share_what_may_be_spent(healthy: BadServer) -> None:
    """An answer costs 100 * 20 + 10 * 80 = 2,800 millionths of a dollar."""
    price = 0.0028
    args = arguments(healthy, 40, prices="{input: 20, output: 80}", concurrency=4)
    args = [part for part in args if part not in ("-o", "run")]
    args[args.index("openai:toy")] = "openai:toy,openai:toy-2"
    complaint(akb(*args, "--max-cost", "0.2"), "--max-cost", "the cost limit is reached", "higher limit")
    spent = len(healthy.log)
    assert 40 < spent < 80
    assert spent * price <= 0.2
    done = akb(*args, "--max-cost", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert len(healthy.log) == 80, "what was paid for is not asked again"
    assert [run["usage"][MODEL]["cost"] for run in json.loads(done.stdout)] == [pytest.approx(40 * price)] * 2
    assert akb(*args, "--max-cost", "1").stdout.count("cost: $0.1120 (4,000 tokens read and 400 written)") == 2
    assert "OPENAI_API_KEY" not in os.environ
