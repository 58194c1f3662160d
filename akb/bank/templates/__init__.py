"""All templates, by category and subcategory; see `akb.bank.templates.frame`."""

from __future__ import annotations

from akb.bank.templates import (
    coding,
    filters,
    hearing,
    levels,
    loudness,
    music_harmony,
    music_notation,
    music_pitch,
    music_rhythm,
    music_sound,
    nature,
    phonetic_sounds,
    phonetic_spelling,
    phonetic_stress,
    rooms,
    sampling,
    spectra,
    speech,
)
from akb.bank.templates.frame import Draft, Draw, Template

__all__ = ["TEMPLATES", "Draft", "Draw", "Template"]

_ROOMS = (
    phonetic_spelling, phonetic_stress, phonetic_sounds,
    music_sound, music_rhythm, music_pitch, music_harmony, music_notation,
    nature, speech, rooms, loudness,
    sampling, levels, filters, spectra, coding, hearing,
)  # fmt: skip
TEMPLATES: tuple[Template, ...] = tuple(template for room in _ROOMS for template in room.TEMPLATES)
