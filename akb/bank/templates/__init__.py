"""All templates, by category and subcategory; see `akb.bank.templates.frame`."""

from __future__ import annotations

from akb.bank.templates.frame import Draft, Draw, Template

__all__ = ["TEMPLATES", "Draft", "Draw", "Template"]

TEMPLATES: tuple[Template, ...] = ()
