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


def claim(taken: dict[str, Path], names: Iterable[str], path: Path, what: str) -> None:
    """Note whose names these are.

    Args:
        taken: names so far, and the files that have them; the new ones are added.

    Raises:
        AkbError: one is taken.
    """
    for name in names:
        if name in taken:
            raise AkbError(f"name: {what} {name!r} is already defined in {taken[name]}", where=str(path))
        taken[name] = path


def files(roots: Sequence[Path], folder: str, pattern: str) -> Iterator[Path]:
    """Files of one content folder over all roots, in a fixed order; each once, however often its folder was named.

    A user's root may be laid out like ours (`DIR/tasks/mine/task.yaml`) or be a content folder itself
    (`DIR/mine/task.yaml`, `DIR/task.yaml`).
    """
    seen: set[Path] = set()
    for number, root in enumerate(roots):
        for path in _in(root, folder, pattern, own=number == 0):
            if (there := path.resolve()) not in seen:
                seen.add(there)
                yield path


def _in(root: Path, folder: str, pattern: str, *, own: bool) -> list[Path]:
    """Those of one root; `own`: it is akb's."""
    if (root / folder).is_dir():
        return sorted((root / folder).glob(pattern))
    if own:
        return []
    found = sorted(root.glob(pattern))
    return sorted(root.glob("task.yaml")) if not found and pattern == "*/task.yaml" else found
