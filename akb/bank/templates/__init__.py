"""All templates, by category and subcategory; see `akb.bank.templates.frame`."""

from __future__ import annotations

from akb.bank.templates import phonetic_sounds, phonetic_words
from akb.bank.templates.frame import Draft, Draw, Template

__all__ = ["TEMPLATES", "Draft", "Draw", "Template"]

TEMPLATES: tuple[Template, ...] = (*phonetic_words.TEMPLATES, *phonetic_sounds.TEMPLATES)
