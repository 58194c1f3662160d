"""The server that takes raters' results, and the command."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from review_items import ITEMS, lines, reading, serving

from akb.bank import readings
from akb.bank.review.server import LARGEST, Server
from akb.errors import AkbError


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "results.jsonl") as server:
        yield server


def call(server: Server, method: str = "POST", path: str = "results", body: bytes | None = None,
         **headers: str) -> tuple[int, Any]:  # fmt: skip
    """Status and JSON (or text) of a reply; by default a reading is posted as the page does."""
    at = urlsplit(server.url)
    told = {"Content-Type": "application/json", "Origin": f"http://{at.netloc}"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = json.dumps(reading()).encode() if body is None else body
    connection = http.client.HTTPConnection(at.netloc, timeout=10)
    where = path if path.startswith("/") else at.path + path
    connection.request(method, where, content if method == "POST" else None, told)
    reply = connection.getresponse()
    raw = reply.read().decode()
    return reply.status, json.loads(raw) if reply.headers["Content-Type"] == "application/json" else raw


def test_only_who_has_the_address_is_served(served: Server, tmp_path: Path) -> None:
    for path in ("/", "/wrong/", "/wrong/results", f"/{served.token}", f"/{served.token}x/", "/%20/", "//", "/%C3%A9/"):
        for method in ("GET", "POST"):
            status, told = call(served, method, path)
            assert (status, set(told)) == (404, {"error"}), path
    for host in (
        "evil.example",
        f"evil.example:{served.server_port}",
        "127.0.0.1",
        f"127.0.0.1:{served.server_port}.e",
    ):
        assert call(served, "GET", "", Host=host)[0] == 403
        assert call(served, Host=host, Origin=f"http://{host}")[0] == 403
    for origin in ("http://evil.example", "null", "", f"https://127.0.0.1:{served.server_port}", "http://127.0.0.1"):
        assert call(served, Origin=origin)[0] == 403
    assert call(served, Content_Type="text/plain")[0] == 415
    assert call(served, Content_Type="application/x-www-form-urlencoded")[0] == 415
    assert call(served, "PUT")[0] == 501
    assert lines(tmp_path / "results.jsonl") == []
    assert call(served, "GET", "")[1].startswith("<!doctype html>")
    assert served.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"a"', b"\xff\xfe", b"[" * 50_000, b'{"by": "\\ud800"}',
                                  b"NaN", b"{}", json.dumps(reading(note="\ud800")).encode()])  # fmt: skip
def test_what_is_no_reading_is_refused(served: Server, tmp_path: Path, body: bytes) -> None:
    status, told = call(served, body=body)
    assert status in (400, 422)
    assert told["error"]
    assert lines(tmp_path / "results.jsonl") == []


@pytest.mark.parametrize("values", [{"answer": 4}, {"answer": -1}, {"answer": None}, {"verdict": "ambiguous"},
                                    {"item": "other"}, {"version": 2}, {"key": 1}, {"kind": "model"}, {"by": " "},
                                    {"blind": False}, {"round": 2}, {"canary": ""}, {"judgement": "fine"}, {"more": 1},
                                    {"date": "today"}, {"by": "x" * 201}, {"words": "0" * 16}])  # fmt: skip
def test_a_reading_of_something_else_is_refused(served: Server, tmp_path: Path, values: dict[str, Any]) -> None:
    status, told = call(served, body=json.dumps(reading(**values)).encode())
    assert (status, bool(told["error"])) == (422, True)
    assert lines(tmp_path / "results.jsonl") == []


def test_a_huge_body_is_not_read(served: Server) -> None:
    assert call(served, body=b"x" * (LARGEST + 1))[0] == 413
    for length, wanted in (("99999999999999", 413), ("-1", 411), ("1e3", 411), ("", 411)):
        at = urlsplit(served.url)
        with socket.create_connection((at.hostname or "", at.port or 0), timeout=5) as raw:
            head = f"POST {at.path}results HTTP/1.1\r\nHost: {at.netloc}\r\nOrigin: http://{at.netloc}\r\n"
            raw.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode())
            assert raw.recv(100).split()[1] == str(wanted).encode()


def test_the_same_again_changes_nothing_and_the_last_counts(served: Server, tmp_path: Path) -> None:
    for judgement in ("", "", "accepted", "accepted", "rejected"):
        assert call(served, body=json.dumps(reading(judgement=judgement)).encode())[0] == 200
    assert [line["judgement"] for line in lines(tmp_path / "results.jsonl")] == ["", "accepted", "rejected"]
    (one,) = readings.read([tmp_path / "results.jsonl"])
    assert one.judgement == "rejected"
    assert call(served, "GET", "results?by=Ann")[1] == {"results": [one.model_dump()]}
    assert call(served, "GET", "results?by=Ben")[1] == {"results": []}


def test_many_at_once_leave_whole_lines(served: Server, tmp_path: Path) -> None:
    def post(name: str) -> None:
        for number in range(6):
            assert call(served, body=json.dumps(reading(number, by=name, note="é" * 999)).encode())[0] == 200

    threads = [threading.Thread(target=post, args=(f"rater {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(readings.read([tmp_path / "results.jsonl"])) == 48


def test_a_disk_that_is_full_leaves_whole_lines(served: Server, tmp_path: Path, monkeypatch: Any) -> None:
    assert call(served)[0] == 200

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("akb.bank.review.server.os.fsync", full)
        status, told = call(served, body=json.dumps(reading(1)).encode())
    assert (status, told) == (500, {"error": "cannot be written: No space left on device"})
    assert len(lines(tmp_path / "results.jsonl")) == 1
    assert call(served, body=json.dumps(reading(1)).encode())[0] == 200
    assert len(readings.read([tmp_path / "results.jsonl"])) == 2


def command(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    bank = tmp_path / "bank.jsonl"
    bank.write_text("".join(one.model_dump_json() + "\n" for one in ITEMS), "utf-8")
    program = (
        "import signal, typer; from akb.cli.bank.review import review; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); typer.run(review)"  # jobs in background ignore it
    )
    return subprocess.Popen([sys.executable, "-c", program, str(bank), *words], text=True, cwd=tmp_path,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def test_killed_while_it_writes(tmp_path: Path) -> None:
    process = command(tmp_path, "--serve")
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    at, saved = urlsplit(url), 0
    timer = threading.Timer(0.5, process.kill)
    timer.start()
    try:
        while True:
            body = json.dumps(reading(by=f"rater {saved}", note="n" * 5000))
            connection = http.client.HTTPConnection(at.netloc, timeout=5)
            told = {"Content-Type": "application/json", "Origin": f"http://{at.netloc}"}
            connection.request("POST", f"{at.path}results", body, told)
            assert connection.getresponse().status == 200
            saved += 1
    except (OSError, http.client.HTTPException):
        pass
    process.communicate(timeout=10)
    path = tmp_path / "readings-human.jsonl"
    with path.open("ab") as file:
        file.write(b'{"round": 1, "item": "it')  # as if it had been killed in the middle of a write
    Server(ITEMS, 1, path).log.close()
    assert saved > 0
    assert len(readings.read([path])) in (saved, saved + 1)


def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    process = command(tmp_path, "--serve", "--results", "here.jsonl")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "")


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    process = command(tmp_path, "--only", "music", "--out", "page.html", "--round", "3")
    told, _ = process.communicate(timeout=30)
    assert (process.returncode, "3 items" in told) == (0, True)
    html = (tmp_path / "page.html").read_text("utf-8")
    assert '"round": 3' in html
    assert "item-1" in html
    assert "item-2" not in html


def test_errors_that_a_user_can_cause(served: Server, tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="another akb process"):
        Server(ITEMS, 1, tmp_path / "results.jsonl")
    for _ in range(2):  # the file is free again
        with pytest.raises(AkbError, match=rf"port {served.server_port}: cannot be listened on"):
            Server(ITEMS, 1, tmp_path / "other.jsonl", served.server_port)
    with pytest.raises(AkbError, match="cannot be written"):
        Server(ITEMS, 1, tmp_path)
    with pytest.raises(AkbError, match="cannot be written"):
        Server(ITEMS, 1, tmp_path / "no folder" / "a.jsonl")
    (tmp_path / "damaged.jsonl").write_text('{"round": 1}\n', "utf-8")
    with pytest.raises(AkbError, match=r"damaged.jsonl:1: item: is missing"):
        Server(ITEMS, 1, tmp_path / "damaged.jsonl")


def test_a_last_line_without_its_end_is_kept_if_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(reading()), "utf-8")
    Server(ITEMS, 1, path).log.close()
    assert path.read_text("utf-8") == json.dumps(reading()) + "\n"
