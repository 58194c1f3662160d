"""Tiny audio-text models of two families with random weights, and their processors, made without any download.

Qwen2-Audio takes several clips and pads each to its window; Audio Flamingo 3 takes one clip a conversation and cuts it
into windows. The window is 2 s here, so that short clips have several.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import transformers
from models import tokenizer
from transformers import WhisperFeatureExtractor

from akb.adapters import hf_audio
from akb.adapters.cards import Card
from akb.audio import clip_of
from akb.types import Clip

CHATML = (
    "{%% for message in messages %%}<|im_start|>{{ message['role'] }}\n{%% for part in message['content'] %%}"
    "{%% if part['type'] == 'audio' %%}%s{%% else %%}{{ part['text'] }}{%% endif %%}{%% endfor %%}<|im_end|>\n"
    "{%% endfor %%}"
    "{%% if add_generation_prompt %%}<|im_start|>assistant\n{%% endif %%}"
)
RATE, WINDOW = 16_000, 2  # Hz; seconds
TEXT: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 440, "initializer_range": 0.35, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 2048, "tie_word_embeddings": False,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
}  # fmt: skip
AUDIO: dict[str, Any] = {
    "num_mel_bins": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "hidden_size": 32,
    "max_source_positions": 50 * WINDOW, "initializer_range": 0.35,
}  # fmt: skip
FAMILIES = ("qwen2_audio", "audioflamingo3")


def processor(family: str) -> Any:
    """A processor with a made tokenizer."""
    marks = ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"] if family == "qwen2_audio" else ["<sound>"]
    text = tokenizer("none", also=marks)
    placed = "<|audio_bos|><|AUDIO|><|audio_eos|>\n" if family == "qwen2_audio" else "<sound>"
    extractor = WhisperFeatureExtractor(feature_size=16, chunk_length=WINDOW, return_attention_mask=True)
    kind = {"qwen2_audio": "Qwen2AudioProcessor", "audioflamingo3": "AudioFlamingo3Processor"}[family]
    return getattr(transformers, kind)(extractor, text, chat_template=CHATML % placed)


def model(family: str, audio_token: int, seed: int = 0) -> Any:
    """A model with random weights in fp32."""
    audio = dict(AUDIO)
    names = {"num_hidden_layers": "encoder_layers", "num_attention_heads": "encoder_attention_heads",
             "intermediate_size": "encoder_ffn_dim", "hidden_size": "d_model"}  # fmt: skip
    if family == "qwen2_audio":
        config = transformers.Qwen2AudioConfig(
            audio_config={"model_type": "qwen2_audio_encoder"} | {names.get(k, k): v for k, v in audio.items()},
            text_config={"model_type": "qwen2"} | TEXT,
            audio_token_index=audio_token,
        )
        kind = transformers.Qwen2AudioForConditionalGeneration
    else:
        config = transformers.AudioFlamingo3Config(
            audio_config={"model_type": "audioflamingo3_encoder"} | audio,
            text_config={"model_type": "qwen2"} | TEXT,
            audio_token_id=audio_token,
        )
        kind = transformers.AudioFlamingo3ForConditionalGeneration
    torch.manual_seed(seed)
    made = kind(config).float().eval()
    made.generation_config.eos_token_id = 1
    return made


def write(folder: Path, family: str) -> Path:
    """A model's folder."""
    made = processor(family)
    made.save_pretrained(folder)
    mark = "<|AUDIO|>" if family == "qwen2_audio" else "<sound>"
    model(family, made.tokenizer.convert_tokens_to_ids(mark)).save_pretrained(folder)
    return folder


def adapter(folder: Path, **args: Any) -> hf_audio.HFAudio:
    """The hf-audio adapter for a folder: fp32 on the CPU unless told otherwise."""
    card = Card(name="tiny", adapter="hf-audio", model=str(folder))
    return hf_audio.build(card, {"device": "cpu", "dtype": "float32", **args})


def samples(seconds: float, number: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A clip of its own."""
    random = np.random.default_rng(number)
    time = np.arange(int(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * f * time) for f in random.uniform(100, 3000, 3))
    return np.asarray(0.2 * tones + 0.05 * random.normal(size=time.size), np.float32)


def clip(folder: Path, seconds: float, number: int = 0) -> Clip:
    """The same, in a file (float, so that nothing is lost)."""
    path = folder / f"{number}-{seconds}.wav"
    soundfile.write(path, samples(seconds, number), RATE, subtype="FLOAT")
    return clip_of(path)


def by_hand(folder: Path, family: str, text: str, sounds: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
    """transformers' own model and inputs for a prompt that is written out, placeholders and all."""
    made = processor(family)
    kind = {
        "qwen2_audio": "Qwen2AudioForConditionalGeneration",
        "audioflamingo3": "AudioFlamingo3ForConditionalGeneration",
    }
    told = made(text=[text], audio=list(sounds) or None, return_tensors="pt",
                **({"sampling_rate": RATE} if sounds else {}))  # fmt: skip
    return getattr(transformers, kind[family]).from_pretrained(folder).eval(), dict(told)
