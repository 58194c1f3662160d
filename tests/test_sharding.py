"""A run dealt out into shards and put together again is the run that one process makes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest
from toys import (
    SCRIPT,
    TOYS,
    LocalToy,
    RemoteToy,
    akb,
    akb_here,
    answers,
    asked,
    command,
    complaint,
    digest,
    lines,
    row,
    task,
    toy_plugin,
)

from akb import evaluate, merging, records
from akb.errors import AkbError
from akb.files import take_lock
from akb.jsonable import dumps
from akb.merging import merge
from akb.run import Run
from akb.scoring import rescore
from akb.types import Finish, Generate, Message, Outcome, Question, Request, Response, Status, Task, Trial

ROOT = Path(__file__).resolve().parent.parent
N, OF = 23, 4


class Chain:
    """A task of one's own: what follows depends on the first response."""

    name, version = "chain", "1"

    def questions(self) -> Iterable[Question]:
        return [Question(f"q{n:03d}", f"q{n:03d}: which?", ("yes", "no"), n % 2) for n in range(N)]

    def trial(self, question: Question) -> Trial:
        return Trial(question.id, question)

    def requests(self, trial: Trial, responses: Sequence[Response]) -> Sequence[Request]:
        if len(responses) > 1:
            return []
        return [Generate((Message("user", (f"{trial.id} {[r.text for r in responses]}",)),))]

    def judge(self, trial: Trial, responses: Sequence[Response]) -> Outcome:
        return Outcome(Status.OK, float(len(responses[1].text or "") % 2), reason=str(responses[0].text))

    def describe(self) -> Mapping[str, Any]:
        return {"name": self.name, "version": self.version}


class Down(LocalToy):
    """Has no answer to some questions as long as the file `down` is there."""

    def answer(self, request: Request) -> Response:
        if self.log.with_name("down").exists() and re.search(r"\bq\d*[05]\b", request.messages[-1].text):
            return Response(finish=Finish.ERROR, error="it is down")
        return super().answer(request)


MODELS: dict[str, Callable[[Path], LocalToy | RemoteToy]] = {**TOYS, "chain": RemoteToy, "down": Down}


def run(kind: str, place: Path, shard: str | None = None, out: Path | None = None, **more: Any) -> Run:
    """A whole toy run in `place`/run, or a shard of it beside that."""
    if out is None:
        out = place / ("run" if shard is None else f"run.shard-{shard.replace('/', '-of-')}")
    asked_of: str | Task = Chain() if kind == "chain" else str(place / "questions")
    return evaluate(MODELS[kind](place / "asked.log"), asked_of, out=out, cache=False, shard=shard, **more)


def shards(place: Path, of: int = OF) -> list[Path]:
    """The folders of the shards."""
    return [place / f"run.shard-{number}-of-{of}" for number in range(1, of + 1)]


def sharded(kind: str, place: Path, of: int = OF, **more: Any) -> list[Path]:
    """Run all shards, and not in order."""
    for number in Random(of).sample(range(1, of + 1), of):
        run(kind, place, f"{number}/{of}", **more)
    return shards(place, of)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shards of one run, and in `whole` the run that was never dealt out."""
    place = tmp_path_factory.mktemp("made")
    task(place / "questions", N)
    run("local", place, out=place / "whole")
    sharded("local", place)
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of these, to spoil."""
    return shutil.copytree(made, tmp_path / "place")


def check_same(merged: Path, whole: Path, *, batched: bool = False) -> None:
    """Nothing but times and the order in which responses are noted down tells the two apart; and, with a model whose
    questions are `batched`, the last digits of log-probabilities, and what was asked once for two questions."""
    for name in (records.TRIALS, records.OUTCOMES):
        assert (merged / name).read_bytes() == (whole / name).read_bytes()
    got, wanted = answers(merged), answers(whole)
    if batched:
        assert [line[:3] for line in got] == [line[:3] for line in wanted]
        for one_line, other_line in zip(got, wanted, strict=True):
            assert roughly(json.loads(one_line[3])) == json.loads(other_line[3])
    else:
        assert got == wanted
    one, other = (Run.load(folder).manifest for folder in (merged, whole))
    times = {"started", "finished", "seconds", "sha256", *(["usage"] if batched else [])}
    assert one.model_dump(exclude=times) == other.model_dump(exclude=times)
    assert json.dumps(one.identity) == json.dumps(other.identity)
    assert set(one.sha256) == set(other.sha256)


