"""Recipes: everything that decides how a backbone is grounded, as one YAML file (`lalm/*.yaml`).

To ground another backbone a recipe of its own is written, which differs in name and backbone alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from akb import content
from akb.errors import AkbError, unknown
from akb.lalm.data.manifest import Source
from akb.strict import Strict, parse, read_yaml

MOST, FEW = 512, 10  # rows that are held out; clips of which none are
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


class EncoderPart(Strict):
    """What hears.

    Attributes:
        model: a Whisper on the hub, or a folder; of its weights the encoder's alone are read.
        revision: commit, branch or tag on the hub.
        taps: after which blocks, counted from 0, hidden states are tapped; null: by the encoder's depth, as in DeSTA.
        trained: it is trained with the connector; else frozen.
    """

    model: str = "openai/whisper-large-v3"
    revision: str | None = Field(default=None, coerce_numbers_to_str=True)
    taps: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(default=None, min_length=1)
    trained: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> EncoderPart:
        if self.taps is not None and list(self.taps) != sorted(set(self.taps)):
            raise ValueError("taps must rise, each block once")
        return self


class ConnectorPart(Strict):
    """The Q-Former between encoder and backbone.

    Attributes:
        queries: learned for each tap; so many vectors stand for a clip.
        layers: of the Q-Former, shared by all taps.
        inner: width of its feed-forward layers.
        heads: of its attention; null: as many as the encoder has.
        dropout: of attention and of layers' outputs, in training.
    """

    queries: Count = 64
    layers: Count = 6
    inner: Count = 3072
    heads: Count | None = None
    dropout: Share = 0.1


class PromptPart(Strict):
    """How clips stand in the backbone's text.

    Attributes:
        placeholder: text of one token of the backbone's vocabulary that stands where vectors will be; null: one that
            the backbone's tokenizer keeps in reserve is found.
        start, end: plain text before and after a clip.
        transcripts: a clip's transcript stands after its vectors (a space, if nobody speaks).
        transcript_tokens: longer transcripts are cut.
    """

    placeholder: str | None = None
    start: str = "<start_audio>"
    end: str = "<end_audio>"
    transcripts: bool = True
    transcript_tokens: Count = 100


class Generation(Strict):
    """How the backbone writes the responses that become the targets."""

    max_tokens: Count = 512
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0


class DataPart(Strict):
    """What is learned from.

    Attributes:
        manifests: the mix (akb.lalm.data.manifest.Source); a bare path means all of it.
        rows: the most training rows in all; null: what the mix gives.
        prompts: name of a prompt pool (`lalm/prompts/NAME.yaml`).
        per_clip: prompts that are drawn for each clip.
        filters: which filters responses must pass; null: all.
        shuffled: each row hears the clip of another: the control that is trained on what does not belong together.
    """

    manifests: tuple[Source, ...] = ()
    rows: Count | None = None
    prompts: str = "pool-v1"
    per_clip: Count = 1
    generation: Generation = Generation()
    filters: tuple[str, ...] | None = None
    shuffled: bool = False


class TrainPart(Strict):
    """How it is learned.

    Attributes:
        epochs: times through the rows; may be a fraction.
        steps: optimiser steps in place of epochs; null: as epochs say.
        batch: rows of a step, over all devices and accumulated passes.
        micro_batch: rows that go through the model at once on one device; null: batch, shared by the devices.
        lr, betas, weight_decay: of AdamW.
        warmup: steps over which the learning rate rises from 0.
        schedule: how it falls from then on.
        clip: largest norm of the gradient; null: not clipped.
        precision: bf16 (backbone and frozen encoder kept in bfloat16, the rest computed in it) or fp32.
        checkpointing: layers are computed again in the backward pass, in place of being kept.
        max_length: tokens of a row, prompt and response; longer responses are cut, longer prompts are an error.
        bucket: rows of so many batches are sorted by length, to pad less; 1: none are.
        cache: keep what the frozen encoder makes of a clip on disk: "auto" where that pays.
        held_out: the share of clips that are kept for evaluation and not learned from.
        eval_every, save_every: steps between evaluations and between checkpoints; null: at each epoch's end.
        seed: of the rows' order and of dropout.
    """

    epochs: Positive = 5
    steps: Count | None = None
    batch: Count = 96
    micro_batch: Count | None = None
    lr: Positive = 1e-4
    betas: tuple[Share, Share] = (0.9, 0.98)
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Annotated[int, Field(ge=0)] = 5000
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    clip: Positive | None = 1.0
    precision: Literal["bf16", "fp32"] = "bf16"
    checkpointing: bool = False
    max_length: Count = 300
    bucket: Count = 50
    cache: Literal["auto", "on", "off"] = "auto"
    held_out: Share = 0.02
    eval_every: Count | None = None
    save_every: Count | None = None
    seed: int = 42

    @model_validator(mode="before")
    @classmethod
    def _switch(cls, data: Any) -> Any:
        """YAML reads a bare `on` or `off` as true or false."""
        if isinstance(data, dict) and isinstance(data.get("cache"), bool):
            return {**data, "cache": "on" if data["cache"] else "off"}
        return data

    @model_validator(mode="after")
    def _divides(self) -> TrainPart:
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"a batch of {self.batch} cannot be made of micro_batches of {self.micro_batch}")
        return self


class LoraPart(Strict):
    """Low-rank changes of the backbone (Hu et al. 2021, arXiv 2106.09685).

    Attributes:
        targets: names of the backbone's layers that get one.
    """

    r: Count = 16
    alpha: Positive = 16
    dropout: Share = 0.1
    targets: tuple[str, ...] = Field(default=("q_proj", "k_proj", "v_proj"), min_length=1)


class Seeds(Strict):
    """Seeds beside that of the training.

    Attributes:
        weights: of what the connector (and LoRA) begin with.
        data: of which rows and prompts are drawn.
    """

    weights: int = 42
    data: int = 42


class Recipe(Strict):
    """How one backbone is grounded.

    Attributes:
        name: what the user types; unique over all recipes.
        source: where its numbers come from, in words.
        backbone: a model card's name, hf:ORG/NAME, or a folder.
        lora: null: the backbone is frozen as it is.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.\-]*$")
    title: str = ""
    source: str = ""
    backbone: str
    encoder: EncoderPart = EncoderPart()
    connector: ConnectorPart = ConnectorPart()
    prompt: PromptPart = PromptPart()
    data: DataPart = DataPart()
    train: TrainPart = TrainPart()
    lora: LoraPart | None = None
    seeds: Seeds = Seeds()

    @property
    def where(self) -> str:
        """The recipe as errors name it."""
        return f"recipe {self.name}"


