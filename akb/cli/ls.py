"""akb ls: what can be named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from akb.cli import options
from akb.errors import unknown

if TYPE_CHECKING:
    from akb.registry import Registry

KINDS = ("tasks", "models", "protocols")


def ls(
    what: Annotated[str, typer.Argument(help="tasks, models or protocols", autocompletion=lambda: list(KINDS))],
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """List tasks, models or protocols."""
    from akb.cli import tables

    if what not in KINDS:
        raise unknown("list", what, KINDS, see=f"Wanted: {', '.join(KINDS)}.")
    registry = options.registry(include)
    rows = {"tasks": _tasks, "models": _models, "protocols": _protocols}[what](registry)
    if json:
        tables.print_json(rows)
        return
    columns = list(rows[0]) if rows else ["name"]
    tables.show(tables.listing(columns, [list(row.values()) for row in rows]))


def _tasks(registry: Registry) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name, folder in registry.folders.items():
        version = folder.file.version
        found.append({"name": name, "version": version, "title": folder.file.title, "target": ""})
        if folder.taxonomy is None:
            continue
        short = name == registry.settings.bank
        for category in folder.taxonomy.categories:
            prefix = category.name if short else f"{name}/{category.name}"
            target = sum(sub.target for sub in category.subcategories)
            found.append({"name": prefix, "version": version, "title": category.title, "target": target or ""})
            for sub in category.subcategories:
                full = f"{prefix}/{sub.name}"
                found.append({"name": full, "version": version, "title": sub.title, "target": sub.target or ""})
    for name, plugin in registry.task_plugins.items():
        found.append({"name": name, "version": "", "title": f"plugin {plugin.entry.value}", "target": ""})
    return found


def _models(registry: Registry) -> list[dict[str, object]]:
    return [
        {
            "name": card.name,
            "family": card.family,
            "params (B)": card.params_b,
            "context": card.context,
            "adapter": card.adapter if registry.runnable(card) else f"{card.adapter} (not installed)",
            "model": card.model,
            "study": card.study or "",
        }
        for card in registry.cards.values()
    ]


def _protocols(registry: Registry) -> list[dict[str, object]]:
    return [
        {"name": p.name, "asks": p.ask, "order": p.order, "shots": p.shots, "prompt": p.prompt, "title": p.title}
        for p in registry.protocols.values()
    ]