def roughly(value: Any) -> Any:
    """A JSON value whose numbers equal those that are nearly the same."""
    if isinstance(value, dict):
        return {name: roughly(part) for name, part in value.items()}
    if isinstance(value, list):
        return [roughly(part) for part in value]
    return pytest.approx(value, abs=1e-4) if isinstance(value, float) else value


def edit(folder: Path, **fields: Any) -> None:
    """Change fields of a run.json."""
    told = json.loads((folder / "run.json").read_text("utf-8"))
    (folder / "run.json").write_text(json.dumps(told | fields), "utf-8")


def identity(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text("utf-8"))["identity"]
    return found


def respoil(folder: Path, name: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change lines of a file, with a hash that says it was always so."""
    path = folder / name
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    edit(folder, sha256={})


# -- the same run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("local", {}),
        ("local", {"protocol": "akb-v1-cyclic", "seed": 3}),
        ("local", {"protocol": "akb-v1-cloze", "limit": 17}),
        ("remote", {"protocol": "akb-v1-loglik"}),
        ("chain", {}),
    ],
)
def test_the_merged_run_is_the_whole_one(kind: str, more: dict[str, Any], tmp_path: Path) -> None:
    task(tmp_path / "questions", N)
    whole = run(kind, tmp_path, out=tmp_path / "whole", **more)
    parts = sharded(kind, tmp_path, **more)
    before = [digest(part) for part in parts]
    merged, new = merge(parts)
    assert new
    assert merged.path == tmp_path / "run"
    check_same(tmp_path / "run", tmp_path / "whole")
    assert [digest(part) for part in parts] == before
    assert merged.summary == whole.summary
    manifests = [records.read_manifest(part) for part in parts]
    assert merged.manifest.seconds == sum(m.seconds for m in manifests)
    assert merged.manifest.started == min(m.started for m in manifests)
    assert merged.manifest.finished == max(m.finished or "" for m in manifests)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]

    log, was = asked(tmp_path / "asked.log"), digest(tmp_path / "run")
    assert run(kind, tmp_path, **more).manifest.status == "finished"
    assert asked(tmp_path / "asked.log") == log
    assert digest(tmp_path / "run") == was
    if kind != "chain":
        assert rescore(tmp_path / "run").summary == whole.summary
        assert digest(tmp_path / "run") == was


@pytest.mark.parametrize(
    ("model", "what", "protocol"),
    [
        ("akb-tiny", "phonetic", "akb-v1-cloze"),
        ("akb-tiny", "phonetic/rhyme", "akb-v1"),
        ("random", "akb-open", "akb-v1-loglik"),
        ("first", "akb-open", "akb-v1"),
        ("longest", "music", "akb-v1-cyclic"),
    ],
)
def test_real_runs_merge_to_the_whole_one(model: str, what: str, protocol: str, tmp_path: Path) -> None:
    def ask(**more: Any) -> Run:
        return evaluate(model, what, protocol=protocol, cache=False, **more)

    whole = ask(out="whole")
    parts = [ask(shard=f"{number}/3").path for number in (1, 2, 3)]
    plain = parts[0].name.removesuffix(".shard-1-of-3")
    assert [part.name for part in parts] == [f"{plain}.shard-{number}-of-3" for number in (1, 2, 3)]
    merged, _ = merge(parts)
    assert merged.path == parts[0].with_name(plain)
    check_same(merged.path, whole.path, batched=model == "akb-tiny")
    before = digest(merged.path)
    assert ask().path == merged.path, "the command without --shard finds it"
    assert digest(merged.path) == before


@pytest.mark.parametrize("of", [1, 2, 7, N])
def test_any_number_of_shards_will_do(of: int, tmp_path: Path) -> None:
    task(tmp_path / "questions", N)
    run("local", tmp_path, out=tmp_path / "whole")
    merge(sharded("local", tmp_path, of))
    check_same(tmp_path / "run", tmp_path / "whole")


def test_every_nth_question_is_asked_as_it_is_in_the_whole_run(made: Path) -> None:
    whole = (made / "whole/trials.jsonl").read_bytes().splitlines()
    for number, part in enumerate(shards(made)):
        assert (part / "trials.jsonl").read_bytes().splitlines() == whole[number::OF]


def test_a_shard_is_told_from_the_whole_run(made: Path) -> None:
    assert "shard" not in identity(made / "whole")
    assert identity(shards(made)[1]) == {**identity(made / "whole"), "shard": "2/4"}
    part = Run.load(shards(made)[1])
    assert part.manifest.task == "toy-task (shard 2/4)"
    assert "toy-task (shard 2/4)" in part.table()


@pytest.mark.parametrize("how", ["beside", "inside", "both", "reversed", "twice"])
def test_the_shards_can_be_named_in_several_ways(how: str, place: Path) -> None:
    parts = shards(place)
    named = {
        "beside": [place / "run"],
        "inside": [place],
        "both": [place / "run", *parts],
        "reversed": parts[::-1],
        "twice": [*parts, place / "../place" / parts[0].name],
    }[how]
    merge(named)
    check_same(place / "run", place / "whole")


def test_the_merged_run_can_go_elsewhere(place: Path) -> None:
    merge(shards(place), place / "far/away")
    check_same(place / "far/away", place / "whole")
    assert not (place / "run").exists()
    (place / "empty").mkdir()
    merge(shards(place), place / "empty")
    check_same(place / "empty", place / "whole")


# -- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shard", ["5/4", "0/4", "x", "1/0", "1", "-1/4", "1/4/2", " 1/4", "01/4", "1/4\n", "1/1000000"]
)
def test_what_is_no_shard_is_refused(shard: str, capfd: pytest.CaptureFixture[str]) -> None:
    done = akb_here(capfd, "eval", "-m", "first", "-t", "phonetic", f"--shard={shard}")
    complaint(done, "shard: I/N is wanted, with I from 1 to N", repr(shard))
    assert not Path("runs").exists()


@pytest.mark.parametrize("shard", ["1/4", "4/4"])
@pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=["run", "dry run"])
def test_more_shards_than_questions_are_refused(
    shard: str, more: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    done = akb_here(capfd, "eval", "-m", "first", "-t", "phonetic", "-n", "3", "--shard", shard, *more)
    complaint(done, "there are 3 questions for 4 shards", "at most 3 shards")
    assert not list(Path().rglob("run.json"))


def test_a_run_file_and_a_dry_run_know_shards(capfd: pytest.CaptureFixture[str]) -> None:
    Path("run.yaml").write_text("model: first\ntask: phonetic\nlimit: 10\nshard: 2/4\n", "utf-8")
    told = json.loads(akb_here(capfd, "eval", "-c", "run.yaml", "--dry-run", "--json").stdout)
    assert (told[0]["questions"], told[0]["task"]) == (3, "akb-open/phonetic (first 10, shard 2/4)")
    told = json.loads(akb_here(capfd, "eval", "-c", "run.yaml", "--shard", "3/4", "--dry-run", "--json").stdout)
    assert (told[0]["questions"], told[0]["task"]) == (2, "akb-open/phonetic (first 10, shard 3/4)")
    done = akb_here(capfd, "eval", "-c", "run.yaml", "--no-cache")
    assert "first on akb-open/phonetic (first 10, shard 2/4), akb-v1" in done.stdout
    (manifest,) = Path("runs").rglob("run.json")
    assert manifest.parent.name.endswith(".shard-2-of-4")
    Path("bad.yaml").write_text("model: first\ntask: phonetic\nshard: 2\n", "utf-8")
    complaint(akb_here(capfd, "eval", "-c", "bad.yaml"), "shard", "found 2")


# -- what is refused -------------------------------------------------------------------------------------------


def refused(parts: Sequence[Path], *wanted: str, where: Path, out: Path | None = None, fresh: bool = False) -> None:
    """The merge is refused with a message that says all this, and nothing is written anywhere."""
    roots = {part.parent for part in parts}
    before = [digest(root) for root in roots]
    with pytest.raises(AkbError) as caught:
        merge(parts, out, fresh=fresh)
    for text in (*wanted, str(where)):
        assert text in str(caught.value), str(caught.value)
    assert caught.value.fix
    assert [digest(root) for root in roots] == before


def test_what_is_no_shard_cannot_be_merged(place: Path) -> None:
    parts = shards(place)
    refused([*parts, place / "whole"], "a whole run, not a shard", where=place / "whole")
    refused([*parts, place / "questions"], "not a run's folder", where=place / "questions")
    refused([*parts, place / "nowhere"], "not a run's folder", where=place / "nowhere")
    edit(parts[0], identity={**identity(parts[0]), "shard": "7/4"})
    with pytest.raises(AkbError, match="damaged: shard: I/N is wanted"):
        merge(parts)


def test_a_shard_must_be_there_once(place: Path) -> None:
    one, two, three, four = shards(place)
    refused([one, two, four], "shards 3/4 is missing", "--shard 3/4", where=one)
    refused([four], "shards 1/4, 2/4, 3/4 are missing", where=four)
    again = shutil.copytree(two, place / "again")
    refused([one, two, three, four, again], "shard 2/4 is given twice", str(two), where=again)


def test_shards_of_other_runs_or_divisions_do_not_mix(place: Path) -> None:
    one, two, three, four = shards(place)
    other = run("local", place, "4/4", out=place / "other", seed=1).path
    refused([one, two, three, other], "another run", "differs in seed: 0 -> 1", where=other)
    third = run("local", place, "3/3").path
    refused([one, two, third, four], "this is shard 3/3", "shard 1/4", where=third)
    refused([place / "run"], "this is shard", "-of-", where=place)


def test_a_shard_must_have_ended(place: Path) -> None:
    parts = shards(place)
    with take_lock(parts[2]):
        refused(parts, "shard 3/4 is being written to", "Wait", where=parts[2])
    edit(parts[1], status="running", finished=None, sha256={})
    refused(parts, "shard 2/4 was interrupted", "--shard 2/4, again", where=parts[1])
    run("local", place, "2/4")
    merge(parts)
    check_same(place / "run", place / "whole")


@pytest.mark.parametrize("name", [records.TRIALS, records.RESPONSES, records.OUTCOMES])
def test_edited_files_are_refused(name: str, place: Path) -> None:
    path = shards(place)[1] / name
    path.write_bytes(path.read_bytes().replace(b"q005", b"q006"))
    refused(shards(place), "not what it was when the run ended", where=path)


def test_what_does_not_fit_is_refused(place: Path, tmp_path: Path) -> None:
    def spoilt(name: str, change: Callable[[list[bytes]], list[bytes]], *wanted: str) -> None:
        copy = shutil.copytree(place, tmp_path / "spoilt")
        respoil(shards(copy)[1], name, change)
        refused(shards(copy), *wanted, where=copy)
        shutil.rmtree(copy)

    other = (shards(place)[0] / records.TRIALS).read_bytes().splitlines(keepends=True)
    answer = (shards(place)[0] / records.RESPONSES).read_bytes().splitlines(keepends=True)
    spoilt(records.TRIALS, lambda rows: [other[0], *rows[1:]], "'q000' is in shard 1/4 too")
    spoilt(records.TRIALS, lambda rows: rows[:-2], "too few questions for shard 2/4")
    spoilt(records.TRIALS, lambda rows: [], "too few questions for shard 2/4")
    spoilt(records.RESPONSES, lambda rows: [*rows, answer[0]], "a response to 'q000'")
    spoilt(records.RESPONSES, lambda rows: [*rows, rows[0].replace(b"q001", b"q999")], "a response to 'q999'")
    spoilt(records.RESPONSES, lambda rows: [*rows, b'{"trial": '], "the record is damaged", f"{records.RESPONSES}:7")
    spoilt(records.OUTCOMES, lambda rows: rows[:-1], "outcome of 'nothing' where 'q021' was asked")
    spoilt(records.OUTCOMES, lambda rows: rows[::-1], "outcome of 'q021' where 'q001' was asked")


def test_a_place_that_is_taken_is_left_alone(place: Path) -> None:
    parts, target = shards(place), place / "run"
    target.mkdir()
    (target / "mine.txt").write_text("notes", "utf-8")
    for fresh in (False, True):
        refused(parts, "not empty: it holds mine.txt", "--out", where=target, fresh=fresh)
    shutil.rmtree(target)
    shutil.copytree(parts[0], target)
    refused(parts, "holds another run; it differs in shard: '1/4' -> None", "--fresh", where=target)
    edit(target, identity=identity(place / "whole"), status="running", sha256={})
    refused(parts, "not finished (it is running)", "--fresh", where=target)
    (target / "run.json").unlink()
    refused(parts, "run.json is missing", "--fresh", where=target)
    same = place / "questions/.." / parts[2].name
    refused(parts, "the folder of shard 3/4", where=same, out=same, fresh=True)
    with take_lock(target):
        refused(parts, "another akb process", where=target, fresh=True)
    assert merge(parts, fresh=True).new
    check_same(target, place / "whole")
    (place / "file").write_text("", "utf-8")
    with pytest.raises(AkbError, match="cannot be read: Not a directory"):
        merge(parts, place / "file")


def test_a_run_that_is_there_already_is_kept_unless_it_differs(place: Path) -> None:
    parts, target = shards(place), place / "run"
    assert merge(parts).new
    before = digest(target)
    assert merge([target]) == (Run.load(target), False)
    assert digest(target) == before
    respoil(parts[0], records.RESPONSES, lambda rows: [row.replace(b'"text":"', b'"text":" ') for row in rows])
    refused(parts, "there already, with other answers", "--fresh", where=target)
    assert merge(parts, fresh=True).new
    assert digest(target) != before
    (target / "outcomes.jsonl").write_bytes(b"")
    refused(parts, "not what it was when the run ended", where=target)


def test_folders_whose_names_tell_nothing_need_out(place: Path, tmp_path: Path) -> None:
    one, *others = shards(place)
    named = one.rename(place / "first")
    refused([named, *others], "does not tell where", "--out", where=named)
    away = shutil.copytree(named, tmp_path / "away/run.shard-1-of-4")
    refused([away, *others], "could belong in", "--out", where=tmp_path / "away/run")
    merge([named, *others], place / "run")
    check_same(place / "run", place / "whole")


def test_questions_with_the_same_id_are_found(tmp_path: Path) -> None:
    class Twice(Chain):
        def trial(self, question: Question) -> Trial:
            return Trial("q000" if question.id == "q001" else question.id, question)

    parts = []
    for number in (1, 2):
        out = tmp_path / f"run.shard-{number}-of-2"
        evaluate(LocalToy(tmp_path / "log"), Twice(), out=out, cache=False, shard=f"{number}/2")
        parts.append(out)
    refused(parts, "'q000' is in shard 1/2 too", where=parts[1])


# -- what the merged run tells ---------------------------------------------------------------------------------


def test_an_incomplete_shard_makes_an_incomplete_run_that_can_go_on(tmp_path: Path) -> None:
    task(tmp_path / "questions", N)
    whole = run("down", tmp_path, out=tmp_path / "whole")
    (tmp_path / "down").touch()
    parts = sharded("down", tmp_path, 3)
    merged, _ = merge(parts)
    assert merged.manifest.status == "incomplete"
    assert merged.manifest.usage["model"].failed == 5
    assert not merged.manifest.sha256
    assert "INCOMPLETE: 5 answers are errors" in merged.table()
    refused(parts, "not finished (it is incomplete)", "--fresh", where=tmp_path / "run")
    (tmp_path / "down").unlink()
    log = asked(tmp_path / "asked.log")
    mended = run("down", tmp_path)
    assert mended.manifest.status == "finished"
    assert mended.summary == whole.summary
    assert 5 <= len(asked(tmp_path / "asked.log")) - len(log) < N
    for number in (1, 2, 3):
        run("down", tmp_path, f"{number}/3")
    again, _ = merge(parts, fresh=True)
    assert again.manifest.status == "finished"
    assert again.summary == whole.summary


def test_notes_are_united_and_other_packages_told(place: Path) -> None:
    parts = shards(place)
    packages = json.loads((parts[0] / "run.json").read_text("utf-8"))["environment"]["packages"]
    for number, part in enumerate(parts):
        edit(part, notes=["of all", f"of {number % 2}"])
    edit(parts[2], environment={"packages": {**packages, "numpy": "0.1", "peft": "9"}, "platform": "another"})
    edit(parts[0], environment={"packages": {**packages, "peft": "8"}, "platform": "one"})
    edit(parts[1], environment={"packages": {**packages, "peft": "8"}, "platform": "a third"})
    edit(parts[3], environment={"packages": {name: v for name, v in packages.items() if name != "peft"}})
    merged, _ = merge(parts)
    numpy = packages["numpy"]
    assert merged.manifest.notes == (
        "of all",
        "of 0",
        "of 1",
        f"shard 3/4 ran with numpy 0.1, peft 9 (shard 1/4: numpy {numpy}, peft 8)",
        "shard 4/4 ran with peft absent (shard 1/4: peft 8)",
    )
    assert merged.manifest.environment["platform"] == "one"


# -- whole or not at all ---------------------------------------------------------------------------------------


def killed(parts: Sequence[Path], at: int, fresh: bool, told: Path) -> bool:
    """Merge in a child that gets kill -9 at its `at`-th step (a Python or C call); returns whether it did. The number
    of all its steps is written to `told`."""
    pid = os.fork()
    if pid == 0:
        steps = 0

        def step(frame: FrameType, event: str, arg: object) -> None:
            nonlocal steps
            if event in ("call", "c_call"):
                if steps == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                steps += 1

        try:
            sys.setprofile(step)
            merge(parts, fresh=fresh)
            sys.setprofile(None)
            told.write_text(str(steps), "utf-8")
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("fresh", [False, True], ids=["new", "--fresh"])
def test_a_merge_killed_at_any_point_leaves_no_half_run(fresh: bool, place: Path, tmp_path: Path) -> None:
    parts, target = shards(place), place / "run"
    other = run("local", place, out=tmp_path / "other", seed=1).path

    def prepare() -> None:
        shutil.rmtree(target, ignore_errors=True)
        if fresh:
            shutil.copytree(other, target)

    prepare()
    merge(parts, fresh=fresh)  # the first takes steps of its own: locks' files are made, caches filled
    prepare()
    assert not killed(parts, -1, fresh, tmp_path / "steps")
    whole = int((tmp_path / "steps").read_text("utf-8"))
    draw = Random(f"{fresh} 2603.19195")
    points = [at for last in (whole, whole // 10, 300) for at in draw.sample(range(whole - last, whole), 12)]
    hit = 0
    for at in points:
        prepare()
        hit += killed(parts, at, fresh, tmp_path / "steps")
        if (target / "run.json").exists():
            found = Run.load(target)
            assert found.summary.rows[0].n == N
            if found.manifest.identity == identity(other):
                assert fresh
            else:
                check_same(target, place / "whole")
        merge(parts, fresh=fresh)
        check_same(target, place / "whole")
        assert not [path.name for path in place.iterdir() if path.name.startswith(".")]
    assert hit > len(points) - 6, "the last steps are the test's own"


@pytest.mark.parametrize("step", ["_trials", "_outcomes", "_responses", "_copy_responses", "_notes", "_put"])
def test_a_merge_that_fails_leaves_nothing(step: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    was: Callable[..., Any] = getattr(merging, step)
    before = digest(place)

    def fails(*given: Any) -> Iterator[Any]:
        found = was(*given) if step not in ("_copy_responses", "_put") else None
        if found is not None:
            yield next(found, None)
        raise KeyboardInterrupt

    def stops(*given: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(merging, step, stops if step in ("_copy_responses", "_put") else fails)
    with pytest.raises(KeyboardInterrupt):
        merge(shards(place))
    assert digest(place) == before
    assert not (place / "run").exists()


def test_memory_does_not_grow_with_the_answers(tmp_path: Path) -> None:
    many, of, long = 6000, 2, "and so on " * 100
    questions = [{**row(n), "id": f"q{n}", "question": f"{n} {long}"} for n in range(of)]
    task(tmp_path / "questions", questions)
    parts = sharded("local", tmp_path, of)
    for start, part in enumerate(parts):
        for name in (records.TRIALS, records.RESPONSES, records.OUTCOMES):
            (first,) = lines(part / name)
            with (part / name).open("w", encoding="utf-8") as file:
                for number in range(start, many, of):
                    text = dumps(first).replace(f'"q{start}"', f'"q{number}"')
                    file.write(text.replace('"reason":""', f'"reason":"{long}"') + "\n")
        edit(part, sha256={})
    size = sum(path.stat().st_size for part in parts for path in part.iterdir())
    tracemalloc.start()
    try:
        merge(parts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 10_000_000
    assert peak < size / 3
    assert [line["id"] for line in lines(tmp_path / "run/trials.jsonl")] == [f"q{n}" for n in range(many)]


# -- the command line ------------------------------------------------------------------------------------------


def test_shards_can_run_at_the_same_time(tmp_path: Path) -> None:
    questions, path = task(tmp_path / "questions", N), toy_plugin(tmp_path)
    env = {**os.environ, "PYTHONPATH": path}
    log = f"model.log={tmp_path / 'asked.log'}"
    told = ["eval", "-m", "toy:local", "-t", questions, "-s", log, "-s", "model.pause=0.05"]
    both = [
        subprocess.Popen(command(*told, "--shard", f"{number}/2"), env=env, stderr=subprocess.PIPE, text=True)
        for number in (1, 2)
    ]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert len(set(asked(tmp_path / "asked.log"))) == len(asked(tmp_path / "asked.log")) == N
    parts = sorted(tmp_path.rglob("*.shard-*"))
    assert [part.name[-13:] for part in parts] == [".shard-1-of-2", ".shard-2-of-2"]
    done = akb("merge", *parts, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert " on toy-task, akb-v1\n" in done.stdout
    target = parts[0].with_name(parts[0].name.removesuffix(".shard-1-of-2"))
    again = akb(*told, PYTHONPATH=path)
    assert again.returncode == 0, again.stderr
    assert str(target.relative_to(tmp_path)) in again.stdout
    anew = akb(*told, "--out", "anew", PYTHONPATH=path)
    assert anew.returncode == 0, anew.stderr
    assert len(asked(tmp_path / "asked.log")) == N, "the whole run takes its answers from the cache that both filled"
    for name in ("trials.jsonl", "outcomes.jsonl"):
        assert (target / name).read_bytes() == (tmp_path / "anew" / name).read_bytes()
    assert answers(target) == answers(tmp_path / "anew")


def test_merge_says_what_it_did(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = akb_here(capfd, "merge", *shards(place)[:3])
    complaint(done, "of this run's shards 4/4 is missing", "--shard 4/4")
    done = akb_here(capfd, "merge", *shards(place))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("toy on toy-task, akb-v1\n")
    assert f"record: {place / 'run'}" in done.stdout
    done = akb_here(capfd, "merge", place / "run")
    assert done.stdout.startswith("The merged run is there already; nothing was written.\n")
    told = json.loads(akb_here(capfd, "merge", place / "run", "--fresh", "--json").stdout)
    assert (told["status"], told["path"]) == ("finished", str(place / "run"))
    done = akb_here(capfd, "runs", place)
    assert [len(re.findall(rf"toy-task{label} ", done.stdout)) for label in ("", r" \(shard ./4\)")] == [6, 4]
    done = akb_here(capfd, "score", place / "run", "--policy", "chance")
    assert done.returncode == 0, done.stderr


def test_the_shards_of_the_readme_run(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (block,) = (text for text in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL) if "--shard" in text)
    assert "qwen2-7b" in block
    script = block.replace("qwen2-7b", "random").replace(" --device cuda:$((i - 1))", "")
    path = f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "random on akb-open, akb-v1\n" in done.stdout
