"""Captioners behind an API: what goes over the wire, what becomes of a clip that cannot be sent, and the cost."""

from __future__ import annotations

import base64
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from cascade_parts import audio_task
from tones import write_tone

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "adapters"))  # the API servers of the adapters' tests

from apis import GOOGLE, OPENAI, Api, Asked, Reply, Server, server

from akb.cli.app import main

_ = server  # a fixture
N = 6
COST = "cost at most, $"
DESCRIBE = "Describe this audio for someone who cannot hear it"
MODELS = {"google": "google:m-1", "openai": "openai:m-audio"}


@pytest.fixture(params=[GOOGLE, OPENAI], ids=lambda api: api.name)
def api(request: pytest.FixtureRequest) -> Api:
    pytest.importorskip(request.param.module)
    found: Api = request.param
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AKB_CACHE", str(tmp_path / "cache"))
    audio_task(tmp_path / "sounds", N)
    return tmp_path


def akb(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr(sys, "argv", ["akb", *args])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def command(api: Api, server: Server, *more: str) -> list[str]:
    settings = {**api.args(server), "prices": "{input: 100, output: 1000}"}
    sets = [part for name, value in settings.items() for part in ("-s", f"captioner.{name}={value}")]
    return ["caption", "-t", "sounds", "-i", "sounds", "--with", MODELS[api.name], *sets, *more]


def heard(asked: Asked) -> list[bytes]:
    """The sounds that a request carries."""
    found = re.findall(r'"data": ?"([A-Za-z0-9+/_=-]+)"', json.dumps(asked.body))
    return [base64.urlsafe_b64decode(data.replace("+", "-").replace("/", "_")) for data in found]


def said(asked: Asked) -> str:
    return json.dumps(asked.body)


def captions() -> list[dict[str, Any]]:
    (folder,) = Path("captions").iterdir()
    return [json.loads(line) for line in (folder / "captions.jsonl").read_text("utf-8").splitlines()]


def test_each_clip_is_sent_once_with_the_prompt_and_without_the_question(
    api: Api, server: Server, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda asked: api.ok("A tone is heard.")
    assert akb(monkeypatch, *command(api, server)) == 0, capsys.readouterr().err
    files = {path.read_bytes() for path in (here / "sounds" / "audio").iterdir()}
    assert sorted(sound for asked in server.asked for sound in heard(asked)) == sorted(files)
    for asked in server.asked:
        assert DESCRIBE in said(asked)
        assert "what is heard?" not in said(asked)
        assert "rain" not in said(asked)
    rows = captions()
    assert {row["caption"] for row in rows} == {"A tone is heard."}
    assert len({row["audio"] for row in rows}) == N
    assert all(row["cost"] > 0 for row in rows)


def test_a_clip_that_cannot_be_sent_is_an_error_of_its_own_and_the_others_are_described(
    api: Api, server: Server, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "sounds" / "audio" / "05.wav").write_bytes(b"\x1aE\xdf\xa3 this is webm")
    server.answer = lambda asked: api.ok("A tone is heard.")
    assert akb(monkeypatch, *command(api, server)) == 0  # nothing is left to be tried
    told = capsys.readouterr().out
    assert "1 without a caption" in told
    assert "the commonest reason (1): this API takes" in told
    assert "the clip is webm" in told
    assert "05.wav" not in told
    assert [row["state"] for row in captions() if row["file"] == "05.wav"] == ["unheard"]
    assert sum(row["state"] == "ok" for row in captions()) == N - 1
    write_tone(here / "sounds" / "audio" / "05.wav", 777)
    server.asked.clear()
    assert akb(monkeypatch, *command(api, server)) == 0
    assert len(server.asked) == 1


def test_a_missing_key_and_a_missing_price_are_told_as_settings_of_the_captioner(
    api: Api, server: Server, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = ["caption", "-t", "sounds", "-i", "sounds", "--with", MODELS[api.name]]
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert akb(monkeypatch, *bare, *(["-s", "captioner.audio=true"])) == 2
    assert "--set captioner.key_env=NAME" in (told := capsys.readouterr().err)
    assert f"captioner {MODELS[api.name].replace(':', '-')}:" in told
    settings = [part for name, value in api.args(server).items() for part in ("-s", f"captioner.{name}={value}")]
    assert akb(monkeypatch, *bare, *settings, "--max-cost", "1") == 2
    assert "--set captioner.prices=" in capsys.readouterr().err


def test_a_dry_run_tells_what_captions_may_cost_and_sends_nothing(
    api: Api, server: Server, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda asked: api.ok("A tone is heard.")
    assert akb(monkeypatch, *command(api, server, "--dry-run", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["to describe"].values()) == [N]
    assert found[COST] > 0
    assert server.asked == []
    sets = command(api, server)[7:]
    listen = ["--listen", f"caption:{MODELS[api.name]}", "--dry-run"]
    assert akb(monkeypatch, "eval", "-m", "first", "-t", "sounds", "-i", "sounds", *listen, *sets) == 0
    told = capsys.readouterr().out  # the control with another item's caption needs the same clips: counted once
    assert f"cost of all at most: ${math.ceil(100 * found[COST]) / 100:.2f}" in told.splitlines()
    assert server.asked == []


def test_where_no_clip_can_be_sent_the_command_ends_soon_with_the_reason(
    api: Api, server: Server, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(N):
        (here / "sounds" / "audio" / f"{number:02}.wav").write_bytes(b"\x1aE\xdf\xa3 webm %d" % number)
    server.answer = lambda asked: api.ok("never asked")
    assert akb(monkeypatch, *command(api, server)) == 2
    assert "the clip is webm" in capsys.readouterr().err
    assert server.asked == []


def test_a_refusal_is_kept_as_one_and_a_server_that_fails_for_a_while_is_asked_again(
    api: Api, server: Server, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []

    def answer(asked: Asked) -> Reply:
        seen.append(1)
        if len(seen) == 2:
            return 503, {"Retry-After": "0"}, {"error": {"message": "busy", "code": 503, "status": "UNAVAILABLE"}}
        if len(seen) == 3:
            return api.ok("", api.filtered)
        return api.ok("A tone is heard.")

    server.answer = answer
    assert akb(monkeypatch, *command(api, server, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["states"] == {"ok": N - 1, "refused": 1}
    assert len(seen) == N + 1


def test_captions_stop_before_they_cost_more_than_they_may(
    api: Api, server: Server, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda asked: api.ok("A tone is heard.")
    assert akb(monkeypatch, *command(api, server, "--max-cost", "0.0001")) == 2
    assert "cost" in capsys.readouterr().err
    assert server.asked == []
