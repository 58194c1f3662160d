"""How fast clips are decoded and resampled to 16 kHz mono: akb's `decode_many` beside plain loops.

    python benchmarks/decoding.py [--clips 1000] [--rounds 3] [--json]

The clips are made on the spot: WAV, FLAC, Ogg Vorbis and MP3 in equal parts, 2 to 10 s long, at 44.1, 48 and 22.05 kHz,
mono and stereo. The sides take turns, each in a process of its own, whose peak is asked of the kernel: `decode_many` on
all cores; akb's `read`, one by one; soundfile.read and soxr.resample, one by one; soundfile.read and
scipy.signal.resample_poly. Then the largest difference of any sample to the loop with soxr.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from akb.audio import Policy, Sound, decode_many, read
from akb.audio.ahead import cores

SIDES = ("decode_many", "read", "soxr", "resample_poly")
RATES = (44_100, 48_000, 22_050)
KINDS = ("wav", "flac", "ogg", "mp3")
RATE = 16_000
Samples = Any


def make(folder: Path, count: int) -> None:
    """Write the clips: three moving tones and noise, so that they are neither trivial nor impossible to compress."""
    import soundfile

    random = np.random.default_rng(7)
    for number in range(count):
        rate, channels = RATES[number // 4 % 3], 1 + number // 12 % 2
        time_ = np.arange(round(random.uniform(2, 10) * rate)) / rate
        tones = sum(0.1 * np.sin(2 * np.pi * (f * time_ + 20 * time_**2)) for f in random.uniform(80, 5000, 3))
        table = tones[:, None] + 0.02 * random.standard_normal((len(time_), channels))
        with soundfile.SoundFile(folder / f"{number:05}.{KINDS[number % 4]}", "w", rate, channels) as file:
            for start in range(0, len(table), 8192):
                file.write(table[start : start + 8192])


def plain(path: Path, resample: Callable[[Samples, int], Samples]) -> Samples:
    """The loop that one writes without akb."""
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(samples.mean(axis=1), rate)


def by_soxr(samples: Samples, rate: int) -> Samples:
    import soxr

    return soxr.resample(samples, rate, RATE)


def by_poly(samples: Samples, rate: int) -> Samples:
    from scipy.signal import resample_poly

    return resample_poly(samples, RATE // gcd(rate, RATE), rate // gcd(rate, RATE))


def heard(side: str, paths: Iterable[Path]) -> Iterator[Samples]:
    """The samples of the clips, by one of the sides."""
    if side == "decode_many":
        for _, sound in decode_many(paths, Policy()):
            if not isinstance(sound, Sound):
                raise sound
            yield sound.samples
    elif side == "read":
        yield from (read(path).samples for path in paths)
    else:
        yield from (plain(path, by_soxr if side == "soxr" else by_poly) for path in paths)


def measure(side: str, paths: list[Path]) -> dict[str, float]:
    """Seconds for all clips, of the clock and of the cores, and the process' peak in MiB; imports are not timed."""
    next(heard(side, paths[:1]))
    began, before = time.perf_counter(), time.process_time()
    frames = sum(len(samples) for samples in heard(side, paths))
    wall, cpu = time.perf_counter() - began, time.process_time() - before
    status = Path("/proc/self/status").read_text()  # getrusage's peak is at least that of the process before exec
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    return {"wall": wall, "cpu": cpu, "peak": peak, "audio": frames / RATE}


def differences(paths: list[Path]) -> dict[str, float]:
    """The largest difference of any sample to the plain loop with soxr."""
    largest = {"decode_many": 0.0, "resample_poly": 0.0}
    for side in largest:
        for one, other in zip(heard(side, paths), heard("soxr", paths), strict=True):
            count = min(len(one), len(other))
            assert abs(len(one) - len(other)) <= 1
            largest[side] = max(largest[side], float(np.abs(one[:count] - other[:count]).max()))
    return largest


def turn(side: str, folder: Path) -> dict[str, float]:
    """One side's measurement, in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return dict(json.loads(done.stdout))


def compare(folder: Path, rounds: int) -> dict[str, Any]:
    """All sides in turn, and the medians over the rounds."""
    turns: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            turns[side].append(turn(side, folder))
    found: dict[str, Any] = {"cores": cores(), "load": os.getloadavg()[0]}
    for side in SIDES:
        found[side] = {name: statistics.median(each[name] for each in turns[side]) for name in turns[side][0]}
        ratios = [other["wall"] / one["wall"] for one, other in zip(turns["decode_many"], turns[side], strict=True)]
        found[side]["ratio"] = statistics.median(ratios)
        found[side]["ratios"] = [round(ratio, 2) for ratio in ratios]
    found["difference"] = differences(sorted(folder.iterdir()))
    return found


def show(found: dict[str, Any], clips: int) -> None:
    print(f"{clips} clips, {found['decode_many']['audio']:.0f} s of audio, {found['cores']} cores, "
          f"load {found['load']:.1f}")  # fmt: skip
    for side in SIDES:
        one = found[side]
        print(f"{side:14} {one['wall']:7.2f} s  cpu {one['cpu']:7.2f} s  peak {one['peak']:5.0f} MiB  "
              f"{one['ratio']:5.2f} x decode_many's time, by round {one['ratios']}")  # fmt: skip
    for side, largest in found["difference"].items():
        print(f"largest difference of {side} to the loop with soxr: {largest:.3g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps(measure(args.side, sorted(args.folder.iterdir()))))
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), args.clips)
        found = compare(Path(folder), args.rounds)
    print(json.dumps(found)) if args.json else show(found, args.clips)


if __name__ == "__main__":
    main()
