"""A file from which nothing is to be heard has a reason, in words that name it and say what to do."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from sounds import noise, wav_header, write

from akb.audio import Policy, Unhearable, chunks, clip_of, read


def why(path: str | Path, policy: Policy = Policy()) -> Unhearable:  # noqa: B008 - frozen
    """Why a file cannot be heard; its words are about that file, and are printable."""
    with pytest.raises(Unhearable) as caught:
        read(path, policy)
    with pytest.raises(Unhearable) as again:
        chunks(path, policy)
    assert (again.value.kind, str(again.value)) == (caught.value.kind, str(caught.value))
    assert caught.value.where
    assert str(caught.value).replace("\n  ", "").isprintable()
    return caught.value


def test_what_is_no_file_is_told_apart(tmp_path: Path) -> None:
    assert why(tmp_path / "gone.wav").kind == "missing"
    assert why("a\0b.wav").kind == "missing"
    assert why("x" * 5000).kind == "missing"
    assert why("new\nline\udcff.wav").where == r"new\nline\udcff.wav"
    assert "folder" in why(tmp_path).what
    os.mkfifo(tmp_path / "pipe.wav")
    assert "pipe" in why(tmp_path / "pipe.wav").what
    assert why("/dev/zero").kind == why(tmp_path).kind == "unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(0.1, 16_000), 16_000)
    path.chmod(0)
    assert (why(path).kind, "ermission" in why(path).what) == ("unreadable", True)


def test_a_refused_permission_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Unhearable, match="Permission denied") as caught:
        read("a.wav")
    assert (caught.value.kind, caught.value.fix) == ("unreadable", "Give yourself the right to read it.")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_empty_files_and_files_without_samples_are_empty(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert why(tmp_path / name).kind == "empty"
    assert why(write(tmp_path / f"none-{name}", np.zeros((0, 1)), 16_000)).kind == "empty"


def test_less_than_one_sample_is_empty(tmp_path: Path) -> None:
    assert why(write(tmp_path / "a.wav", noise(1e-5, 100_000), 100_000)).kind == "empty"


def test_a_wav_file_of_a_stopped_writer_is_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(1, 16_000), 16_000)
    wav_header(path, data=0)
    assert "stopped" in why(path).fix


def test_what_is_not_audio_is_told_with_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("<html>\n<body>404 Not Found</body></html>")
    assert why(path).kind == "not_audio"
    assert "'<html>" in why(path).what
    path.write_bytes(np.random.default_rng(0).bytes(10_000).replace(b"\xff", b"\x00"))
    assert why(path).kind == "not_audio"
    path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(1000))
    assert "m4a" in why(path).what
    assert "ffmpeg" in why(path).fix
    path.write_bytes(bytes(100_000))
    assert (why(path).kind, "zeros" in why(path).what) == ("corrupt", True)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.aiff"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_not_heard(name: str, share: float, tmp_path: Path) -> None:
    path = write(tmp_path / name, noise(6, 48_000), 48_000)
    assert read(path).seconds == 6
    held = path.read_bytes()
    path.write_bytes(held[: int(len(held) * share)])
    assert why(path).kind in ("cut_off", "corrupt")
    path.write_bytes(held[:30])
    assert why(path).kind == "corrupt"


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.opus", "a.mp3"])
@pytest.mark.parametrize("how", ["zeros", "noise", "hole"])
def test_damage_in_the_middle_is_found_where_the_format_shows_it(name: str, how: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, noise(6, 48_000), 48_000)
    held = path.read_bytes()
    third = len(held) // 3
    put = {"zeros": bytes(third), "noise": np.random.default_rng(1).bytes(third), "hole": b""}[how]
    path.write_bytes(held[:third] + put + held[2 * third :])
    assert why(path).kind in ("cut_off", "corrupt")


def test_what_is_missing_beyond_what_is_heard_is_noted_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(6, 48_000), 48_000)
    whole = read(path, Policy(longest=2)).samples
    held = path.read_bytes()
    path.write_bytes(held[: len(held) // 2])
    sound = read(path, Policy(longest=2))
    np.testing.assert_array_equal(sound.samples, whole)
    assert sound.notes["missing_seconds"] == pytest.approx(3, abs=0.01)
    path.write_bytes(held[:-100])  # some writers count their header
    assert read(path).notes["missing_seconds"] == pytest.approx(50 / 48_000)
    ogg = write(tmp_path / "a.ogg", noise(12, 48_000), 48_000)
    ogg.write_bytes(ogg.read_bytes()[: ogg.stat().st_size // 2])
    assert read(ogg, Policy(longest=2)).notes["open_end"] is True


def test_an_mp3_file_that_libsndfile_takes_for_shorter_is_not_cut_unseen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", noise(6, 44_100), 44_100)
    held = path.read_bytes()
    path.write_bytes(held.replace(b"Xing", bytes(4), 1))  # then the length is guessed from the first frame's bit rate
    assert sf.info(path).duration < 5
    assert (why(path).kind, "out of reach" in why(path).what) == ("cut_off", True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", [0, 1])
def test_a_sample_that_is_no_number_is_named(value: float, channel: int, tmp_path: Path) -> None:
    table = noise(1, 16_000, 2)
    table[12_345, channel] = value
    path = write(tmp_path / "a.wav", table, 16_000, subtype="FLOAT")
    assert (why(path).kind, "sample 12345 " in why(path).what) == ("nan", True)
    assert read(path, Policy(longest=0.5)).seconds == 0.5  # what is not heard is not looked at


def test_channels_whose_sum_overflows_are_not_heard(tmp_path: Path) -> None:
    assert why(write(tmp_path / "a.wav", np.full((100, 2), 3e38), 16_000, subtype="FLOAT")).kind == "nan"


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 10_000_000, 2**31 - 1])
def test_absurd_rates_are_refused(rate: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(1, 100), 16_000)
    held = bytearray(path.read_bytes())
    held[24:28] = struct.pack("<I", rate)
    path.write_bytes(held)
    assert (why(path).kind, f" {rate} " in why(path).what) == ("rate", True)


def test_reasons_survive_a_process_boundary(tmp_path: Path) -> None:
    error = why(tmp_path / "gone.wav")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.kind, str(copy)) == (Unhearable, "missing", str(error))


def test_a_clip_is_the_hash_of_its_bytes_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(0.1, 16_000), 16_000)
    told = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout.split()[0]
    assert (clip_of(path).sha256, clip_of(path).path, clip_of(path).decoding) == (told, str(path), "")


CHATTER = """
import sys
import soundfile as sf
from akb.audio import Unhearable, decode_many, Policy
if sys.argv[1] == "plain":
    try:
        sf.read(sys.argv[2])
    except sf.LibsndfileError:
        pass
for _, heard in decode_many(sys.argv[2:] * 8, Policy()):
    print("progress", file=sys.stderr)
    assert isinstance(heard, Unhearable)
if sys.argv[1] == "after":
    try:
        sf.read(sys.argv[2])
    except sf.LibsndfileError:
        pass
"""


def test_libsndfile_prints_nothing_and_python_still_does(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", noise(6, 48_000), 48_000)
    held = path.read_bytes()
    third = len(held) // 3
    path.write_bytes(held[:third] + bytes(third) + held[2 * third :])

    def said(how: str) -> set[str]:
        done = subprocess.run([sys.executable, "-c", CHATTER, how, str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return set(done.stderr.splitlines())

    assert said("quiet") == {"progress"}
    assert len(said("plain")) > 1  # what soundfile alone lets through
    assert len(said("after")) > 1  # and others hear their own again
