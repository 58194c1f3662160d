"""akb ls: what can be named."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from akb.cli import options
from akb.errors import unknown

if TYPE_CHECKING:
    from akb.registry import Registry
    from akb.tasks.folder import Folder

KINDS = ("tasks", "models", "captioners", "protocols")


def ls(
    what: Annotated[
        str, typer.Argument(help="tasks, models, captioners or protocols", autocompletion=lambda: list(KINDS))
    ],
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """List tasks, models, captioners or protocols."""
    from akb import report

    if what not in KINDS:
        raise unknown("list", what, KINDS, see=f"Wanted: {', '.join(KINDS)}.")
    registry = options.registry(include)
    listed = {"tasks": _tasks, "models": _models, "captioners": _captioners, "protocols": _protocols}
    rows = listed[what](registry)
    if json:
        report.print_json(rows)
        return
    columns = list(rows[0]) if rows else ["name"]
    report.show(report.listing(columns, [list(row.values()) for row in rows]))


def _tasks(registry: Registry) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []

    def add(name: str, version: str, questions: int | str, title: str) -> None:
        found.append({"name": name, "version": version, "questions": questions, "title": title})

    for name, folder in registry.folders.items():
        version, counts = folder.file.version, _counts(folder)
        add(name, version, counts.total() if counts else "", folder.file.title)
        known = set(folder.names())
        for category in folder.taxonomy.categories if folder.taxonomy is not None else ():
            if category.name not in known:
                continue
            prefix = category.name if name == registry.settings.bank else f"{name}/{category.name}"
            inside = sum(counts[category.name, sub.name] for sub in category.subcategories)
            add(prefix, version, inside, category.title)
            for sub in category.subcategories:
                if f"{category.name}/{sub.name}" in known:
                    add(f"{prefix}/{sub.name}", version, counts[category.name, sub.name], sub.title)
    for name, plugin in registry.task_plugins.items():
        add(name, "", "", f"plugin {plugin.entry.value}")
    return found


def _counts(folder: Folder) -> Counter[tuple[str, str]]:
    """How many questions each subcategory has, without checking them (`akb validate` does)."""
    from akb.tasks.items import read_records

    if folder.file.format == "templates":
        from akb.bank.templates import TEMPLATES

        drawn: Counter[tuple[str, str]] = Counter()
        for template in TEMPLATES:
            drawn[template.category, template.subcategory] += template.count
        return drawn
    if folder.file.format == "official" or not folder.file.questions:
        return Counter()
    rows = (row for path in folder.data_files for _, row in read_records(path))
    return Counter((str(row.get("category", "")), str(row.get("subcategory", ""))) for row in rows)


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


def _captioners(registry: Registry) -> list[dict[str, object]]:
    known = registry.cascades
    return [
        {
            "name": card.name,
            "adapter": card.adapter if known.describes(card) else f"{card.adapter} (not installed)",
            "model": " + ".join(card.parts) or card.model,
            "prompt": card.prompt or "",
            "notes": card.notes,
        }
        for card in known.cards.values()
    ]


def _protocols(registry: Registry) -> list[dict[str, object]]:
    return [
        {"name": p.name, "asks": p.ask, "order": p.order, "shots": p.shots, "prompt": p.prompt, "title": p.title}
        for p in registry.protocols.values()
    ]
