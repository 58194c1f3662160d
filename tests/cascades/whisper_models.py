"""Tiny Whispers with random weights, a tokenizer that was made for them, and clips to be heard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from tokenizers import pre_tokenizers
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from akb.adapters.cards import Card
from akb.audio import clip_of
from akb.cascades import whisper
from akb.types import Clip, Decoding, Generate, LocalAdapter, Message, Response

LANGUAGES = ("en", "de", "fr")
MARKS = ("<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES), "<|translate|>",
         "<|transcribe|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>")  # fmt: skip
WORDS = 256  # bytes
ID = {mark: WORDS + number for number, mark in enumerate(MARKS)}
TIMES = WORDS + len(MARKS)  # 1501 of them, 0.02 s apart
VOCABULARY = TIMES + 1501
RATE = 16_000


def tokenizer(many: bool = True) -> Any:
    """One token a byte, and Whisper's marks and timestamps."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = WhisperTokenizer(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[])
    made.add_special_tokens({"additional_special_tokens": list(MARKS[1:])})
    made.add_tokens([f"<|{0.02 * step:.2f}|>" for step in range(1501)])
    assert made.convert_tokens_to_ids(list(MARKS)) == [ID[mark] for mark in MARKS]
    return made


def generation(many: bool = True, **also: Any) -> GenerationConfig:
    """The generation settings that come with a Whisper."""
    told: dict[str, Any] = {
        "decoder_start_token_id": ID["<|startoftranscript|>"],
        "eos_token_id": ID["<|endoftext|>"],
        "bos_token_id": ID["<|endoftext|>"],
        "pad_token_id": ID["<|endoftext|>"],
        "no_timestamps_token_id": ID["<|notimestamps|>"],
        "prev_sot_token_id": ID["<|startofprev|>"],
        "suppress_tokens": [5, 6, 7, *(ID[mark] for mark in MARKS[1:])],
        "begin_suppress_tokens": [220, ID["<|endoftext|>"]],
        "max_initial_timestamp_index": 50,
        "max_length": 48,
        "is_multilingual": many,
    }
    if many:
        told["lang_to_id"] = {f"<|{code}|>": ID[f"<|{code}|>"] for code in LANGUAGES}
        told["task_to_id"] = {task: ID[f"<|{task}|>"] for task in ("transcribe", "translate")}
    return GenerationConfig(**told | also)


def write(folder: Path, seed: int = 0, many: bool = True, silence: float = 0.0, **also: Any) -> Path:
    """A model's folder. `silence` is added to the logit of the no-speech token (by the weights of its row)."""
    config = WhisperConfig(
        vocab_size=VOCABULARY, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, max_source_positions=1500,
        max_target_positions=48, init_std=0.3, decoder_start_token_id=ID["<|startoftranscript|>"],
        eos_token_id=ID["<|endoftext|>"], bos_token_id=ID["<|endoftext|>"], pad_token_id=ID["<|endoftext|>"],
        suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(config)
    model.generation_config = generation(many, **also)
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer()).save_pretrained(folder)
    return folder


def loaded(folder: Path) -> Any:
    """The same model, as transformers loads it."""
    return WhisperForConditionalGeneration.from_pretrained(folder).eval()


def features(samples: Sequence[NDArray[np.float32]], long: bool = False) -> Any:
    """What transformers' own feature extractor gives for clips; with `long` of any length."""
    told = {"truncation": False, "padding": "longest"} if long else {}
    return WhisperFeatureExtractor()(
        list(samples), sampling_rate=RATE, return_tensors="pt", return_attention_mask=True, **told
    )


def sound(seconds: float, number: int = 0) -> NDArray[np.float32]:
    """A clip of its own: a chord that comes and goes, and noise."""
    random = np.random.default_rng(number)
    time = np.arange(int(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * f * time + f) for f in random.uniform(100, 3000, 4))
    made = 0.1 * tones * (1 + np.sin(2 * np.pi * random.uniform(0.2, 3) * time)) + 0.02 * random.normal(size=time.size)
    return np.asarray(made, np.float32)


def clip(folder: Path, seconds: float, number: int = 0) -> Clip:
    """The same, in a file (float, so that nothing is lost)."""
    path = folder / f"{number}-{seconds}.wav"
    soundfile.write(path, sound(seconds, number), RATE, subtype="FLOAT")
    return clip_of(path)


def adapter(folder: Path, **args: Any) -> whisper.Whisper:
    """The captioner for a folder: fp32 on the CPU unless told otherwise."""
    card = Card(name="tiny", adapter="whisper", model=str(folder))
    return whisper.build(card, {"device": "cpu", "dtype": "float32", **args})


def asking(heard: Clip, tokens: int = 20) -> Generate:
    """A clip to be transcribed."""
    return Generate((Message("user", (heard,)),), Decoding(max_tokens=tokens))


def answers(asked: LocalAdapter, requests: Sequence[Generate]) -> list[Response]:
    """The responses, asked in the adapter's own batches."""
    batches = asked.plan(requests)
    found: dict[int, Response] = {}
    for number, responses in asked.ask([[requests[i] for i in batch] for batch in batches]):
        found.update(zip(batches[number], responses, strict=True))
    return [found[number] for number in range(len(requests))]
