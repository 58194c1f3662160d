"""Recipes: those that come with akb, and what is wrong with others."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from akb import content, settings
from akb.errors import AkbError
from akb.lalm.data.manifest import Source
from akb.lalm.recipe import Recipe, find, read, recipes
from akb.registry import Registry

ROOTS = content.roots()
TINY = content.builtin() / "lalm" / "desta-tiny.yaml"  # says in its own way where it is from


def wrong(folder: Path, **changes: Any) -> str:
    (folder / "r.yaml").write_text(yaml.safe_dump({"name": "r", "backbone": "qwen3-4b", **changes}))
    with pytest.raises(AkbError) as told:
        read(folder / "r.yaml")
    return str(told.value)


def study_backbones() -> set[str]:
    """The backbones of which the study publishes grounded results."""
    with (content.builtin() / "leaderboards" / "akb-paper" / "audio_grounded.csv").open() as file:
        return {row["model"] for row in csv.DictReader(file) if row["kind"] == "fine-tuned"}


def test_there_is_a_recipe_for_each_of_the_studys_eight_backbones_and_its_backbone_is_that_card() -> None:
    registry = Registry()
    found = {registry.card(r.backbone).study for name, r in recipes(ROOTS).items() if name.startswith("desta-")
             and name != "desta-tiny"}  # fmt: skip
    assert len(study_backbones()) == 8
    assert found == study_backbones()


def test_the_eight_differ_in_backbone_and_placeholder_alone() -> None:
    def rest(recipe: Recipe) -> dict[str, Any]:
        told = recipe.model_dump(exclude={"name", "title", "backbone"})
        del told["prompt"]["placeholder"]
        return told

    several = [rest(r) for name, r in recipes(ROOTS).items() if name.startswith("desta-") and name != "desta-tiny"]
    assert len(several) == 8
    assert all(one == several[0] for one in several)


def test_the_released_recipe_has_the_published_numbers() -> None:
    recipe = find("desta2.5-audio", ROOTS)
    train = recipe.train
    assert (recipe.data.rows, train.batch, train.epochs, train.warmup) == (4_963_845, 96, 5, 5000)
    assert (train.lr, train.betas, train.weight_decay, train.clip, train.seed) == (1e-4, (0.9, 0.98), 0.01, 1.0, 42)
    assert recipe.encoder.taps == (7, 15, 23, 31)
    assert (recipe.connector.queries, recipe.connector.layers, recipe.lora) == (64, 6, None)


@pytest.mark.parametrize(
    "path", sorted(set((content.builtin() / "lalm").glob("desta*.yaml")) - {TINY}), ids=lambda p: p.stem
)
def test_every_number_of_a_recipe_says_where_it_is_from(path: Path) -> None:
    """Each line with a figure of its own has a comment; names and prose hold figures that need none."""
    _, _, settings_ = path.read_text().partition("\nencoder:")
    lines = [line for line in settings_.splitlines() if not re.match(r"\s*(model|placeholder):", line)]
    figures = [line for line in lines if re.search(r"\d", line.partition("#")[0])]
    assert len(figures) > 15
    assert [line for line in figures if not re.search(r"# .*(DeSTA|our choice)", line)] == []


def test_a_name_that_is_not_known_gets_did_you_mean() -> None:
    with pytest.raises(AkbError, match=r"no recipe is called 'desta-qwen2-7b'[\s\S]*desta-qwen2.5-7b"):
        find("desta-qwen2-7b", ROOTS)


def test_a_users_folder_brings_recipes_and_two_of_one_name_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nbackbone: qwen3-4b\n")
    (tmp_path / "run.yaml").write_text("model: qwen3-4b\n")  # a run file that lies there is none
    assert find("mine", content.roots([tmp_path])).backbone == "qwen3-4b"
    (tmp_path / "other.yaml").write_text("name: mine\nbackbone: qwen3-8b\n")
    with pytest.raises(AkbError, match="recipe 'mine' is already defined"):
        recipes(content.roots([tmp_path]))


def test_folders_and_manifests_are_looked_for_beside_the_recipe(tmp_path: Path) -> None:
    for name in ("llm", "ear"):
        (tmp_path / name).mkdir()
    (tmp_path / "clips.jsonl").write_text("")
    songs = {"path": "some/dataset", "rows": 5, "kind": "music", "dataset": "songs"}
    told = {"name": "r", "backbone": "llm", "encoder": {"model": "ear"}, "data": {"manifests": ["clips.jsonl", songs]}}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(told))
    recipe = find(str(tmp_path / "r.yaml"), ROOTS)
    assert (recipe.backbone, recipe.encoder.model) == (str(tmp_path / "llm"), str(tmp_path / "ear"))
    assert recipe.data.manifests == (
        Source(path=str(tmp_path / "clips.jsonl")),
        Source(**songs),
    )


def test_what_is_wrong_in_a_recipe_is_told_by_field(tmp_path: Path) -> None:
    assert "encoder: taps must rise" in wrong(tmp_path, encoder={"taps": [3, 1]})
    assert "micro_batches of 7" in wrong(tmp_path, train={"batch": 96, "micro_batch": 7})
    assert "connector.querys: there is no such field" in wrong(tmp_path, connector={"querys": 3})
    assert "train.lr" in wrong(tmp_path, train={"lr": 0})


def test_cache_may_be_written_as_yaml_reads_on_and_off(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: r\nbackbone: b\ntrain: {cache: off}\n")
    assert read(tmp_path / "r.yaml").train.cache == "off"


def test_settings_say_where_grounded_models_lie(tmp_path: Path) -> None:
    (tmp_path / "akb.toml").write_text('lalms = "models"\n')
    assert settings.load(tmp_path).lalms == tmp_path / "models"
    assert settings.Settings().lalms == Path("lalms")
