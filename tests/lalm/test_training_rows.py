"""Rows to train on: how they are kept, held out and shuffled, and in which order they come."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tones import write_tone
from training_parts import exchanged, made, outline_of, parted, session, train_rows
from turns import turns_of

from akb.adapters.lalm_hearing import Block
from akb.audio import Policy, clip_of
from akb.errors import AkbError
from akb.lalm.data.rows import Row as DataRow
from akb.lalm.data.rows import read
from akb.lalm.kept import card_of
from akb.lalm.prompting import IGNORED, Row
from akb.lalm.recipe import DataPart, TrainPart
from akb.lalm.saving import prompting_of
from akb.lalm.training.batching import Order, evaluation, share
from akb.lalm.training.outline import asked, clips_differ, outlined
from akb.lalm.training.record import changed, plain_name
from akb.lalm.training.rows import Clip, flat, tokenised


def test_flat_rows_are_the_rows() -> None:
    given_rows = [Row((1, 2, 3), (IGNORED, IGNORED, 3), (1,), ("a#0",)), Row((4, 5), (IGNORED, 5)),
                  Row((6, 7, 8, 9), (IGNORED, 7, 8, 9), (0, 2), ("b", "a#0"))]  # fmt: skip
    kept = flat(given_rows)
    assert [kept[n] for n in range(len(kept))] == given_rows
    assert kept.lengths.tolist() == [3, 2, 4]
    assert kept.labelled.tolist() == [1, 1, 3]


def test_rows_that_hear_the_same_are_a_group_and_those_that_hear_nothing_are_none() -> None:
    blank = Row((4, 5), (IGNORED, 5))
    one, two = Row((1,), (1,), (0,), ("a",)), Row((2,), (2,), (0,), ("b",))
    groups = flat([one, blank, two, one, blank]).groups
    assert groups[0] == groups[3]
    assert len(set(groups.tolist())) == 4


# -- data --


def data(folder: Path, clips: int = 20) -> list[DataRow]:
    return list(read(train_rows(folder, clips) / "train.jsonl"))


def test_a_row_is_tokenised_as_prompting_writes_it(tmp_path: Path) -> None:
    made(tmp_path, clips=10)
    recipe = session(tmp_path).recipe
    found = list(read(tmp_path / "lalms/tiny/data/train.jsonl"))
    card = card_of(recipe)
    from akb.adapters import snapshot

    prompting = prompting_of(recipe, card, snapshot.find(recipe.backbone))
    kept, _ = tokenised(asked(found, outlined(found, 32_000, 16_000), frozenset()), prompting, 160)
    plain, long = found[0], found[8]
    assert kept[0] == prompting.row(turns_of([turn.model_dump() for turn in plain.messages]), plain.response)
    assert [key.rpartition("#")[2] for key in kept[8].clips] == ["0", "1"]
    told = [{**turn.model_dump(), "audios": [{"audio": long.audios[0].audio, "text": [long.audios[0].text, None]}]}
            for turn in long.messages]  # fmt: skip
    assert kept[8] == prompting.row(turns_of(told), long.response)


def test_prompts_that_are_too_long_are_counted_and_named(tmp_path: Path) -> None:
    made(tmp_path, clips=10, train={"max_length": 40})
    with pytest.raises(AkbError, match=r"\d+ of 18 rows cannot be read: 0#What is heard\?: the prompt takes") as error:
        session(tmp_path).run()
    assert "train.max_length" in error.value.fix


def test_clips_that_are_not_there_are_counted_and_named_before_anything_is_computed(tmp_path: Path) -> None:
    made(tmp_path)
    folder = tmp_path / "lalms/tiny/data/audio"
    for number in (3, 7):
        (folder / f"{number}.wav").unlink()
    with pytest.raises(AkbError, match=r"2 of 20 clips cannot be heard: .*3.wav: there is no such file"):
        session(tmp_path).run()
    assert not (tmp_path / "lalms/tiny/train/run.json").exists()


def test_what_can_be_no_path_is_a_clip_that_is_not_there_and_is_not_told_whole() -> None:
    def row(path: str) -> DataRow:
        message = {"role": "user", "content": "<|AUDIO|>?", "audios": [path]}
        return DataRow.model_validate({"messages": [message], "response": "x"})

    found = [row("data:audio/wav;base64," + "QUJD" * 2000), row("/a\0b.wav"), row("/there/is/none.wav")]
    with pytest.raises(AkbError, match=r"3 of 3 clips cannot be heard: data:audio/wav") as error:
        outlined(found, 32_000, 16_000)
    assert error.value.what.count("there is no such file") == 3
    assert "(8,022 characters)" in error.value.what
    assert len(error.value.what) < 500


def test_held_out_rows_share_no_clip_with_the_others_and_stay_where_they_are_in_another_order(tmp_path: Path) -> None:
    found = data(tmp_path, 40)
    clips = outlined(found, 32_000, 16_000).clips
    kept, out = parted(found, clips, 0.1, 42)
    assert len(out) == 8
    assert not {row.audios[0].audio for row in kept} & {row.audios[0].audio for row in out}
    assert Counter(row.id for row in [*kept, *out]) == Counter(row.id for row in found)
    again = parted(found[::-1], clips, 0.1, 42)[1]
    assert {row.id for row in again} == {row.id for row in out}
    assert {row.id for row in parted(found, clips, 0.1, 43)[1]} != {row.id for row in out}


def test_a_row_of_two_clips_is_held_out_with_either_of_them() -> None:
    def row(number: int, *clips: int) -> DataRow:
        audios = [{"audio": f"/{clip}.wav"} for clip in clips]
        message = {"role": "user", "content": "<|AUDIO|>" * len(clips), "audios": audios}
        return DataRow.model_validate({"id": str(number), "messages": [message], "response": "A bell."})

    found = [row(n, n) for n in range(30)] + [row(30 + n, n, (n + 1) % 30) for n in range(30)]
    clips = {f"/{n}.wav": Clip(Path(f"/{n}.wav"), f"hash {n}", 1) for n in range(30)}
    for seed in range(4):
        kept, out = parted(found, clips, 0.1, seed)
        lone = {row.audios[0].audio for row in out if len(row.audios) == 1}
        assert len(lone) == 3
        assert not lone & {audio.audio for row in kept for audio in row.audios}
        assert len(out) > 3
        assert len(kept) + len(out) == 60


def test_shuffled_every_row_hears_another_clip_with_its_transcript_and_each_clip_is_heard_as_often() -> None:
    def row(number: int, clips: tuple[int, ...]) -> DataRow:
        audios = [{"audio": f"/{clip}.wav", "text": f"said in {clip}"} for clip in clips]
        message = {"role": "user", "content": "<|AUDIO|>" * len(clips) + "?", "audios": audios}
        return DataRow.model_validate({"id": str(number), "messages": [message], "response": f"answer {number}",
                                       "duration": 1.0})  # fmt: skip

    found = [row(n, (n // 3,)) for n in range(30)] + [row(50 + n, (n, n + 1)) for n in range(5)] + [row(99, ())]
    clips = {f"/{n}.wav": Clip(Path(f"/{n}.wav"), f"hash {n}", 1) for n in range(60)}
    other = exchanged(found, clips, 7)
    assert [response for response, _ in other] == [r.response for r in found]
    heard = [tuple(clip.key for clip in some) for _, some in other]
    before = [tuple(a.audio for a in r.audios) for r in found]
    assert all(a != b for a, b in zip(heard[:-1], before[:-1], strict=True))
    assert Counter(heard) == Counter(before)
    assert all(clip.transcripts == (f"said in {Path(clip.key).stem}",) for _, some in other for clip in some)
    assert exchanged(found, clips, 7) == other
    assert exchanged(found, clips, 8) != other
    with pytest.raises(AkbError, match="cannot be shuffled"):
        exchanged(found[:3], clips, 7)


def test_two_files_of_the_same_bytes_do_not_exchange(tmp_path: Path) -> None:
    for name, hertz in (("a", 300), ("b", 300), ("c", 500)):
        write_tone(tmp_path / f"{name}.wav", hertz, 0.5)
    found = [
        DataRow.model_validate({"id": name, "response": "x", "messages": [
            {"role": "user", "content": "<|AUDIO|>?", "audios": [{"audio": str(tmp_path / f"{name}.wav")}]}]})
        for name in "abc"
    ]  # fmt: skip
    clips = outlined(found, 32_000, 16_000).clips
    for seed in range(4):
        heard = [clips[some[0].key].sha256 for _, some in exchanged(found, clips, seed)]
        assert all(a != clips[row.audios[0].audio].sha256 for a, row in zip(heard, found, strict=True))
    assert not clips_differ(outline_of(found[:2], clips), [*outline_of(found[:2], clips).sets])
    with pytest.raises(AkbError, match="cannot be shuffled"):
        exchanged(found[:2], clips, 1)


@pytest.mark.parametrize(
    ("rate", "samples", "chunks"),
    [(16_000, 32_000, 1), (16_000, 32_001, 2), (44_100, 88_201, 1), (48_000, 96_001, 1), (44_100, 88_202, 2)],
)
def test_a_clip_makes_as_many_chunks_in_training_as_when_it_is_asked_about(
    rate: int, samples: int, chunks: int, tmp_path: Path
) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.full(samples, 0.25), rate)
    row = {"response": "x", "messages": [{"role": "user", "content": "<|AUDIO|>", "audios": [{"audio": str(path)}]}]}
    (clip,) = outlined([DataRow.model_validate(row)], 32_000, 16_000).clips.values()
    assert clip.chunks == chunks == Block(32_000, 16_000).chunks(clip_of(path), Policy(rate=16_000, longest=None))


@pytest.mark.skipif("shuffled" not in DataPart.model_fields, reason="recipes have no such field yet")
def test_a_training_on_shuffled_pairs_is_another_model_and_its_name_says_so(tmp_path: Path) -> None:
    made(tmp_path, train={"epochs": 1})
    recipe = changed(session(tmp_path).recipe, ["data.shuffled=true"])
    assert recipe.name == "tiny-shuffled"
    assert plain_name(recipe) == "tiny"
    folder = tmp_path / "lalms" / recipe.name
    session(tmp_path, recipe=recipe, folder=folder).run()
    kept = json.loads((folder / "train/run.json").read_text())
    assert kept["recipe"]["data"]["shuffled"] is True
    assert "shuffled: true" in (folder / "model/recipe.yaml").read_text()
    assert "name: tiny-shuffled" in (folder / "model/recipe.yaml").read_text()


# -- order --


def order(number: int = 24, batch: int = 4, bucket: int = 3, per_clip: int = 2, seed: int = 1) -> Order:
    lengths = np.random.default_rng(0).integers(10, 300, number)
    return Order(lengths, np.arange(number) // per_clip, batch, bucket, seed)


def taken(one: Order, steps: int) -> list[int]:
    return [int(row) for step in range(steps) for row in one.rows(step)]


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 6), st.integers(1, 4), st.integers(1, 40))
def test_at_any_step_no_row_was_taken_twice_more_than_another_nor_is_in_a_batch_twice(
    number: int, batch: int, bucket: int, per_clip: int, steps: int
) -> None:
    """Where there are fewer rows than a window has, too, and where epochs end within a batch."""
    one = order(number, batch, bucket, per_clip)
    whole, rest = divmod(steps * batch, number)
    counts = Counter(taken(one, steps))
    assert counts.total() == steps * batch
    assert min(counts.get(row, 0) for row in range(number)) >= whole
    assert max(counts.values()) <= whole + (rest > 0)
    if number >= 2 * batch:
        assert all(len(set(one.rows(step).tolist())) == batch for step in range(steps))


def test_an_epoch_of_few_rows_is_one_and_their_windows_are_sorted_by_length_too() -> None:
    """480 rows in batches of 96 and windows of 50 batches: the window is the epoch."""
    one = order(480, 96, 50, per_clip=1)
    assert one.steps(1) == 5
    assert sorted(taken(one, 5)) == list(range(480))
    assert max(np.ptp(one.lengths[one.rows(step)]) for step in range(5)) < 80  # of lengths from 10 to 300


def test_an_epoch_of_whole_windows_takes_each_row_once() -> None:
    one = order(24, 4, 3)
    assert sorted(taken(one, 6)) == list(range(24))
    assert set(taken(one, 3)) != set(taken(one, 12)[24:36])  # windows of another epoch hold others


def test_any_step_can_be_asked_for_without_those_before_it() -> None:
    whole = order()
    steps = [whole.rows(step).tolist() for step in range(12)]
    for step in (11, 3, 7, 0):
        assert order().rows(step).tolist() == steps[step]
    assert order(seed=2).rows(0).tolist() != steps[0]


def test_sorted_in_windows_batches_pad_much_less() -> None:
    def padded(one: Order, steps: int) -> int:
        return sum(int(one.lengths[one.rows(step)].max()) * one.batch for step in range(steps))

    plain, bucketed = order(960, 8, 1, 1), order(960, 8, 30, 1)
    words = int(plain.lengths.sum())
    assert padded(bucketed, 120) < 1.1 * words
    assert padded(plain, 120) > 1.5 * words


def test_rows_of_a_clip_stand_where_the_longest_of_them_belongs() -> None:
    """Eight clips of a short row and a long one each: sorted by the long ones, each batch holds two neighbours."""
    lengths = np.array([10, 300, 90, 100, 20, 290, 70, 110, 30, 280, 80, 120, 40, 270, 60, 130])
    one = Order(lengths, np.arange(16) // 2, 4, 4, seed=1)
    longest = sorted(sorted(lengths[one.rows(step)].tolist())[-2:] for step in range(4))
    assert longest == [[100, 110], [120, 130], [270, 280], [290, 300]]


def test_rows_of_a_clip_are_in_one_batch() -> None:
    one = order(240, 8, 10)
    for step in range(30):
        assert set(Counter(row // 2 for row in one.rows(step).tolist()).values()) == {2}


def test_steps_are_those_that_epochs_take() -> None:
    assert order(24, 5).steps(2) == 10
    assert order(24, 4).steps(0.5) == 3


def test_devices_and_passes_take_each_row_of_a_batch_once() -> None:
    train = TrainPart(batch=24, micro_batch=3)
    found = share(train, 4, "here")
    assert (found.micro_batch, found.passes) == (3, 2)
    numbers = np.arange(100, 124)
    parts = [part.tolist() for device in range(4) for part in found.of(numbers, device)]
    assert [len(part) for part in parts] == [3] * 8
    assert [number for part in parts for number in part] == numbers.tolist()
    assert share(TrainPart(batch=24), 4, "").micro_batch == 6


@pytest.mark.parametrize(("batch", "micro", "devices"), [(24, 3, 5), (4, None, 8), (6, None, 4)])
def test_a_batch_that_cannot_be_shared_equally_is_an_error(batch: int, micro: int | None, devices: int) -> None:
    with pytest.raises(AkbError, match=f"train.batch of {batch} rows cannot be shared by {devices} devices"):
        share(TrainPart(batch=batch, micro_batch=micro), devices, "here")


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 5))
def test_devices_evaluate_each_row_once_and_go_through_the_model_equally_often(
    number: int, micro: int, devices: int
) -> None:
    lengths = np.random.default_rng(1).integers(1, 50, number)
    parts: list[list[tuple[Any, bool]]] = [list(evaluation(lengths, micro, devices, d)) for d in range(devices)]
    assert len({len(part) for part in parts}) == 1
    assert sorted(int(row) for part in parts for rows_, counts in part if counts for row in rows_) == list(
        range(number)
    )
