"""Captions that people wrote: which record means which clip."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tones import write_tone

from akb.audio import clip_of
from akb.cascades.cards import Captioner
from akb.cascades.human import Human, build
from akb.errors import AkbError
from akb.types import Clip, Finish, Generate, Message, Response


def clips(folder: Path, *names: str) -> list[Clip]:
    """Clips, each another tone."""
    for number, name in enumerate(names):
        write_tone(folder / name, 300 + 50 * number)
    return [clip_of(folder / name) for name in names]


def file(folder: Path, rows: Sequence[Mapping[str, str]]) -> Human:
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


def test_a_caption_for_one_folder_is_none_for_another_and_that_is_final(tmp_path: Path) -> None:
    one, two = clips(tmp_path, "a/1.wav", "b/1.wav")
    found = told(file(tmp_path, [{"audio": "a/1.wav", "caption": "A."}]), one, two)
    assert [response.finish for response in found] == [Finish.STOP, Finish.ERROR]
    assert found[1].notes == {"unhearable": "undescribed"}


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
