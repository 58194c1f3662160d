"""akb-fresh: questions of the bank's computed templates, made anew for every seed.

A model that learned the public items by heart is no better here: the gap between public and fresh items of the same
templates shows it (`akb bank gap`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from akb.tasks.asking import Asking
from akb.tasks.folder import Folder, FolderTask
from akb.tasks.items import Item, read_items
from akb.tasks.multiple_choice import MultipleChoice
from akb.tasks.rendered import RenderedTask
from akb.types import Question


class FreshTask(FolderTask):
    """The task of a folder with `format: templates`. Its questions follow from the run's seed; those named by
    `questions` in task.yaml are public and are not made again."""

    @cached_property
    def items(self) -> list[Item]:
        """The items of this seed."""
        from akb.bank.making import fresh

        return fresh(self.asking.seed, [item for _, item in read_items(self.folder.data_files)])

    def _located(self, files: Iterable[Path]) -> Iterator[tuple[str, Question]]:
        del files  # public ones
        for item in self.items:
            yield f"{self.name}, seed {self.asking.seed}, {item.id}", item.question_()

    def describe(self) -> Mapping[str, Any]:
        """As for questions from a program: the hash of them all."""
        return {**MultipleChoice.describe(self), "format": self.folder.file.format, "taxonomy": self._taxonomy()}

    def _taxonomy(self) -> str:
        return self.folder.taxonomy.name if self.folder.taxonomy is not None else ""


def task_of(folder: Folder, asking: Asking) -> FolderTask:
    """The task that a folder describes."""
    classes: dict[str, type[FolderTask]] = {"templates": FreshTask, "rendered": RenderedTask}
    return classes.get(folder.file.format, FolderTask)(folder, asking)
