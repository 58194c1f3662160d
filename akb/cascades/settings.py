"""Settings of captioners: `--set captioner.KEY=VALUE`, and `--set captioner.NAME.KEY=VALUE` for one of several (the
captioners of a table, the parts of a combined one)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from akb.cascades.cards import JOINED, Captioner
from akb.errors import AkbError
from akb.strict import parse

if TYPE_CHECKING:
    from akb.registry import Registry

CARD_SETTINGS = ("prompt", "max_tokens", "characters")  # of the card; every other setting is the adapter's


def settings_of(registry: Registry, name: str, args: Mapping[str, Any]) -> tuple[Captioner, dict[str, Any]]:
    """A captioner's card, and those of the settings that are for it: without a name, and above them with its own. A
    combined one takes none itself; it gets all that have names, for its parts.

    Args:
        name: as in `--listen caption:NAME`.
        args: what follows `captioner.`, with its values.

    Raises:
        AkbError: nobody is called so, or a combined captioner is given a setting.
    """
    card = registry.cascades.card(name)
    own = _names(card, name)
    plain = {key: value for key, value in args.items() if "." not in key}
    named = {key: value for key, value in args.items() if "." in key}
    mine = {setting: value for of, setting, value in _split(named) if of in own}
    if card.adapter != JOINED:
        return card, plain | mine
    if plain or mine:
        raise AkbError(f"a combined captioner has no settings (found {', '.join([*plain, *mine])})", where=card.name,
                       fix=f"Name one of its parts: --set captioner.{card.parts[0]}.KEY=VALUE")  # fmt: skip
    return card, named


def check_named(registry: Registry, names: Iterable[str], args: Mapping[str, Any]) -> None:
    """See to it that every setting with a name is for one of these captioners, or for a part of one.

    Raises:
        AkbError: it is for nobody.
    """
    known = dict.fromkeys(own for name in names for own in _family(registry, name))
    for of, setting, _ in _split({key: value for key, value in args.items() if "." in key}):
        if of not in known:
            raise AkbError(f"captioner.{of}.{setting}: no captioner here is called {of!r}", where="--set",
                           fix=f"There is: {', '.join(known)}.")  # fmt: skip


def settled(card: Captioner, args: Mapping[str, Any]) -> tuple[Captioner, dict[str, Any]]:
    """The card with those settings that are its own, and the others, which are the adapter's."""
    own = {name: value for name, value in args.items() if name in CARD_SETTINGS}
    rest = {name: value for name, value in args.items() if name not in CARD_SETTINGS}
    return (parse(Captioner, card.model_dump() | own, f"captioner {card.name}") if own else card), rest


def config_of(card: Captioner, args: Mapping[str, Any]) -> dict[str, Any]:
    """Who describes with which settings, as far as that is known without asking for a model's files."""
    told = {name: getattr(card, name) for name in ("adapter", "model", "revision")}
    return {"captioner": card.name, **told, "captioner_args": {**card.args, **args}}


def _split(args: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
    """(captioner, setting, value); names may hold dots, settings do not."""
    return ((*_halves(key), value) for key, value in args.items())


def _halves(key: str) -> tuple[str, str]:
    of, _, setting = key.rpartition(".")
    return of, setting


def _names(card: Captioner, typed: str) -> tuple[str, ...]:
    return card.name, *card.aliases, typed


def _family(registry: Registry, name: str) -> list[str]:
    """What a captioner and its parts can be called."""
    card = registry.cascades.card(name)
    return [*_names(card, name), *(own for part in card.parts for own in _family(registry, part))]
