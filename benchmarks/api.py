"""What akb costs over a bare loop, when it asks an API.

    python benchmarks/api.py [--requests 2000] [--latency-ms 100] [--concurrency 32] [--rounds 3] [--json]

A server in a process of its own answers every chat completion after the same time. Two clients take turns with the
same requests: a bare loop over the vendor's SDK that reads the text and drops it, and `akb.evaluate` with its record
and its cache. Every round has texts of its own, so that the cache has nothing to answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import openai
import yaml

import akb
from akb.evaluation import plans
from akb.plan import RunConfig
from akb.registry import Registry
from akb.types import RemoteAdapter

MODEL = "bench-2026-01-01"
RAMP = 0.1  # the first tenth of the requests is not counted as "after ramp-up"
WARM = 64  # requests that each client makes before the first round, so that no import is timed
TEXT = "Answer: (B)"  # what the server replies


def completion(text: str) -> bytes:
    """A chat completion's body."""
    return json.dumps({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None,
                     "message": {"role": "assistant", "content": text, "refusal": None}}],
        "usage": {"prompt_tokens": 60, "completion_tokens": 5, "total_tokens": 65,
                  "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                  "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}},
    }).encode()  # fmt: skip


# -- the server ------------------------------------------------------------------------------------------------


def framed(body: bytes) -> bytes:
    """An HTTP response."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


arrivals: list[float] = []


class Server(asyncio.Protocol):
    """As little HTTP as the SDK needs. GET gives the times at which requests came since the last GET."""

    latency = 0.1
    completion = b""

    def __init__(self) -> None:
        self.held, self.transport = b"", asyncio.Transport()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head = self.held[:end].lower()
            at = head.find(b"\r\ncontent-length:")
            length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.held) < end + 4 + length:
                return
            self.held = self.held[end + 4 + length :]
            self.answer(head.startswith(b"get"))

    def answer(self, report: bool) -> None:
        if report:
            self.transport.write(framed(json.dumps(arrivals).encode()))
            arrivals.clear()
            return
        arrivals.append(time.monotonic())
        asyncio.get_running_loop().call_later(self.latency, self.reply)

    def reply(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.completion)


async def serve(latency: float, reply: str) -> None:
    """Serve until the process is ended; the first line of the output is the port."""
    Server.latency, Server.completion = latency, framed(completion(reply))
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def serving(latency_ms: float, reply: str = TEXT) -> Iterator[str]:
    """A server's address, while it runs."""
    command = [sys.executable, __file__, "--serve", "--latency-ms", str(latency_ms), "--reply", reply]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


# -- the clients -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """What a client took.

    Attributes:
        wall: seconds from the start to the end.
        steady: seconds a request, between the arrivals at the server after the ramp-up.
        cpu: seconds of this process.
    """

    wall: float
    steady: float
    cpu: float


class Timed:
    """Times a block, and asks the server when its requests came."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.taken = Taken(0.0, 0.0, 0.0)

    def __enter__(self) -> Timed:
        self.times()
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        came = self.times()
        late = came[int(RAMP * len(came)) :]
        self.taken = Taken(wall, (late[-1] - late[0]) / max(len(late) - 1, 1), cpu)

    def times(self) -> list[float]:
        with urllib.request.urlopen(self.address) as reply:
            found: list[float] = json.load(reply)
            return found


def write_task(folder: Path, mark: str, count: int) -> None:
    """A task folder with questions whose texts nobody asked before."""
    folder.mkdir(parents=True)
    about = {"name": f"bench-{mark}", "version": "1", "questions": ["questions.jsonl"]}
    (folder / "task.yaml").write_text(yaml.safe_dump(about), "utf-8")
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            row = {
                "id": f"{mark}-{number:06d}",
                "question": f"Question {number} of {mark}: which of these sounds has the highest fundamental?",
                "options": [f"{word} {number}" for word in ("a kick drum", "a piccolo", "a tuba", "a cello")],
                "answer": number % 4,
                "category": ("music", "speech", "sounds")[number % 3],
            }
            file.write(json.dumps(row) + "\n")


def config(address: str, concurrency: int) -> dict[str, Any]:
    """The model's settings."""
    return {"base_url": f"{address}/v1", "concurrency": concurrency}


class Sent(dict[str, Any]):
    """Stands for the SDK's client, and is given what would be sent."""

    @property
    def chat(self) -> Sent:
        return self

    completions = chat

    async def create(self, **body: Any) -> None:
        self.update(body)


