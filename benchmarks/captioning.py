"""What local captioning costs: akb's Whisper beside a plain loop over transformers' own pipeline, on one thread.

    python benchmarks/captioning.py                     # pip install -e ".[hf,audio]"; whisper-small's shape
    python benchmarks/captioning.py --small             # whisper-tiny's shape: a minute
    python benchmarks/captioning.py --clips 64 --rounds 3 --json

The models have the published shapes and random weights. These never end a text, so both sides write a fixed number of
tokens a clip, and neither may write timestamps (of which random weights make nonsense). Both detect the language, and
both are greedy (left to itself, the pipeline searches with five beams). The loop decodes a file by soundfile, resamples
it by soxr and gives it to pipeline("automatic-speech-recognition"), one after another; "pipeline, batches" is the same
with batches as large as akb's. All sides take turns; figures are medians over the rounds, loading left out. Where other
work keeps the machine busy, CPU seconds say more than wall time. The tokens of all sides are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

SHAPES = {"tiny": (384, 4, 6), "small": (768, 12, 12)}  # width, layers of each half, heads
FORMATS = ((44_100, "wav", 2), (48_000, "flac", 1), (22_050, "ogg", 1))
RATE, BYTES, WORDS = 16_000, 256, 50_257
Tokens = dict[int, list[int]]


def marks() -> list[str]:
    """Whisper's special tokens in the order of their ids, which follow the words'."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    tasks = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
    names = ("endoftext", "startoftranscript", *list(LANGUAGES)[:99], *tasks)
    return [f"<|{name}|>" for name in names]


def write_model(folder: Path, shape: str, tokens: int) -> None:
    """A Whisper of a published shape with random weights and a made tokenizer."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizer,
    )

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {**{letter: n for n, letter in enumerate(letters)}, **{f"Ġw{n}": n for n in range(BYTES, WORDS)}}
    tokenizer = WhisperTokenizer(vocab=words, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": marks()[1:], "pad_token": marks()[0]})
    tokenizer.add_tokens([f"<|{0.02 * step:.2f}|>" for step in range(1501)])
    ids = {mark: WORDS + place for place, mark in enumerate(marks())}
    width, layers, heads = SHAPES[shape]
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    own = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start}
    config = WhisperConfig(
        vocab_size=len(tokenizer), d_model=width, encoder_layers=layers, decoder_layers=layers,
        encoder_attention_heads=heads, decoder_attention_heads=heads, encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width, init_std=0.06, suppress_tokens=None, begin_suppress_tokens=None, **own,
    )  # fmt: skip
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        **own, max_length=448, is_multilingual=True, no_timestamps_token_id=ids["<|notimestamps|>"],
        lang_to_id={mark: ids[mark] for mark in marks()[2:101]}, begin_suppress_tokens=[220, end],
        task_to_id={task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")},
        suppress_tokens=list(range(start, len(tokenizer))), min_new_tokens=tokens,
    )  # fmt: skip
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)


def write_clips(folder: Path, many: int) -> list[Path]:
    """Clips of 3 to 20 s in several formats, each with chords and noise of its own."""
    import soundfile

    random, paths = np.random.default_rng(0), []
    for number in range(many):
        rate, kind, channels = FORMATS[number % len(FORMATS)]
        time_ = np.arange(int(random.uniform(3, 20) * rate)) / rate
        tones = sum(np.sin(2 * np.pi * f * time_) for f in random.uniform(80, 3000, 4))
        samples = 0.1 * tones * (1 + np.sin(2 * np.pi * random.uniform(0.2, 4) * time_))
        noisy = samples[:, None] + random.uniform(0, 0.1) * random.normal(size=(time_.size, channels))
        paths.append(folder / f"{number}.{kind}")
        soundfile.write(paths[-1], np.clip(noisy, -1, 1), rate)
    return paths


# -- the sides -------------------------------------------------------------------------------------------------


class Pipeline:
    """A plain loop over transformers' pipeline."""

    def __init__(self, folder: Path, dtype: str, tokens: int, batch: int) -> None:
        import torch
        from transformers import pipeline

        self.pipe = pipeline("automatic-speech-recognition", model=str(folder), dtype=getattr(torch, dtype))
        self.batch, self.tokens, self.written = batch, tokens, list[list[int]]()
        generate = self.pipe.model.generate

        def noted(*args: Any, **told: Any) -> Any:
            found = generate(*args, **told)
            self.written += found.tolist()
            return found

        self.pipe.model.generate = noted

    def __call__(self, paths: Sequence[Path]) -> Tokens:
        self.written = []
        how = {"task": "transcribe", "max_new_tokens": self.tokens, "num_beams": 1}
        if self.batch > 1:
            self.pipe([self._decoded(path) for path in paths], batch_size=self.batch, generate_kwargs=how)
        else:
            for path in paths:
                self.pipe(self._decoded(path), generate_kwargs=how)
        return dict(enumerate(self.written))

    @staticmethod
    def _decoded(path: Path) -> dict[str, Any]:
        import soundfile
        import soxr

        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return {"raw": soxr.resample(samples.mean(1), rate, RATE, "HQ"), "sampling_rate": RATE}


