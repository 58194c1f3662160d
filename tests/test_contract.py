"""The contract: tasks and models that know akb.types alone go all the way through akb.evaluate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

import akb
from akb.calling import FIRST_LIMIT, Retry
from akb.engine import Engine
from akb.errors import AkbError
from akb.records import Manifest, Record
from akb.store import Cache
from akb.tasks.asking import Asking
from akb.tasks.multiple_choice import MultipleChoice
from akb.tasks.protocol import Prompt, Protocol
from akb.types import (
    Capabilities,
    Choose,
    Clip,
    Decoding,
    Fault,
    Finish,
    Generate,
    LocalAdapter,
    Message,
    Option,
    Outcome,
    Question,
    RemoteAdapter,
    Request,
    Response,
    Status,
    Task,
    Trial,
    request_key,
)


def clip(folder: Path, name: str, sound: str) -> Clip:
    """A file that says what it sounds like."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(sound, "utf-8")
    return Clip(hashlib.sha256(sound.encode()).hexdigest(), str(path), "text/1")


def heard(request: Request) -> list[str]:
    """What is in the clips of a request, in the order in which they stand."""
    parts = [part for message in request.messages for part in message.parts]
    return [Path(part.path).read_text("utf-8") for part in parts if isinstance(part, Clip)]


class Local:
    """What the toys share; each says how it answers one request."""

    name = "toy"
    capabilities = Capabilities(generate=True)

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "toy/1", "model": self.name}

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        return [[number] for number in range(len(requests))]

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(batches):
            self.asked += batch
            yield number, [Response(text=self.reply(request)) for request in batch]

    def reply(self, request: Request) -> str:
        raise NotImplementedError

    def close(self) -> None: ...


class Captioner(Local):
    """Says what it hears."""

    name = "captioner"
    capabilities = Capabilities(generate=True, audio=True)

    def reply(self, request: Request) -> str:
        return f"One hears {' and then '.join(heard(request))}."


