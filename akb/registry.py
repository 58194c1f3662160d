"""Names to things: tasks, models, adapters, protocols, prompts. Lazy: nothing heavy is imported to look up a name.

Built-in and foreign content go through one path. A plugin that cannot be loaded is reported by name and takes no
other down; a name that is not known gets "did you mean".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from akb import content, settings
from akb.adapters.cards import Card, CardFile, card_name
from akb.cascades.catalogue import Catalogue
from akb.errors import AkbError, unknown
from akb.plugins import Plugin, factory_at, plugins
from akb.strict import parse, read_named, read_yaml
from akb.tasks.asking import Asking
from akb.tasks.folder import Folder
from akb.tasks.fresh import task_of
from akb.tasks.protocol import Prompt, Protocol
from akb.types import Adapter, LocalAdapter, RemoteAdapter, Task

AdapterFactory = Callable[[Card, Mapping[str, Any]], Adapter]

ADAPTERS = {
    "hf": "akb.adapters.hf:build",
    "vllm": "akb.adapters.vllm:build",
    "lm-eval": "akb.adapters.lm_eval:build",
    "baseline": "akb.adapters.baselines:build",
    "openai": "akb.adapters.openai:build",
    "anthropic": "akb.adapters.anthropic:build",
    "google": "akb.adapters.google:build",
    "hf-audio": "akb.adapters.hf_audio:build",
    "lalm": "akb.adapters.lalm:build",
}

ELSEWHERE = frozenset({"baseline", "openai", "anthropic", "google"})  # adapters that use no device of this machine


@dataclass(frozen=True)
class Selection:
    """What to ask: a task, and which parts of it (category or category/subcategory globs; none: all)."""

    task: str
    parts: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name under which tables show it."""
        return f"{self.task}/{','.join(self.parts)}" if self.parts else self.task

    def keeps(self, category: str, subcategory: str) -> bool:
        """Whether a question of this category and subcategory is selected."""
        if not self.parts:
            return True
        names = (slug(category), f"{slug(category)}/{slug(subcategory)}")
        return any(fnmatchcase(name, part) for part in self.parts for name in names)


def _least(parts: set[str]) -> tuple[str, ...]:
    """Parts without those that lie in another of them."""
    return tuple(sorted(part for part in parts if part.partition("/")[0] not in parts - {part}))


def slug(name: str) -> str:
    """A name as it is typed: lower case, hyphens."""
    return "-".join(name.replace("_", " ").replace("-", " ").split()).casefold()


