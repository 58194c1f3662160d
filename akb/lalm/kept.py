"""What is kept of a grounded model beside its weights, readable without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from akb.adapters.cards import Card
from akb.errors import AkbError, unknown
from akb.lalm.recipe import Recipe
from akb.strict import Strict, parse, parse_json, read_text

FORMAT = 2
WEIGHTS, RECIPE, CONFIG = "model.safetensors", "recipe.yaml", "config.json"


class Identity(Strict):
    """Which version of a model: its commit on the hub, or the hash of a folder's files."""

    name: str
    revision: str


class Kept(Strict):
    """What `config.json` of a grounded model says.

    Attributes:
        card: of the backbone, as it was in training: how it is run where no card of its name is known.
        samples, rate: what the encoder hears at once, and at how many samples a second.
        placeholder: the token in whose places vectors were trained to stand; `end`: the id that ends a response.
        prompt_sha256: of the tokens of a conversation that is always the same (akb.lalm.prompting.Prompting.digest).
        trained: names of the weights that are kept.
    """

    format: int = FORMAT
    akb: str
    card: Card
    backbone: Identity
    encoder: Identity
    samples: Annotated[int, Field(ge=1)]
    rate: Annotated[int, Field(ge=1)]
    placeholder: str
    end: int
    template_sha256: str
    prompt_sha256: str
    precision: str
    trained: tuple[str, ...]


def kept_in(folder: Path) -> Kept:
    """What a grounded model's folder says of it.

    Raises:
        AkbError: it is no such folder, or of another format.
    """
    if not (folder / CONFIG).is_file() or not (folder / RECIPE).is_file():
        raise AkbError(f"the folder holds no grounded model ({CONFIG}, {RECIPE}, {WEIGHTS})", where=str(folder),
                       fix="One is made with: akb lalm train RECIPE")  # fmt: skip
    where = str(folder / CONFIG)
    told = parse_json(read_text(folder / CONFIG), where)
    if isinstance(told, dict) and (form := told.get("format")) != FORMAT:
        if isinstance(form, int) and form > FORMAT:
            raise AkbError(f"the model was kept by a later akb (format {form}; this one reads {FORMAT})", where=where,
                           fix="Take the akb that trained it, or train again.")  # fmt: skip
        raise AkbError(f"the model was kept by an earlier akb (format {form}; this one reads {FORMAT})", where=where,
                       fix="Train it again: akb lalm train RECIPE --fresh")  # fmt: skip
    return parse(Kept, told, where)


def card_of(recipe: Recipe, include: Sequence[Path] = (), known: Card | None = None, folder: str | None = None) -> Card:
    """The card of a recipe's backbone; where its name means nothing here, the one that is `known` from training.

    Args:
        folder: where the backbone lies, in place of what the recipe names. It is run as it was in training.

    Raises:
        AkbError: its name means nothing, or it is a model that does not run here.
    """
    from akb.registry import Registry

    if folder is not None and known is not None and Path(folder).is_dir():
        return known.model_copy(update={"model": folder, "revision": None})
    if folder is not None:
        recipe, known = recipe.model_copy(update={"backbone": folder}), None
    try:
        card = Registry(include=tuple(include)).card(recipe.backbone)
    except AkbError:
        if known is None:
            raise
        card = known
    if card.adapter != "hf":
        raise AkbError(f"backbone: {recipe.backbone} runs by the adapter {card.adapter!r}; one of transformers is "
                       "wanted, whose inside can be reached", where=recipe.where)  # fmt: skip
    if card.template != "chat":
        raise AkbError(f"backbone: {card.name} is a base model without a chat template", where=recipe.where,
                       fix="Name a model for conversations.")  # fmt: skip
    return card


def ear_of(recipe: Recipe, include: Sequence[Path] = ()) -> str:
    """Where a recipe's encoder lies: a folder, one below the `lalm` of akb's content or of the user's, or ORG/NAME.

    Raises:
        AkbError: its name means nothing; with "did you mean".
    """
    from akb.registry import Registry

    name = recipe.encoder.model
    if Path(name).is_dir() or "/" in name:
        return name
    folders = (root / "lalm" for root in Registry(include=tuple(include)).roots)
    known = {file.parent.name: file.parent for folder in folders for file in sorted(folder.glob("*/config.json"))}
    if name not in known:
        told = unknown("encoder", name, known, see="A folder will do too, or ORG/NAME of the hub.")
        raise AkbError(told.what, where=f"{recipe.where}: encoder.model", fix=told.fix)
    return str(known[name])
