"""The three APIs as far as the tests speak them, on loopback: a server that keeps what it was sent."""

from __future__ import annotations

import importlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio
import pytest

from akb.adapters.cards import Card, Reasoning
from akb.adapters.remote import Remote
from akb.registry import ADAPTERS
from akb.types import Decoding, Generate, Message, Request, Response

KEY = "sk-test-0123456789abcdef"
Raw = Callable[["Handler"], None]  # writes what it likes to the connection
Reply = tuple[int, dict[str, str], Any] | Raw  # status, headers, body: JSON, or text as it is


@dataclass
class Asked:
    path: str
    headers: Mapping[str, str]
    body: Any
    peer: Any


@dataclass
class Server:
    """Answers with whatever `answer` says, and keeps what it was asked."""

    url: str
    answer: Callable[[Asked], Reply]
    asked: list[Asked] = field(default_factory=list)
    now: int = 0
    most: int = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path, headers, body, self.client_address)
        self.state.now += 1
        self.state.most = max(self.state.most, self.state.now)
        self.state.asked.append(asked)
        told = self.state.answer(asked)
        self.state.now -= 1
        if callable(told):
            self.close_connection = True
            told(self)
            return
        status, extra, reply = told
        data = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **extra}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of some tests."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server("", lambda asked: (500, {}, {}))
    http = Quiet(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    state.url = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("AKB_TEST_KEY", KEY)
    for name in ("OPENAI", "ANTHROPIC", "GEMINI", "GOOGLE"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
    yield state
    http.shutdown()
    http.server_close()


# -- the three APIs, as far as the tests speak them ------------------------------------------------------------


def openai_reply(text: str, reason: str, reasoning: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    if reasoning:
        message["reasoning_content"] = reasoning
    return {
        "id": "c1", "object": "chat.completion", "created": 1, "model": "served-1",
        "choices": [{"index": 0, "finish_reason": reason, "message": message}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18,
                  "completion_tokens_details": {"reasoning_tokens": 5}},
    }  # fmt: skip


def anthropic_reply(text: str, reason: str, reasoning: str) -> dict[str, Any]:
    thoughts = [{"type": "thinking", "thinking": reasoning, "signature": "s"}] if reasoning else []
    return {
        "id": "m1", "type": "message", "role": "assistant", "model": "served-1", "stop_sequence": None,
        "content": [*thoughts, {"type": "text", "text": text}], "stop_reason": reason,
        "usage": {"input_tokens": 4, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 2,
                  "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 5}},
    }  # fmt: skip


def google_reply(text: str, reason: str, reasoning: str) -> dict[str, Any]:
    thoughts = [{"text": reasoning, "thought": True}] if reasoning else []
    content = {"role": "model", "parts": [*thoughts, {"text": text}]}
    return {
        "candidates": [{"content": content, "finishReason": reason, "index": 0}], "modelVersion": "served-1",
        "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 2, "thoughtsTokenCount": 5},
    }  # fmt: skip


@dataclass(frozen=True)
class Api:
    name: str
    module: str
    path: str
    header: tuple[str, str]
    reply: Callable[[str, str, str], dict[str, Any]]
    stop: str
    length: str
    filtered: str
    base: str = ""

    def ok(self, text: str = "A", reason: str = "", reasoning: str = "") -> Reply:
        return 200, {}, self.reply(text, reason or self.stop, reasoning)

    def adapter(self, server: Server, reasoning: str = "never", model: str = "m-1", **args: Any) -> Remote:
        importlib.import_module(self.module)
        card = Card(name="m", adapter=self.name, model=model, reasoning=Reasoning.model_validate({"can": reasoning}))
        module, _, build = ADAPTERS[self.name].partition(":")
        made = getattr(importlib.import_module(module), build)(card, self.args(server) | args)
        assert isinstance(made, Remote)
        return made

    def args(self, server: Server) -> dict[str, Any]:
        return {"base_url": server.url + self.base, "key_env": "AKB_TEST_KEY"}


BEARER = ("authorization", f"Bearer {KEY}")
OPENAI = Api(
    "openai", "openai", "/v1/chat/completions", BEARER, openai_reply, "stop", "length", "content_filter", "/v1"
)
ANTHROPIC = Api("anthropic", "anthropic", "/v1/messages", BEARER, anthropic_reply, "end_turn", "max_tokens", "refusal")
GOOGLE = Api("google", "google.genai", "/v1beta/models/m-1:generateContent", ("x-goog-api-key", KEY), google_reply,
             "STOP", "MAX_TOKENS", "SAFETY")  # fmt: skip
APIS = {"openai": OPENAI, "anthropic": ANTHROPIC, "google": GOOGLE}


@pytest.fixture(params=APIS)
def api(request: pytest.FixtureRequest) -> Api:
    found = APIS[request.param]
    pytest.importorskip(found.module, reason=f"the SDK {found.module} is not installed")
    return found


@pytest.fixture
def openai() -> Api:
    pytest.importorskip("openai", reason="the SDK openai is not installed")
    return OPENAI


@pytest.fixture
def anthropic() -> Api:
    pytest.importorskip("anthropic", reason="the SDK anthropic is not installed")
    return ANTHROPIC


@pytest.fixture
def google() -> Api:
    pytest.importorskip("google.genai", reason="the SDK google-genai is not installed")
    return GOOGLE


TURNS = (
    Message("system", ("Be brief.",)),
    Message("user", ("One?",)),
    Message("assistant", ("(A)",)),
    Message("user", ("Two?",)),
)


def ask(adapter: Remote, decoding: Decoding | None = None, messages: Sequence[Message] = TURNS) -> Response:
    """One request, in an event loop of its own."""
    return put(adapter, Generate(tuple(messages), decoding or Decoding(max_tokens=64)))


def put(adapter: Remote, request: Request) -> Response:
    return anyio.run(adapter.ask_one, request)


def late(seconds: float, api: Api) -> Reply:
    time.sleep(seconds)
    return api.ok()


def failure(adapter: Remote) -> Exception:
    with pytest.raises(Exception) as caught:
        ask(adapter)
    return caught.value
