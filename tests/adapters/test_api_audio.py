"""Audio in a message, as each API takes it."""

from __future__ import annotations

import base64
import hashlib
import io
import wave
from pathlib import Path
from typing import Any

import pytest
from apis import Api, Server, put

from akb.adapters import google as google_adapter
from akb.adapters.clips import audio_kind
from akb.errors import AkbError
from akb.types import Clip, Decoding, Generate, Message, Response


def wav(seconds: float = 0.01) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(2 * int(16000 * seconds)))
    return held.getvalue()


KINDS = {
    "wav": wav(),
    "aiff": b"FORM\0\0\0\x2eAIFF",
    "flac": b"fLaC\0\0\0\x22",
    "ogg": b"OggS\0\2",
    "mp3": b"\xff\xfb\x90\x00",
    "aac": b"\xff\xf1\x50\x80",
    "m4a": b"\0\0\0\x20ftypM4A ",
    "webm": b"\x1aE\xdf\xa3\x01",
}


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return made(tmp_path, KINDS["wav"])


def made(folder: Path, data: bytes, name: str = "clip", decoding: str = "") -> Clip:
    path = folder / name
    path.write_bytes(data)
    return Clip(hashlib.sha256(data).hexdigest(), str(path), decoding)


def hear(server: Server, api: Api, *parts: str | Clip, **args: Any) -> Response:
    server.answer = lambda asked: api.ok()
    request = Generate((Message("system", ("Listen.",)), Message("user", parts)), Decoding(max_tokens=9))
    return put(api.adapter(server, **args), request)


def test_a_kind_is_known_by_its_bytes() -> None:
    assert {kind: audio_kind(data) for kind, data in KINDS.items()} == {kind: kind for kind in KINDS}
    assert audio_kind(b"ID3\x04") == "mp3"
    assert audio_kind(b"RIFF\0\0\0\0AVI ") == ""
    for data in (b"", b"\xff", b"\xff\x00", b"<html>", b"RIFF"):
        assert audio_kind(data) == ""


def test_openai_is_sent_the_parts_in_their_order(server: Server, openai: Api, clip: Clip) -> None:
    hear(server, openai, "One:", clip, "What is it?")
    system, user = server.asked[0].body["messages"]
    assert system == {"role": "system", "content": "Listen."}
    assert user["content"] == [
        {"type": "text", "text": "One:"},
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(KINDS["wav"]).decode(), "format": "wav"}},
        {"type": "text", "text": "What is it?"},
    ]


def test_google_is_sent_the_parts_in_their_order(server: Server, google: Api, clip: Clip) -> None:
    hear(server, google, "One:", clip, "What is it?")
    first, sound, last = server.asked[0].body["contents"][0]["parts"]
    assert (first, last) == ({"text": "One:"}, {"text": "What is it?"})
    [inline] = sound.values()
    told = {name.replace("_", "").casefold(): value for name, value in inline.items()}
    assert told["mimetype"] == "audio/wav"
    assert base64.urlsafe_b64decode(told["data"]) == KINDS["wav"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_api_takes_its_kinds_and_says_which(
    server: Server, openai: Api, google: Api, tmp_path: Path, kind: str
) -> None:
    clip = made(tmp_path, KINDS[kind], "clip.wav")  # the name does not count
    for api, takes in ((openai, "wav mp3"), (google, "wav mp3 flac ogg aac aiff")):
        if kind in takes.split():
            hear(server, api, clip)
            continue
        with pytest.raises(AkbError, match=f"and the clip is {kind}") as caught:
            hear(server, api, clip)
        assert (caught.value.where, "wav" in caught.value.fix) == (clip.path, True)


def test_a_clip_that_is_not_what_it_was_is_an_error(server: Server, google: Api, tmp_path: Path) -> None:
    clip = made(tmp_path, KINDS["wav"])
    Path(clip.path).write_bytes(wav(0.02))
    with pytest.raises(AkbError, match="has changed"):
        hear(server, google, clip)
    hear(server, google, Clip("", clip.path))
    Path(clip.path).unlink()
    with pytest.raises(AkbError, match="cannot be read: No such file"):
        hear(server, google, clip)
    with pytest.raises(AkbError, match="cannot be read"):
        hear(server, google, Clip("", str(tmp_path)))
    with pytest.raises(AkbError, match="unknown kind"):
        hear(server, google, made(tmp_path, b"words"))
    with pytest.raises(AkbError, match="to be decoded"):
        hear(server, google, made(tmp_path, KINDS["wav"], decoding="soundfile 0.14/16 kHz mono"))
    assert len(server.asked) == 1


def test_what_google_would_not_take_for_its_size_is_not_sent(
    server: Server, google: Api, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_adapter, "LARGEST", 500)
    with pytest.raises(AkbError, match="2 clips"):
        hear(server, google, clip, clip)
    assert server.asked == []
    hear(server, google, "x" * 600)


def test_who_takes_audio(server: Server, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    def takes(model: str, **args: Any) -> bool:
        return api.adapter(server, model=model, **args).capabilities.audio

    if api.name == "anthropic":
        assert not takes("claude")
        with pytest.raises(AkbError, match="audio"):
            takes("claude", audio=True)
        return
    assert takes("m")
    assert not takes("m", audio=False)
    if api.name == "openai":
        assert not takes("gpt-4o", base_url=None)
        assert takes("gpt-4o", base_url=None, audio=True)
        assert takes("gpt-4o-audio-preview", base_url=None)


def test_a_model_without_ears_is_given_no_clip(server: Server, anthropic: Api, clip: Clip) -> None:
    with pytest.raises(AkbError, match="does not take audio"):
        hear(server, anthropic, clip)
    assert server.asked == []
