"""The response cache: hit by the same request to the same model, by nothing else, and of no consequence for a score."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from test_resume import ADDED, killed
from toys import BATCH, LocalToy, RemoteToy, Toy, akb, answers, asked, task, toy_plugin

from akb import content, evaluate
from akb.adapters.cards import Card
from akb.adapters.hf import build
from akb.errors import AkbError
from akb.records import read_responses
from akb.run import Run
from akb.store import Cache
from akb.types import (
    Clip,
    Decoding,
    Fault,
    Finish,
    Generate,
    Message,
    Option,
    Outcome,
    Question,
    Request,
    Response,
    Status,
    Trial,
    request_key,
)

N = 12


class Place:
    """Runs in folders of their own, all with one cache and one log of what was asked."""

    def __init__(self, tmp_path: Path) -> None:
        self.path, self.log, self.runs = tmp_path, tmp_path / "asked.log", 0
        self.questions = str(task(tmp_path / "questions", N))

    def run(self, model: Toy | None = None, whole: Any = None, **settings: Any) -> tuple[Run, int]:
        """A run in a new folder, and how many requests it asked."""
        self.runs += 1
        before = len(asked(self.log))
        made = model or LocalToy(self.log)
        run = evaluate(made, whole or self.questions, out=self.path / f"run-{self.runs}", **settings)
        return run, len(asked(self.log)) - before


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("kind", [LocalToy, RemoteToy])
@pytest.mark.parametrize("protocol", ["akb-v1", "akb-v1-cyclic", "akb-v1-cloze"])
def test_the_same_request_is_asked_once_and_its_answer_gives_the_same_outcome(
    kind: type[LocalToy | RemoteToy], protocol: str, place: Place
) -> None:
    first, some = place.run(kind(place.log), protocol=protocol)
    second, none = place.run(kind(place.log), protocol=protocol)
    assert (some, none) == (len(answers(first.path)), 0)
    assert (second.path / "outcomes.jsonl").read_bytes() == (first.path / "outcomes.jsonl").read_bytes()
    assert answers(second.path) == answers(first.path)
    assert second.summary == first.summary


def test_without_the_cache_everything_is_asked_again(place: Place) -> None:
    place.run()
    assert place.run(cache=False)[1] == N


def test_a_longer_run_asks_a_local_model_only_what_is_new(place: Place) -> None:
    assert place.run(limit=BATCH + 1)[1] == BATCH + 1
    run, some = place.run()
    assert some == N - (BATCH + 1)
    cached = [line.cached for line in read_responses(run.path)]
    assert cached.count(True) == BATCH + 1


def test_a_fresh_run_does_not_read_the_cache_but_fills_it(place: Place) -> None:
    path = toy_plugin(place.path)
    ask = ["eval", "-m", "toy:local", "-t", place.questions, "--set", f"model.log={place.log}"]
    for more, wanted in (([], N), ([], N), (["--fresh"], 2 * N), (["--out", place.path / "other"], 2 * N)):
        done = akb(*ask, *more, PYTHONPATH=path)
        assert done.returncode == 0, done.stderr
        assert len(asked(place.log)) == wanted
    assert place.run()[1] == 0


def test_a_longer_run_asks_only_what_a_shorter_one_did_not(place: Place) -> None:
    assert place.run(RemoteToy(place.log), limit=5)[1] == 5
    assert place.run(RemoteToy(place.log))[1] == N - 5


def test_the_same_question_in_another_task_is_the_same_request(place: Place) -> None:
    """The option orders are drawn by task and question, so that only an order given makes the requests the same."""
    place.run(protocol_args={"order": "given"})
    other = str(task(place.path / "other", N, name="other-task"))
    assert place.run(whole=other, protocol_args={"order": "given"})[1] == 0


# -- what must never hit ---------------------------------------------------------------------------------------

DECODING: dict[str, dict[str, Any]] = {
    "temperature": {"protocol_args": {"temperature": 0.5}},
    "top_p": {"protocol_args": {"top_p": 0.5}},
    "max_tokens": {"protocol_args": {"max_tokens": 255}},
    "thinking": {"protocol_args": {"thinking": "on"}},
    "a budget of thinking": {"protocol_args": {"thinking": 100}},
    "prompt": {"protocol_args": {"prompt": "letters-v1"}},
    "protocol": {"protocol": "akb-v1-loglik"},
    "seed": {"seed": 1},
    "control": {"control": "choices-only"},
}


@pytest.mark.parametrize("change", DECODING.values(), ids=DECODING)
def test_another_way_of_asking_never_hits(change: dict[str, Any], place: Place) -> None:
    place.run()
    assert place.run(**change)[1] == N


def test_of_another_seed_only_the_orders_that_are_the_same_hit(place: Place) -> None:
    """Log-probabilities know no seed but by the order of the options."""
    first, _ = place.run(protocol="akb-v1-loglik")
    second, some = place.run(protocol="akb-v1-loglik", seed=5)
    orders = [[trial.ask["orders"] for trial, _ in run.judged()] for run in (first, second)]
    assert some == sum(a != b for a, b in zip(*orders, strict=True))
    assert some > 0


FINGERPRINTS = ("revision", "dtype", "template_sha256", "quantize", "adapter", "model", "device")


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_another_fingerprint_never_hits(name: str, place: Place) -> None:
    one: dict[str, Any] = {name: "a"}
    other: dict[str, Any] = {name: "b"}
    place.run(LocalToy(place.log, **one))
    assert place.run(LocalToy(place.log, **other))[1] == N
    assert place.run(LocalToy(place.log, **one))[1] == 0


class Standing(LocalToy):
    """A toy in the place of a real model: it has that model's fingerprint."""

    def __init__(self, log: Path, folder: Path, args: Mapping[str, Any]) -> None:
        super().__init__(log)
        self.real = build(Card(name="mine", adapter="hf", model=str(folder)), args)

    def fingerprint(self) -> Mapping[str, Any]:
        return self.real.fingerprint()


