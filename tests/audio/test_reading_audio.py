"""Audio files become the samples that their policy promises."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import soxr
from scipy.io import wavfile
from scipy.optimize import least_squares
from sounds import noise, sine, wav_header, without_length, write

from akb.audio import Policy, Unhearable, chunks, read
from akb.audio.sound import Sound
from akb.errors import AkbError

OWN = Policy(rate=0, channels="keep", longest=None)
PCM = {"PCM_U8": 1 / 128, "PCM_16": 2**-15, "PCM_32": 2**-31}


# -- what comes out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subtype", PCM)
@pytest.mark.parametrize("channels", [1, 2, 7])
def test_pcm_is_what_scipy_reads(subtype: str, channels: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(0.5, 22_050, channels), 22_050, subtype=subtype)
    rate, whole = wavfile.read(path)
    wanted = whole.reshape(len(whole), -1).astype(float) - (128 if subtype == "PCM_U8" else 0)
    sound = read(path, OWN)
    assert sound.rate == rate == 22_050
    assert sound.samples.shape == (channels, 11_025)
    assert sound.samples.dtype == np.float32
    np.testing.assert_allclose(sound.samples.T, wanted * PCM[subtype], rtol=1e-7, atol=0)


@pytest.mark.parametrize(
    ("name", "how", "off"),
    [
        ("a.wav", {"subtype": "PCM_24"}, 2**-23),
        ("a.wav", {"subtype": "FLOAT"}, 2**-25),
        ("a.wav", {"subtype": "DOUBLE"}, 1e-7),
        ("a.wav", {"subtype": "ULAW"}, 0.02),
        ("a.wav", {"subtype": "ALAW"}, 0.02),
        ("a.wav", {"format": "WAVEX", "subtype": "PCM_16"}, 2**-15),
        ("a.flac", {"subtype": "PCM_16"}, 2**-15),
        ("a.flac", {"subtype": "PCM_24"}, 2**-23),
        ("a.ogg", {}, 0.1),
        ("a.opus", {}, 0.1),
        ("a.mp3", {}, 0.1),
    ],
)
def test_every_format_gives_back_what_was_written(name: str, how: dict[str, str], off: float, tmp_path: Path) -> None:
    wanted = np.stack([sine(440, 1, 48_000), sine(660, 1, 48_000, 0.25)])
    sound = read(write(tmp_path / name, wanted.T, 48_000, **how), OWN)
    assert sound.samples.shape == wanted.shape
    middle = slice(4800, -4800)  # codecs with loss take a while to settle
    assert np.abs(sound.samples - wanted)[:, middle].max() <= off
    assert set(sound.notes) == {"rate", "channels", "seconds", "encoding"}
    assert sound.notes["seconds"] == sound.seconds == 1


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_a_resampled_sine_is_that_sine(rate: int, tmp_path: Path) -> None:
    sound = read(write(tmp_path / "a.wav", sine(1234.5, 2, rate), rate, subtype="FLOAT"))
    assert (sound.rate, sound.samples.shape) == (16_000, (32_000,))
    time, heard = np.arange(32_000)[1600:-1600] / 16_000, sound.samples[1600:-1600].astype(float)

    def off(guess: Any, /) -> Any:
        level, hertz, phase = guess
        return level * np.sin(2 * np.pi * hertz * time + phase) - heard

    level, hertz, phase = least_squares(off, [0.4, 1234.4, 0.1]).x
    assert level == pytest.approx(0.5, abs=1e-4)
    assert hertz == pytest.approx(1234.5, abs=1e-4)
    assert phase == pytest.approx(0, abs=1e-3)  # and nothing is delayed
    assert np.abs(off([level, hertz, phase])).max() < 1e-4


def test_nothing_above_half_the_new_rate_comes_through(tmp_path: Path) -> None:
    above = sum(sine(hertz, 1, 48_000, 0.2) for hertz in (8_400, 11_000, 15_900, 20_000))
    heard = read(write(tmp_path / "a.wav", np.asarray(above), 48_000, subtype="FLOAT")).samples[800:-800]
    assert 10 * np.log10((heard**2).mean() / (np.asarray(above) ** 2).mean()) < -90


def test_mono_is_the_mean_of_the_channels(tmp_path: Path) -> None:
    table = noise(0.5, 16_000, 64)
    sound = read(write(tmp_path / "a.wav", table, 16_000, subtype="FLOAT"))
    np.testing.assert_allclose(sound.samples, table.astype(np.float32).mean(axis=1), atol=1e-6)
    assert sound.notes["channels"] == 64


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_leave_no_trace(rate: int, channels: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(13, rate, channels), rate)
    whole = sf.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
    np.testing.assert_array_equal(read(path).samples, soxr.resample(whole, rate, 16_000))


# -- how much is heard -----------------------------------------------------------------------------------------


def test_a_truncated_sound_is_the_beginning_of_the_whole_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", noise(9, 44_100, 2), 44_100)
    whole, cut = read(path, Policy(longest=None)), read(path, Policy(longest=2.5))
    assert np.array_equal(read(path, replace(OWN, longest=2.5)).samples, read(path, OWN).samples[:, :110_250])
    np.testing.assert_allclose(cut.samples, whole.samples[:40_000], atol=3e-7)
    assert cut.seconds == 2.5
    assert cut.notes["cut_seconds"] == pytest.approx(6.5)
    assert cut.notes["seconds"] == pytest.approx(9)
    assert "cut_seconds" not in whole.notes


def test_chunks_join_without_a_seam(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", noise(9.2, 44_100), 44_100)
    pieces = chunks(path, Policy(longest=2, beyond="chunk"))
    assert [piece.seconds for piece in pieces] == pytest.approx([2, 2, 2, 2, 1.2])
    assert [piece.notes.get("start_seconds", 0) for piece in pieces] == [0, 2, 4, 6, 8]
    joined = np.concatenate([piece.samples for piece in pieces])
    np.testing.assert_array_equal(joined, read(path, Policy(longest=None)).samples)
    (one,) = chunks(path, Policy(longest=10, beyond="chunk"))
    np.testing.assert_array_equal(one.samples, joined)


def test_chunks_of_a_whole_multiple_have_no_empty_piece(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(4, 16_000, 3), 16_000)
    pieces = chunks(path, Policy(channels="keep", longest=1, beyond="chunk"))
    assert [piece.samples.shape for piece in pieces] == [(3, 16_000)] * 4


def test_a_clip_of_just_the_longest_length_is_not_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(3, 44_100), 44_100)
    for beyond in ("truncate", "refuse"):
        assert "cut_seconds" not in read(path, Policy(longest=3, beyond=beyond)).notes


@pytest.mark.parametrize("tells", [True, False])
def test_longer_clips_are_refused_where_the_policy_says_so(tells: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", noise(3.01, 44_100), 44_100)
    if not tells:
        without_length(path)
    with pytest.raises(Unhearable, match=r"more than the 3 s|longer than the 3 s") as caught:
        read(path, Policy(longest=3, beyond="refuse"))
    assert caught.value.kind == "too_long"


def test_one_sound_a_clip_cannot_be_had_of_a_policy_with_chunks(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="cuts long clips in pieces"):
        read(write(tmp_path / "a.wav", noise(1, 16_000), 16_000), Policy(beyond="chunk"))


def test_files_of_untold_length_are_heard_whole(tmp_path: Path) -> None:
    flac = write(tmp_path / "a.flac", noise(7, 44_100), 44_100)
    whole = read(flac).samples
    without_length(flac)
    sound = read(flac)
    np.testing.assert_array_equal(sound.samples, whole)
    assert sound.notes["seconds"] == 7
    cut = read(flac, Policy(longest=2))
    assert (cut.seconds, cut.notes["cut_seconds"], cut.notes["seconds"]) == (2, None, None)
    wav = write(tmp_path / "a.wav", noise(3, 44_100), 44_100)
    for told in (0xFFFF_FFFF, 0x7FFF_F000):
        wav_header(wav, data=told)
        assert read(wav).seconds == 3


MEMORY = """
import sys, tracemalloc
import numpy as np
from pathlib import Path
from akb.audio import Policy, read

