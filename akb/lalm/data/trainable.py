"""Whether a training will take a recipe and its rows, seen before anything is asked: responses take hours.

What is looked at is what is on this machine: configurations, the backbone's tokenizer and chat template, no weights.
Where torch or the files are elsewhere, training itself will tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akb.errors import AkbError
from akb.lalm.data.preparing import LONG
from akb.lalm.data.rows import Row, Sounding
from akb.lalm.recipe import Recipe

if TYPE_CHECKING:
    from akb.lalm.prompting import Prompting, Turn

SHOWN = 5  # rows that an error names


def prompting_for(recipe: Recipe, include: Sequence[Path] = ()) -> Prompting | None:
    """What writes the recipe's rows for its backbone; None where that is not on this machine.

    Args:
        include: folders of the user's with model cards.

    Raises:
        AkbError: the recipe cannot be trained: the encoder is no Whisper or its taps are not known, the backbone has
            no chat template, or the placeholder is none of its tokens.
    """
    if find_spec("torch") is None or find_spec("transformers") is None:
        return None
    from akb.adapters import snapshot
    from akb.lalm.kept import card_of, ear_of
    from akb.lalm.saving import prompting_of
    from akb.lalm.shapes import taps_of

    where = f"{recipe.where}: encoder"
    name = ear_of(recipe, include)
    ear = _config(name, recipe.encoder.revision, where)
    if ear is not None and ear.model_type != "whisper":
        raise AkbError(f"{name} is of the type {ear.model_type!r}; a Whisper is wanted", where=where)
    if ear is not None:
        taps_of(ear.encoder_layers, recipe.encoder.taps, where)
    card = card_of(recipe, include)
    if _config(card.model, card.revision, f"{recipe.where}: backbone", own=True) is None:
        return None
    try:
        version = snapshot.find(card.model, card.revision)
    except AkbError:
        if Path(card.model).is_dir():
            raise
        return None
    return prompting_of(recipe, card, version)


def _config(name: str, revision: str | None, where: str, *, own: bool = False) -> Any:
    """A model's configuration; None where it is not at hand. `own`: from its own file, not akb's table."""
    from akb.lalm.shapes import config_of

    try:
        config, from_file = config_of(name, revision, where)
    except AkbError:
        if Path(name).is_dir():
            raise
        return None
    return config if from_file or not own else None


def check_rows(prompting: Prompting, recipe: Recipe, rows: Iterable[Row]) -> None:
    """That each row has room for a response, whatever that will be.

    Raises:
        AkbError: a prompt is longer than a row may be, or the chat template fails; says how many and names the first.
    """
    longest, count = recipe.train.max_length, 0
    faults: list[str] = []
    last: AkbError | None = None

    @lru_cache(4096)
    def least(message: str, chunks: int) -> int:
        """Tokens of a prompt without transcripts: those of the pool are counted once."""
        return len(prompting.row(_turns(message, Sounding(audio="clip"), chunks)).ids)

    for row in rows:
        count += 1
        message, clip = row.messages[-1].content, row.audios[0]
        chunks = max(1, math.ceil(round((row.duration or 0) / LONG, 6)))
        try:
            if least(message, chunks) + recipe.prompt.transcript_tokens >= longest:
                prompting.row(_turns(message, clip, chunks), "a", longest=longest)
        except AkbError as error:
            faults += [f"{row.id}: {error.what}"] if len(faults) < SHOWN else [""]
            last = error
    if last is not None:
        more = f" and {len(faults) - SHOWN:,} more" if len(faults) > SHOWN else ""
        raise AkbError(f"{len(faults):,} of {count:,} rows could not be trained on: {'; '.join(faults[:SHOWN])}{more}",
                       where=last.where, fix=last.fix)  # fmt: skip


def _turns(message: str, clip: Sounding, chunks: int) -> tuple[Turn, ...]:
    """The trained model's message; a transcript stands after a clip's first chunk, as in training."""
    from akb.lalm.data.pool import AUDIO
    from akb.lalm.prompting import Heard, Turn

    before, _, after = message.partition(AUDIO)
    heard = Heard(clip.audio, (clip.text or None, *[None] * (chunks - 1)))
    return (Turn("user", tuple(part for part in (before, heard, after) if part != "")),)
