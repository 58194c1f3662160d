"""A full disk, a damaged record, a damaged cache: one clear message, and what was answered is kept."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from toys import (
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
    task,
    toy_plugin,
)

from akb import evaluate
from akb.errors import AkbError
from akb.run import Run
from akb.types import Request, Response

N = 60


# -- full disks ------------------------------------------------------------------------------------------------


def toy_args(*more: object) -> list[object]:
    questions = task(Path("questions"), N)
    return [
        "eval",
        "-m",
        "toy:local",
        "-t",
        questions,
        "-o",
        "run",
        "-s",
        f"model.log={Path('asked.log').resolve()}",
        *more,
    ]


@pytest.mark.parametrize(
    "size", [4_000, 25_000, 45_000], ids=["in the trials", "in the first answers", "in later ones"]
)
def test_a_file_that_may_not_grow_keeps_what_was_answered_and_the_run_goes_on_elsewhen(
    size: int, tmp_path: Path
) -> None:
    """A limit on the size of a file stands for a full disk, where real ones cannot be made."""
    env = {**os.environ, "PYTHONPATH": toy_plugin(tmp_path)}
    args = toy_args("--no-cache", "-p", "akb-v1-cyclic")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    done = subprocess.run(command(*args), env=env, capture_output=True, text=True, preexec_fn=limited, timeout=60)
    complaint(done, "jsonl: cannot be written: File too large", "What was answered so far is kept.")
    before, log = lines(tmp_path / "run/responses.jsonl"), asked(tmp_path / "asked.log")
    assert len(before) >= len(log) - 4
    again = akb(*args, PYTHONPATH=env["PYTHONPATH"])
    assert again.returncode == 0, again.stderr
    assert lines(tmp_path / "run/responses.jsonl")[: len(before)] == before
    assert bool(before) == (size > 4_000)
    assert len(answers(tmp_path / "run")) == 4 * N
    assert len(asked(tmp_path / "asked.log")) <= 4 * N + 4


FULL = """
set -e
mount -t tmpfs -o size={size}k full disk
cp -r questions disk/
set +e
"$@"
echo "code $?"
cp disk/run/responses.jsonl before.jsonl
mount -o remount,size=16m disk
"$@" >&2
echo "code $?"
cp -r disk/run disk/cache .
"""


@pytest.mark.parametrize(
    ("size", "cache"), [(44, False), (48, False), (60, True), (80, True)], ids=["answers", "outcomes", "cache", "later"]
)
def test_a_full_disk_keeps_what_was_answered_and_the_run_goes_on_when_there_is_room(
    size: int, cache: bool, tmp_path: Path
) -> None:
    """A real one: a small file system in a name space of its own."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("file systems cannot be made here")
    Path("disk").mkdir()
    env = {**os.environ, "PYTHONPATH": toy_plugin(tmp_path), "AKB_CACHE": "disk/cache"}
    args = [*toy_args(), "-o", "disk/run", *([] if cache else ["--no-cache"])]
    script = FULL.format(size=size).replace(" disk/cache", " disk/cache" if cache else "")
    shell = ["unshare", "-m", "sh", "-c", script, "sh", *command(*args)]
    done = subprocess.run(shell, env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[:1] == ["code 2"], (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stderr.count("akb: ") == 1, done.stderr
    assert any(told in done.stderr for told in ("No space left on device", "disk is full", "disk I/O error")), (
        done.stderr
    )
    assert "this is a fault of akb" not in done.stderr, done.stderr
    assert done.stdout.rstrip().endswith("code 0"), (done.stdout, done.stderr)
    before = lines(tmp_path / "before.jsonl")
    assert lines(tmp_path / "run/responses.jsonl")[: len(before)] == before
    assert len(answers(tmp_path / "run")) == N
    assert len(asked(tmp_path / "asked.log")) <= N + 4


@pytest.mark.parametrize("args", ["eval -m random -t akb-open -o run --json", "ls protocols"], ids=["long", "short"])
def test_output_that_cannot_be_written_is_told_and_the_run_is_kept(args: str, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command(*args.split()), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    complaint(subprocess.CompletedProcess(args, done.returncode, "", done.stderr), "the output cannot be written")
    if args.startswith("eval"):
        assert Run.load(tmp_path / "run").manifest.status == "finished"


# -- damaged records -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    done = akb("eval", "-m", "first", "-t", task(folder / "questions"), "-o", folder / "run", "--no-cache")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished / "run", tmp_path / "run")


def again(finished: Path) -> tuple[object, ...]:
    return ("eval", "-m", "first", "-t", finished / "questions", "-o", "run", "--no-cache")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def last_line_away(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def last_byte_away(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a byte": flip, "its last line": last_line_away, "its last byte": last_byte_away, "the file": Path.unlink,
}  # fmt: skip


@pytest.mark.parametrize("name", ["responses.jsonl", "trials.jsonl", "outcomes.jsonl"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_finished_run_that_lost_something_is_not_shown_nor_touched(
    damage: Callable[[Path], None], name: str, finished: Path, run: Path
) -> None:
    damage(run / name)
    before = digest(run)
    for args in (again(finished), ("runs", "run")):
        complaint(akb(*args), f"run/{name}: the file is not what it was when the run ended")
    listed = akb("runs", ".")
    assert listed.returncode == 0
    assert "cannot be read: the file is not what it was" in listed.stdout
    assert digest(run) == before


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_outcomes_are_made_anew_by_akb_score(damage: Callable[[Path], None], finished: Path, run: Path) -> None:
    damage(run / "outcomes.jsonl")
    done = akb("score", "run")
    assert done.returncode == 0, done.stderr
    assert (run / "outcomes.jsonl").read_bytes() == (finished / "run/outcomes.jsonl").read_bytes()
    assert akb(*again(finished)).returncode == 0


@pytest.mark.parametrize("name", ["responses.jsonl", "trials.jsonl"])
def test_akb_score_does_not_judge_damaged_answers(name: str, run: Path) -> None:
    flip(run / name)
    before = digest(run)
    complaint(akb("score", "run"), f"run/{name}: the file is not what it was")
    assert digest(run) == before


def unfinished(run: Path, middle: bytes = b"") -> None:
    """Make it a run that was killed after 8 answers, with `middle` for its fifth line."""
    manifest = json.loads((run / "run.json").read_text("utf-8"))
    (run / "run.json").write_text(json.dumps({**manifest, "status": "running", "sha256": {}}), "utf-8")
    kept = (run / "responses.jsonl").read_bytes().splitlines(keepends=True)[:8]
    if middle:
        kept[4] = middle if len(middle) != 1 else kept[4].replace(b'"text":"', b'"text":"' + middle)
    (run / "responses.jsonl").write_bytes(b"".join(kept))
    (run / "outcomes.jsonl").unlink()


BROKEN_LINES = {
    "no JSON": b"{'trial'\n",
    "empty": b" \n",
    "a list": b"[]\n",
    "no key": b'{"trial":"q004","request":0,"response":{"finish":"stop"}}\n',
    "unknown finish": b'{"trial":"q004","request":0,"key":"x","response":{"finish":"stopp"}}\n',
    "unknown field": b'{"trial":"q004","request":0,"key":"x","response":{"finish":"stop","texts":""}}\n',
    "another key": b'{"trial":"q004","request":0,"key":"x","response":{"finish":"stop","text":"A"}}\n',
    "not UTF-8": b"\xff",
    "a trial that is none": b'{"trial":[],"request":0,"key":"x","response":{"finish":"stop","text":"A"}}\n',
}


@pytest.mark.parametrize("line", BROKEN_LINES.values(), ids=BROKEN_LINES)
def test_a_broken_line_within_a_record_is_named_and_kept_for_mending(line: bytes, finished: Path, run: Path) -> None:
    unfinished(run, line)
    before = digest(run)
    told = complaint(akb(*again(finished)), "run")
    assert "responses.jsonl:5: the record is damaged" in told or "question q004 was asked in another way" in told
    assert digest(run)["responses.jsonl"] == before["responses.jsonl"]
    kept = (run / "responses.jsonl").read_bytes().splitlines(keepends=True)
    (run / "responses.jsonl").write_bytes(b"".join(kept[:4] + kept[5:]))  # as the message says
    assert akb(*again(finished)).returncode == 0
    assert (run / "outcomes.jsonl").read_bytes() == (finished / "run/outcomes.jsonl").read_bytes()


MANIFESTS = {
    "missing": (None, "run.json"),
    "empty": ("", "run.json:1: damaged"),
    "cut": ('{"schema": 1,\n "akb"', "run.json:2: damaged"),
    "a list": ("[]", "run.json"),
    "of another schema": ('{"schema": 2}', "run.json: schema 2; this akb reads schema 1"),
    "of no schema": ("{}", "run.json: schema None; this akb reads schema 1"),
    "with fields that are not known": ('{"schema": 1, "colour": "red"}', "colour: there is no such field"),
    "not UTF-8": ("\udcff", "run.json: not UTF-8 text"),
}


@pytest.mark.parametrize("case", MANIFESTS.values(), ids=MANIFESTS)
@pytest.mark.parametrize("how", ["eval", "score"])
def test_a_damaged_manifest_is_named_and_nothing_is_touched(
    how: str, case: tuple[str | None, ...], finished: Path, run: Path
) -> None:
    text, wanted = case
    assert wanted is not None
    (run / "run.json").unlink() if text is None else (run / "run.json").write_bytes(
        text.encode("utf-8", "surrogateescape")
    )
    before = digest(run)
    complaint(akb(*(again(finished) if how == "eval" else ("score", "run"))), wanted)
    assert digest(run) == before


def test_a_lost_list_of_trials_is_made_anew_for_a_run_that_goes_on(finished: Path, run: Path) -> None:
    unfinished(run)
    (run / "trials.jsonl").unlink()
    assert akb(*again(finished)).returncode == 0
    for name in ("trials.jsonl", "outcomes.jsonl"):
        assert (run / name).read_bytes() == (finished / "run" / name).read_bytes()


# -- damaged caches --------------------------------------------------------------------------------------------


def cache_file(tmp_path: Path) -> Path:
    path = tmp_path / "cache/responses.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def of_another_schema(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")


def of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE responses (name TEXT)")


def filled() -> None:
    """A cache that a run has filled."""
    run = evaluate("random", "phonetic/rhyme", out="filling")
    assert run.manifest.status == "finished"


def cut(path: Path) -> None:
    filled()
    path.write_bytes(path.read_bytes()[:5000])


def rows_are(text: object) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        filled()
        with sqlite3.connect(path) as db:
            db.execute("UPDATE responses SET response = ?", (text,))

    return damage


CACHES: dict[str, tuple[Callable[[Path], None], str]] = {
    "garbage": (garbage, "the response cache is damaged"),
    "of another schema": (of_another_schema, "another version of akb (schema 99, wanted 1)"),
    "of another program": (of_another_program, "the response cache"),
    "cut": (cut, "the response cache is damaged"),
    "a folder": (Path.mkdir, "the response cache cannot be used"),
    "rows that are no JSON": (rows_are("{"), "the response cache is damaged"),
    "rows of another shape": (rows_are('{"text": "A"}'), "the response cache is damaged"),
    "rows that are a number": (rows_are(5), "the response cache is damaged"),
    "rows that are bytes": (rows_are(b"\xff\xfe"), "the response cache is damaged"),
    "rows of nonsense": (rows_are('{"finish": "stop", "text": 5}'), "the response cache is damaged"),
}


@pytest.mark.parametrize("case", CACHES.values(), ids=CACHES)
def test_a_damaged_cache_is_named_and_deleting_it_loses_nothing(
    case: tuple[Callable[[Path], None], str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    damage, wanted = case
    path = cache_file(tmp_path)
    damage(path)
    args = ("eval", "-m", "random", "-t", "phonetic/rhyme", "-o", "run")
    complaint(akb(*args), "responses.sqlite: ", wanted, "--no-cache")
    assert akb_here(capfd, *args, "--no-cache").returncode == 0
    shutil.rmtree(path.parent)
    assert akb_here(capfd, *args[:-1], "other").returncode == 0


# -- replies that are hard to keep -----------------------------------------------------------------------------

REPLIES = {
    "half a character": "A\ud83d",
    "nothing": "",
    "line ends": "(A)\n\r\u2028\x85\x0c(A)",
    "a null": "\0",
    "long": "A" * 300_000,
}


@pytest.mark.parametrize("text", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("kind", [LocalToy, RemoteToy])
def test_a_reply_of_any_text_is_recorded_and_read_back_as_it_was(
    kind: type[LocalToy | RemoteToy], text: str, tmp_path: Path
) -> None:
    class Odd(kind):  # type: ignore[misc,valid-type]
        def answer(self, request: Request) -> Response:
            return Response(text=text, reasoning=text)

    questions = str(task(tmp_path / "questions", 3))
    for name in ("first", "second"):  # the second from the cache
        run = evaluate(Odd(tmp_path / "log"), questions, out=tmp_path / name)
        assert [(r.text, r.reasoning) for _, _, r in run.responses()] == [(text, text)] * 3
        assert run.summary.rows[0].n == 3
    assert len(asked(tmp_path / "log")) == 3


def test_a_response_that_json_cannot_hold_is_an_error_of_the_adapter(tmp_path: Path) -> None:
    class Odd(LocalToy):
        def answer(self, request: Request) -> Response:
            return Response(text="A", notes={"where": object()})

    with pytest.raises(AkbError, match="the adapter does not do as it must"):
        evaluate(Odd(tmp_path / "log"), str(task(tmp_path / "questions", 3)), out=tmp_path / "run", cache=False)