class Akb:
    """akb's captioner, as the engine drives it."""

    def __init__(self, folder: Path, dtype: str, tokens: int, batch: int) -> None:
        from akb.adapters.cards import Card
        from akb.cascades import whisper

        args = {"device": "cpu", "dtype": dtype, "batch_seconds": 30 * batch, "no_speech": None}
        self.side = whisper.build(Card(name="bench", adapter="whisper", model=str(folder)), args)
        self.tokens, self.written = tokens, list[list[int]]()
        short = self.side.model.short

        def noted(*args: Any) -> Any:
            found = short(*args)
            self.written += [list(one.tokens) for one in found]
            return found

        self.side.model.short = noted  # type: ignore[method-assign, assignment]

    def __call__(self, paths: Sequence[Path]) -> Tokens:
        from akb.audio import clip_of
        from akb.types import Decoding, Generate, Message

        self.written = []
        told = Decoding(max_tokens=self.tokens)
        asked = [Generate((Message("user", (clip_of(path),)),), told) for path in paths]
        plan = self.side.plan(asked)
        for _ in self.side.ask([[asked[place] for place in batch] for batch in plan]):
            pass
        return dict(zip([place for batch in plan for place in batch], self.written, strict=True))


def same(found: Tokens, wanted: Tokens) -> float:
    """The share of clips with the very same tokens."""
    return sum(found[place] == wanted[place] for place in wanted) / len(wanted)


def measure(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """All sides in turn; prints a line for each."""
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(given.threads)
    shape = "tiny" if given.small else "small"
    write_model(folder / "model", shape, given.tokens)
    paths = write_clips(folder, given.clips)
    makes: dict[str, Callable[[], Pipeline | Akb]] = {
        "pipeline": lambda: Pipeline(folder / "model", "float32", given.tokens, 1),
        "akb": lambda: Akb(folder / "model", "float32", given.tokens, given.batch),
    }
    if given.batches:
        makes["pipeline, batches"] = lambda: Pipeline(folder / "model", "float32", given.tokens, given.batch)
    if given.bfloat16:
        makes["akb, bf16"] = lambda: Akb(folder / "model", "bfloat16", given.tokens, given.batch)
    sides = {name: make() for name, make in makes.items()}
    for side in sides.values():
        side(paths[:2])
    walls: dict[str, list[float]] = {name: [] for name in sides}
    works: dict[str, list[float]] = {name: [] for name in sides}
    tokens: dict[str, Tokens] = {}
    for _ in range(given.rounds):
        for name, side in sides.items():
            started, worked = time.perf_counter(), time.process_time()
            tokens[name] = side(paths)
            walls[name].append(time.perf_counter() - started)
            works[name].append(time.process_time() - worked)
    wanted = tokens["pipeline"]
    rows: list[dict[str, Any]] = [
        {
            "side": name,
            "wall": median(walls[name]),
            "cpu": median(works[name]),
            "ratio": median(a / b for a, b in zip(walls["pipeline"], walls[name], strict=True)),
            "cpu_ratio": median(a / b for a, b in zip(works["pipeline"], works[name], strict=True)),
            "same": same(tokens[name], wanted),
        }
        for name in sides
    ]
    different = len({tuple(ids) for ids in wanted.values()})
    out = sys.stderr if given.json else sys.stdout
    print(f"whisper-{shape}, {given.clips} clips ({different} different texts), {given.tokens} tokens each, "
          f"batches of {given.batch}, {given.threads} thread(s), load {os.getloadavg()[0]:.1f}", file=out)  # fmt: skip
    for row in rows:
        print(f"{row['side']:18} wall {row['wall']:7.2f} s {row['ratio']:5.2f} x   CPU {row['cpu']:7.2f} s "
              f"{row['cpu_ratio']:5.2f} x   {100 * row['same']:5.1f} % the same tokens", file=out)  # fmt: skip
    return {"shape": shape, "different": different, "rows": rows, "walls": walls, "cpu": works}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="whisper-tiny's shape in place of whisper-small's")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=24, help="of each transcript")
    parser.add_argument("--batch", type=int, default=16, help="clips that akb transcribes at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", action="store_true", help="the pipeline with batches as well")
    parser.add_argument("--bfloat16", action="store_true", help="akb in bf16 as well")
    parser.add_argument("--json", action="store_true", help="the figures as JSON; the table goes to the error output")
    given = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory(prefix="akb-bench-") as folder:
        found = measure(Path(folder), given)
    if given.json:
        print(json.dumps({"settings": vars(given), **found}))


if __name__ == "__main__":
    main()