class Reader(Local):
    """Picks the option that the text before it names."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def reply(self, request: Request) -> str:
        caption = request.messages[-1].text.splitlines()[0]
        return next((option.label for option in request.options if option.text in caption), "none of them")


# -- a cascade -------------------------------------------------------------------------------------------------

SOUNDS = ("rain", "a bell", "a dog", "a motor")


class Cascade:
    """A captioner describes the clip; the model reads the description and the question."""

    name, version = "cascade", "1"

    def __init__(self, folder: Path, sounds: Sequence[str] = SOUNDS) -> None:
        self.folder, self.sounds = folder, sounds

    def questions(self) -> Iterable[Question]:
        for number, sound in enumerate(self.sounds):
            audio = (clip(self.folder, f"{number}.wav", sound),)
            yield Question(f"c{number}", "What is heard?", SOUNDS, SOUNDS.index(sound), "sound", audio=audio)

    def trial(self, question: Question) -> Trial:
        return Trial(question.id, question, {"instruction": "Describe the sound."})

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        question = trial.question
        if not responses:
            return [Generate((Message("user", (*question.audio, trial.ask["instruction"])),), to="captioner")]
        if len(responses) > 1:
            return []
        options = tuple(Option(label, text) for label, text in zip("ABCD", question.options, strict=True))
        listed = "\n".join(f"{o.label}. {o.text}" for o in options)
        text = f"{responses[0].text}\n{question.text}\n{listed}"
        return [Generate((Message("user", (text,)),), Decoding(max_tokens=8), options)]

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        if responses[-1].text not in set("ABCD"):
            return Outcome(Status.WRONG_FORMAT, 0.0, reason="no letter")
        right = "ABCD".index(str(responses[-1].text)) == trial.question.answer
        return Outcome(Status.OK, float(right))

    def describe(self) -> Mapping[str, Any]:
        return {"name": self.name, "version": self.version}


def test_the_toys_fulfil_the_protocols_of_the_contract(tmp_path: Path) -> None:
    assert isinstance(Cascade(tmp_path), Task)
    assert isinstance(Captioner(), LocalAdapter)
    assert isinstance(Flaky({}), RemoteAdapter)


def test_a_cascade_asks_two_parties_in_one_trial_and_is_judged(tmp_path: Path) -> None:
    captioner, reader = Captioner(), Reader("r1")
    run = akb.evaluate(reader, Cascade(tmp_path / "audio"), parties={"captioner": captioner}, out=tmp_path / "run")
    assert run.accuracy == 1.0
    assert [row.name for row in run.summary.rows] == ["all", "sound"]
    assert len(captioner.asked) == len(reader.asked) == 4
    found: dict[str, list[str | None]] = {}
    for trial, _, response in sorted(run.responses(), key=lambda row: row[:2]):
        found.setdefault(trial, []).append(response.text)
    assert found == {f"c{n}": [f"One hears {SOUNDS[n]}.", "ABCD"[n]] for n in range(4)}
    assert run.manifest.identity["parties"] == {
        "model": {"adapter": "toy/1", "model": "r1"},
        "captioner": {"adapter": "toy/1", "model": "captioner"},
    }
    assert (run.manifest.model, run.manifest.task, run.manifest.protocol) == ("r1", "cascade", "")


def test_captions_are_cached_and_serve_another_reader_even_when_the_files_have_moved(tmp_path: Path) -> None:
    captioner = Captioner()
    first = akb.evaluate(Reader("r1"), Cascade(tmp_path / "here"), parties={"captioner": captioner}, out=tmp_path / "1")
    other = Reader("r2")
    second = akb.evaluate(other, Cascade(tmp_path / "there"), parties={"captioner": captioner}, out=tmp_path / "2")
    assert len(captioner.asked) == 4  # not asked again: audio is known by its bytes, not by its path
    assert len(other.asked) == 4
    assert first.accuracy == second.accuracy == 1.0
    captions = [[r.text for _, number, r in run.responses() if number == 0] for run in (first, second)]
    assert sorted(map(str, captions[0])) == sorted(map(str, captions[1]))


def test_another_sound_under_the_same_file_name_is_another_request(tmp_path: Path) -> None:
    captioner = Captioner()
    for number, sound in enumerate(("rain", "a bell")):
        run = akb.evaluate(Reader("r"), Cascade(tmp_path / "audio", [sound]), parties={"captioner": captioner},
                           out=tmp_path / str(number))  # fmt: skip
        assert run.accuracy == 1.0
    assert len(captioner.asked) == 2


def test_a_party_that_nobody_plays_is_named(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="asks 'captioner', and nobody plays that part in this run"):
        akb.evaluate(Reader("r"), Cascade(tmp_path / "audio"), out=tmp_path / "run")


def test_a_captioner_that_does_not_take_audio_is_refused_by_its_part(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="the captioner does not take audio"):
        akb.evaluate(
            Reader("r"), Cascade(tmp_path / "audio"), parties={"captioner": Reader("deaf")}, out=tmp_path / "r"
        )


def test_a_baseline_reads_in_a_cascade_because_requests_name_their_options(tmp_path: Path) -> None:
    run = akb.evaluate("first", Cascade(tmp_path / "audio"), parties={"captioner": Captioner()}, out=tmp_path / "run")
    assert run.accuracy == 0.25


# -- audio in a question ---------------------------------------------------------------------------------------

PROTOCOL = Protocol(name="toy", ask="generate", prompt="toy", order="given")
PROMPT = Prompt(
    name="toy", user="{{ question }}\n{% for o in options %}({{ o.label }}) {{ o.text }}\n{% endfor %}", reply="x"
)


class Pairs(MultipleChoice):
    """Which of two clips is which; a user's task as docs/adding-a-task.md describes it."""

    name, version = "pairs", "1"
    folder = Path()

    def questions(self) -> Iterable[Question]:
        for number, pair in enumerate((("low", "high"), ("high", "low"), ("high", "high"))):
            clips = tuple(clip(self.folder, f"{number}-{n}.wav", sound) for n, sound in enumerate(pair))
            options = ("low, high", "high, low", "high, high")
            yield Question(f"p{number}", "In which order?", options, number, audio=clips)


