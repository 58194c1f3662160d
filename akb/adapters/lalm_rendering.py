"""Requests with clips in tokens, by the rules that hold for text: see akb.adapters.rendering.

The template is rendered with a mark in each clip's place, which becomes the clip's block, with the placeholder in it;
the whole is tokenised and split as any text; then each placeholder becomes the ids of the clip's vectors and the tokens
of its transcript. These are the tokens that akb.lalm.prompting writes in training, before a reply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from akb.adapters.hf_audio_hearing import clips_of
from akb.adapters.lalm_vectors import ids_of
from akb.adapters.rendering import Encoded, Renderer
from akb.errors import AkbError
from akb.lalm.prompting import Heard, Prompting, mark_for
from akb.types import Choose, Clip, Request


class BlockRenderer(Renderer):
    """Renders requests for a grounded model.

    Args:
        prompting: of its backbone, as in training.
        heard: what is known of a clip: its chunks and their transcripts.
    """

    def __init__(self, prompting: Prompting, heard: Callable[[Clip], Heard]) -> None:
        own = prompting.renderer
        super().__init__(own.tokenizer, "chat", own.reasoning, own.where)
        self.prompting, self.heard = prompting, heard

    def text(self, request: Request) -> str:
        """The prompt as text, a placeholder for each chunk."""
        clips = clips_of(request)
        if not clips:
            return super().text(request)
        start = request.reply_start if isinstance(request, Choose) else ""
        mark = mark_for((*(p for m in request.messages for p in m.parts if isinstance(p, str)), start))
        marked = tuple(
            replace(m, parts=tuple(p if isinstance(p, str) else mark for p in m.parts)) for m in request.messages
        )
        rendered = super().text(replace(request, messages=marked))
        return self.prompting.with_blocks(rendered, mark, [self.heard(clip) for clip in clips])[0]

    def encode_all(self, requests: Sequence[Request]) -> list[Encoded]:
        """Prompts and continuations in ids; those of vectors are beyond the vocabulary.

        Raises:
            AkbError: a continuation is empty, or the tokenizer does not keep placeholders.
        """
        found = super().encode_all(requests)
        return [self._filled(request, encoded) for request, encoded in zip(requests, found, strict=True)]

    def _filled(self, request: Request, encoded: Encoded) -> Encoded:
        clips = clips_of(request)
        if not clips:
            return encoded
        ours, placeholder = self._ours(request), self.prompting.placeholder
        if encoded.prompt.count(placeholder) != len(ours):
            raise AkbError(f"{self.prompting.written!r}, where audio goes, is not kept as one token in the prompt that "
                           f"begins {request.messages[0].text[:80]!r}", where=self.where)  # fmt: skip
        kinds, blocks = iter(ours), iter([block for clip in clips for block in self._blocks(self.heard(clip))])
        ids = list[int]()
        for token in encoded.prompt:
            ids += next(blocks) if token == placeholder and next(kinds) else (token,)
        return replace(encoded, prompt=tuple(ids))

    def _ours(self, request: Request) -> list[bool]:
        """For each placeholder of the prompt whether it stands for a chunk; a text may hold it too."""
        start = request.reply_start if isinstance(request, Choose) else ""
        ours = list[bool]()
        for part in (*(part for message in request.messages for part in message.parts), start):
            if isinstance(part, str):
                ours += [False] * part.count(self.prompting.written)
            else:
                ours += [True] * len(self.heard(part).chunks)
        return ours

    def _blocks(self, heard: Heard) -> list[tuple[int, ...]]:
        """For each chunk of a clip what stands in its placeholder's place."""
        vectors = [ids_of(key, self.prompting.queries) for key in heard.chunks]
        part = self.prompting.part
        if not part.transcripts:
            return vectors
        texts = [text if text and text.strip() else " " for text in heard.transcripts]
        told = self.tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [(*own, *ids[: part.transcript_tokens]) for own, ids in zip(vectors, told, strict=True)]