def config(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **fields}), "utf-8")


def weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


FOLDERS: dict[str, Any] = {
    "weights": weights,
    "config": lambda folder: config(folder, rms_norm_eps=0.1),
    "chat template": lambda folder: (folder / "chat_template.jinja").write_text("{{ messages }}", "utf-8"),
    "tokenizer": lambda folder: (folder / "tokenizer.json").write_text("{}", "utf-8"),
    "a file of code": lambda folder: (folder / "modeling.py").write_text("", "utf-8"),
}
ARGS: dict[str, dict[str, Any]] = {
    "dtype": {"dtype": "float16"}, "template": {"template": "plain"}, "quantize": {"quantize": "4bit"},
    "attention": {"attention": "eager"}, "trust_remote_code": {"trust_remote_code": True},
}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return shutil.copytree(content.builtin() / "adapters/akb-tiny", tmp_path / "model")


@pytest.mark.parametrize("change", FOLDERS.values(), ids=FOLDERS)
def test_a_model_folder_with_other_contents_never_hits(change: Any, place: Place, model: Path) -> None:
    place.run(Standing(place.log, model, {}))
    assert place.run(Standing(place.log, model, {}))[1] == 0
    change(model)
    assert place.run(Standing(place.log, model, {}))[1] == N


@pytest.mark.parametrize("args", ARGS.values(), ids=ARGS)
def test_a_model_loaded_in_another_way_never_hits(args: Mapping[str, Any], place: Place, model: Path) -> None:
    place.run(Standing(place.log, model, {}))
    assert place.run(Standing(place.log, model, args))[1] == N


def test_a_model_folder_that_was_moved_hits(place: Place, model: Path) -> None:
    place.run(Standing(place.log, model, {}))
    moved = model.rename(model.with_name("moved"))
    assert place.run(Standing(place.log, moved, {}))[1] == 0