def recipes(roots: Sequence[Path]) -> dict[str, Recipe]:
    """All recipes by name, akb's own and the user's.

    Args:
        roots: folders with content (akb.content.roots).

    Raises:
        AkbError: a file is wrong, or two have one name.
    """
    found: dict[str, Recipe] = {}
    origin: dict[str, Path] = {}
    for path in content.files(roots, "lalm", "*.yaml"):
        data = read_yaml(path)
        if path.parent in roots and not (isinstance(data, dict) and "backbone" in data):
            continue  # a folder that is not laid out like ours holds other YAML too
        recipe = _placed(parse(Recipe, data, str(path)), path.parent)
        if recipe.name in origin:
            raise AkbError(f"name: recipe {recipe.name!r} is already defined in {origin[recipe.name]}", where=str(path))
        found[recipe.name], origin[recipe.name] = recipe, path
    return found


def read(path: Path) -> Recipe:
    """The recipe in a file; folders and manifests that it names are looked for beside it."""
    return _placed(parse(Recipe, read_yaml(path), str(path)), path.parent)


def find(name: str, roots: Sequence[Path]) -> Recipe:
    """The recipe of this name, or in this file.

    Raises:
        AkbError: there is none; with "did you mean".
    """
    if Path(name).suffix in (".yaml", ".yml") and Path(name).is_file():
        return read(Path(name))
    known = recipes(roots)
    if name not in known:
        raise unknown("recipe", name, known, see="See them with: akb lalm show")
    return known[name]


def _placed(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with paths that are there beside its file made absolute."""

    def beside(name: str) -> str:
        there = folder / name
        return str(there.resolve()) if not Path(name).is_absolute() and there.exists() else name

    manifests = tuple(one.model_copy(update={"path": beside(one.path)}) for one in recipe.data.manifests)
    return recipe.model_copy(
        update={
            "backbone": beside(recipe.backbone),
            "encoder": recipe.encoder.model_copy(update={"model": beside(recipe.encoder.model)}),
            "data": recipe.data.model_copy(update={"manifests": manifests}),
        }
    )