class Listener(Local):
    """Hears clips in order, and says which option they are."""

    name = "listener"
    capabilities = Capabilities(generate=True, audio=True)

    def reply(self, request: Request) -> str:
        told = ", ".join(heard(request))
        return next((option.label for option in request.options if option.text == told), "I heard nothing")


def pairs(folder: Path, **fields: Any) -> Pairs:
    task = Pairs(Asking(PROTOCOL, PROMPT, **fields))
    task.folder = folder
    return task


def test_two_clips_of_one_message_are_heard_in_their_order(tmp_path: Path) -> None:
    listener = Listener()
    run = akb.evaluate(listener, pairs(tmp_path / "audio"), out=tmp_path / "run")
    assert run.accuracy == 1.0
    assert [heard(request) for request in listener.asked] == [["low", "high"], ["high", "low"], ["high", "high"]]
    (message,) = listener.asked[0].messages
    assert [type(part) for part in message.parts] == [Clip, Clip, str]


def test_a_text_only_model_is_told_that_the_question_has_audio_before_anything_is_asked(tmp_path: Path) -> None:
    reader = Reader("deaf")
    with pytest.raises(AkbError, match="the model does not take audio, and the question has some") as caught:
        akb.evaluate(reader, pairs(tmp_path / "audio"), out=tmp_path / "run")
    assert "--listen none" in caught.value.fix
    assert reader.asked == []


def test_listen_none_drops_the_clips_and_the_record_says_so(tmp_path: Path) -> None:
    reader = Reader("deaf")
    run = akb.evaluate(reader, pairs(tmp_path / "audio", listen="none"), out=tmp_path / "run")
    assert [heard(request) for request in reader.asked] == [[]]  # without their clips the three are one request
    assert run.summary.statuses == {"wrong_format": 3}
    assert run.manifest.identity["listen"] == run.manifest.config["listen"] == "none"


def test_runs_of_ones_own_task_that_differ_in_seed_never_share_a_folder(tmp_path: Path) -> None:
    """Their folder comes from their identity; with one identity the second would be the first, read again."""
    found = [akb.evaluate(Listener(), pairs(tmp_path / "audio", seed=seed), cache=False) for seed in (0, 1)]
    assert found[0].path != found[1].path
    assert [run.manifest.identity["seed"] for run in found] == [0, 1]


def test_the_key_of_a_request_takes_in_all_that_moves_its_answer_and_nothing_else(tmp_path: Path) -> None:
    one, same = clip(tmp_path / "1", "a", "rain"), clip(tmp_path / "2", "b", "rain")
    base = Generate((Message("user", (one, "What?")),), Decoding(max_tokens=8))
    model = {"model": "m", "revision": "1"}
    key = request_key(base, model)
    assert request_key(Generate((Message("user", (same, "What?")),), Decoding(max_tokens=8)), model) == key
    assert request_key(Generate(base.messages, base.decoding, to="captioner"), model) == key
    others: list[tuple[Request, Mapping[str, Any]]] = [
        (base, {"model": "m", "revision": "2"}),
        (Generate(base.messages, Decoding(max_tokens=9)), model),
        (Generate(base.messages, Decoding(max_tokens=8, draw=1)), model),
        (Generate(base.messages, Decoding(max_tokens=8, thinking="on")), model),
        (Generate((Message("user", ("What?", one)),), base.decoding), model),
        (Generate((Message("system", (one, "What?")),), base.decoding), model),
        (Generate((Message("user", (Clip(one.sha256, one.path, "other/1"), "What?")),), base.decoding), model),
        (Choose(base.messages, ((" A",), (" B",))), model),
        (Choose(base.messages, ((" A", " B"),)), model),
        (Choose(base.messages, ((" A",), (" B",)), "Answer:"), model),
    ]
    keys = {request_key(request, fingerprint) for request, fingerprint in others}
    assert len(keys | {key}) == len(others) + 1


# -- a model behind an API -------------------------------------------------------------------------------------


class BusyError(Exception):
    """It may pass."""


class RefusedError(Exception):
    """It will not."""


