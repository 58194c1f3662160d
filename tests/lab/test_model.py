"""adapters/akb-tiny is an ordinary Hugging Face folder, and keeps the promises that akb's real runs on it rely on."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from akb.lab.corpus import ASSISTANT, BOS, END, USER, Document, documents
from akb.lab.score import log_probabilities
from akb.lab.tokenizer import build
from akb.lab.wording import COUNTS

FOLDER = Path(__file__).parents[2] / "adapters" / "akb-tiny"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def model() -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()


def test_it_is_small(model: Any) -> None:
    assert sum(p.numel() for p in model.parameters()) <= 5_000_000
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 10_000_000


def test_the_saved_tokenizer_is_the_one_that_the_code_builds(tokenizer: Any) -> None:
    built = build()
    text = 'Question: Which word rhymes with "naïve"? /ɪz/ 音 \N{MUSICAL SYMBOL G CLEF}\n\tAnswer:'
    assert tokenizer(text)["input_ids"] == built(text)["input_ids"]
    assert tokenizer.chat_template == built.chat_template


@pytest.mark.parametrize("text", ["kite", " kite", "", "line\n\n\tline", "ɪz 音 é 🎵", "a\x00b\x7f", "<|nonsense|>"])
def test_any_text_comes_back_as_it_was(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_a_word_has_the_same_letters_wherever_it_stands(tokenizer: Any) -> None:
    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    assert ids(" kite")[1:] == ids("kite")
    assert ids("Answer:") + ids(" kite") == ids("Answer: kite")


def test_plain_text_gets_one_bos_from_the_tokenizer_and_a_chat_gets_one_from_the_template(tokenizer: Any) -> None:
    chat = [{"role": "user", "content": "What rhymes with cat?"}]
    rendered = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    assert rendered == f"{BOS}{USER}What rhymes with cat?{END}{ASSISTANT}"
    encoded = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert encoded.count(tokenizer.bos_token_id) == 1
    assert encoded == tokenizer(rendered, add_special_tokens=False)["input_ids"]
    assert tokenizer("cat")["input_ids"].count(tokenizer.bos_token_id) == 1


def test_a_reply_that_was_begun_can_be_continued(tokenizer: Any) -> None:
    chat = [{"role": "user", "content": "What rhymes with cat?"}, {"role": "assistant", "content": "Answer:"}]
    rendered = tokenizer.apply_chat_template(chat, continue_final_message=True, tokenize=False)
    assert rendered.endswith(f"{ASSISTANT}Answer:")


def test_chats_of_the_corpus_are_written_as_the_chat_template_writes_them(tokenizer: Any) -> None:
    def turns(document: Document) -> list[dict[str, str]]:
        parts = [part for part in document.text.removeprefix(BOS).split(END) if part]
        return [{"role": part[2 : part.index("|>")], "content": part[part.index("|>") + 2 :]} for part in parts]

    chats = [d for d in documents(400) if USER in d.text]
    assert len(chats) > 100
    for document in chats:
        marked = document.text.replace(ASSISTANT, END + ASSISTANT).replace(END + END, END)
        rendered = tokenizer.apply_chat_template(turns(Document("chat", ((marked, 1.0),))), tokenize=False)
        assert rendered == document.text


def test_bos_end_and_pad_are_three_tokens(tokenizer: Any, model: Any) -> None:
    ids = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    assert len(set(ids)) == 3
    assert (model.config.bos_token_id, model.config.eos_token_id, model.config.pad_token_id) == ids
    assert model.config.vocab_size == len(tokenizer)


def test_padding_on_the_left_changes_nothing(tokenizer: Any, model: Any) -> None:
    import torch

    long, short = "What rhymes with cat?\nAnswer:", "Spell cat.\nAnswer:"
    both = tokenizer([long, short], return_tensors="pt", padding=True)
    alone = tokenizer(short, return_tensors="pt")
    with torch.inference_mode():
        padded, plain = model(**both).logits[1, -1], model(**alone).logits[0, -1]
    assert torch.allclose(padded, plain, atol=1e-3)


def test_a_long_prompt_fits(tokenizer: Any, model: Any) -> None:
    import torch

    text = "Question: What rhymes with cat?\nAnswer: hat\n\n" * 60
    ids = tokenizer(text, return_tensors="pt")
    assert 2_000 < ids["input_ids"].shape[1] <= model.config.max_position_embeddings
    with torch.inference_mode():
        assert torch.isfinite(model(**ids).logits).all()


def test_it_answers_a_chat_and_stops(tokenizer: Any, model: Any) -> None:
    chat = [{"role": "user", "content": "How many syllables has window?"}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    out = model.generate(**prompt, max_new_tokens=24, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(out) in {f"Answer: {count}{END}" for count in COUNTS}


def test_it_prefers_a_rhyme(tokenizer: Any, model: Any) -> None:
    scores = log_probabilities(model, tokenizer, "What rhymes with light?", ["fight", "catch", "moved", "phone"])
    assert scores.index(max(scores)) == 0


def test_what_it_says_of_itself_is_true(model: Any) -> None:
    about = json.loads((FOLDER / "lab.json").read_text(encoding="utf-8"))
    assert about["parameters"] == sum(p.numel() for p in model.parameters())
    assert "it says nothing about models that people use" in about["about"]