def peak():  # of this process alone: getrusage's is at least that of the process which started it
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) >> 10

hour, short, whole = sys.argv[1:]
read(short)
before = peak()
if whole:
    read(hour, Policy(longest=600))
    print(0, peak() - before)
    sys.exit()
tracemalloc.start()
sound = read(hour)
print(tracemalloc.get_traced_memory()[1] >> 20, peak() - before)
assert sound.seconds == 30 and round(sound.notes["cut_seconds"]) == 3570, sound.notes
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_the_beginning_of_an_hour_takes_no_more_memory_than_a_short_clip(tmp_path: Path) -> None:
    minute = noise(60, 44_100)
    hour = tmp_path / "hour.flac"
    with sf.SoundFile(hour, "w", 44_100, 1, compression_level=0) as file:
        for _ in range(60):
            file.write(minute)
    short = write(tmp_path / "short.flac", minute[: 44_100 * 30], 44_100)

    def more(whole: str) -> list[int]:
        command = [sys.executable, "-c", MEMORY, str(hour), str(short), whole]
        return [int(n) for n in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]

    traced, resident = more("")
    assert traced < 20  # the 30 s are 2 MB, a block 1 MB; the hour would be 640
    assert resident < 20
    assert more("ten minutes")[1] > 30  # the measure sees what is there


