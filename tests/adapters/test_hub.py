"""A model named by repository: fetched from a hub on loopback, pinned to its commit, recorded, and not asked for again.

The server speaks the hub's protocol as far as huggingface_hub needs it: a model's information, the list of its files
in pages, small files by a redirect that stays on the hub, weights by one to another server.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from models import tokenizer, weights
from toys import Done, akb, complaint, digest, lines

Files = dict[str, bytes]
REPO = "org/tiny"
WEIGHTS = "model.safetensors"
SECRET = "hf_0123456789"
PAGE = 4  # files in one answer
NARROW, WIDE = b'"max_position_embeddings": 512', b'"max_position_embeddings": 4096'  # a question takes some hundreds
UNSET = ("HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT")


# -- the hub -----------------------------------------------------------------------------------------------------


def sha(*parts: bytes) -> str:
    return hashlib.sha1(b"\0".join(parts), usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    """One repository with its commits and branches, and what was asked of it.

    Attributes:
        token: the only token that opens the repository; None: it is open to all.
        hidden: to others it looks as if it were not there (private); else it can be seen, and not be had (gated).
        cut: how the transfer of weights fails: "once" in the middle, or always "short" by half its bytes.
        failing: a status with which every request is answered.
    """

    url: str = ""
    storage: str = ""
    commits: dict[str, Files] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    hidden: bool = False
    cut: str = ""
    failing: int = 0
    asked: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    leaked: int = 0
    stop: Callable[[], None] = lambda: None

    def push(self, files: Files, branch: str = "main") -> str:
        """A new commit, at the end of a branch."""
        commit = sha(*(part for name, data in sorted(files.items()) for part in (name.encode(), data)))
        self.commits[commit] = files
        self.branches[branch] = commit
        return commit

    def files_asked(self) -> set[str]:
        """The names of files of which something was asked, of either server."""
        return {path.rpartition("/")[2] for path in (*self.asked, *self.stored) if "/api/models/" not in path}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: ClassVar[Hub]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        self.hub.asked.append(f"{self.command} {path}")
        if self.hub.failing:
            return self.give(b"<html>", self.hub.failing)
        if path.startswith(f"/api/models/{REPO}"):
            return self.api(path.removeprefix(f"/api/models/{REPO}"), parse_qs(url.query))
        if path.startswith(f"/{REPO}/resolve/"):
            return self.resolve(*path.removeprefix(f"/{REPO}/resolve/").split("/", 1))
        if path.startswith(f"/api/resolve-cache/models/{REPO}/"):
            commit, _, name = path.removeprefix(f"/api/resolve-cache/models/{REPO}/").partition("/")
            return self.give(self.hub.commits[commit][name], headers=self.about(commit, name))
        return self.refuse(404, "RepoNotFound")

    # -- what there is --

    def api(self, rest: str, query: dict[str, list[str]]) -> None:
        what, _, revision = rest.removeprefix("/").partition("/")
        if self.hub.hidden and not self.open():
            return self.refuse(401, "RepoNotFound")
        commit = self.commit(revision or "main")
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        files = self.hub.commits[commit]
        if what in ("", "revision"):
            siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
            return self.give_json({"id": REPO, "sha": commit, "siblings": siblings})
        start = int(query.get("cursor", ["0"])[0])
        listed = [self.row(name, data) for name, data in sorted(files.items())]
        more = {"Link": f'<{self.hub.url}{self.path.split("?")[0]}?recursive=True&cursor={start + PAGE}>; rel="next"'}
        return self.give_json(listed[start : start + PAGE], more if start + PAGE < len(listed) else {})

    @staticmethod
    def row(name: str, data: bytes) -> dict[str, Any]:
        found = {"type": "file", "path": name, "size": len(data), "oid": sha(data)}
        if name == WEIGHTS:
            oid = hashlib.sha256(data).hexdigest()
            found["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 134}
        return found

    # -- files --

    def resolve(self, revision: str, name: str) -> None:
        if not self.open():
            return self.refuse(*((401, "RepoNotFound") if self.hub.hidden else (self.barred(), "GatedRepo")))
        commit = self.commit(revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        if name not in self.hub.commits[commit]:
            return self.refuse(404, "EntryNotFound")
        if name != WEIGHTS:
            return self.move(307, f"/api/resolve-cache/models/{REPO}/{commit}/{name}", self.about(commit, name))
        data = self.hub.commits[commit][name]
        linked = {"X-Linked-Size": str(len(data)), "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
        return self.move(302, f"{self.hub.storage}/{commit}/{name}", {"X-Repo-Commit": commit, **linked})

    def about(self, commit: str, name: str) -> dict[str, str]:
        return {"X-Repo-Commit": commit, "ETag": f'"{sha(self.hub.commits[commit][name])}"'}

    def commit(self, revision: str) -> str | None:
        found = self.hub.branches.get(revision, revision)
        return found if found in self.hub.commits else None

    def open(self) -> bool:
        return self.hub.token is None or self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def barred(self) -> int:
        return 403 if self.headers.get("Authorization") else 401

    # -- answers --

    def refuse(self, status: int, code: str) -> None:
        self.give(b'{"error":"no"}', status, {"X-Error-Code": code, "X-Error-Message": "no"})

    def move(self, status: int, to: str, headers: Mapping[str, str]) -> None:
        self.give(b"", status, {"Location": to, **headers})

    def give_json(self, data: Any, headers: Mapping[str, str] | None = None) -> None:
        self.give(json.dumps(data).encode(), 200, {"Content-Type": "application/json", **(headers or {})})

    def give(self, data: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests read what was asked."""


