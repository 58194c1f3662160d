"""The tokenizer of akb-reader: words and numbers in small letters, about two thousand tokens, merged by byte pairs.

Whole words, because what is read is a caption of a few hundred words from a small vocabulary; a number of few figures
is one token as well. A word has its space in front; markers and chat template are those of akb-tiny.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from akb.lab.corpus import BOS, END, PAD
from akb.lab.tokenizer import CHAT_TEMPLATE, MARKERS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONTEXT = 2048  # tokens
TOKENS = 2048
WORD = r" ?\p{N}+(?:\.\p{N}+)?| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+"


def build(texts: Iterable[str], tokens: int = TOKENS) -> PreTrainedTokenizerBase:
    """A fast tokenizer trained on texts (Sennrich et al. 2016, arXiv 1508.07909), markers last. Any text can be
    written: what is in no merge is bytes."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(WORD), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=tokens - len(MARKERS), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False, min_frequency=3,
    )  # fmt: skip
    core.train_from_iterator(texts, trainer)
    core.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in MARKERS])
    core.post_processor = TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, core.token_to_id(BOS))]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=BOS, eos_token=END, pad_token=PAD, model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False, padding_side="left",
    )  # fmt: skip
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