class Flaky:
    """Fails as it is told: for each question how often, and with what."""

    capabilities = Capabilities(generate=True, concurrent=True)

    def __init__(self, faults: Mapping[str, tuple[int, Exception]], concurrency: int = 3) -> None:
        self.faults, self.concurrency = faults, concurrency
        self.tries: dict[str, int] = {}
        self.under_way = self.most = 0

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "flaky/1", "model": "flaky"}

    async def ask_one(self, request: Request) -> Response:
        name = request.messages[-1].text.split()[0]
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await anyio.sleep(0.002)
            self.tries[name] = self.tries.get(name, 0) + 1
            times, error = self.faults.get(name, (0, BusyError()))
            if self.tries[name] <= times:
                raise error
            return Response(text="A", served_model="flaky-2026")
        finally:
            self.under_way -= 1

    def classify(self, error: Exception) -> Fault:
        if isinstance(error, BusyError):
            return Fault.rate_limit("slow down", 0.001) if error.args else Fault.transient("try again")
        return Fault.fatal(f"refused: {error}")

    def close(self) -> None: ...


class Numbered(MultipleChoice):
    name, version = "numbered", "1"
    count = 12

    def questions(self) -> Iterable[Question]:
        for number in range(self.count):
            yield Question(f"n{number}", f"n{number} ?", ("x", "y"), 0)


PATIENCE = Retry(first=0.001)


def drive(
    folder: Path, model: Flaky, cache: Cache | None = None, retry: Retry = PATIENCE
) -> list[tuple[Trial, Outcome]]:
    """A run by the engine itself, with patience of milliseconds."""
    task = Numbered(Asking(PROTOCOL, PROMPT))
    told = Manifest(
        schema=1, akb="", model="flaky", task="numbered", protocol="toy", identity={}, config={}, started=""
    )
    record = Record.open(folder, told)
    try:
        trials = [task.trial(question) for question in task.questions()]
        return list(Engine(task, {"model": model}, record, cache, retry=retry).run(trials))
    finally:
        record.close()


def test_transient_faults_are_tried_again_and_leave_no_trace_in_the_answers(tmp_path: Path) -> None:
    model = Flaky({"n3": (2, BusyError()), "n5": (1, BusyError("told")), "n7": (5, BusyError())})
    outcomes = drive(tmp_path, model)
    assert [outcome.score for _, outcome in outcomes] == [1.0] * 12
    assert {name: tries for name, tries in model.tries.items() if tries > 1} == {"n3": 3, "n5": 2, "n7": 6}


def test_a_fault_that_does_not_pass_is_recorded_as_an_error_after_its_last_try(tmp_path: Path) -> None:
    model = Flaky({"n3": (99, BusyError())})
    outcomes = {trial.id: outcome for trial, outcome in drive(tmp_path, model, retry=Retry(tries=4, first=0.001))}
    assert (outcomes["n3"].status, outcomes["n3"].score, outcomes["n3"].reason) == (Status.ERROR, 0.0, "try again")
    assert model.tries["n3"] == 4
    assert sum(outcome.score for outcome in outcomes.values()) == 11


def test_a_fatal_fault_is_recorded_at_once_and_the_run_goes_on(tmp_path: Path) -> None:
    model = Flaky({"n6": (99, RefusedError("bad request")), "n8": (99, RefusedError("too long"))})
    cache = Cache(tmp_path / "cache.sqlite")
    outcomes = {trial.id: outcome for trial, outcome in drive(tmp_path / "run", model, cache)}
    assert model.tries["n6"] == model.tries["n8"] == 1
    assert outcomes["n6"].reason == "refused: bad request"
    assert sum(outcome.score for outcome in outcomes.values()) == 10
    again = Flaky({})
    drive(tmp_path / "other", again, cache)
    assert set(again.tries) == {"n6", "n8"}  # errors are never cached
    cache.close()


def test_a_model_that_refuses_everything_ends_the_run_instead_of_scoring_zero(tmp_path: Path) -> None:
    model = Flaky({f"n{n}": (99, RefusedError("no such model")) for n in range(12)}, concurrency=1)
    with pytest.raises(AkbError, match="the model cannot be asked: refused: no such model"):
        drive(tmp_path, model)
    assert sum(model.tries.values()) == Retry().hopeless


