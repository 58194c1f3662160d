"""Prompts and continuations in tokens, against tokenising every text whole, for the kinds of tokenizers there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import TEXT, say
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from akb.adapters.cards import Reasoning
from akb.adapters.rendering import Encoded, Renderer
from akb.types import Choose

# words, digits, signs with the line ends behind them, and spaces, as recent models have them
LINES = Regex(r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def _byte_level(lines: bool) -> Tokenizer:
    core = Tokenizer(models.BPE())
    split = [pre_tokenizers.Split(LINES, "isolated")] if lines else []
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [*split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not lines)]
    )
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(_lines(), trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, **TRAINING))
    return core


def _whole_text() -> Tokenizer:
    """As sentencepiece's BPE: spaces are letters, a text begins with one, and nothing is split."""
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    core.train_from_iterator(_lines(), trainers.BpeTrainer(vocab_size=600, **TRAINING))
    return core


def _unigram() -> Tokenizer:
    core = Tokenizer(models.Unigram())
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.train_from_iterator(_lines(), trainers.UnigramTrainer(vocab_size=300, unk_token="<unk>", **TRAINING))
    return core


def _word_pieces() -> Tokenizer:
    core = Tokenizer(models.WordPiece(unk_token="<unk>"))
    core.normalizer, core.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    core.train_from_iterator(_lines(), trainers.WordPieceTrainer(vocab_size=400, **TRAINING))
    return core


TRAINING: dict[str, Any] = {"special_tokens": ["<unk>", "<s>", "</s>"], "show_progress": False}
KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": lambda: _byte_level(False),
    "byte-level by lines": lambda: _byte_level(True),
    "whole text": _whole_text,
    "unigram": _unigram,
    "word pieces": _word_pieces,
}


def _lines() -> list[str]:
    return [TEXT, *TEXT.splitlines(), "\n\n".join(TEXT.splitlines())] * 3


@lru_cache
def renderer(kind: str, bos: bool) -> Renderer:
    core = KINDS[kind]()
    if bos:
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    return Renderer(made, "plain", Reasoning(), kind)


def whole(by: Renderer, request: Choose) -> Encoded:
    """The same, with every text tokenised whole."""
    prompt = by.text(request)
    ids = by.ids(prompt)
    texts = [[by.ids(prompt + text) for text in group] for group in request.continuations]
    return by._split(request, ids, texts)


words = st.sampled_from([*TEXT.split(), "\n", "\n\n", " ", "  \n", "A.", "ß", "音", "'s", "(B)", "12", "3.5 kHz", "\t"])
texts = st.lists(words, min_size=1, max_size=40).map(" ".join)
endings = st.sampled_from([" A", "A", "\nB", " a low hum", "er", ".", "  x", "音", " 12", "'s"])


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@given(
    text=texts, start=st.sampled_from(["", "Answer:", "The answer is"]), ends=st.lists(endings, min_size=1, max_size=4)
)
def test_tokens_are_those_of_prompt_and_continuation_as_one_text(
    kind: str, bos: bool, text: str, start: str, ends: list[str]
) -> None:
    by, request = renderer(kind, bos), Choose((say(text),), tuple((end,) for end in ends), start)
    assert by.encode(request) == whole(by, request)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_prompt_is_tokenised_once_where_a_line_is_a_beginning(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, request = renderer(kind, True), Choose((say(TEXT),), ((" A",), (" B",), (" a low hum",)), "Answer:")
    tokens, asked = by._tokens, list[str]()

    def watched(texts: Sequence[str]) -> list[list[int]]:
        asked.extend(texts)
        return tokens(texts)

    monkeypatch.setattr(by, "_tokens", watched)
    by.encode(request)
    long = [text for text in asked if len(text) > len(TEXT)]
    assert len(long) == (4 if kind in ("whole text", "unigram") else 1)
