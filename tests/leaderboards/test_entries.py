"""What a board keeps of a run: the same bytes for the same run, nothing lost, damage found."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from board_data import bank, entry, filled, ran, toy
from hypothesis import given
from hypothesis import strategies as st

from akb.errors import AkbError
from akb.leaderboards.entries import REPLY, BoardItem, Entry, Store, column, cut, slug
from akb.run import Run
from akb.types import Clip, Question


def test_a_run_makes_the_same_bytes_and_comes_back_as_it_was(tmp_path: Path) -> None:
    run = Run.load(ran(tmp_path / "run", "random", toy(tmp_path)))
    made, items = Entry.of(run)
    written = [Store(tmp_path / name).write(made, items).read_bytes() for name in ("one", "two")]
    assert written[0] == written[1]
    assert list(Store(tmp_path / "one").entries()) == [made]
    assert Store(tmp_path / "one").items(made) == {item.id: item for item in items}
    outcomes = {trial.id: outcome for trial, outcome in run.judged()}
    for name, status, chosen, score in zip(*(getattr(made.answers, x) for x in ("ids", "status", "chosen", "score")),
                                           strict=True):  # fmt: skip
        told = outcomes[name]
        assert (status, chosen, score) == (told.status.value, told.answers[0].chosen, told.score)
    assert sum(made.answers.score) / 12 == pytest.approx(run.accuracy)


def test_replies_are_kept_and_cut(tmp_path: Path) -> None:
    run = Run.load(ran(tmp_path / "run", "first", toy(tmp_path), protocol="akb-v1"))
    replies = {trial: response.text for trial, _, response in run.responses()}
    made, _ = Entry.of(run)
    assert dict(zip(made.answers.ids, made.answers.reply, strict=True)) == replies
    assert cut("x" * 500, REPLY) == "x" * 399 + "…"
    assert cut("x" * 400, REPLY) == "x" * 400
    assert cut("half \ud800", REPLY) == "half ?"


def test_the_hash_of_an_item_is_over_what_is_asked_and_not_over_where_audio_lies() -> None:
    question = Question("q", "What?", ("a", "b"), 0, "c", "s", (Clip("ab", "/x/a.wav"),), "t", {"version": 2})
    one = BoardItem.of("q", question)
    assert one.version == 2
    assert one.audio == (("ab", "a.wav"),)
    moved = replace(question, audio=(Clip("ab", "/y/b.wav"),), meta={"version": 3})
    assert BoardItem.of("q", moved).sha == one.sha
    for other in (
        replace(question, text="What??"), replace(question, options=("b", "a")), replace(question, answer=1),
        replace(question, audio=(Clip("cd", "/x/a.wav"),)), replace(question, category="d"),
        replace(question, template_id="u"), replace(question, subcategory="r"),
    ):  # fmt: skip
        assert BoardItem.of("q", other).sha != one.sha


def test_columns_tell_settings_apart(tmp_path: Path) -> None:
    manifest = Run.load(ran(tmp_path / "run", "first", toy(tmp_path))).manifest
    assert column(manifest, heard=False).key == "toy-1@text:akb-v1-loglik"
    assert column(manifest, heard=True).setting == "audio"
    for changes, setting in (
        ({"listen": "none"}, "none"),
        ({"parties": {"model": {}, "captioner": {"model": "whisper"}}}, "caption:whisper"),
    ):
        told = manifest.model_copy(update={"identity": manifest.identity | changes})
        assert column(told, heard=True).setting == setting
    parts = manifest.model_copy(update={"identity": manifest.identity | {"parts": ["a", "b"]}})
    assert column(parts, heard=False).task == "toy/a,b"


@given(st.lists(st.text(min_size=1, max_size=90), min_size=2, max_size=6, unique=True))
def test_no_two_names_have_one_slug_and_every_slug_is_a_plain_file_name(names: list[str]) -> None:
    made = [slug(name) for name in names]
    assert len(set(made)) == len(names)
    assert all(one.strip("-.") == one and len(one) <= 80 and set(one) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")
               for one in made)  # fmt: skip


def test_items_are_stored_once_and_added_to(tmp_path: Path) -> None:
    store, items = Store(tmp_path), bank()
    store.write(entry("a", [1.0] * 24, items[:24]), items[:24])
    store.write(entry("b", [1.0] * 48, items), items)
    assert len(list((tmp_path / "items").iterdir())) == 1
    assert set(store.items(next(store.entries()))) == {item.id for item in items}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"ids": ["b", "a"]}, "sorted"), ({"score": [2.0, 0.0]}, "from 0 to 1"), ({"reply": [None]}, "one length"),
        ({"status": ["good", "ok"]}, "status"), ({"sha": ["0", "0"]}, "is another one than the item kept"),
        ({"more": 1}, "no such field"), ({"asked": [4, 4]}, "one length"),
        ({"asked": [4, 4], "good": [5, 0]}, "good from 0"), ({"status": ["refused", "ok"]}, "above the share"),
        ({"asked": [4, 4], "good": [3, 4]}, "above the share"), ({"chosen": [1, 2]}, "score 1, which does not go with"),
        ({"chosen": [0, 1]}, "score 0, which does not go with"), ({"chosen": [7, 2]}, "does not go with"),
    ],
)  # fmt: skip
def test_a_damaged_entry_is_named(tmp_path: Path, change: dict[str, object], wrong: str) -> None:
    items = bank()[:2]
    store = Store(tmp_path)
    path = store.write(entry("a", [1.0, 0.0], items), items)
    data = json.loads(gzip.decompress(path.read_bytes()))
    data["answers"] |= change
    path.write_bytes(gzip.compress(json.dumps(data).encode()))
    with pytest.raises(AkbError, match=wrong) as caught:
        list(store.entries())
    assert str(path) in caught.value.where


def test_a_choice_that_says_the_same_as_the_key_is_right(tmp_path: Path) -> None:
    items = [bank()[0].model_copy(update={"options": ("one", "b", "c", " one")})]
    Store(tmp_path).write(entry("a", [1.0], items, chosen=[3]), items)
    assert len(list(Store(tmp_path).entries())) == 1


def test_a_key_that_is_no_option_is_damage(tmp_path: Path) -> None:
    items = bank()[:2]
    Store(tmp_path).write(entry("a", [1.0, 1.0], items), items)
    (path,) = (tmp_path / "items").iterdir()
    data = json.loads(gzip.decompress(path.read_bytes()))
    data["items"][1]["answer"] = 99
    path.write_bytes(gzip.compress(json.dumps(data).encode()))
    with pytest.raises(AkbError, match="99 is out of range for 4 options") as caught:
        list(Store(tmp_path).entries())
    assert str(path) in caught.value.where


@pytest.mark.parametrize("place", ["toy-1-text-p-0/zz.json.gz", "other/m0.json.gz"])
def test_an_entry_lies_in_its_place_and_nowhere_else(tmp_path: Path, place: str) -> None:
    """Else a model would count twice, or in a column that is not its own."""
    store = filled(tmp_path, 2)
    path = next((tmp_path / "entries").rglob("m0.json.gz"))
    other = tmp_path / "entries" / place.replace("toy-1-text-p-0", path.parent.name)
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(path.read_bytes())
    with pytest.raises(AkbError, match=rf"the entry of m0 in toy-1@text:p, whose place is .*{path.name}") as caught:
        list(store.entries())
    assert caught.value.where == str(other)


def test_a_file_that_is_no_gzip_and_a_folder_that_is_no_board_are_errors(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="no board here"):
        list(Store(tmp_path).entries())
    store = filled(tmp_path, 2)
    path = next((tmp_path / "entries").rglob("m0.json.gz"))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(AkbError, match="damaged"):
        list(store.entries())
