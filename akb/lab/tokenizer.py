"""The tokenizer of akb-tiny: one token a byte, and six markers.

Letters stay apart because rhyme, endings and arithmetic live in them; any text can be written, and a word has the
same tokens after a space as at a line's start. Plain text gets BOS from the tokenizer, a chat gets it from the chat
template: whoever tokenizes a rendered chat must not add special tokens again, as with most published models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akb.lab.corpus import ASSISTANT, BOS, END, PAD, ROLE_SYSTEM, USER

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MARKERS = (BOS, END, PAD, USER, ASSISTANT, ROLE_SYSTEM)
CONTEXT = 4096  # bytes
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def build() -> PreTrainedTokenizerBase:
    """A fast tokenizer: ids 0-255 are bytes (in the order of the byte-level alphabet), 256-261 the markers."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={symbol: number for number, symbol in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in MARKERS])
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, len(alphabet))]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=BOS, eos_token=END, pad_token=PAD, model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False, padding_side="left",
    )  # fmt: skip
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
