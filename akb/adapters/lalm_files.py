"""Where grounded models lie, and what they are known by."""

from __future__ import annotations

import hashlib
from pathlib import Path

from akb import content, settings
from akb.adapters import snapshot
from akb.adapters.snapshot import Snapshot
from akb.errors import AkbError, unknown
from akb.jsonable import dumps
from akb.lalm.kept import CONFIG, RECIPE
from akb.lalm.recipe import Recipe, recipes

MODEL = "model"  # the folder of what was trained, below the recipe's


def version_of(name: str, revision: str) -> Snapshot:
    """The version of a backbone or an encoder with which it was trained; whether a folder is it, is seen at loading."""
    return snapshot.find(name, None if revision.startswith("sha256:") else revision)


def name_of(model: str) -> str:
    """A repository's name, or a folder's: where it lies moves no answer."""
    path = Path(model)
    return path.name if path.is_absolute() or path.is_dir() else model


def recipe_digest(recipe: Recipe) -> str:
    """A sha256 over a recipe; folders count by their names."""
    told = recipe.model_dump(mode="json")
    told["backbone"], told["encoder"]["model"] = name_of(recipe.backbone), name_of(recipe.encoder.model)
    for source in told["data"]["manifests"]:
        source["path"] = name_of(source["path"])
    return hashlib.sha256(dumps(told).encode()).hexdigest()


def folder_of(name: str, user: settings.Settings) -> Path:
    """The folder of a grounded model: one that was trained by a recipe of this name, or a folder.

    Raises:
        AkbError: there is none; with "did you mean".
    """
    places = (user.lalms / name / MODEL, Path(name), Path(name) / MODEL)
    for folder in places:
        if (folder / CONFIG).is_file() and (folder / RECIPE).is_file():
            return folder
    if Path(name).is_dir():
        raise AkbError(f"the folder holds no grounded model ({CONFIG}, {RECIPE})", where=name,
                       fix="One is made with: akb lalm train RECIPE")  # fmt: skip
    if name in recipes(content.roots(user.include)):
        raise AkbError("nothing was trained by this recipe yet", where=f"recipe {name}",
                       fix=f"Train it with: akb lalm train {name} (looked for in {places[0]})")  # fmt: skip
    trained = [file.parent.parent.name for file in user.lalms.glob(f"*/{MODEL}/{CONFIG}")]
    raise unknown("grounded model", name, trained, see=f"Trained ones lie below {user.lalms}; a folder will do too.")