async def bodies(task: Path, address: str, concurrency: int) -> list[dict[str, Any]]:
    """The very requests that akb will make, made beforehand."""
    made: list[dict[str, Any]] = []
    settings = RunConfig(model=f"openai:{MODEL}", task=(str(task),), model_args=config(address, concurrency))
    for plan in plans(settings, Registry()):
        adapter: Any = plan.parties["model"]
        assert isinstance(adapter, RemoteAdapter)
        for trial in plan.trials():
            for request in plan.task.requests(trial, ()):
                sent = Sent()
                await adapter.send(sent, request)  # type: ignore[attr-defined]
                made.append(dict(sent))
    return made


async def bare(address: str, requests: list[dict[str, Any]], concurrency: int) -> list[str]:
    """Ask everything by the SDK alone, and keep the texts."""
    client = openai.AsyncOpenAI(api_key="none", base_url=f"{address}/v1", max_retries=0, timeout=600.0)
    queue, texts = iter(requests), list[str]()

    async def work() -> None:
        for body in queue:
            answer = await client.chat.completions.create(**body)
            texts.append(answer.choices[0].message.content or "")

    async with client:
        await asyncio.gather(*(work() for _ in range(concurrency)))
    return texts


def round_(address: str, folder: Path, mark: str, count: int, concurrency: int) -> tuple[Taken, Taken]:
    """Both clients, one after the other, with the same requests."""
    task = folder / mark
    write_task(task, mark, count)
    requests = asyncio.run(bodies(task, address, concurrency))
    with Timed(address) as alone:
        texts = asyncio.run(bare(address, requests, concurrency))
    with Timed(address) as whole:
        run = akb.evaluate(
            f"openai:{MODEL}", str(task), out=folder / f"run-{mark}", model_args=config(address, concurrency)
        )
    assert len(texts) == run.summary.rows[0].n == count
    assert run.manifest.usage["model"].answered == count, "something was answered by the cache"
    return alone.taken, whole.taken


def ratios(rounds: list[tuple[Taken, Taken]], count: int) -> dict[str, float]:
    """What akb took over the bare loop: medians over the rounds."""
    return {
        "wall_ratio": median(b.wall / a.wall for a, b in rounds),
        "steady_ratio": median(b.steady / a.steady for a, b in rounds),
        "bare_cpu_ms": median(1000 * a.cpu / count for a, _ in rounds),
        "akb_cpu_ms": median(1000 * b.cpu / count for _, b in rounds),
        "more_cpu_ms": median(1000 * (b.cpu - a.cpu) / count for a, b in rounds),
    }


def told(number: int, name: str, taken: Taken) -> str:
    """A line on one client's turn."""
    steady = f"{1000 * taken.steady:7.3f} ms a request after ramp-up"
    return f"round {number}  {name:4}  {taken.wall:7.2f} s  {steady}  {taken.cpu:7.2f} s CPU"


def measure(given: argparse.Namespace, folder: Path) -> None:
    """All rounds; prints what each took, and the ratios."""
    os.environ |= {"OPENAI_API_KEY": "none", "AKB_CACHE": str(folder / "cache"), "NO_PROXY": "*"}
    rounds: list[tuple[Taken, Taken]] = []
    with serving(given.latency_ms, given.reply) as address:
        round_(address, folder, "warm", WARM, given.concurrency)
        for number in range(1, given.rounds + 1):
            pair = round_(address, folder, f"r{number}", given.requests, given.concurrency)
            rounds.append(pair)
            for name, taken in zip(("bare", "akb"), pair, strict=True):
                print(told(number, name, taken), file=sys.stderr if given.json else sys.stdout, flush=True)
    found = ratios(rounds, given.requests)
    if given.json:
        print(json.dumps({"settings": vars(given), "rounds": [[asdict(t) for t in p] for p in rounds], **found}))
        return
    print(f"wall time, akb over bare: {found['wall_ratio']:.3f} x from the start, "
          f"{found['steady_ratio']:.3f} x after ramp-up")  # fmt: skip
    print(f"CPU a request: bare {found['bare_cpu_ms']:.2f} ms, akb {found['akb_cpu_ms']:.2f} ms, "
          f"{found['more_cpu_ms']:+.2f} ms")  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--latency-ms", type=float, default=100.0)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--reply", default=TEXT, help=f"what the server replies [{TEXT}]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="the figures as JSON; the rounds go to the error output")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.latency_ms / 1000, given.reply))
        return
    with tempfile.TemporaryDirectory(prefix="akb-bench-") as folder:
        measure(given, Path(folder))


if __name__ == "__main__":
    main()
