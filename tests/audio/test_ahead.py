"""Many files are decoded ahead, in order, in bounded memory; hashes are taken side by side."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sounds import noise, write

from akb.audio import Policy, Sound, Unhearable, ahead, clips_of, decode_many, read
from akb.errors import AkbError
from akb.types import Clip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    made = []
    for number in range(24):
        name = f"{number}.{('wav', 'flac', 'ogg', 'mp3')[number % 4]}"
        rate = (22_050, 44_100, 48_000)[number % 3]
        made.append(write(folder / name, noise(0.2 + 0.1 * (number * 7 % 11), rate, 1 + number % 2, number), rate))
    made[5] = folder / "gone.wav"
    made[11].write_bytes(b"text")
    return made


@pytest.mark.parametrize("workers", [1, 2, 5, None])
def test_many_files_come_in_order_as_read_one_by_one(files: list[Path], workers: int | None) -> None:
    heard = list(decode_many(iter(files), Policy(longest=1), workers))
    assert [index for index, _ in heard] == list(range(len(files)))
    for index, sound in heard:
        if isinstance(sound, Unhearable):
            assert (index, sound.kind) in {(5, "missing"), (11, "not_audio")}
            continue
        alone = read(files[index], Policy(longest=1))
        np.testing.assert_array_equal(sound.samples, alone.samples)
        assert dict(sound.notes) == dict(alone.notes)
    assert sum(isinstance(sound, Unhearable) for _, sound in heard) == 2


def test_no_files_give_no_sounds() -> None:
    assert list(decode_many([], Policy())) == []
    assert clips_of([]) == []


class Counted:
    """Counts what is decoded in place of decoding it."""

    def __init__(self) -> None:
        self.begun, self.lock = 0, threading.Lock()

    def __call__(self, path: str, policy: Policy) -> Sound:
        with self.lock:
            self.begun += 1
        time.sleep(0.002)
        return Sound(np.zeros(1, np.float32), 16_000, 0)


def settled(counted: Counted) -> int:
    """How many were begun, once no more are."""
    before = -1
    while before != counted.begun:
        before = counted.begun
        time.sleep(0.1)
    return counted.begun


def test_a_slow_consumer_is_not_run_away_from(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, taken = Counted(), 0

    def names() -> Iterator[str]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield str(number)

    monkeypatch.setattr(ahead, "read", counted)
    sounds = decode_many(names(), Policy(), workers=3)
    for _ in range(10):
        next(sounds)
    assert 10 <= settled(counted) <= 10 + 2 * 3
    assert taken <= 10 + 2 * 3
    sounds.close()  # type: ignore[attr-defined]


def test_closing_early_stops_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted()
    monkeypatch.setattr(ahead, "read", counted)
    sounds = decode_many(map(str, range(1000)), Policy(), workers=3)
    next(sounds)
    sounds.close()  # type: ignore[attr-defined]
    assert settled(counted) <= 6
    until = time.monotonic() + 10
    while any(thread.name.startswith("decode") for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_is_wrong_with_all_is_told_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AkbError, match="cuts long clips in pieces"):
        decode_many(["a.wav"], Policy(beyond="chunk"))
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(AkbError, match="soxr"):
        decode_many(["a.wav"], Policy())


def test_an_error_of_akbs_own_is_not_taken_for_a_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: str, policy: Policy) -> Sound:
        raise ZeroDivisionError

    monkeypatch.setattr(ahead, "read", fails)
    with pytest.raises(ZeroDivisionError):
        list(decode_many(["a.wav"], Policy()))


def test_many_hashes_come_in_order_with_reasons_where_there_is_none(files: list[Path], tmp_path: Path) -> None:
    clips = clips_of([*files, tmp_path, "a\0b"])
    assert [i for i, clip in enumerate(clips) if isinstance(clip, Unhearable)] == [5, 24, 25]
    for path, clip in zip(files, clips, strict=False):
        if isinstance(clip, Clip):
            assert clip == Clip(hashlib.sha256(path.read_bytes()).hexdigest(), str(path))