@pytest.mark.parametrize("concurrency", [1, 3, 50])
def test_never_more_requests_are_under_way_than_the_model_bears_and_no_fewer(tmp_path: Path, concurrency: int) -> None:
    model = Flaky({}, concurrency)
    outcomes = drive(tmp_path, model)
    assert min(concurrency, FIRST_LIMIT) <= model.most <= min(concurrency, 12)
    assert [trial.id for trial, _ in outcomes] == [f"n{n}" for n in range(12)]


def test_pauses_double_up_to_the_longest_and_what_the_server_told_goes_first() -> None:
    retry = Retry(first=0.5, most=8.0)
    for attempt, full in enumerate((0.5, 1.0, 2.0, 4.0, 8.0, 8.0)):
        assert all(full / 2 <= retry.pause(attempt, None) <= full for _ in range(20))
    assert all(3.25 <= retry.pause(0, 3.25) <= 1.1 * 3.25 for _ in range(20))
    assert retry.pause(0, 3600.0) >= 3600.0


def test_a_remote_model_goes_through_evaluate_with_its_served_name_on_the_record(tmp_path: Path) -> None:
    run = akb.evaluate(Flaky({}), Numbered(Asking(PROTOCOL, PROMPT)), out=tmp_path / "run")
    assert run.accuracy == 1.0
    assert {(r.served_model, r.finish) for _, _, r in run.responses()} == {("flaky-2026", Finish.STOP)}


def test_a_model_of_words_alone_is_not_asked_for_log_probabilities(tmp_path: Path) -> None:
    model = Flaky({})
    with pytest.raises(AkbError, match="the model gives no log-probabilities") as caught:
        akb.evaluate(model, "phonetic", protocol="akb-v1-loglik", out=tmp_path / "run")
    assert "--protocol akb-v1" in caught.value.fix
    assert model.tries == {}


# -- a plugin --------------------------------------------------------------------------------------------------

PLUGIN = """
from akb.tasks.multiple_choice import MultipleChoice
from akb.types import Question


class Halves(MultipleChoice):
    name, version = "halves", "1"

    def questions(self):
        for n in (2, 4, 6):
            options = (str(n // 2), str(n), str(n * 2))
            yield Question(str(n), f"What is half of {n}?", options, answer=0, category="numbers")
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that brings a task, and one that is broken."""
    site = tmp_path / "site"
    info = site / "halves-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "halves_of_numbers.py").write_text(PLUGIN, "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: halves\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(
        "[akb.tasks]\nhalves = halves_of_numbers:Halves\nbroken = no_such_module:Task\n", "utf-8"
    )
    monkeypatch.syspath_prepend(site)


@pytest.mark.usefixtures("plugin")
def test_a_task_made_by_subclassing_comes_by_an_entry_point_with_everything_that_tasks_have(tmp_path: Path) -> None:
    run = akb.evaluate("first", "halves", protocol="akb-v1-cyclic", out=tmp_path / "run", cache=False)
    assert [(row.name, row.n) for row in run.summary.rows] == [("all", 3), ("numbers", 3)]
    assert run.accuracy == pytest.approx(1 / 3)  # the first option, in each of three rotations
    assert run.summary.order is not None
    assert run.summary.order.positions == (1.0, 0.0, 0.0)
    part = akb.evaluate("first", "halves/numbers", protocol="akb-v1", out=tmp_path / "part", cache=False)
    assert (part.manifest.task, part.summary.rows[0].n) == ("halves/numbers", 3)


@pytest.mark.usefixtures("plugin")
def test_a_broken_plugin_is_named_when_it_is_used_and_takes_no_other_down(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match=r"akb.tasks: broken = no_such_module:Task: the plugin cannot be loaded"):
        akb.evaluate("first", "broken", out=tmp_path / "run", cache=False)
    assert akb.evaluate("first", "phonetic/rhyme", out=tmp_path / "other", cache=False).summary.rows[0].n > 0
