"""The clips that desta-tiny learns from: made sounds with what the acoustic captioner says of them, as a manifest.

    python -m akb.lab.grounding --out lalms/lab-clips
    akb lalm data desta-tiny

A clip's seed description is its acoustic caption, which is measured from the clip: metadata in DeSTA's form would be
words that the backbone, akb-reader, was never taught. It is asked a question in the form of lab-audio's, on a clip
that lies on the training's side of the wall (`akb.lab.audio.held_out`), and one that asks for a description
(lalm/prompts/lab-v1.yaml).
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from akb.files import write_whole
from akb.lab.reader.describing import NICE, kept, key
from akb.lab.reader.items import drawn
from akb.lab.sound import Scene, render, write_wav

if TYPE_CHECKING:
    from akb.lab.audio import AudioItem

CLIPS, SEED, EACH = 3_600, 40, 768  # items in all, the first seed, items from each (all wordings of all questions)


def make(out: Path, clips: int = CLIPS, seed: int = SEED, workers: int = 1) -> Path:
    """The manifest in `out`, with its clips beside it; what a broken run made is not made again."""
    items = drawn("train", clips, seed, EACH)
    captions = _captions([item.scene for item in items], out, workers)
    write_whole(out / "manifest.jsonl", map(_line, items, captions))
    return out / "manifest.jsonl"


def _line(item: AudioItem, caption: str) -> str:
    """A record of the manifest (akb.lalm.data.manifest)."""
    row = {"audio": f"{_name(item.scene)}.wav", "id": item.id, "kind": item.category, "description": caption,
           "prompts": [item.question]}  # fmt: skip
    return json.dumps(row) + "\n"


def _name(scene: Scene) -> str:
    return key(scene)[:24]


def _captions(scenes: Sequence[Scene], out: Path, workers: int) -> list[str]:
    """What the acoustic captioner says of scenes; their clips are written into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "captions.jsonl"
    known = dict(kept(path))
    missing = list({name: scene for scene in scenes if (name := _name(scene)) not in known}.values())
    if missing:
        jobs = [(scene, str(out / f"{_name(scene)}.wav")) for scene in missing]
        with (
            ProcessPoolExecutor(workers, get_context("spawn"), os.nice, (NICE,)) as pool,
            path.open("a", encoding="utf-8") as file,
        ):
            for scene, text in zip(missing, pool.map(_made, jobs, chunksize=16), strict=True):
                file.write(json.dumps([_name(scene), text]) + "\n")
                file.flush()
                known[_name(scene)] = text
    return [known[_name(scene)] for scene in scenes]


def _made(job: tuple[Scene, str]) -> str:
    """Write a clip, and describe it as a file of 16 bits gives it."""
    from akb.cascades.acoustic.measures import measure
    from akb.cascades.acoustic.wording import caption

    scene, path = job
    samples = render(scene)
    write_wav(Path(path), samples, scene.rate)
    whole = np.clip(np.rint(samples.astype(np.float64) * 32767), -32768, 32767) / 32768
    return caption(measure(whole.astype(np.float32), scene.rate))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the clips that desta-tiny learns from.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--workers", type=int, default=1, help="processes that render and describe")
    arguments = parser.parse_args()
    print(make(arguments.out, arguments.clips, workers=arguments.workers))


if __name__ == "__main__":
    main()
