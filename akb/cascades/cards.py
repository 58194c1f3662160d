"""Captioner cards: a name -> who describes audio, with which prompt, and how much of it a reader is shown.

A card file (`cascades/*.yaml`) holds a list under `captioners`. A captioner is an adapter that takes audio and
generates; see docs/design/cascades.md.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from akb.adapters.cards import Card
from akb.strict import Strict

# captioners of akb's own; every adapter that takes audio can be one as well
CAPTIONERS = {
    "acoustic": "akb.cascades.acoustic:build",
    "human": "akb.cascades.human:build",
    "whisper": "akb.cascades.whisper:build",
}
JOINED = "combined"  # not an adapter: the captions of several captioners, side by side


class CaptionPrompt(Strict):
    """What a captioner is told. A name is never given to other words."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.\-]*$")
    title: str = ""
    system: str = ""
    user: str


class Captioner(Card):
    """One captioner; what a model card says, and more.

    Attributes:
        prompt: name of the prompt (`cascades/prompts/*.yaml`); none for those that take none.
        max_tokens: the most tokens of a caption.
        characters: the most characters of a caption that a reader is shown; null: all. What is cut is counted. A
            combined caption is not cut again.
        nothing: what a reader is shown where the captioner had nothing to say.
        parts: for adapter "combined", the captioners whose captions stand side by side.
        heading: what stands before its caption in a combined one, e.g. "Transcript".
    """

    role: ClassVar[str] = "captioner"

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.+\-]*$")
    prompt: str | None = None
    max_tokens: int = Field(default=512, ge=1)
    characters: int | None = Field(default=2000, ge=1)
    nothing: str = "(no description)"
    parts: tuple[str, ...] = ()
    heading: str = ""

    @property
    def instead(self) -> str:
        return f"--with {self.adapter}:/path/to/model (or --listen caption:{self.adapter}:/path/to/model)"

    @model_validator(mode="after")
    def _parts_are_joined(self) -> Captioner:
        if (self.adapter == JOINED) != bool(self.parts):
            raise ValueError(f'parts: belong to adapter "{JOINED}", and it needs some')
        if self.parts and "characters" in self.model_fields_set:
            raise ValueError("characters: a combined caption is as long as its parts; set theirs")
        return self


class CaptionerFile(Strict):
    """A file of captioner cards."""

    captioners: tuple[Captioner, ...] = Field(min_length=1)
