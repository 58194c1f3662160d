"""Tiny backbones with chat templates and spare tokens, tiny Whisper encoders, and recipes for both; random weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from akb.lalm.recipe import Recipe, read

sys.path.insert(0, str(Path(__file__).parent.parent / "adapters"))
from models import tokenizer as made_tokenizer

LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
QWEN = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
PHI4 = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}<|im_sep|>{{ m['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant<|im_sep|>{% endif %}"
)
OLMO = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}"
    "{% if m['role'] == 'assistant' and loop.last %}{{ eos_token }}{% else %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# template, whether the tokenizer has a BOS, the tokens that the family has, EOS
STYLES: dict[str, tuple[str, str, list[str], str]] = {
    "llama": (LLAMA3, "adds", ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
                               "<|reserved_special_token_87|>"], "<|eot_id|>"),
    "qwen": (QWEN, "none", ["<think>", "</think>", "<|video_pad|>"], "<|im_end|>"),
    "phi": (PHI4, "none", ["<|im_sep|>", "<|dummy_87|>"], "<|im_end|>"),
    "olmo": (OLMO, "none", ["<|endoftext|>", "<|extra_id_0|>", "<|pad|>"], "<|endoftext|>"),
}  # fmt: skip
WIDTH, VOCABULARY = 32, 432
HEADS: dict[str, Any] = {
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 1024,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "llama": HEADS,
    "qwen2": HEADS,
    "qwen3": {**HEADS, "head_dim": 8},
    "gemma2": {**HEADS, "sliding_window": 16, "head_dim": 8, "query_pre_attn_scalar": 8},
    "gemma3_text": {**HEADS, "sliding_window": 16, "head_dim": 8},
    "phi": {**HEADS, "num_key_value_heads": 4},
    "phi3": {**HEADS, "pad_token_id": 1},
    "olmo2": HEADS,
    "olmo3": {**HEADS, "sliding_window": 16},
    "granite": {**HEADS, "embedding_multiplier": 3.0, "logits_scaling": 2.0},
    "mamba": {"state_size": 8},
}
SECONDS, BANDS = 2, 16


def tokenizer(style: str = "qwen") -> Any:
    template, bos, also, eos = STYLES[style]
    made = made_tokenizer(bos, also=also)
    made.chat_template, made.eos_token = template, eos
    return made


def llm(kind: str = "qwen2", seed: int = 0) -> Any:
    """A backbone with random weights, drawn wide, so that a wrong place shows."""
    config = AutoConfig.for_model(
        kind, hidden_size=WIDTH, num_hidden_layers=2, vocab_size=VOCABULARY, initializer_range=0.3, **KINDS[kind]
    )
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def whisper_config(layers: int = 4, seconds: int = SECONDS) -> WhisperConfig:
    return WhisperConfig(
        vocab_size=60, num_mel_bins=BANDS, encoder_layers=layers, encoder_attention_heads=4, encoder_ffn_dim=48,
        d_model=24, max_source_positions=50 * seconds, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=16,
        max_target_positions=16, init_std=0.3, pad_token_id=0, bos_token_id=0, eos_token_id=0,
        decoder_start_token_id=0,
    )  # fmt: skip


def extractor(seconds: int = SECONDS) -> Any:
    return WhisperFeatureExtractor(feature_size=BANDS, chunk_length=seconds)


def whisper(folder: Path, layers: int = 4, seconds: int = SECONDS, seed: int = 1) -> Path:
    """A whole tiny Whisper's folder."""
    torch.manual_seed(seed)
    WhisperForConditionalGeneration(whisper_config(layers, seconds)).save_pretrained(folder)
    extractor(seconds).save_pretrained(folder)
    return folder


def backbone(folder: Path, kind: str = "qwen2", style: str = "qwen", seed: int = 0) -> Path:
    llm(kind, seed).save_pretrained(folder)
    tokenizer(style).save_pretrained(folder)
    return folder


def recipe(folder: Path, **changes: Any) -> Recipe:
    """A recipe for a tiny backbone and a tiny Whisper, both beside it."""
    if not (folder / "llm").is_dir():
        backbone(folder / "llm")
    if not (folder / "ear").is_dir():
        whisper(folder / "ear")
    told: dict[str, Any] = {
        "name": "tiny", "backbone": "llm", "encoder": {"model": "ear"},
        "connector": {"queries": 3, "layers": 2, "inner": 40, "dropout": 0.0},
        "train": {"batch": 4, "micro_batch": 2, "precision": "fp32", "max_length": 120, "warmup": 2, "lr": 0.01},
    }  # fmt: skip
    for name, value in changes.items():
        told[name] = {**told[name], **value} if isinstance(value, dict) and name in told else value
    (folder / "tiny.yaml").write_text(yaml.safe_dump(told))
    return read(folder / "tiny.yaml")