class Storage(Handler):
    """Where the weights lie: another server, that is never shown the token."""

    def do_GET(self) -> None:
        commit, name = self.path.removeprefix("/").split("/")
        self.hub.stored.append(f"{self.command} /{name}")
        self.hub.leaked += "Authorization" in self.headers
        whole = self.hub.commits[commit][name]
        if self.hub.cut == "short":
            return self.give(whole[: len(whole) // 2])
        if self.hub.cut == "once" and self.command == "GET":
            self.hub.cut = ""
            self.send_response(200)
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole[: len(whole) // 3])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        return self.give(whole)


@contextmanager
def serving(handler: type[Handler]) -> Iterator[ThreadingHTTPServer]:
    """A server on loopback, in a thread."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Files]:
    """Two versions of a tiny Llama: other weights, all else alike."""
    found = []
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp(f"version-{seed}")
        weights("llama", seed).save_pretrained(folder)
        tokenizer("adds", "chat").save_pretrained(folder)
        files = {file.name: file.read_bytes() for file in folder.iterdir()}
        files["config.json"] = files["config.json"].replace(NARROW, WIDE)
        found.append({**files, "README.md": b"a tiny one\n", "flax_model.msgpack": b"other weights, of no use"})
    assert found[0]["config.json"] == found[1]["config.json"]
    assert WIDE in found[0]["config.json"]
    assert found[0][WEIGHTS] != found[1][WEIGHTS]
    return found


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: list[Files]) -> Iterator[Hub]:
    """A hub with the first version on `main`; the commands of the test see this hub alone, and a cache of their own."""
    made = Hub()
    with (
        serving(type("Pages", (Handler,), {"hub": made})) as pages,
        serving(type("Store", (Storage,), {"hub": made})) as store,
    ):
        made.url, made.storage = (f"http://127.0.0.1:{server.server_port}" for server in (pages, store))
        made.push(versions[0])

        def stop() -> None:
            for server in (pages, store):
                server.shutdown()
                server.server_close()

        made.stop = stop
        for name in UNSET:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("NO_PROXY", "*")
        yield made


# -- asking ------------------------------------------------------------------------------------------------------


def command(*args: object, model: str = f"hf:{REPO}", limit: int = 3, **env: str) -> Done:
    """akb eval, on the CPU with one thread."""
    fixed = ("--task", "phonetic", "-p", "akb-v1-loglik", "--limit", limit, "--set", "model.threads=1")
    return akb("eval", "--model", model, *fixed, "--device", "cpu", *args, seconds=120, **env)


def run(*args: object, model: str = f"hf:{REPO}", limit: int = 3, **env: str) -> dict[str, Any]:
    """A run that must succeed, and say nothing on stderr."""
    done = command("--json", *args, model=model, limit=limit, **env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (found,) = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


FETCH = """
import sys
from akb.adapters.snapshot import find, weights
from akb.errors import AkbError
try:
    found = find(sys.argv[2], *sys.argv[3:])
    if sys.argv[1] == "all":
        weights(found)
    print(found.revision, "with" if found.chat_template else "without", "template")
except AkbError as error:
    print(f"akb: {error}", file=sys.stderr)
    sys.exit(2)
"""


def fetch(what: str, *revision: str, **env: str) -> Done:
    """The model's "small" files or "all" that are needed, fetched by a process that asks nothing."""
    told = [sys.executable, "-c", FETCH, what, REPO, *revision]
    return subprocess.run(told, env={**os.environ, **env}, capture_output=True, text=True, timeout=60)


def identity(found: dict[str, Any]) -> dict[str, Any]:
    """Who was asked, as the record has it."""
    told = json.loads((Path(found["path"]) / "run.json").read_text("utf-8"))
    party = told["identity"]["parties"]["model"]
    assert isinstance(party, dict)
    return party


def recorded(found: dict[str, Any]) -> dict[str, list[float]]:
    """The log-probabilities of each response, by its key."""
    responses = lines(Path(found["path"]) / "responses.jsonl")
    return {r["key"]: [score[0] for group in r["response"]["scores"] for score in group] for r in responses}


def snapshots(tmp_path: Path) -> Path:
    return tmp_path / "hf" / "hub" / "models--org--tiny" / "snapshots"


# -- a model is fetched, pinned and recorded -----------------------------------------------------------------------


def test_fetched_pinned_and_recorded(hub: Hub, tmp_path: Path, versions: list[Files]) -> None:
    """From the first fetch over a new commit to a hub that is gone: a run is of one commit, and says of which."""
    (old,) = hub.commits
    first = run()
    assert first["status"] == "finished"
    party = identity(first)
    assert (party["model"], party["revision"], party["template"]) == (REPO, old, "chat")
    assert len(recorded(first)) == 3
    fetched = snapshots(tmp_path) / old
    names = {file.name for file in fetched.iterdir()}
    assert names == set(versions[0]) - {"README.md", "flax_model.msgpack"}  # no more than is needed
    assert all((fetched / name).read_bytes() == versions[0][name] for name in names)
    assert hub.stored == ["GET /model.safetensors"]
    assert not hub.files_asked() & {"README.md", "flax_model.msgpack", "pytorch_model.bin"}
    kept = digest(Path(first["path"]))

    # a new commit on the branch: another run, none of whose answers come from the cache or the old record
    new = hub.push(versions[1])
    second = run()
    assert identity(second)["revision"] == new != old
    assert second["path"] != first["path"]
    assert not recorded(first).keys() & recorded(second).keys()
    assert not [values for values in recorded(second).values() if values in recorded(first).values()]
    assert digest(Path(first["path"])) == kept

    # pinned, the old one is what it was; it is on this machine, so the hub is asked nothing
    hub.asked.clear()
    pin = ("--set", f"model.revision={old}")
    assert run(*pin)["path"] == first["path"]
    assert digest(Path(first["path"])) == kept
    assert hub.asked == []

    # a card may pin as well
    cards = tmp_path / "mine" / "adapters"
    cards.mkdir(parents=True)
    card = f"{{name: tiny-old, adapter: hf, model: {REPO}, revision: {old}}}"
    (cards / "mine.yaml").write_text(f"family: mine\nmodels: [{card}]\n", "utf-8")
    by_card = run("--include", tmp_path / "mine", model="tiny-old")
    assert identity(by_card) == identity(first)
    assert recorded(by_card) == recorded(first)  # the same model: its answers are known
    assert hub.asked == []

    # the hub is gone; in its place is somebody who takes no calls and misses none. More is asked of the pinned commit
    hub.stop()
    with socket.create_server(("127.0.0.1", int(hub.url.rpartition(":")[2]))) as wire:
        assert run(*pin) == first
        more = run(*pin, limit=4)
        wire.setblocking(False)
        with pytest.raises(BlockingIOError):
            wire.accept()
    assert more["path"] != first["path"]
    assert identity(more) == identity(first)
    assert len(recorded(more)) == 4
    assert recorded(first).items() <= recorded(more).items()
    assert run() == second  # not pinned: the newest commit that this machine knows, which the record names


def test_branch_and_weights_cut_off_once(hub: Hub, tmp_path: Path, versions: list[Files]) -> None:
    """A branch is named; a transfer that breaks off is made again, and nobody but the hub sees the token."""
    trial = hub.push(versions[1], "trial")
    hub.token, hub.hidden, hub.cut = SECRET, True, "once"
    done = fetch("all", "trial", HF_TOKEN=SECRET)
    assert (done.stdout, done.stderr) == (f"{trial} with template\n", "")
    assert hub.stored == ["GET /model.safetensors"] * 2
    assert hub.leaked == 0
    file = snapshots(tmp_path) / trial / WEIGHTS
    assert file.read_bytes() == versions[1][WEIGHTS]
    assert [path.name for path in snapshots(tmp_path).iterdir()] == [trial]

    # a file that was cut off on this machine is not loaded either
    file.resolve().write_bytes(versions[1][WEIGHTS][:-100])
    told = complaint(fetch("all", trial), WEIGHTS, "cut off", "Remove it")
    assert str(len(versions[1][WEIGHTS])) in told
    file.resolve().unlink()
    hub.cut = ""
    assert fetch("all", trial, HF_TOKEN=SECRET).stdout
    assert file.read_bytes() == versions[1][WEIGHTS]


# -- what goes wrong is told -----------------------------------------------------------------------------------------


def test_short_weights_are_not_used(hub: Hub, tmp_path: Path, versions: list[Files]) -> None:
    """Half a file is never taken for the file; once the transfer is in order, the same command goes through."""
    (commit,) = hub.commits
    hub.cut = "short"
    complaint(command(), REPO, "should be of size")
    assert not (snapshots(tmp_path) / commit / WEIGHTS).exists()
    assert not list((tmp_path / "hf").rglob("*.incomplete"))
    assert not list((tmp_path / "runs").rglob("outcomes.jsonl"))


@pytest.mark.parametrize(
    ("hidden", "token", "wanted"),
    [
        (False, None, "gated (HTTP 401)"),
        (False, "hf_of_somebody_else", "gated (HTTP 403)"),
        (True, None, "may not be read (HTTP 401)"),
    ],
)
def test_not_for_everybody(hub: Hub, hidden: bool, token: str | None, wanted: str) -> None:
    """A gated or private repository: one clear error that names HF_TOKEN, and never shows the token."""
    hub.token, hub.hidden = SECRET, hidden
    told = complaint(command(HF_TOKEN=token or ""), REPO, wanted, "HF_TOKEN")
    assert token is None or token not in told
    assert hub.stored == []


def test_not_there(hub: Hub) -> None:
    """No such repository, no such branch, no such commit, and no name of a repository."""
    complaint(command(model="hf:org/none"), "org/none", "no such repository (HTTP 404)")
    complaint(fetch("small", "nine"), REPO, "no revision 'nine'")
    complaint(command("--set", f"model.revision={'b' * 40}"), REPO, f"no revision '{'b' * 40}'")
    complaint(command(model="hf:a/b/c"), "a/b/c", "ORG/NAME")


def test_out_of_order(hub: Hub) -> None:
    """A hub that fails, or is gone, is told at once: no retries, no warnings."""
    hub.failing = 503
    started = time.monotonic()
    complaint(command(), REPO, "cannot be reached (HTTP 503)")
    assert [path for path in hub.asked if REPO in path] == [f"GET /api/models/{REPO}"]
    hub.stop()
    complaint(command(), REPO, "cannot be reached", "/path/to/model")
    complaint(fetch("small", "b" * 40), REPO, "cannot be reached")
    assert time.monotonic() - started < 20


def test_half_a_snapshot_is_completed(hub: Hub, tmp_path: Path) -> None:
    """A fetch that ended midway: a chat model is never taken for one without a template."""
    (commit,) = hub.commits
    assert fetch("small").stdout == f"{commit} with template\n"
    template = snapshots(tmp_path) / commit / "chat_template.jinja"
    template.unlink()
    for revision in ((commit,), ()):
        complaint(fetch("small", *revision, HF_HUB_OFFLINE="1"), REPO, "cannot be reached")
    assert fetch("small", commit).stdout == f"{commit} with template\n"
    assert template.is_file()
    assert fetch("small", HF_HUB_OFFLINE="1").stdout == f"{commit} with template\n"
    assert hub.stored == []


def test_something_else_answers(hub: Hub) -> None:
    """A login page in place of the hub."""
    hub.failing = 200
    complaint(fetch("small"), REPO, "HF_ENDPOINT")
