"""What installed packages bring by entry points: tasks, adapters, captioners.

A plugin that cannot be loaded is reported by name and takes no other down.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from akb.errors import AkbError


@dataclass(frozen=True)
class Plugin:
    """Something that an installed package brings by an entry point.

    Attributes:
        rival: what else has the same name, another package's entry point or one of akb's own; empty if nothing has.
    """

    name: str
    entry: EntryPoint
    rival: str = ""

    def load(self) -> Any:
        """Import it.

        Raises:
            AkbError: it cannot be imported, or its name is taken; the error names the plugin.
        """
        if self.rival:
            raise AkbError(f"the name is taken by {self.rival} as well", where=self.where,
                           fix="One of the packages must choose another name, or be uninstalled.")  # fmt: skip
        try:
            return self.entry.load()
        except (Exception, SystemExit) as error:
            raise AkbError(
                f"the plugin cannot be loaded: {type(error).__name__}: {error}",
                where=self.where,
                fix="Mend or uninstall the package that brings it; everything else works without it.",
            ) from error

    @property
    def where(self) -> str:
        """Names it in errors."""
        return f"{self.entry.group}: {self.name} = {self.entry.value}"

    def make(self, kinds: tuple[type, ...], *args: Any) -> Any:
        """What its factory makes of the arguments.

        Raises:
            AkbError: it cannot be imported, it fails, or it makes something that is none of the `kinds`.
        """
        factory = self.load()
        try:
            made = factory(*args)
        except AkbError:
            raise
        except Exception as error:
            raise AkbError(f"the plugin fails: {type(error).__name__}: {error}", where=self.where) from error
        if not isinstance(made, kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise AkbError(f"the plugin made a {type(made).__name__}; a {wanted} is wanted", where=self.where)
        return made


def plugins(group: str, reserved: Mapping[str, str] = MappingProxyType({})) -> dict[str, Plugin]:
    """The entry points of a group by name; `reserved` are akb's own names, with what they stand for."""
    found: dict[str, Plugin] = {}
    for entry in entry_points(group=group):
        known = found.get(entry.name)
        rival = reserved.get(entry.name, "") if known is None or known.entry.value == entry.value else known.entry.value
        if known is None or rival:
            found[entry.name] = Plugin(entry.name, entry, rival)
    return found


def factory_at(place: str) -> Callable[..., Any]:
    """The factory at "module:name"."""
    module, _, attribute = place.partition(":")
    factory: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return factory