def test_draws_stops_and_seeds_are_requests_of_their_own() -> None:
    said = (Message("user", ("x",)),)
    ways = [Decoding(), Decoding(draw=1), Decoding(seed=1), Decoding(stop=("\n",)), Decoding(temperature=1.0)]
    assert len({request_key(Generate(said, way), {}) for way in ways}) == len(ways)


def test_whom_a_request_goes_to_is_told_by_the_fingerprint_alone() -> None:
    said = (Message("user", ("x",)),)
    assert request_key(Generate(said), {}) == request_key(Generate(said, to="captioner"), {})


# -- audio -----------------------------------------------------------------------------------------------------


class Listening:
    """A task of one question to each audio file of a folder."""

    name, version = "listening", "1"

    def __init__(self, folder: Path, decoding: str = "16 kHz") -> None:
        self.folder, self.decoding = folder, decoding

    def questions(self) -> Iterable[Question]:
        for path in sorted(self.folder.iterdir()):
            clip = Clip(hashlib.sha256(path.read_bytes()).hexdigest(), str(path), self.decoding)
            yield Question(path.stem, "q000: a sound?", ("yes", "no"), 0, audio=(clip,))

    def trial(self, question: Question) -> Trial:
        return Trial(question.id, question)

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        said = Message("user", (*trial.question.audio, trial.question.text))
        return [] if responses else [Generate((said,), options=(Option("A", "yes"), Option("B", "no")))]

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        return Outcome(Status.OK, float(responses[0].text == "(A)"))

    def describe(self) -> Mapping[str, Any]:
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.folder.iterdir()}
        return {"name": self.name, "files": files, "decoding": self.decoding}


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    folder = tmp_path / "audio"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.wav").write_bytes(b"RIFF" + bytes([number]) * 100)
    return folder


def test_audio_is_known_by_its_bytes_and_not_by_its_name(place: Place, audio: Path) -> None:
    assert place.run(RemoteToy(place.log), Listening(audio))[1] == 3
    (audio / "0.wav").rename(audio / "renamed.wav")
    assert place.run(RemoteToy(place.log), Listening(audio))[1] == 0
    (audio / "1.wav").write_bytes(b"RIFF" + b"\7" * 100)
    assert place.run(RemoteToy(place.log), Listening(audio))[1] == 1
    moved = audio.rename(audio.with_name("elsewhere"))
    assert place.run(RemoteToy(place.log), Listening(moved))[1] == 0
    assert place.run(RemoteToy(place.log), Listening(moved, decoding="48 kHz"))[1] == 3


# -- errors ----------------------------------------------------------------------------------------------------


class Failing(RemoteToy):
    """Answers but for some questions."""

    fails = True

    async def ask_one(self, request: Request) -> Response:
        response = await super().ask_one(request)
        if self.fails and any(f"q{n:03d}" in request.messages[-1].text for n in (3, 7)):
            raise ValueError("the server coughs")
        return response

    def classify(self, error: Exception) -> Fault:
        return Fault.fatal(str(error))


class Mended(Failing):
    fails = False


def test_errors_are_never_kept_and_are_asked_again(place: Place) -> None:
    first, some = place.run(Failing(place.log))
    assert some == N
    assert [t.id for t, o in first.judged() if o.status == Status.ERROR] == ["q003", "q007"]
    second, again = place.run(Mended(place.log))
    assert again == 2
    assert not [t for t, o in second.judged() if o.status == Status.ERROR]
    with sqlite3.connect(place.path / "cache/responses.sqlite") as db:
        assert db.execute("SELECT count(*) FROM responses").fetchone() == (N,)


