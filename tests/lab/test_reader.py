"""akb-reader reads the acoustic captioner's descriptions, was trained on other clips, and gains from no one else's."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from akb.lab.audio import AudioItem, held_out, key_of
from akb.lab.audio.item import read
from akb.lab.corpus import ANSWER, BOS, END, USER, Document, digest
from akb.lab.reader import corpus
from akb.lab.reader.describing import describe, describe_all, key
from akb.lab.reader.items import drawn, side_of
from akb.lab.reader.practice import pairs
from akb.lab.reader.scenes import LONGEST, NAMES, scenes
from akb.lab.sound import read_scene, truth
from akb.registry import Registry
from akb.stats.paired import permutation

FOLDER = Path(__file__).parents[2] / "adapters" / "akb-reader"
BENCHMARK = FOLDER.parents[1] / "tasks" / "lab-audio" / "questions.jsonl"
CAPTION = "The clip lasts 1.0 s. The pitch is steady near 440 Hz (A4)."


@pytest.fixture(scope="module")
def benchmark() -> list[AudioItem]:
    return [item for _, item in read([BENCHMARK])]


@pytest.fixture(scope="module")
def training() -> list[AudioItem]:
    return drawn("train", 300, 12, at_once=192)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def model() -> Any:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    return transformers.AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()


# -- the corpus ----------------------------------------------------------------------------------------------------


def small_corpus(folder: Path) -> list[Document]:
    practised = list(scenes(4, 3))
    asked = drawn("train", 4, 3, at_once=48)
    told = describe_all([*practised, *(item.scene for item in asked)], folder / "captions.jsonl", workers=0)
    return [*corpus.practice(practised, told[:4], 3), *corpus.answers(asked, told[4:], 3)]


def test_the_same_seeds_give_the_same_corpus_and_captions_are_made_once(tmp_path: Path) -> None:
    one, other = small_corpus(tmp_path / "one"), small_corpus(tmp_path / "other")
    assert digest(one) == digest(other)
    file = tmp_path / "one" / "captions.jsonl"
    before = file.read_bytes()
    assert len(before.splitlines()) == 8
    file.write_bytes(before[:-20])  # a run that was killed
    assert digest(small_corpus(tmp_path / "one")) == digest(one)
    assert file.read_bytes().splitlines()[-1] == before.splitlines()[-1]


def test_practice_scenes_are_valid_short_and_never_alike() -> None:
    found = list(scenes(300, 5))
    assert max(scene.seconds for scene in found) <= LONGEST
    assert len({key(scene) for scene in found}) == 300
    more = {event.source for scene in scenes(1_500, 6) for event in scene.events}
    assert more == set(NAMES)


def test_no_clip_of_lab_audio_is_in_the_corpus(benchmark: list[AudioItem], training: list[AudioItem]) -> None:
    theirs = {key_of(item.scene) for item in benchmark}
    assert all(side_of(item.scene) == "benchmark" for item in benchmark)
    assert not any(held_out(item.scene) for item in training)
    assert not theirs & {key_of(item.scene) for item in training}
    from akb.lab.reader.train import practised

    practice = practised(2_000, 11)
    assert len(practice) == 2_000
    assert not any(held_out(scene) for scene in practice)


def test_a_clip_for_validation_is_in_no_training(training: list[AudioItem]) -> None:
    validation = drawn("valid", 20, 9_000, at_once=192)
    assert {side_of(item.scene) for item in validation} == {"valid"}
    assert not {key_of(item.scene) for item in validation} & {key_of(item.scene) for item in training}


def test_answers_of_practice_are_true() -> None:
    scene = read_scene({"events": [{"source": "dog", "start": 0.2, "params": {"count": 2}, "level_db": -20},
                                   {"source": "siren", "start": 2, "length": 2, "level_db": -32}]})  # fmt: skip
    asked = dict(pair for seed in range(40) for pair in pairs(Random(seed), truth(scene), CAPTION))
    assert asked["Which of the two is louder?"] == "a barking dog"
    assert asked["What comes last?"] == "a siren"
    assert asked["How many times is a barking dog heard?"] == "two"
    assert asked["What is the pitch in Hz?"] == "440"


def test_a_share_of_the_questions_comes_without_its_description(training: list[AudioItem]) -> None:
    found = corpus.answers(training, [CAPTION] * 300, 1)
    without = sum("Audio Caption" not in document.text for document in found)
    assert 15 <= without <= 60
    assert all(d.text.endswith(f"Answer: {item.key}{END}") for d, item in zip(found, training, strict=True))


# -- the form ------------------------------------------------------------------------------------------------------


def test_documents_are_what_akb_sends_to_the_model_under_the_cloze_protocol(tokenizer: Any) -> None:
    from akb.adapters.cards import Reasoning
    from akb.adapters.rendering import Renderer
    from akb.tasks.asking import request
    from akb.types import Choose, Question

    question = Question("q", "Which of the two is louder?", ("a siren", "rain", "a dog"), 1)
    asked = request(question, (0, 1, 2), corpus.asking(), told={"captions": [CAPTION]})
    assert isinstance(asked, Choose)
    encoded = Renderer(tokenizer, "chat", Reasoning(), "here").encode(asked)
    trained = corpus.document("answer", CAPTION, [(question.text, "rain")])
    ids = list(encoded.prompt + encoded.continuations[1][0])
    assert tokenizer(trained.text.removesuffix(END), add_special_tokens=False)["input_ids"] == ids


def test_a_document_of_several_turns_is_as_the_chat_template_writes_it(tokenizer: Any) -> None:
    document = corpus.document("practice", CAPTION, [("What is heard?", "a tone"), ("How many?", "one")])
    turns = [{"role": role, "content": text} for role, text in (
        ("user", f"Audio Caption: {CAPTION}\n\nWhat is heard?"), ("assistant", "Answer: a tone"),
        ("user", "How many?"), ("assistant", "Answer: one"))]  # fmt: skip
    rendered = tokenizer.apply_chat_template(turns, tokenize=False)
    assert document.text == rendered
    assert document.text.count(BOS) == 1
    assert document.text.count(USER) == 2


def test_every_token_has_the_weight_of_its_piece_and_only_answers_weigh_much(tokenizer: Any) -> None:
    pytest.importorskip("torch")
    from akb.lab.reader.train import encode

    document = corpus.document("answer", CAPTION, [("What is heard?", "a tone")])
    ((ids, weights),) = encode([document], tokenizer)
    assert ids == tokenizer(document.text, add_special_tokens=False)["input_ids"]
    heavy = [token for token, weight in zip(ids, weights, strict=True) if weight == ANSWER]
    assert tokenizer.decode(heavy).strip() == f"a tone{END}"


def test_batches_hold_every_document_once_and_padding_weighs_nothing(tokenizer: Any) -> None:
    torch = pytest.importorskip("torch")
    from akb.lab.reader.train import batches

    rows = [([5] * length, [1.0] * length) for length in (3, 90, 7, 40, 11, 64)]
    found = list(batches(rows, 128, 0, seed=1))
    lengths = sorted(int(row.sum()) for _, weights in found for row in weights)
    assert lengths == [3, 7, 11, 40, 64, 90]
    assert all(torch.equal(ids == 5, weights == 1.0) and ids.numel() <= 128 for ids, weights in found)


def test_words_are_tokens_and_any_text_can_be_written(tokenizer: Any) -> None:
    ids = tokenizer("It gets louder over time.", add_special_tokens=False)["input_ids"]
    assert len(ids) <= 8
    text = " a bird, then naïve 音 🎵\n\n0.25"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


# -- the model -----------------------------------------------------------------------------------------------------


def test_its_card_resolves() -> None:
    registry = Registry()
    card = registry.card("akb-reader")
    assert registry.adapter(card).capabilities.choose
    assert card.license == "Apache-2.0"


def test_it_is_small_and_has_the_weights_that_lab_json_names(model: Any) -> None:
    from safetensors.torch import load_file

    from akb.lab.reader.train import weights_digest

    about = json.loads((FOLDER / "lab.json").read_text())
    assert about["weights_sha256"] == weights_digest(load_file(FOLDER / "model.safetensors"))
    assert about["parameters"] == sum(p.numel() for p in model.parameters()) <= 4_000_000
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 8_000_000


@pytest.mark.slow
def test_it_reads_captions_of_clips_it_was_not_trained_on_and_gains_from_no_other_clips(
    model: Any, tokenizer: Any, benchmark: list[AudioItem]
) -> None:
    from akb.lab.reader.score import by_characters

    asked = Random(1).sample(benchmark, 60)
    captions = [describe(item.scene) for item in asked]
    others = captions[1:] + captions[:1]
    said, alone, wrong = (
        np.array([by_characters(model, tokenizer, item, text) for item, text in zip(asked, texts, strict=True)])
        for texts in (captions, [""] * 60, others)
    )
    templates = np.unique([item.template_id for item in asked], return_inverse=True)[1]
    assert templates.max() > 30
    assert said.mean() > alone.mean()
    assert permutation(said, alone, templates) < 0.01
    assert permutation(said, wrong, templates) < 0.01
    assert abs(wrong.mean() - alone.mean()) < 0.2