class Registry:
    """All that can be named, from akb's own content, the user's folders and installed plugins."""

    def __init__(self, user: settings.Settings | None = None, include: Sequence[Path] = ()) -> None:
        self.settings = user if user is not None else settings.load()
        self.roots = content.roots((*self.settings.include, *include))

    # -- tasks --

    @cached_property
    def folders(self) -> dict[str, Folder]:
        """Task folders by name; a user's folder may not take a name that is already there."""
        found: dict[str, Folder] = {}
        for path in content.files(self.roots, "tasks", "*/task.yaml"):
            folder = Folder.read(path.parent)
            if folder.file.name in found:
                raise AkbError(f"name: task {folder.file.name!r} is already defined in "
                               f"{found[folder.file.name].path}", where=str(path))  # fmt: skip
            found[folder.file.name] = folder
        return found

    @cached_property
    def task_plugins(self) -> dict[str, Plugin]:
        return plugins("akb.tasks")

    def task_names(self) -> list[str]:
        """Every name that can be given to --task without reading questions."""
        names = []
        for name, folder in self.folders.items():
            names.append(name)
            names += [f"{name}/{part}" for part in folder.names()]
        names += [n for n in self.task_plugins if n not in self.folders]
        return names + self.bank.names()

    @cached_property
    def bank(self) -> Folder:
        """The task whose categories can be named alone.

        Raises:
            AkbError: the user's settings name a task that is not there.
        """
        if self.settings.bank not in self.folders:
            raise unknown("task", self.settings.bank, self.folders, see="`bank` in akb.toml names it.")
        return self.folders[self.settings.bank]

    def select(self, names: Sequence[str]) -> list[Selection]:
        """The tasks that names and globs mean; several parts of one task become one selection, which is the same
        in whatever order and however often they were named.

        Raises:
            AkbError: a name means nothing; with "did you mean".
        """
        parts: dict[str, set[str]] = {}
        for name in names:
            for task, part in self._resolve(name):
                parts.setdefault(task, set()).add(part)
        return [Selection(task, () if "" in wanted else _least(wanted)) for task, wanted in parts.items()]

    def _resolve(self, name: str) -> list[tuple[str, str]]:
        """(task, part) pairs; an empty part is the whole task."""
        if (Path(name) / "task.yaml").is_file():
            folder = Folder.read(Path(name).resolve())
            known = self.folders.get(folder.file.name)
            if known is not None and known.path.resolve() != folder.path:
                raise AkbError(f"name: task {folder.file.name!r} is already defined in {known.path}",
                               where=f"{name}/task.yaml")  # fmt: skip
            self.folders[folder.file.name] = folder
            return [(folder.file.name, "")]
        wanted = name.replace("_", "-").casefold()
        tasks = [*self.folders, *self.task_plugins]
        for exact in (name, wanted):
            if exact in tasks:
                return [(exact, "")]
        if parts := self._parts(self.bank, wanted):
            return [(self.bank.file.name, part) for part in parts]
        whole = [task for task in tasks if fnmatchcase(task, wanted)]
        if whole:
            return [(task, "") for task in whole]
        head, _, part = wanted.partition("/")
        found = self._part(head, part) if part else []
        if not found:
            raise unknown("task", name, self.task_names(), see="See them with: akb ls tasks")
        return found

    def _part(self, head: str, part: str) -> list[tuple[str, str]]:
        found = []
        for task in (t for t in [*self.folders, *self.task_plugins] if fnmatchcase(t, head)):
            folder = self.folders.get(task)
            if folder is None or not folder.names():  # no taxonomy: the engine tells if nothing matches
                found.append((task, part))
            else:
                found += [(task, name) for name in self._parts(folder, part)]
        return found

    def _parts(self, folder: Folder, wanted: str) -> list[str]:
        """The parts of a task that a name or glob means; subcategories of the official bank are not known here."""
        names = folder.names()
        if folder.file.format == "official" and any(fnmatchcase(c, wanted.partition("/")[0]) for c in names):
            return [wanted] if "/" in wanted else [name for name in names if fnmatchcase(name, wanted)]
        return [name for name in names if fnmatchcase(name, wanted)]

    def categories(self, name: str) -> tuple[str, ...]:
        """A task's categories and category/subcategory in the order of its taxonomy; empty if it has none."""
        folder = self.folders.get(name)
        return tuple(folder.names()) if folder is not None else ()

    def task(self, name: str, asking: Asking) -> Task:
        """The task of this name, ready to ask as `asking` says."""
        folder = self.folders.get(name)
        if folder is not None:
            data = asking.data or self.settings.data.get(name)
            return task_of(folder, replace(asking, data=None if data is None else str(data)))
        if name in self.task_plugins:
            made: Task = self.task_plugins[name].make((Task,), asking)
            return made
        raise unknown("task", name, self.task_names(), see="See them with: akb ls tasks")

    # -- protocols and prompts --

    @cached_property
    def protocols(self) -> dict[str, Protocol]:
        return read_named(Protocol, content.files(self.roots, "tasks", "protocols/*.yaml"))

    @cached_property
    def prompts(self) -> dict[str, Prompt]:
        return read_named(Prompt, content.files(self.roots, "tasks", "prompts/*.yaml"))

    def protocol(self, name: str, changes: Mapping[str, Any] | None = None) -> tuple[Protocol, Prompt]:
        """A protocol (with changes, if any) and its prompt."""
        if name not in self.protocols:
            raise unknown("protocol", name, self.protocols, see="See them with: akb ls protocols")
        protocol = self.protocols[name].changed(dict(changes or {}))
        if protocol.prompt not in self.prompts:
            raise unknown("prompt", protocol.prompt, self.prompts)
        return protocol, self.prompts[protocol.prompt]

    # -- models --

    @cached_property
    def cards(self) -> dict[str, Card]:
        """Model cards by name. A card that a user's folder gives may not take a name that is already there."""
        found: dict[str, Card] = {}
        for path in content.files(self.roots, "adapters", "*.yaml"):
            data = read_yaml(path)
            if path.parent in self.roots and not (isinstance(data, dict) and data.keys() & {"family", "models"}):
                continue  # a folder that is not laid out like ours holds other YAML too, e.g. a run file
            for card in parse(CardFile, data, str(path)).models:
                content.claim(self._card_files, (card.name, *card.aliases), path, "model")
                beside = path.parent / card.model
                local = (beside / "config.json").is_file()
                found[card.name] = card.model_copy(update={"model": str(beside)}) if local else card
        return found

    @cached_property
    def _card_files(self) -> dict[str, Path]:
        return {}

    @cached_property
    def adapter_plugins(self) -> dict[str, Plugin]:
        return plugins("akb.adapters", reserved=ADAPTERS)

    def card(self, name: str) -> Card:
        """The card of a model: a registered name or alias, `ADAPTER:MODEL`, or a folder with a model.

        Raises:
            AkbError: the name means nothing; with "did you mean".
        """
        wanted = name.casefold()
        for card in self.cards.values():
            if wanted == card.name or wanted in card.aliases:
                return card
        adapter, colon, rest = name.partition(":")
        same = [card for card in self.cards.values() if (card.adapter, card.model) == (adapter, rest)]
        if len(same) == 1:  # how it is to be run is known
            return same[0]
        if adapter == "vllm":  # what transformers runs, by its own name or by ours
            same = [c for c in self.cards.values() if c.adapter == "hf" and rest in (c.name, *c.aliases, c.model)]
            if len(same) == 1:
                return same[0].model_copy(update={"name": card_name(name), "adapter": adapter, "aliases": ()})
        if colon and rest and adapter in {*ADAPTERS, *self.adapter_plugins}:
            return Card(name=card_name(name), adapter=adapter, model=rest)
        if os.path.isdir(name):  # noqa: PTH112 (Path raises where a name can be no path)
            return Card(name=card_name(Path(name).resolve().name), adapter="hf", model=name)
        aliases = [alias for card in self.cards.values() for alias in (card.name, *card.aliases)]
        see = "See them with: akb ls models. Any model: hf:ORG/NAME, or a folder."
        raise unknown("model", name, aliases, see=see)

    def adapter(self, card: Card, args: Mapping[str, Any] | None = None) -> Adapter:
        """The adapter that runs a model; `args` go over those of the card.

        A device or a dtype means nothing to a model that runs elsewhere, and is left out for it, so that models of
        all kinds can be named in one command.
        """
        if card.adapter in ELSEWHERE:
            args = {name: value for name, value in (args or {}).items() if name not in ("device", "dtype")}
        return self._factory(card)(card, {**card.args, **(args or {})})

    def _factory(self, card: Card) -> AdapterFactory:
        if card.adapter in ADAPTERS:
            return factory_at(ADAPTERS[card.adapter])
        if card.adapter in self.adapter_plugins:
            return partial(self.adapter_plugins[card.adapter].make, (LocalAdapter, RemoteAdapter))
        raise unknown(
            "adapter",
            card.adapter,
            {*ADAPTERS, *self.adapter_plugins},
            see=f"Model {card.name} wants it. A package can bring it by the entry point group akb.adapters.",
        )

    # -- captioners --

    @cached_property
    def cascades(self) -> Catalogue:
        """Who can describe audio in words."""
        return Catalogue(self.roots, self.card, self._factory, frozenset({*ADAPTERS, *self.adapter_plugins}))

    def runnable(self, card: Card) -> bool:
        """Whether an adapter for this model is registered."""
        return card.adapter in ADAPTERS or card.adapter in self.adapter_plugins
