"""Model cards: a name that people use -> everything that is needed to run that model as it is meant to be run.

A card file (`adapters/*.yaml`) holds the models of one family. See docs/adding-a-model.md.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from akb.strict import Strict


class Reasoning(Strict):
    """How a model's reasoning is switched and recognised.

    Attributes:
        can: "never" (does not reason), "switch" (can be turned on and off), "always" (cannot be turned off).
        off: keyword arguments for the chat template that turn reasoning off; `on` likewise.
        open, close: the marks between which the reasoning stands in the reply.
        opened_by_template: the chat template itself writes the opening mark, so that the reply starts inside.
    """

    can: Literal["never", "switch", "always"] = "never"
    off: dict[str, Any] = Field(default_factory=dict)
    on: dict[str, Any] = Field(default_factory=dict)
    open: str = "<think>"
    close: str = "</think>"
    opened_by_template: bool = False


Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class OwnPrices(Strict):
    """US dollars per million tokens, as a user knows them.

    Attributes:
        input, output: of the prompt and of the reply, reasoning included.
        cached_input: of the part of the prompt that the server had in its cache; null: as `input`.
        audio_input: of audio in the prompt; null: as `input`.
    """

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    audio_input: Dollars | None = None
    as_of: str = ""
    source: str = ""


class Prices(OwnPrices):
    """As a vendor publishes them on a date."""

    as_of: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    source: str = Field()


class Card(Strict):
    """One model.

    Attributes:
        name: what the user types; lower case, unique over all cards.
        adapter: the adapter that runs it ("hf", "openai", ...).
        model: repository on the Hugging Face hub, name at the API, or folder beside the card file.
        revision: commit of the repository, where known; else null (the newest, recorded in the run).
        params_b: parameters in billions; null where unpublished.
        context: the longest prompt and reply together, in tokens.
        template: "chat" (use the model's chat template) or "plain" (a base model: text as it is).
        args: further arguments of the adapter, as `--set model.KEY=VALUE` would give them.
        study: the model's name in arXiv 2603.19195, where the study tested it.
        role: what it is asked as; its settings begin with it (`--set model.KEY=VALUE`), and its name in errors.
    """

    role: ClassVar[str] = "model"

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.\-]*$")
    adapter: str
    model: str
    revision: str | None = None
    family: str = ""
    params_b: float | None = Field(default=None, gt=0)
    context: int | None = Field(default=None, gt=0)
    template: Literal["chat", "plain"] = "chat"
    reasoning: Reasoning = Reasoning()
    aliases: tuple[str, ...] = ()
    prices: Prices | None = None
    license: str = ""
    study: str | None = None
    notes: str = ""
    args: dict[str, Any] = Field(default_factory=dict)

    @property
    def instead(self) -> str:
        """How the user names a folder in the model's place."""
        return "--model /path/to/model"


class CardFile(Strict):
    """A card file: a family, and its models."""

    family: str
    models: tuple[Card, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _family_for_each(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("models"), list):
            family = data.get("family", "")
            data = dict(data)
            data["models"] = [{"family": family, **m} if isinstance(m, dict) else m for m in data["models"]]
        return data


def card_name(name: str) -> str:
    """A name for a card, from that of a repository, folder or file."""
    kept = "".join(c if c.isalnum() or c in ".-" else "-" for c in name.casefold())
    return kept.strip("-.") or "model"
