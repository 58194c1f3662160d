"""The user's standing settings: `akb.toml` in the current folder, or the file that AKB_CONFIG names."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from pydantic import Field

from akb.errors import AkbError
from akb.strict import Strict, parse, read_text


class Settings(Strict):
    """What `akb.toml` may say.

    Attributes:
        include: folders of the user's own with tasks, model cards and protocols.
        bank: the task whose categories can be named alone (`phonetic`); "akb-open", or "akb-2000" for users who
            have the official questions.
        data: for tasks that need a file of the user's, the file: `data.akb-2000 = "..."`.
        runs: the folder in which runs are kept.
        captions: the folder in which captions of clips are kept, for all tasks and readers.
        lalms: the folder in which grounded models are made and kept, by recipe: `NAME/data`, `train`, `model`.
        cache: the response cache's file.
    """

    include: tuple[Path, ...] = ()
    bank: str = "akb-open"
    data: dict[str, Path] = Field(default_factory=dict)
    runs: Path = Path("runs")
    captions: Path = Path("captions")
    lalms: Path = Path("lalms")
    cache: Path | None = None

    @property
    def cache_file(self) -> Path:
        """Where the response cache lies."""
        if self.cache is not None:
            return self.cache
        return cache_folder() / "responses.sqlite"


def cache_folder() -> Path:
    """akb's own folder for what can be made again (AKB_CACHE, else XDG_CACHE_HOME/akb, else ~/.cache/akb)."""
    if named := os.environ.get("AKB_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "akb"


def load(folder: Path | None = None) -> Settings:
    """The settings that hold in a folder (default: the current one).

    Paths in the file are relative to the file.

    Raises:
        AkbError: the file is not valid TOML or has an unknown or wrong field.
    """
    named = os.environ.get("AKB_CONFIG")
    path = Path(named) if named else (folder or Path.cwd()) / "akb.toml"
    if not path.is_file():
        if named:
            raise AkbError("there is no such file", where=named, fix="AKB_CONFIG names it.")
        return Settings()
    try:
        data = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise AkbError(f"not valid TOML: {error}", where=str(path)) from None
    settings = parse(Settings, data, str(path))
    base = path.resolve().parent
    return settings.model_copy(
        update={
            "include": tuple(base / folder for folder in settings.include),
            "data": {name: base / file for name, file in settings.data.items()},
            "runs": base / settings.runs,
            "captions": base / settings.captions,
            "lalms": base / settings.lalms,
            "cache": None if settings.cache is None else base / settings.cache,
        }
    )
