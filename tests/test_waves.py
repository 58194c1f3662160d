"""Requests that repeat within a wave, and trials whose first request fails."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from akb import AkbError, evaluate
from akb.scoring import judged
from akb.types import (
    Capabilities,
    Clip,
    Finish,
    Generate,
    Message,
    Outcome,
    Question,
    Request,
    Response,
    Status,
    Task,
    Trial,
)

N = 5


class Model:
    """Replies with what it was told, or fails."""

    capabilities = Capabilities(generate=True, audio=True)

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name, self.fails = name, fails
        self.asked: list[str] = []

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "toy/1", "model": self.name}

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        return [[number] for number in range(len(requests))]

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(batches):
            self.asked += [request.messages[-1].text for request in batch]
            heard = f"{self.name} {len(self.asked)}"
            yield number, [Response(finish=Finish.ERROR, error="gone")] if self.fails else [Response(text=heard)]

    def close(self) -> None:
        """Nothing to give back."""


class OneClip:
    """Questions about one and the same clip: described first, then asked."""

    name, version = "one-clip", "1"

    def describe(self) -> Mapping[str, Any]:
        return {"name": self.name, "version": self.version}

    def questions(self) -> Iterable[Question]:
        return (Question(f"q{n}", f"What is sound {n}?", ("bell", "drum"), 0) for n in range(N))

    def trial(self, question: Question) -> Trial:
        return Trial(question.id, question)

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        if not responses:
            return [Generate((Message("user", (Clip("0" * 64, "a.wav"), "Describe.")),), to="captioner")]
        if len(responses) == 1:
            return [Generate((Message("user", (f"{responses[0].text}: {trial.question.text}",)),))]
        return ()

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        return Outcome(Status.OK, 1.0)


def run(folder: Path, captioner: Model, reader: Model) -> Any:
    task: Task = OneClip()
    return evaluate(reader, task, parties={"captioner": captioner}, out=folder, cache=False)


def test_one_request_of_many_trials_is_asked_once_and_all_get_its_response(tmp_path: Path) -> None:
    captioner, reader = Model("captioner"), Model("reader")
    found = run(tmp_path / "run", captioner, reader)
    assert captioner.asked == ["Describe."]
    assert reader.asked == [f"captioner 1: What is sound {n}?" for n in range(N)]
    captions = [response.text for _, number, response in found.responses() if number == 0]
    assert captions == ["captioner 1"] * N


def test_a_twin_that_was_not_written_down_is_not_asked_on_resuming(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(folder, Model("captioner"), Model("reader"))
    lines = (folder / "responses.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "responses.jsonl").write_text("".join(lines[:2]), "utf-8")  # killed after two of the five captions
    manifest = json.loads((folder / "run.json").read_text("utf-8"))
    (folder / "run.json").write_text(json.dumps({**manifest, "status": "running", "sha256": {}}), "utf-8")
    captioner, reader = Model("captioner"), Model("reader")
    run(folder, captioner, reader)
    assert captioner.asked == []
    assert reader.asked == [f"captioner 1: What is sound {n}?" for n in range(N)]


def test_what_follows_from_a_failed_response_is_not_asked_and_the_run_goes_on_later(tmp_path: Path) -> None:
    broken, reader = Model("captioner", fails=True), Model("reader")
    first = run(tmp_path / "run", broken, reader)
    assert reader.asked == []
    assert first.manifest.status == "incomplete"
    assert first.accuracy == 0.0
    assert {outcome.status for _, outcome in first.judged()} == {Status.ERROR}
    assert [outcome.status for _, outcome in judged(first, OneClip())] == [Status.ERROR] * N
    mended = run(tmp_path / "run", Model("captioner"), reader)
    assert (mended.manifest.status, mended.accuracy, len(reader.asked)) == ("finished", 1.0, N)


def test_evaluate_asks_one_model_at_a_time() -> None:
    with pytest.raises(AkbError, match="one model at a time"):
        evaluate(["random", "first"], "phonetic")  # type: ignore[arg-type]
