"""The clips that lab-encoder learns from, and what it hears of them: log-mel spectrograms, kept in a folder.

Two kinds of scene: those of questions like lab-audio's, and scenes drawn at random from all that there is. All lie on
the training's side of the wall (`akb.lab.reader.items.side_of`), or, for validation, on that side.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from akb.lab.reader.items import Side, drawn, side_of
from akb.lab.reader.scenes import scenes
from akb.lab.sound import Scene, render

if TYPE_CHECKING:
    from transformers import WhisperFeatureExtractor

SECONDS, HOP, BANDS = 8, 320, 96  # seconds of a clip, samples at 16 kHz from frame to frame, bands of the spectrogram
FRAMES = SECONDS * 16_000 // HOP
BLOCK = 256  # clips in one file
CROWD = 2048  # random scenes that are drawn at once


def extractor() -> WhisperFeatureExtractor:
    """Whisper's log-mel spectrogram in other measures: 20 ms from frame to frame, windows of 64 ms."""
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(feature_size=BANDS, chunk_length=SECONDS, hop_length=HOP, n_fft=1024)


def clips(side: Side, items: int, random: int, seed: int) -> list[Scene]:
    """`items` scenes of questions and `random` random ones, of one side, none longer than the encoder hears."""
    asked = [item.scene for item in drawn(side, items + items // 20, seed)]
    return [*[scene for scene in asked if scene.seconds <= SECONDS][:items], *islice(_random(side, seed), random)]


def _random(side: Side, seed: int) -> Iterator[Scene]:
    for number in count(seed):
        yield from (scene for scene in scenes(CROWD, number) if side_of(scene) == side)


def heard(scene: Scene) -> NDArray[np.float32]:
    """A scene's samples as a file of 16 bits gives them."""
    whole = np.clip(np.rint(render(scene).astype(np.float64) * 32767), -32768, 32767)
    return np.asarray(whole / 32768, np.float32)


def features(chosen: Sequence[Scene], folder: Path) -> Any:
    """The spectrograms of scenes, (clips, BANDS, FRAMES) in float16; blocks that `folder` lacks are made."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [chosen[start : start + BLOCK] for start in range(0, len(chosen), BLOCK)]
    return np.concatenate([_block(block, folder) for block in blocks])


def _block(chosen: Sequence[Scene], folder: Path) -> NDArray[np.float16]:
    told = "\n".join([f"{SECONDS} {HOP} {BANDS}", *(scene.model_dump_json() for scene in chosen)])
    path = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.npy"
    if not path.is_file():
        listen = extractor()
        made = [listen(heard(scene), sampling_rate=16_000, return_tensors="np").input_features[0] for scene in chosen]
        part = path.with_name(f".{path.stem}.{os.getpid()}.npy")
        np.save(part, np.stack(made).astype(np.float16))
        part.replace(path)
        print(f"{len(chosen)} clips made: {path.name}", flush=True)
    found: NDArray[np.float16] = np.load(path)
    return found