# -- what is noted ---------------------------------------------------------------------------------------------


def test_silence_is_heard_and_noted(tmp_path: Path) -> None:
    for name, samples in {"zeros": np.zeros(1600), "offset": np.full(1600, 0.25)}.items():
        assert read(write(tmp_path / f"{name}.wav", samples, 16_000)).notes["silent"] is True
    quiet = read(write(tmp_path / "quiet.wav", sine(440, 1, 16_000, 0.001), 16_000))
    assert "silent" not in quiet.notes


def test_channels_that_cancel_each_other_are_noted(tmp_path: Path) -> None:
    one = sine(440, 1, 16_000)
    path = write(tmp_path / "a.wav", np.stack([one, -one], axis=1), 16_000, subtype="FLOAT")
    assert read(path).notes["cancels"] is True
    assert "silent" not in read(path, Policy(channels="keep")).notes


def test_clipping_and_loud_samples_are_noted(tmp_path: Path) -> None:
    clipped = (4 * sine(100, 1, 16_000)).clip(-1, 1)
    share = float((np.abs(clipped) >= 1 - 2**-15).mean())
    notes = read(write(tmp_path / "a.wav", clipped, 16_000)).notes
    assert notes["clipped"] == pytest.approx(share, abs=1e-6)
    assert "peak" not in notes
    assert "clipped" not in read(write(tmp_path / "b.wav", sine(4000, 1, 16_000, 1), 16_000)).notes
    assert read(write(tmp_path / "c.wav", sine(440, 1, 16_000, 3), 16_000, subtype="FLOAT")).notes["peak"] > 2.9


# -- the policy ------------------------------------------------------------------------------------------------


def test_a_policy_tells_itself_with_the_decoders_versions() -> None:
    decoders = f"soundfile {sf.__version__} (libsndfile {sf.__libsndfile_version__})"
    resampler = f"soxr {soxr.__version__} HQ"
    assert Policy().told() == f"16000 Hz, mono (mean of channels), at most 30 s (truncated); {decoders}, {resampler}"
    assert OWN.told() == f"own rate, all channels, of any length; {decoders}"
    told = {
        Policy(longest=longest, beyond=beyond).told()
        for longest in (1, 30, 30.000001)
        for beyond in ("truncate", "chunk", "refuse")
    }
    assert len(told) == 9


@pytest.mark.parametrize("wrong", [{"rate": -1}, {"rate": 5}, {"longest": 0}, {"longest": float("nan")},
                                   {"longest": float("inf")}, {"channels": "left"}, {"beyond": "loop"}])  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(AkbError, match="decoding policy: "):
        Policy(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("package", ["soundfile", "soxr"])
def test_a_missing_package_is_named_with_the_command_that_mends_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(AkbError, match=package) as caught:
        read("a.wav")
    assert not isinstance(caught.value, Unhearable)
    assert "akb[audio]" in caught.value.fix


def test_audio_is_imported_without_its_packages() -> None:
    code = "import akb.audio, sys; print([m for m in ('soundfile', 'soxr', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_are_bytes_and_need_be_no_text(tmp_path: Path) -> None:
    for name in (b"new\nline.wav", b"\xff\xfe.wav", b"no extension", b" blank .txt"):
        path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))  # noqa: PTH118 - bytes
        held = tmp_path / "held.wav"
        write(held, noise(0.1, 16_000), 16_000)
        held.rename(path)
        sound: Sound = read(path)
        assert sound.seconds == 0.1
