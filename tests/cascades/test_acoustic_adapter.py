"""The acoustic captioner as an adapter, over real files."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pytest
import soundfile

from akb.adapters.cards import Card
from akb.audio import clip_of
from akb.cascades.acoustic import Acoustic, build, caption, measure
from akb.content import builtin
from akb.errors import AkbError
from akb.files import file_sha256
from akb.strict import read_yaml
from akb.types import Choose, Clip, Finish, Generate, LocalAdapter, Message

RATE = 22_050
CARD = Card(name="acoustic", adapter="acoustic", model="acoustic")


def tone(path: Path, hz: float, seconds: float = 0.5, channels: int = 1) -> Path:
    wave = 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    soundfile.write(path, np.repeat(wave[:, None], channels, axis=1), RATE)
    return path


def describe(path: Path) -> Generate:
    sha256 = file_sha256(path) if path.is_file() else "0" * 64
    return Generate((Message("user", (Clip(sha256, str(path)), "Describe it.")),))


def test_it_is_a_local_adapter_that_hears_and_generates() -> None:
    captioner = build(CARD, {})
    assert isinstance(captioner, LocalAdapter)
    assert captioner.capabilities.audio
    assert captioner.capabilities.generate
    assert not captioner.capabilities.choose


def test_captions_come_in_the_order_of_the_requests_whatever_the_batches(tmp_path: Path) -> None:
    files = [tone(tmp_path / f"{hz}.flac", hz) for hz in (220, 440, 880, 330, 550)]
    requests = [describe(file) for file in files]
    captioner = Acoustic()
    plan = captioner.plan(requests)
    assert [list(batch) for batch in plan] == [[0], [1], [2], [3], [4]]
    answered = list(captioner.ask([requests[:2], requests[2:]]))
    assert [number for number, _ in answered] == [0, 1]
    texts = [response.text or "" for _, responses in answered for response in responses]
    for text, hz in zip(texts, (220, 440, 880, 330, 550), strict=True):
        assert f"The pitch is steady near {hz} Hz" in text


def test_a_clip_that_cannot_be_heard_is_an_error_and_the_others_are_described(tmp_path: Path) -> None:
    good, bad = tone(tmp_path / "good.wav", 440), tmp_path / "bad.wav"
    bad.write_bytes(b"no audio at all")
    answered = [r for _, rs in Acoustic().ask([[describe(bad)], [describe(tmp_path / "gone.wav")], [describe(good)]])
                for r in rs]  # fmt: skip
    assert [response.finish for response in answered] == [Finish.ERROR, Finish.ERROR, Finish.STOP]
    assert "bad.wav" in answered[0].error
    assert "440 Hz" in (answered[2].text or "")
    assert [response.notes.get("unhearable") for response in answered] == ["not_audio", "missing", None]


def test_a_clip_that_was_changed_since_it_was_hashed_is_not_described_under_its_old_hash(tmp_path: Path) -> None:
    asked = describe(tone(tmp_path / "a.wav", 440))
    tone(tmp_path / "a.wav", 880)
    [(_, [response])] = Acoustic().ask([[asked]])
    assert response.finish == Finish.ERROR
    assert "has changed since" in response.error
    assert response.notes["unhearable"] == "unreadable"  # and so it is asked again


def first_caption(path: Path) -> str:
    (_, [response]) = next(Acoustic().ask([[describe(path)]]))
    return response.text or ""


def test_more_than_a_minute_is_cut_and_the_caption_and_a_note_say_so(tmp_path: Path) -> None:
    (_, [response]) = next(Acoustic().ask([[describe(tone(tmp_path / "long.wav", 440, seconds=75))]]))
    said = "The clip lasts 75.0 s; only its first 60.0 s were heard, and are described here."
    assert (response.text or "").startswith(said)
    assert response.notes["cut_seconds"] == pytest.approx(15.0, abs=0.01)


def test_a_clip_whose_first_minute_is_silent_is_not_called_silent(tmp_path: Path) -> None:
    wave = np.zeros(62 * 8000, dtype=np.float32)
    wave[61 * 8000 :] = 0.5
    soundfile.write(tmp_path / "late.wav", wave, 8000)
    text = first_caption(tmp_path / "late.wav")
    assert text.startswith("The clip lasts 62.0 s; only its first 60.0 s were heard")
    assert text.endswith("What was heard is silent, or nearly so (below -80 dBFS).")
    assert "It is silent" not in text


def test_a_cut_below_what_is_told_is_not_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(60 * 8000 + 100, dtype=np.float32), 8000)
    assert first_caption(tmp_path / "a.wav").startswith("The clip lasts 60.0 s. It is silent")


def test_where_the_file_does_not_tell_its_length_more_is_said_to_follow() -> None:
    heard = measure(np.zeros(8000), 8000)
    assert caption(heard, inf).startswith("The clip lasts more than 1.0 s; only its first 1.0 s were heard")


def test_stereo_is_heard_as_the_mean_of_its_channels(tmp_path: Path) -> None:
    files = [tone(tmp_path / "1.wav", 440), tone(tmp_path / "2.wav", 440, channels=2)]
    texts = [response.text for _, responses in Acoustic().ask([[describe(file)] for file in files])
             for response in responses]  # fmt: skip
    assert texts[0] == texts[1]


def test_the_fingerprint_says_how_clips_are_decoded() -> None:
    fingerprint = Acoustic().fingerprint()
    assert fingerprint["adapter"] == "acoustic/2"
    assert "own rate, mono (mean of channels), at most 60 s (truncated)" in fingerprint["decoding"]


def test_it_answers_no_questions_and_has_no_settings(tmp_path: Path) -> None:
    clip = clip_of(tone(tmp_path / "a.wav", 440))
    choose = Choose((Message("user", (clip,)),), (("A",), ("B",)))
    with pytest.raises(AkbError, match="one clip at a time"):
        list(Acoustic().ask([[choose]]))
    with pytest.raises(AkbError, match="found 0"):
        list(Acoustic().ask([[Generate((Message("user", ("no clip",)),))]]))
    with pytest.raises(AkbError, match="no settings"):
        build(CARD, {"rate": 8000})


def test_its_card_is_the_one_that_is_shipped() -> None:
    (card,) = read_yaml(builtin() / "cascades" / "acoustic.yaml")["captioners"]
    assert build(Card.model_validate(card), {}).fingerprint()["model"] == card["model"]
