"""Who can describe audio in words, by name: akb's own captioners, the user's cards, installed plugins, and every
adapter that takes audio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from akb import content
from akb.adapters.cards import Card, card_name
from akb.cascades.cards import CAPTIONERS, JOINED, Captioner, CaptionerFile, CaptionPrompt
from akb.errors import unknown
from akb.plugins import Plugin, factory_at, plugins
from akb.strict import parse, read_named, read_yaml
from akb.types import Adapter, LocalAdapter, RemoteAdapter

DESCRIBE = "describe-v1"  # the prompt of captioners that are named without a card
OF_A_KIND = ("prompt", "max_tokens", "characters", "nothing", "heading")  # what cards of one kind share


@dataclass
class Catalogue:
    """Captioners by name.

    Attributes:
        roots: folders with content (akb.content).
        model: a model card by its name, for captioners that are `like` one.
        factory: makes the adapter of a model card, for adapters that are not captioners alone.
        adapters: names of these.
    """

    roots: Sequence[Path]
    model: Callable[[str], Card]
    factory: Callable[[Card], Callable[[Card, Mapping[str, Any]], Adapter]]
    adapters: frozenset[str]

    @cached_property
    def cards(self) -> dict[str, Captioner]:
        """Captioner cards by name, built-in and the user's."""
        found: dict[str, Captioner] = {}
        origin: dict[str, Path] = {}
        for path in content.files(self.roots, "cascades", "*.yaml"):
            data = read_yaml(path)
            if path.parent in self.roots and not (isinstance(data, dict) and "captioners" in data):
                continue  # as for model cards: a folder that is not laid out like ours
            for card in parse(CaptionerFile, self._spelled_out(data), str(path)).captioners:
                content.claim(origin, (card.name, *card.aliases), path, "captioner")
                found[card.name] = card
        return found

    def _spelled_out(self, data: Any) -> Any:
        """A card file's content, with `like: NAME` replaced by what that model's card says."""
        cards = data.get("captioners") if isinstance(data, dict) else None
        if not isinstance(cards, list):
            return data
        return {**data, "captioners": [self._like(card) for card in cards]}

    def _like(self, card: Any) -> Any:
        if not isinstance(card, dict) or "like" not in card:
            return card
        own = {name: value for name, value in card.items() if name != "like"}
        return self.model(str(card["like"])).model_dump(exclude={"name", "aliases", "study", "notes"}) | own

    @cached_property
    def plugins(self) -> dict[str, Plugin]:
        return plugins("akb.captioners", reserved=CAPTIONERS)

    @cached_property
    def prompts(self) -> dict[str, CaptionPrompt]:
        return read_named(CaptionPrompt, content.files(self.roots, "cascades", "prompts/*.yaml"))

    def card(self, name: str) -> Captioner:
        """The card of a captioner: a registered name or alias, `ADAPTER:MODEL`, or a file with captions.

        Raises:
            AkbError: the name means nothing; with "did you mean".
        """
        wanted = name.casefold()
        for card in self.cards.values():
            if wanted == card.name or wanted in card.aliases:
                return card
        adapter, colon, rest = name.partition(":")
        if colon and rest and adapter in {*CAPTIONERS, *self.adapters, *self.plugins}:
            return self._without_a_card(card_name(name), adapter, rest)
        if Path(name).is_file():
            return self._without_a_card(card_name(Path(name).stem), "human", name)
        aliases = [alias for card in self.cards.values() for alias in (card.name, *card.aliases)]
        see = "See them with: akb ls captioners. Any: hf-audio:ORG/NAME, openai:NAME, google:NAME, a file of captions."
        raise unknown("captioner", name, aliases, see=see)

    def _without_a_card(self, name: str, adapter: str, model: str) -> Captioner:
        """A card for a captioner without one. Those of akb's own are shown as the first card of their kind says."""
        if adapter not in CAPTIONERS:
            return Captioner(name=name, adapter=adapter, model=model, prompt=DESCRIBE)
        like = next((card for card in self.cards.values() if card.adapter == adapter), None)
        told = {} if like is None else {field: getattr(like, field) for field in OF_A_KIND}
        return Captioner(name=name, adapter=adapter, model=model, **told)

    def prompt(self, card: Captioner) -> CaptionPrompt:
        """The prompt of a captioner; one without words for captioners that take none."""
        if card.prompt is None:
            return CaptionPrompt(name="none", user="")
        if card.prompt not in self.prompts:
            raise unknown("prompt for captioners", card.prompt, self.prompts)
        return self.prompts[card.prompt]

    def adapter(self, card: Captioner, args: Mapping[str, Any] | None = None) -> Adapter:
        """The adapter that describes; `args` go over those of the card."""
        settings = {**card.args, **(args or {})}
        if card.adapter in CAPTIONERS:
            own: Adapter = factory_at(CAPTIONERS[card.adapter])(card, settings)
            return own
        if card.adapter in self.plugins:
            made: Adapter = self.plugins[card.adapter].make((LocalAdapter, RemoteAdapter), card, settings)
            return made
        return self.factory(card)(card, settings)

    def describes(self, card: Captioner) -> bool:
        """Whether who describes by this card is registered."""
        return card.adapter in {*CAPTIONERS, *self.plugins, *self.adapters, JOINED}
