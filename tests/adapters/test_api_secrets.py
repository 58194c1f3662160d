"""The key is nowhere but in the header of a request: not in what is recorded, shown, logged or raised, even where the
server sends it back."""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apis import KEY, Api, Asked, Handler, Quiet, Reply, Server, ask, failure, openai_reply, put

import akb
from akb.adapters.cards import Card
from akb.adapters.openai import OpenAI
from akb.adapters.remote import Args
from akb.errors import AkbError
from akb.types import Choose, Message

PIECE = KEY[8:]  # a part of a key is told no more than the whole


def echo(api: Api, asked: Asked, where: str) -> Reply:
    """A reply that tells the key."""
    header = asked.headers[api.header[0]]
    said = api.reply(f"You sent {header}", api.stop, f"I see {header}")
    said["modelVersion" if api.name == "google" else "model"] = f"m-{header}"
    replies: dict[str, Reply] = {
        "reply": (200, {"x-echo": header}, said),
        "end": (200, {}, api.reply("A", header, "")),
        "error": (400, {"x-echo": header}, {"error": {"message": f"bad {header}", "code": header}}),
        "words": (500, {}, f"<html>{header}</html>"),
        "limit": (429, {"Retry-After": header}, {"error": {"message": header}}),
        "refused": (401, {}, {"error": {"message": f"Incorrect API key provided: {header}"}}),
        "told": (200, {}, {"error": {"message": header, "code": header}}),
        "schema": (200, {}, {"choices": header, "content": header, "candidates": header, "usage": header}),
        "deeper": (200, {}, {"candidates": [{"content": {"parts": header}}], "choices": [header], "content": [header]}),
        "counts": (200, {}, said | {"usage": {"prompt_tokens": header}, "usageMetadata": {"promptTokenCount": header}}),
        "long": (400, {}, {"error": {"message": "x" * 280 + header}}),
        "json": (200, {}, f'{{"id": "{header}'),
        "line": lambda handler: line(handler, header),
    }  # fmt: skip
    return replies[where]


WHERE = ["reply", "end", "error", "words", "limit", "refused", "told", "schema", "deeper", "counts", "long", "json",
         "line"]  # fmt: skip


def line(handler: Handler, header: str) -> None:
    handler.wfile.write(f"{header}\r\n\r\n".encode())


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """All that is logged at DEBUG, errors and all."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    keep, root = Keep(), logging.getLogger()
    level = root.level
    root.addHandler(keep)
    root.setLevel(logging.DEBUG)
    for name in ("openai", "anthropic", "google_genai", "httpx2", "httpcore2", "httpx", "httpcore", "aiohttp"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(keep)
    root.setLevel(level)


def chain(error: BaseException | None) -> str:
    """An error and all that lies below it, even where a traceback would not show it."""
    if error is None:
        return ""
    own = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    return own + chain(error.__cause__) + chain(error.__context__)


@pytest.mark.parametrize("where", WHERE)
def test_a_server_that_sends_the_key_back_gets_it_nowhere(
    server: Server, api: Api, where: str, logged: list[str], recwarn: pytest.WarningsRecorder
) -> None:
    server.answer = lambda asked: echo(api, asked, where)
    adapter = api.adapter(server)
    told: list[str] = []
    try:
        got = ask(adapter)
        told.append(repr(got))
        if where == "reply":
            assert "You sent" in str(got.text)
            assert "[key]" in str(got.text)
    except Exception as error:
        told += [chain(error), repr(adapter.classify(error))]
    told += [repr(adapter), repr(adapter.args), repr(adapter.fingerprint()), *logged]
    told += [str(warning.message) for warning in recwarn]
    assert len(server.asked) == 1
    assert not [text for text in told if PIECE in text]


@pytest.mark.parametrize("where", ["reply", "error", "refused"])
def test_the_key_is_in_no_file(
    server: Server, api: Api, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer, told = lambda asked: echo(api, asked, where), ""
    try:
        akb.evaluate(f"{api.name}:m-1", "phonetic", protocol="akb-v1", out=tmp_path / "run", limit=2,
                     model_args=api.args(server))  # fmt: skip
    except AkbError as error:
        told = chain(error)
    assert PIECE not in told
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if PIECE.encode() in path.read_bytes()]
    shown = capsys.readouterr()
    assert PIECE not in shown.out + shown.err + " ".join(sys.argv)


def test_a_key_with_signs_in_it_is_found_however_it_is_spelled(
    server: Server, openai: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "we/ird\"k'ey+\\secret=="
    monkeypatch.setenv("AKB_TEST_KEY", key)
    spelled = [key, json.dumps(key), repr(key), "we%2Fird%22k%27ey%2B%5Csecret%3D%3D"]
    server.answer = lambda asked: (200, {}, openai_reply(" ".join(spelled), "stop", ""))
    text = ask(openai.adapter(server)).text
    assert text is not None
    assert "secret" not in text


def test_a_placeholder_for_a_key_is_left_in_words(server: Server, openai: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKB_TEST_KEY", "none")
    server.answer = lambda asked: openai.ok("none of these")
    assert ask(openai.adapter(server)).text == "none of these"


def test_tokens_that_tell_the_key_are_not_kept(server: Server, openai: Api) -> None:
    tops = [{"token": KEY, "logprob": -0.1}]
    body: dict[str, Any] = openai_reply(KEY, "length", "")
    body["choices"][0]["logprobs"] = {"content": [{**tops[0], "top_logprobs": tops}]}
    server.answer = lambda asked: (200, {}, body)
    got = put(openai.adapter(server), Choose((Message("user", ("?",)),), (("A",), ("B",))))
    assert KEY not in repr(got)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("aiohttp", [True, False])
def test_the_key_follows_no_redirect(
    server: Server, api: Api, status: int, aiohttp: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of these an SDK or what is below it would drop one header for another host, and keep another."""
    if api.name == "google" and not aiohttp:  # where it is not installed, the SDK takes httpx
        monkeypatch.setattr("google.genai._api_client.has_aiohttp", False)
    elsewhere: list[str] = []

    def heard(handler: Handler) -> None:
        elsewhere.append(str(handler.headers))
        handler.send_error(500)

    other = type("Other", (Handler,), {"do_POST": heard, "do_GET": heard})  # a 302 becomes a GET
    http = Quiet(("127.0.0.1", 0), other)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    try:
        url = f"http://127.0.0.1:{http.server_port}{api.path}"
        server.answer = lambda asked: (status, {"Location": url}, {})
        adapter = api.adapter(server)
        found = adapter.classify(failure(adapter))
    finally:
        http.shutdown()
        http.server_close()
    assert elsewhere == []
    assert len(server.asked) == 1
    assert (found.kind, f"another address, and the key is for this one alone ({status})" in found.message) == (
        "fatal", True
    )  # fmt: skip


def test_a_server_of_ones_own_needs_no_key(server: Server, openai: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server.answer = lambda asked: openai.ok("A")
    adapter = OpenAI(Card(name="m", adapter="openai", model="m"), Args(base_url=f"{server.url}/v1"))
    assert ask(adapter).text == "A"
    named = OpenAI(Card(name="m", adapter="openai", model="m"), Args(base_url=f"{server.url}/v1", key_env="NO_SUCH"))
    with pytest.raises(AkbError, match="there is no key: NO_SUCH"):
        ask(named)
