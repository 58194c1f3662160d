"""Captions that people wrote: which record means which clip."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tones import write_tone

from akb.audio import clip_of
from akb.cascades.captions import Caption
from akb.cascades.cards import Captioner
from akb.cascades.human import Human, build
from akb.errors import AkbError
from akb.types import Clip, Finish, Generate, Message, Response


def clips(folder: Path, *names: str) -> list[Clip]:
    """Clips, each another tone."""
    for number, name in enumerate(names):
        write_tone(folder / name, 300 + 50 * number)
    return [clip_of(folder / name) for name in names]


def file(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Human:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return Human(path)


def told(human: Human, *asked: Clip) -> list[Response]:
    requests = [Generate((Message("user", (clip,)),)) for clip in asked]
    return [response for _, batch in human.ask([requests]) for response in batch]


def test_clips_of_one_name_in_two_folders_have_their_own_captions(tmp_path: Path) -> None:
    one, two = clips(tmp_path, "a/1.wav", "b/1.wav")
    human = file(tmp_path, [{"audio": "a/1.wav", "caption": "A."}, {"audio": "b/1.wav", "caption": "B."}])
    human.check([one, two])
    assert [response.text for response in told(human, one, two)] == ["A.", "B."]


def test_a_caption_for_one_folder_is_none_for_another_and_the_file_can_be_completed(tmp_path: Path) -> None:
    one, two = clips(tmp_path, "a/1.wav", "b/1.wav")
    human = file(tmp_path, [{"audio": "a/1.wav", "caption": "A."}])
    human.check([one, two])
    found = told(human, one, two)
    assert [response.finish for response in found] == [Finish.STOP, Finish.ERROR]
    assert Caption.of(found[1], two.path) == Caption("", "error", "the file has no caption for it")


def test_what_a_captioner_could_not_hear_stays_so_and_what_failed_has_no_caption(tmp_path: Path) -> None:
    heard, deaf, failed = clips(tmp_path, "1.wav", "2.wav", "3.wav")
    rows = [{"audio": heard.sha256, "caption": "A.", "state": "ok", "why": ""},
            {"audio": deaf.sha256, "caption": "", "state": "unheard", "why": "not audio but text"},
            {"audio": failed.sha256, "caption": "", "state": "error", "why": "too busy"}]  # fmt: skip
    human = file(tmp_path, rows)
    human.check([heard, deaf, failed])
    found = [Caption.of(response, clip.path) for response, clip in
             zip(told(human, heard, deaf, failed), (heard, deaf, failed), strict=True)]  # fmt: skip
    assert [(one.state, one.why) for one in found] == [
        ("ok", ""), ("unheard", "not audio but text"), ("error", "the file has no caption for it")]  # fmt: skip


def test_a_file_that_names_none_of_the_clips_is_refused(tmp_path: Path) -> None:
    (one,) = clips(tmp_path, "a/1.wav")
    for rows, named in (
        ([{"audio": "b/7.wav", "caption": "A."}], "'b/7.wav'"),
        ([{"sha256": "0" * 64, "caption": "A."}], f"'{'0' * 64}'"),
        ([{"audio": one.sha256, "caption": "", "state": "error"}], "none"),
    ):
        with pytest.raises(AkbError, match=rf"none of 1 clips; it names {named}, and a clip is .*a/1.wav") as caught:
            file(tmp_path, rows).check([one])
        assert caught.value.where.endswith("mine.jsonl")
    file(tmp_path, []).check([])


def test_of_clips_that_differ_in_their_ending_a_name_means_the_one_that_has_it(tmp_path: Path) -> None:
    flac, mp3, other = clips(tmp_path, "x/a.flac", "x/a.wav", "x/b.wav")
    for name in ("a.flac", "x/a.flac"):
        human = file(tmp_path, [{"audio": name, "caption": "A."}])
        human.check([mp3, flac, other])
        assert [response.text for response in told(human, flac, mp3)] == ["A.", None]
    bare = file(tmp_path, [{"audio": "a", "caption": "A."}])
    with pytest.raises(AkbError, match=r"'a' may mean .*a.wav or .*a.flac"):
        bare.check([mp3, flac])


def test_a_clip_may_be_named_by_a_whole_number_and_what_else_is_no_text_is_said_so(tmp_path: Path) -> None:
    (one,) = clips(tmp_path, "12.wav")
    human = file(tmp_path, [{"id": 12, "caption": "A."}])
    human.check([one])
    assert told(human, one)[0].text == "A."
    for row, wanted in (
        ({"id": 1.5, "caption": "A."}, "id: a text or a whole number is wanted, found 1.5"),
        ({"id": True, "caption": "A."}, "id: a text or a whole number is wanted, found True"),
        ({"id": "12", "caption": 5}, "caption: a text is wanted, found 5"),
    ):
        with pytest.raises(AkbError, match=wanted):
            file(tmp_path, [row])


def test_a_bare_name_that_means_two_clips_is_an_error_and_means_one_if_there_is_one(tmp_path: Path) -> None:
    one, two = clips(tmp_path, "a/1.wav", "b/1.wav")
    human = file(tmp_path, [{"id": "1", "caption": "A."}])
    human.check([one, one])
    assert told(human, one)[0].text == "A."
    with pytest.raises(AkbError, match=r"'1' may mean .*a/1.wav or .*b/1.wav") as caught:
        human.check([one, two])
    assert caught.value.where.endswith("mine.jsonl:1")


def test_the_longest_name_that_fits_counts_and_the_hash_before_all_names(tmp_path: Path) -> None:
    one, two = clips(tmp_path, "x/a/1.wav", "x/b/1.wav")
    rows = [{"file": "1.wav", "caption": "bare"}, {"file": "a/1.wav", "caption": "folder"}]
    human = file(tmp_path, rows)
    human.check([one, two])
    assert [response.text for response in told(human, one, two)] == ["folder", "bare"]
    hashed = file(tmp_path, [*rows, {"sha256": one.sha256, "caption": "hash"}])
    assert told(hashed, one)[0].text == "hash"


def test_names_may_go_without_ending_or_with_another_and_the_same_ending_is_preferred(tmp_path: Path) -> None:
    wav, flac = clips(tmp_path, "1.wav", "1.flac")
    assert told(file(tmp_path, [{"id": "1.flac", "caption": "F."}]), wav)[0].text == "F."
    both = file(tmp_path, [{"id": "1.flac", "caption": "F."}, {"id": "1.wav", "caption": "W."}])
    assert [response.text for response in told(both, wav, flac)] == ["W.", "F."]


def test_where_no_file_is_named_it_is_said_so() -> None:
    with pytest.raises(AkbError, match="no file of captions is named") as caught:
        build(Captioner(name="human", adapter="human", model=""), {})
    assert "--listen caption:FILE" in caught.value.fix
