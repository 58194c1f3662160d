"""What a grounded model is known by, how it is found, and what is told before anything is asked."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest
import yaml
from asked import adapter, choose, clip, grounded
from lalm_models import backbone
from models import answers, logprobs

from akb.audio import clip_of
from akb.errors import AkbError
from akb.lalm.recipe import recipes
from akb.registry import Registry

SWITCH = {"off": {"enable_thinking": False}, "on": {"enable_thinking": True}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grounded(tmp_path_factory.mktemp("grounded"))


def test_the_fingerprint_tells_weights_and_recipe_and_not_where_they_lie(tmp_path: Path) -> None:
    folder = grounded(tmp_path / "a")
    first = adapter(folder).fingerprint()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "llm").rename(tmp_path / "b" / "another-name")
    moved = adapter(tmp_path / "b" / "lalms" / "tiny" / "model", backbone=str(tmp_path / "b" / "another-name"),
                    encoder=str(tmp_path / "b" / "ear"))  # fmt: skip
    assert moved.fingerprint() == first
    other = grounded(tmp_path / "c", seeds={"weights": 7})
    differs = {name for name, value in adapter(other).fingerprint().items() if value != first[name]}
    assert differs == {"revision", "recipe_sha256"}
    half = adapter(folder, dtype="bfloat16", longest=10).fingerprint()
    assert {name for name, value in half.items() if value != first[name]} == {"dtype", "decoding"}
    assert "blocks of 2 s" in first["decoding"]


def test_what_it_is_known_by_is_told_without_torch(folder: Path) -> None:
    script = f"""
