"""The acoustic captioner as an adapter: it hears a clip and replies with its measured properties in words."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any

from akb.adapters.cards import Card
from akb.adapters.hf_audio_hearing import check_same
from akb.audio import Policy, Sound, Unhearable, decode_many
from akb.cascades.acoustic.measures import measure
from akb.cascades.acoustic.wording import caption
from akb.errors import AkbError
from akb.types import Capabilities, Clip, Finish, Generate, Request, Response

POLICY = Policy(rate=0, channels="mono", longest=60.0, beyond="truncate")  # the file's own rate: resampling would
# hide clipping, and what lies at the top of the band


class Acoustic:
    """Describes clips in measured properties. It reads no prompt, and its captions are as long as they are."""

    capabilities = Capabilities(generate=True, audio=True)

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "acoustic/2", "model": "acoustic", "decoding": POLICY.told()}

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        return [[number] for number in range(len(requests))]

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        """Captions; files are decoded ahead on other threads while one is measured."""
        sizes: deque[int] = deque()
        clips: deque[Clip] = deque()
        heard = decode_many(_paths(batches, sizes, clips), POLICY)
        number = 0
        answers: list[Response] = []
        for _, sound in heard:
            answers.append(_answer(clips.popleft(), sound))
            if len(answers) == sizes[0]:
                sizes.popleft()
                yield number, answers
                number, answers = number + 1, []

    def close(self) -> None:
        """Nothing to give back."""


def _paths(batches: Iterable[Sequence[Request]], sizes: deque[int], clips: deque[Clip]) -> Iterator[str]:
    for batch in batches:
        sizes.append(len(batch))
        for request in batch:
            clips.append(_clip(request))
            yield clips[-1].path


def _clip(request: Request) -> Clip:
    clips = [part for message in request.messages for part in message.parts if isinstance(part, Clip)]
    if not isinstance(request, Generate) or len(clips) != 1:
        raise AkbError(
            f"it describes one clip at a time (found {len(clips)})",
            where="captioner acoustic",
            fix="It answers no questions: use it to caption, and a text model to answer.",
        )
    return clips[0]


def _answer(clip: Clip, sound: Sound | Unhearable) -> Response:
    try:
        if isinstance(sound, Unhearable):
            raise sound
        check_same(clip)
    except Unhearable as error:
        return Response(finish=Finish.ERROR, error=str(error), notes={"unhearable": error.kind})
    began = time.perf_counter()
    text = caption(measure(sound.samples, sound.rate), _whole(sound))
    return Response(text=text, seconds=time.perf_counter() - began, notes=dict(sound.notes))


def _whole(sound: Sound) -> float | None:
    """Seconds of the whole clip, where 0.05 s and more of it was not heard; infinite where its file does not say."""
    cut = sound.notes.get("cut_seconds", 0.0)
    return inf if cut is None else sound.seconds + float(cut) if cut >= 0.05 else None


def build(card: Card, args: Mapping[str, Any]) -> Acoustic:
    """The acoustic captioner; it has no settings."""
    if args:
        told = f"the acoustic captioner has no settings (found {', '.join(args)})"
        raise AkbError(told, where=f"captioner {card.name}")
    return Acoustic()
