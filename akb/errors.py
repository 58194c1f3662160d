"""One error type for everything a user can cause, and the exit codes of the command line.

An `AkbError` says what is wrong, where, and what to do about it. Whatever reaches the user as anything else is
a bug in akb.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

EXIT_OK = 0
EXIT_ERROR = 2
EXIT_INCOMPLETE = 3  # a run was carried out, and some of its answers are errors: the same command asks these again
EXIT_INTERRUPTED = 130


class AkbError(Exception):
    """Something the user (or a file, a server, a plugin) got wrong.

    Args:
        what: one sentence: what was found and what was wanted.
        where: the file and line, the option or the name that it is about; may be empty.
        fix: what to do; may be empty where `what` already says it.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  {self.fix}" if self.fix else text

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.what, self.where, self.fix)


class ClipError(AkbError):
    """One clip cannot be sent to a model: the request that holds it fails, others do not.

    Args:
        kind: "refused" (the model takes no such clip), or "unreadable" (it may be another time).
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "", kind: str = "refused") -> None:
        super().__init__(what, where=where, fix=fix)
        self.kind = kind


def _rebuild(what: str, where: str, fix: str) -> AkbError:
    return AkbError(what, where=where, fix=fix)


def unknown(kind: str, name: str, known: Iterable[str], *, where: str = "", see: str = "") -> AkbError:
    """The error for a name that is not registered, with "did you mean"."""
    names = sorted(known)
    close = get_close_matches(name.lower(), [n.lower() for n in names], n=3, cutoff=0.6)
    if not close:
        close = [n for n in names if name.lower() in n.lower()][:3]
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    return AkbError(f"no {kind} is called {name!r}", where=where, fix=f"{hint}{see}".strip())


def missing_extra(package: str, extra: str, *, needed_for: str) -> AkbError:
    """The error for an optional dependency that is not installed, with the command that mends it."""
    return AkbError(
        f"{needed_for} needs the package {package!r}, which is not installed",
        fix=f'Install it with: pip install "akb[{extra}]"',
    )
