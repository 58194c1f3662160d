"""Where content lives: the folders beside this package in a checkout, those inside the installed package, and the
user's own. Content is data (tasks, model cards, prompts); all of it goes through one path, whoever wrote it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from akb.errors import AkbError

FOLDERS = ("tasks", "adapters", "cascades", "lalm", "leaderboards")


def builtin() -> Path:
    """The folder that holds akb's own content folders.

    That is the checkout, if the package is imported from one (an editable install sees files added later), else
    `akb/_content` in the installed package; never the current directory.
    """
    package = Path(__file__).resolve().parent
    project = package.parent / "pyproject.toml"
    if project.is_file():
        try:
            named = tomllib.loads(project.read_text("utf-8")).get("project", {}).get("name")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            named = None
        if named == "akb":
            return package.parent
    return package / "_content"


def roots(include: Iterable[Path] = ()) -> tuple[Path, ...]:
    """akb's own content and then the user's folders.

    Raises:
        AkbError: an included folder does not exist.
    """
    for folder in include:
        if not folder.is_dir():
            raise AkbError("this folder does not exist", where=str(folder), fix="Check --include or akb.toml.")
    return (builtin(), *(folder.resolve() for folder in include))


def files(roots: Sequence[Path], folder: str, pattern: str) -> Iterator[Path]:
    """Files of one content folder over all roots, in a fixed order.

    A user's root may be laid out like ours (`DIR/tasks/mine/task.yaml`) or be a content folder itself
    (`DIR/mine/task.yaml`, `DIR/task.yaml`).
    """
    for number, root in enumerate(roots):
        base = root / folder
        if base.is_dir():
            yield from sorted(base.glob(pattern))
        elif number > 0:
            found = sorted(root.glob(pattern))
            if not found and pattern == "*/task.yaml":
                found = sorted(root.glob("task.yaml"))
            yield from found