import sys
from akb.adapters import lalm
from akb.adapters.cards import Card
made = lalm.build(Card(name="tiny", adapter="lalm", model={str(folder)!r}), {{"device": "cpu"}})
assert "blocks of 2 s" in made.fingerprint()["decoding"]
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_backbone_whose_name_is_not_known_here_runs_by_the_card_of_its_training(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "moved"
    shutil.copytree(folder, own)
    told = yaml.safe_load((own / "recipe.yaml").read_text()) | {"backbone": "a-name-of-another-machine"}
    (own / "recipe.yaml").write_text(yaml.safe_dump(told))
    asked = [choose("Which?")]
    assert logprobs(answers(adapter(own), asked)) == logprobs(answers(adapter(folder), asked))


def test_a_backbone_in_another_folder_is_asked_as_its_card_had_it_in_training(tmp_path: Path) -> None:
    """Whether it reasons is the card's, and no folder tells it."""
    card = {"name": "mine", "adapter": "hf", "model": "llm", "reasoning": {"can": "switch", **SWITCH}}
    (tmp_path / "own" / "adapters").mkdir(parents=True)
    backbone(tmp_path / "own" / "adapters" / "llm")
    (tmp_path / "own" / "adapters" / "mine.yaml").write_text(yaml.safe_dump({"family": "mine", "models": [card]}))
    (tmp_path / "akb.toml").write_text('include = ["own"]\n')
    folder = grounded(tmp_path, backbone="mine")
    side, moved = adapter(folder), adapter(folder, backbone=str(tmp_path / "llm"))
    asked = [choose(clip(tmp_path, 1), "Which?")]
    assert "<think>" in str(moved.prompting.tokenizer.decode(moved.preview(asked[0]).ids))
    assert moved.preview(asked[0]).ids == side.preview(asked[0]).ids
    assert moved.fingerprint() == side.fingerprint()
    assert logprobs(answers(moved, asked)) == logprobs(answers(side, asked))


def test_prompts_that_would_be_written_otherwise_than_in_training_are_an_error(tmp_path: Path) -> None:
    folder = grounded(tmp_path, backbone="hf:" + str(tmp_path / "llm"))
    (tmp_path / "own" / "adapters").mkdir(parents=True)
    card = {"name": "mine", "adapter": "hf", "model": str(tmp_path / "llm"), "reasoning": {"can": "switch", **SWITCH}}
    (tmp_path / "own" / "adapters" / "mine.yaml").write_text(yaml.safe_dump({"family": "mine", "models": [card]}))
    (tmp_path / "akb.toml").write_text('include = ["own"]\n')
    with pytest.raises(AkbError, match=r"otherwise than in training \(tokens of a conversation\)"):
        answers(adapter(folder, backbone="mine"), [choose("Which?")])


def test_an_encoder_of_akbs_own_hears_for_a_recipe_of_any_folder(tmp_path: Path) -> None:
    side = adapter(grounded(tmp_path, encoder={"model": "lab-encoder"}, connector={"heads": 3}))
    assert side.recipe.encoder.model == side.fingerprint()["encoder"]["model"] == "lab-encoder"
    assert answers(side, [choose(clip(tmp_path, 1), "Which?")])[0].scores


def test_in_half_precision_log_probabilities_stay_near(folder: Path, tmp_path: Path) -> None:
    asked = [choose(clip(tmp_path, 1), "Which?")]
    exact, half = (logprobs(answers(adapter(folder, dtype=d), asked)) for d in ("float32", "bfloat16"))
    assert exact != half
    assert all(math.isclose(a, b, abs_tol=1.5) for a, b in zip(exact, half, strict=True))


def test_another_backbone_than_in_training_is_an_error(tmp_path: Path) -> None:
    folder = grounded(tmp_path)
    backbone(tmp_path / "llm", seed=9)
    with pytest.raises(AkbError, match="another than it was trained with"):
        answers(adapter(folder), [choose("Which?")])


def test_a_name_is_a_trained_recipe_below_the_users_folder(tmp_path: Path) -> None:
    grounded(tmp_path)
    (tmp_path / "own" / "lalm").mkdir(parents=True)
    (tmp_path / "akb.toml").write_text('lalms = "lalms"\ninclude = ["own"]\n')
    registry = Registry()
    made: Any = registry.adapter(registry.card("lalm:tiny"))
    assert made.folder == tmp_path / "lalms" / "tiny" / "model"
    with pytest.raises(AkbError, match="no grounded model is called") as error:
        registry.adapter(registry.card("lalm:tini"))
    assert "Did you mean tiny" in str(error.value)
    (tmp_path / "own" / "lalm" / "bare.yaml").write_text("name: bare\nbackbone: hf:a/b\n")
    with pytest.raises(AkbError, match="nothing was trained") as error:
        registry.adapter(registry.card("lalm:bare"))
    assert "akb lalm train bare" in str(error.value)
    with pytest.raises(AkbError, match="holds no grounded model"):
        adapter(tmp_path / "llm")


def test_a_folder_that_is_named_twice_or_within_another_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "own" / "adapters").mkdir(parents=True)
    card = {"name": "mine", "adapter": "hf", "model": "org/mine"}
    (tmp_path / "own" / "adapters" / "mine.yaml").write_text(yaml.safe_dump({"family": "mine", "models": [card]}))
    (tmp_path / "own" / "lalm").mkdir()
    (tmp_path / "own" / "lalm" / "r.yaml").write_text("name: r\nbackbone: mine\n")
    (tmp_path / "akb.toml").write_text('include = ["own"]\n')
    (tmp_path / "link").symlink_to(tmp_path / "own")
    twice = Registry(include=[tmp_path / "own", tmp_path / "own" / "adapters", tmp_path / "own" / "lalm",
                              tmp_path / "link"])  # fmt: skip
    assert twice.card("mine").model == "org/mine"
    assert "r" in recipes(twice.roots)
    shutil.copytree(tmp_path / "own", tmp_path / "copy")
    with pytest.raises(AkbError, match="'mine' is already defined"):
        Registry(include=[tmp_path / "copy"]).card("mine")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"device": "cpu,cpu"}, "one device"),
        ({"dtype": "float16"}, "dtype"),
        ({"beyond": "chunk"}, "beyond"),
        ({"transcripts": "gone.jsonl"}, "no such file"),
        ({"quantize": "4bit"}, "no such field"),
    ],
)
def test_a_wrong_setting_is_told_at_once(args: dict[str, Any], told: str, folder: Path) -> None:
    with pytest.raises(AkbError, match=told):
        adapter(folder, **args)


def test_transcripts_without_hashes_are_an_error(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text('{"file": "a.wav", "text": "hello"}\n')
    with pytest.raises(AkbError, match="by the sha256"):
        adapter(folder, transcripts=str(file)).plan([choose(clip(tmp_path, 1), "?")])


def test_audio_beyond_the_backbones_context_is_told_before_anything_is_asked(folder: Path, tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    with wave.open(str(long), "wb") as file:
        file.setparams((1, 1, 1000, 0, "NONE", ""))
        file.writeframes(bytes(700_000))
    with pytest.raises(AkbError, match="the model takes 1024") as error:
        adapter(folder).plan([choose(clip_of(long), "Which?")])
    assert "--set model.longest=2" in str(error.value)
