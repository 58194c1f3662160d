"""Proofs: which options of an item are right, from what is known of its clip (`akb.lab.sound.truth`) alone.

Nothing here knows how an item was made: a proof reads the options as texts, and looks for what each of them says in
the truth. It refuses to decide where things are nearer to one another than `akb.lab.audio.limits` allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from akb.errors import AkbError, unknown
from akb.lab.audio.proofs_music import PROOFS as MUSIC
from akb.lab.audio.proofs_sound import PROOFS as SOUND
from akb.lab.audio.proofs_speech import PROOFS as SPEECH
from akb.lab.sound import Scene, truth

Proof = Callable[[Mapping[str, Any], Sequence[str]], list[bool]]
PROOFS: dict[str, Proof] = {**SOUND, **MUSIC, **SPEECH}


class UndecidedError(AkbError):
    """A clip is within a limit, or is none of those that its template asks about: no option can be called right."""


def prove(template: str, scene: Scene, options: Sequence[str]) -> list[bool]:
    """For each option whether it is right.

    Args:
        template: the item's template_id, which says what is asked.

    Raises:
        AkbError: nothing proves items of this template.
        UndecidedError: the clip is within a limit.
    """
    if template not in PROOFS:
        raise unknown("proof of lab-audio", template, PROOFS)
    try:
        return PROOFS[template](truth(scene), options)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise UndecidedError(f"its proof cannot decide: {error!r}", where=f"template {template}") from None
