"""desta-tiny: the laboratory's encoder and reader, grounded by the recipe in lalm/; a few steps of it, for real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

import torch

from akb.adapters import lalm, snapshot
from akb.adapters.cards import Card
from akb.audio import clip_of
from akb.engine import Silent
from akb.lab import grounding
from akb.lab.audio.item import held_out
from akb.lab.reader.corpus import turn
from akb.lab.reader.describing import describe
from akb.lab.reader.items import drawn
from akb.lab.sound import read_scene, render, write_wav
from akb.lalm.data.contamination import Evaluated
from akb.lalm.data.making import Making
from akb.lalm.data.rows import read
from akb.lalm.kept import card_of
from akb.lalm.prompting import Heard, Turn
from akb.lalm.recipe import Recipe, find
from akb.lalm.saving import prompting_of
from akb.lalm.training.session import Session
from akb.registry import Registry
from akb.types import Choose, Message, Response

SOURCES = {"dog": "a barking dog", "siren": "a siren", "rain": "rain", "knocks": "knocks on a wooden door"}
QUESTION = "What is heard?"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


@pytest.fixture(scope="module")
def recipe(registry: Registry) -> Recipe:
    return find("desta-tiny", registry.roots)


def small(recipe: Recipe, **train: Any) -> Recipe:
    """The recipe with a shorter training."""
    usual = {"epochs": 1, "steps": 60, "batch": 16, "warmup": 5, "precision": "fp32", "eval_every": None,
             "save_every": None}  # fmt: skip
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=usual | train)})


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_vectors_stand_where_a_captions_words_stand(recipe: Recipe) -> None:
    card = card_of(recipe)
    prompting = prompting_of(recipe, card, snapshot.find(card.model, card.revision))
    row = prompting.row((Turn("user", (Heard("a"), QUESTION)),), "Answer: a siren")
    (place,) = row.places
    queries = recipe.connector.queries
    assert row.ids[place : place + queries] == (prompting.placeholder,) * queries
    tokenizer = prompting.tokenizer
    read_ = [{"role": "user", "content": turn(QUESTION, "CAPTION")}]
    text = tokenizer.apply_chat_template(read_, tokenize=False, add_generation_prompt=True) + "Answer: a siren"
    before, after = text.split(" CAPTION")
    wanted = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in (before, after)]
    assert list(row.ids[:place]) == wanted[0]
    assert list(row.ids[place + queries :]) == [*wanted[1], tokenizer.eos_token_id]


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question of each kind from each seed: more are only for their other wordings."""
    monkeypatch.setattr(grounding, "EACH", 48)


@pytest.mark.usefixtures("few_at_once")
def test_the_manifest_holds_captions_of_clips_on_the_trainings_side(tmp_path: Path) -> None:
    path = grounding.make(tmp_path, 4)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    items = {item.id: item for item in drawn("train", 4, grounding.SEED, grounding.EACH)}
    assert [row["id"] for row in rows] == list(items)
    for row in rows:
        scene = items[row["id"]].scene
        assert not held_out(scene)
        assert row["description"] == describe(scene)
        assert row["prompts"] == [items[row["id"]].question]
        assert (tmp_path / row["audio"]).stat().st_size == 44 + 2 * round(scene.seconds * scene.rate)
    kept = (tmp_path / "captions.jsonl").read_text()
    (tmp_path / "captions.jsonl").write_text(kept[: len(kept) // 2])  # a run that was killed in a line
    before = path.read_text()
    for _ in range(2):  # what the first adds after the half line can be read by the second
        assert grounding.make(tmp_path, 4).read_text() == before


@pytest.mark.usefixtures("few_at_once")
def test_rows_hold_the_backbones_own_answers_on_the_caption(
    recipe: Recipe, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AKB_CACHE", str(tmp_path / "cache"))
    manifest = grounding.make(tmp_path / "clips", 6)
    data = recipe.data.model_copy(update={"manifests": (recipe.data.manifests[0].model_copy(
        update={"path": str(manifest)}),)})  # fmt: skip
    making = Making(recipe.model_copy(update={"data": data}), registry, tmp_path / "data", cache=False,
                    model_args={"device": "cpu"}, evaluated=Evaluated())  # fmt: skip
    report = making.make(lambda *_: nullcontext(Silent()))
    rows = list(read(tmp_path / "data" / "train.jsonl"))
    assert report["rows"]["wanted"] == 12
    assert len(rows) >= 10
    captions = {json.loads(line)["id"]: json.loads(line)["description"] for line in manifest.read_text().splitlines()}
    for row in rows:
        assert row.seed_description in captions.values()
        assert row.response.casefold().startswith("answer: ")
        assert [part for turn_ in row.messages for part in turn_.parts][1:] == [row.prompt]


def clips(folder: Path, of_each: int, seed: int) -> list[tuple[str, Path]]:
    """(source, file): sounds of four sources, no two alike."""
    made = []
    for number in range(of_each):
        for place, name in enumerate(SOURCES):
            seconds = {"length": 1.5} if name in ("siren", "rain") else {}
            scene = read_scene({"events": [{"source": name, "start": 0.1 + 0.05 * number, "level_db": -24 - number,
                                            **seconds}], "seed": seed + 10 * number + place})  # fmt: skip
            path = folder / f"{name}-{seed}-{number}.wav"
            write_wav(path, render(scene), scene.rate)
            made.append((name, path))
    return made


def best(response: Response) -> int:
    """The option with the highest log-probability a character."""
    each = [score.logprob / score.characters for (score,) in response.scores]
    return each.index(max(each))


@pytest.mark.usefixtures("one_thread")
def test_a_minute_of_it_hears_sources_on_clips_that_it_never_heard(recipe: Recipe, tmp_path: Path) -> None:
    """The frozen reader never met audio, and the frozen encoder no words: what is between them is learned here."""
    data = tmp_path / "train.jsonl"
    lines = [{"id": path.stem, "response": f"Answer: {SOURCES[name]}", "messages": [
        {"role": "user", "content": f"<|AUDIO|>{QUESTION}", "audios": [{"audio": path.name, "text": ""}]}]}
        for name, path in clips(tmp_path, 10, 1000)]  # fmt: skip
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    session = Session(small(recipe), data, tmp_path / "tiny", tmp_path / "taps", device="cpu")
    session.run()
    losses = [json.loads(line)["loss"] for line in (session.place / "log.jsonl").read_text().splitlines()]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])

    asked = clips(tmp_path, 4, 5000)
    requests = [Choose((Message("user", (clip_of(path), QUESTION)),), tuple((f" {said}",) for said in SOURCES.values()),
                       "Answer:") for _, path in asked]  # fmt: skip
    card = Card(name="tiny", adapter="lalm", model=str(tmp_path / "tiny" / "model"))
    side = lalm.build(card, {"device": "cpu"})
    found = dict(side.ask([requests]))
    side.close()
    names = list(SOURCES)
    chosen = [names[best(response)] for responses in found.values() for response in responses]
    right = sum(said == name for said, (name, _) in zip(chosen, asked, strict=True))
    assert right >= 11, chosen  # of 16; by chance 11 or more come once in 4,000 times
