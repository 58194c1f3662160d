"""A server on loopback that speaks the three APIs and misbehaves at a share of its calls.

Which calls it fails, and how, is drawn from its seed, the question and how often that was asked; the right reply is a
pure function of the question. So it is known beforehand what a client must end up with, and afterwards, from the
log, what it was put through.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any

WORDS = ("thunder", "whisper", "creak", "murmur")
ANSWER = "answer"
DRIP = 0.05  # seconds between two bytes

# what each fault must be taken for: its kind, and how the record tells it
FAULTS = {
    "429, seconds": ("rate_limit", "too many requests (429)"),
    "429, milliseconds": ("rate_limit", "too many requests (429)"),
    "429": ("rate_limit", "too many requests (429)"),
    "500": ("transient", "the server failed (500)"),
    "hang": ("transient", "no answer within"),
    "drip": ("transient", "no answer within"),
    "reset": ("transient", ""),
    "cut": ("transient", ""),
    "empty": ("transient", ""),
    "wrong": ("transient", ""),
}
AFTER = {"429, seconds": {"Retry-After": "0.05"}, "429, milliseconds": {"retry-after-ms": "50"}}
FIELD = {"openai": "choices", "anthropic": "content", "google": "candidates"}


def row(number: int) -> dict[str, Any]:
    """A question that the server knows the reply to."""
    options = [f"{word} {number}" for word in WORDS]
    text = f"q{number:04d}: which of these is right?"
    return {"id": f"q{number:04d}", "question": text, "options": options, "answer": number % 4}


def choice(number: int) -> int:
    """Which of its options the server holds for right; by luck it is."""
    return sha256(f"{number}".encode()).digest()[0] % 4


def reply_to(prompt: str) -> tuple[str, str]:
    """(id, right reply) of the question in a prompt."""
    found = re.search(r"q(\d{4}): ", prompt)
    assert found is not None, prompt
    option = f"{WORDS[choice(int(found[1]))]} {int(found[1])}"
    letter = next(letter for letter, text in re.findall(r"\(([A-D])\) (\w+ \d+)", prompt) if text == option)
    return f"q{found[1]}", f"({letter}) {option}"


def prompt_of(api: str, body: Any) -> str:
    if api == "google":
        return str(body["contents"][-1]["parts"][0]["text"])
    return str(body["messages"][-1]["content"])


def reply_of(api: str, text: str) -> dict[str, Any]:
    """A reply as each API has it, of ten tokens to the hundred that were read."""
    if api == "openai":
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        counted = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        return {"id": "c", "object": "chat.completion", "created": 1, "model": "toy", "choices": [choice],
                "usage": counted}  # fmt: skip
    if api == "anthropic":
        return {"id": "m", "type": "message", "role": "assistant", "model": "toy", "stop_reason": "end_turn",
                "content": [{"type": "text", "text": text}], "stop_sequence": None,
                "usage": {"input_tokens": 100, "output_tokens": 10}}  # fmt: skip
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "modelVersion": "toy",
            "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 10}}  # fmt: skip


@dataclass
class BadServer:
    """It listens from `serving` on.

    Attributes:
        share: of the calls that fail.
        pause: seconds that a right reply takes.
        closed: every call is refused with 429 for so many seconds after the first.
        log: every call: the question's id, and "answer" or the fault that it met.
        most: calls under way at once.
    """

    share: float = 0.3
    seed: int = 0
    pause: float = 0.0
    closed: float = 0.0
    url: str = ""
    log: list[tuple[str, str]] = field(default_factory=list)
    most: int = 0
    _now: int = 0
    _first: float | None = None
    _asked: Counter[str] = field(default_factory=Counter)

    def asked(self) -> Counter[str]:
        """How often each question was asked."""
        return Counter(question for question, _ in self.log)

    def answered(self) -> Counter[str]:
        """How often each question was given its right reply."""
        return Counter(question for question, what in self.log if what == ANSWER)

    def fault(self, question: str) -> str:
        """What the next call with a question meets."""
        self._first = self._first or time.monotonic()
        if time.monotonic() < self._first + self.closed:
            return "429"
        number, self._asked[question] = self._asked[question], self._asked[question] + 1
        luck = Random(f"{self.seed} {question} {number}")
        return luck.choice(list(FAULTS)) if luck.random() < self.share else ANSWER

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)content-length: (\d+)", head)
                body = json.loads(await reader.readexactly(int(length[1]) if length else 0))
                self._now += 1
                self.most = max(self.most, self._now)
                try:
                    if not await self._answer(_Talk(reader, writer, _api(head)), body):
                        break
                finally:
                    self._now -= 1
        writer.close()

    async def _answer(self, talk: _Talk, body: Any) -> bool:
        """Reply, well or badly; whether the connection can be used further."""
        question, text = reply_to(prompt_of(talk.api, body))
        what = self.fault(question)
        self.log.append((question, what))
        await asyncio.sleep(self.pause)
        right = reply_of(talk.api, text)
        if what == "hang":
            await talk.reader.read()
            return False
        if what in ("reset", "drip"):
            await (talk.reset if what == "reset" else talk.drip)(json.dumps(right))
            return False
        if what.startswith("429") or what == "500":
            await talk.send(json.dumps({"error": {"message": f"met {what}"}}), int(what[:3]), AFTER.get(what, {}))
            return True
        spoilt: dict[str, Any] = {"empty": None if talk.api == "anthropic" else [], "wrong": "none"}
        whole = json.dumps(right | {FIELD[talk.api]: spoilt[what]} if what in spoilt else right)
        await talk.send(whole[: len(whole) // 2] if what == "cut" else whole)
        return True


@dataclass
class _Talk:
    """A connection and what is spoken on it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    api: str

    async def send(self, text: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._head(text, status, headers)
        self.writer.write(text.encode())
        await self.writer.drain()

    def _head(self, text: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        told = {"Content-Type": "application/json", "Content-Length": len(text.encode()), **(headers or {})}
        fields = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self.writer.write(f"HTTP/1.1 {status} so\r\n{fields}\r\n".encode())

    async def reset(self, text: str) -> None:
        self._head(text)
        self.writer.write(text.encode()[: len(text) // 2])
        await self.writer.drain()
        await asyncio.sleep(0.01)
        found = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def drip(self, text: str) -> None:
        self._head(text)
        for byte in text.encode():
            if self.reader.at_eof():
                return
            self.writer.write(bytes([byte]))
            await self.writer.drain()
            await asyncio.sleep(DRIP)


def _api(head: str) -> str:
    path = head.split()[1]
    return "google" if "generateContent" in path else "anthropic" if path.endswith("/messages") else "openai"


@contextlib.contextmanager
def serving(server: BadServer) -> Iterator[BadServer]:
    """The server in a thread of its own."""
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=256))
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()