def test_a_run_with_errors_asks_them_again_and_nothing_else_when_it_is_given_again(place: Place) -> None:
    first, _ = place.run(Failing(place.log), cache=False)
    before = len(asked(place.log))
    run = evaluate(Mended(place.log), place.questions, out=first.path, cache=False)
    assert len(asked(place.log)) - before == 2
    assert not [t for t, o in run.judged() if o.status == Status.ERROR]
    assert run.manifest.status == "finished"
    assert len(list(run.judged())) == N


class Erring(LocalToy):
    def answer(self, request: Request) -> Response:
        return Response(finish=Finish.ERROR, error="out of order")


def test_errors_of_local_models_are_not_kept_either(place: Place) -> None:
    place.run(Erring(place.log))
    assert place.run()[1] == N


# -- several at once -------------------------------------------------------------------------------------------


def _fill(path: Path, number: int, shared: int) -> None:
    cache = Cache(path)
    for n in range(40):
        cache.put({f"{number}-{n}": Response(text=f"{number} {n}"), f"shared-{n % shared}": Response(text="same")})
        found = cache.get([f"{number}-{m}" for m in range(n + 1)])
        assert len(found) == n + 1
    cache.close()


def test_several_processes_make_and_use_one_cache_at_once(tmp_path: Path) -> None:
    started = multiprocessing.get_context("fork")
    for attempt in range(4):
        path = tmp_path / str(attempt) / "cache.sqlite"
        workers = [started.Process(target=_fill, args=(path, number, 7)) for number in range(5)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0] * 5
        cache = Cache(path)
        keys = [f"{number}-{n}" for number in range(5) for n in range(40)] + [f"shared-{n}" for n in range(7)]
        assert len(cache.get(keys)) == len(keys)
        cache.close()


def test_two_commands_share_one_cache_at_once(tmp_path: Path) -> None:
    started = multiprocessing.get_context("fork")
    args = ("eval", "-t", "akb-open", "-p", "akb-v1-cyclic", "--json")
    codes = started.Array("i", [9, 9])

    def run(number: int) -> None:
        codes[number] = akb(*args, "-m", ["first", "longest"][number], "-o", f"run-{number}").returncode

    workers = [started.Process(target=run, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(100)
    assert [codes[0], codes[1]] == [0, 0]
    counts = [len(answers(tmp_path / f"run-{number}")) for number in range(2)]
    with sqlite3.connect(tmp_path / "cache/responses.sqlite") as db:
        assert db.execute("SELECT count(*) FROM responses").fetchone() == (sum(counts),)


def test_more_keys_than_a_statement_takes_are_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.sqlite")
    many = {f"k{n}": Response(text=str(n)) for n in range(1700)}
    cache.put(many)
    assert cache.get([*many, "other"]) == many
    cache.close()


def test_a_full_cache_says_so_and_keeps_what_it_had(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.sqlite")
    cache.put({"before": Response(text="kept")})
    cache._db.execute("PRAGMA max_page_count=8")
    with pytest.raises(AkbError, match="the response cache cannot be used: database or disk is full"):
        cache.put({f"k{n}": Response(text="x" * 500) for n in range(200)})
    assert cache.get(["before", "k0"]) == {"before": Response(text="kept")}
    cache.close()


# -- after a kill ----------------------------------------------------------------------------------------------


def batches(run: Run) -> Iterator[int]:
    yield from (int(trial.id[1:]) for trial, _ in run.judged())


def test_what_a_killed_run_recorded_and_cached_is_asked_by_nobody_again(tmp_path: Path) -> None:
    """The record and the cache are written one after the other: whichever got an answer keeps it."""
    task(tmp_path / "questions", 48)
    assert killed("local", tmp_path / "mine", 3000, ADDED, cache=True)
    recorded = len(answers(tmp_path / "mine/run"))
    assert 0 < recorded < 48
    log = tmp_path / "mine/asked.log"
    before = len(asked(log))
    run = evaluate(LocalToy(log), str(tmp_path / "questions"), out=tmp_path / "other")
    assert len(asked(log)) - before <= 48 - recorded + 4
    assert sorted(batches(run)) == list(range(48))
