"""From messages with clips to the exact tokens that a grounded model reads, and to batches of them.

Ids are built directly. The chat template is rendered with a spare token of the vocabulary in each clip's place, all of
it is tokenised at once, and each such token is replaced by the clip's block: `queries` placeholders, where the model's
vectors will be, and the tokens of the transcript. So the text around a block has the tokens that it has in the whole,
and no position is looked for in a string.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from akb.adapters.rendering import Renderer
from akb.errors import AkbError
from akb.lalm.recipe import PromptPart
from akb.types import Decoding, Generate, Message

IGNORED = -100
SETTING = "prompt.placeholder"
# tokens that families keep in reserve, in the order in which they are taken: Llama 3 (as DeSTA2.5-Audio does),
# Qwen (as DeSTA does), Phi-4, Phi-4-mini, OLMo and others; a pad token that ends no text
SPARE = ("<|reserved_special_token_87|>", "<|video_pad|>", "<|dummy_0|>", "<|dummy_87|>", "<|extra_id_0|>",
         "<|placeholder1|>", "<unused0>", "<extra_id_0>", "<|endofprompt|>", "<|fim_suffix|>",
         "<|pad|>", "<pad>", "[PAD]")  # fmt: skip
MARKS = range(0xE000, 0xF900)  # characters of private use: one marks clips' places while the template is written


@dataclass(frozen=True)
class Heard:
    """A clip as it stands in a message.

    Attributes:
        key: its hash, or its path in training data.
        transcripts: of each of its chunks; None: nobody speaks, or nobody listened. As many as it has chunks.
    """

    key: str
    transcripts: tuple[str | None, ...] = (None,)

    @property
    def chunks(self) -> tuple[str, ...]:
        """Keys of the chunks: the clip's own, if it is one."""
        several = len(self.transcripts) > 1
        return tuple(f"{self.key}#{n}" for n in range(len(self.transcripts))) if several else (self.key,)


@dataclass(frozen=True)
class Turn:
    """One message: text and clips in the order in which they are read."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[str | Heard, ...]


@dataclass(frozen=True)
class Row:
    """One training or evaluation row, before batching.

    Attributes:
        ids: prompt (and response with its end), placeholders where audio goes.
        labels: IGNORED but on the response and its end; empty for evaluation.
        places: where each chunk's block of placeholders begins, in order.
        clips: the chunks' keys, in order: "KEY", or "KEY#0", "KEY#1" for a clip of several chunks.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...] = ()
    places: tuple[int, ...] = ()
    clips: tuple[str, ...] = ()


class Prompting:
    """Writes rows for one backbone.

    Args:
        renderer: renders and tokenises for the backbone.
        part: the recipe's settings.
        queries: vectors of a clip.
        ends: ids that end a reply, as the backbone's generation config has them.

    Attributes:
        placeholder: its id.
        end: the id that ends a response in training.
        fill: the id with which batches are padded.

    Raises:
        AkbError: the backbone has no chat template, no spare token, or nothing that ends a reply.
    """

    def __init__(self, renderer: Renderer, part: PromptPart, queries: int, ends: Sequence[int] = ()) -> None:
        self.renderer, self.part, self.queries, self.where = renderer, part, queries, renderer.where
        if not renderer.chat:
            raise AkbError("the backbone has no chat template; a model for conversations is wanted", where=self.where,
                           fix="Name another in the recipe's `backbone`.")  # fmt: skip
        self.tokenizer = renderer.tokenizer
        self.written = part.placeholder or self._spare()
        self.placeholder = self._single(self.written)
        self.end = self._end(ends)
        fill = self.tokenizer.pad_token_id
        self.fill: int = self.end if fill is None else fill

    def _spare(self) -> str:
        known = self.tokenizer.get_added_vocab()
        ends = {self.tokenizer.eos_token, self.tokenizer.bos_token}
        template = self.renderer.template or ""
        for token in SPARE:
            if token in known and token not in ends and token not in template:
                return token
        raise AkbError("no token of the backbone's vocabulary is known to be kept in reserve", where=self.where,
                       fix=f"Name one that no text holds in the recipe: {SETTING}")  # fmt: skip

    def _single(self, written: str) -> int:
        ids = self._plain([written], special=True)[0]
        if len(ids) != 1 or written not in self.tokenizer.get_added_vocab():
            raise AkbError(f"{SETTING} is {written!r}, which is not one added token of the backbone's tokenizer",
                           where=self.where, fix="Name one, or leave it out: then one is found.")  # fmt: skip
        return ids[0]

    def _end(self, ends: Sequence[int]) -> int:
        """What the template writes after a reply, if that ends one; else the tokenizer's EOS."""
        told = {*ends, self.tokenizer.eos_token_id} - {None}
        mark = mark_for(())
        messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": mark}]
        try:
            text = self.tokenizer.apply_chat_template(messages, chat_template=self.renderer.template, tokenize=False)
        except Exception:  # a template of its own kind; EOS ends what it does not
            text = ""
        after = self._plain([str(text).rpartition(mark)[2]], special=True)[0] if mark in str(text) else []
        found = next((token for token in after if token in told), self.tokenizer.eos_token_id)
        if found is None:
            raise AkbError("nothing ends a reply: the backbone's tokenizer has no EOS", where=self.where)
        return int(found)

    # -- rows --

    def row(
        self,
        turns: Sequence[Turn],
        response: str | None = None,
        *,
        longest: int | None = None,
        thinking: Literal["off", "on"] | int = "off",
    ) -> Row:
        """The tokens of a conversation and, for training, of the response to it.

        Args:
            response: what is learned; the tokens are those of its text alone, as the backbone writes them after a
                prompt whose tokens stand fast. Marks of the tokenizer in it are read as the text that they are.
            longest: of all tokens; what is over is cut from the response, whose end is then not learned.

        Raises:
            AkbError: the template fails, or the prompt alone is longer than that.
        """
        (found,) = self.rows([(turns, response)], longest=longest, thinking=thinking)
        if isinstance(found, AkbError):
            raise found
        return found

    def rows(
        self,
        asked: Sequence[tuple[Sequence[Turn], str | None]],
        *,
        longest: int | None = None,
        thinking: Literal["off", "on"] | int = "off",
    ) -> list[Row | AkbError]:
        """`row` of many conversations, whose texts are tokenised together; in place of one that fails, the error."""
        clips = [[part for turn in turns for part in turn.parts if isinstance(part, Heard)] for turns, _ in asked]
        prompts = [self._tried(turns, thinking) for turns, _ in asked]
        whole = iter(self.renderer.ids_of([prompt[0] for prompt in prompts if not isinstance(prompt, AkbError)]))
        said = iter(self._transcripts([clip for some in clips for clip in some]))
        answers = iter(self._plain([response for _, response in asked if response is not None]))
        made: list[Row | AkbError] = []
        for prompt, some, (_, response) in zip(prompts, clips, asked, strict=True):
            blocks = [next(said) for clip in some for _ in clip.chunks]
            answer = None if response is None else next(answers)
            if isinstance(prompt, AkbError):
                made.append(prompt)
                continue
            try:
                ids, places = self._placed(next(whole), prompt[1], blocks)
                made.append(self._row(ids, places, some, answer, longest))
            except AkbError as error:
                made.append(error)
        return made

    def _row(self, ids: list[int], places: list[int], clips: Sequence[Heard], answer: list[int] | None,
             longest: int | None) -> Row:  # fmt: skip
        keys = tuple(chunk for clip in clips for chunk in clip.chunks)
        if answer is None:
            return Row(tuple(ids), (), tuple(places), keys)
        if longest is not None and len(ids) >= longest:
            raise AkbError(f"the prompt takes {len(ids)} tokens, a row {longest} at most", where=self.where,
                           fix="Raise train.max_length, or leave the row out.")  # fmt: skip
        answer = [*answer, self.end]
        answer = answer if longest is None else answer[: longest - len(ids)]
        labels = [IGNORED] * len(ids) + answer
        return Row((*ids, *answer), tuple(labels), tuple(places), keys)

    def digest(self) -> str:
        """A hash over the text's tokens in a conversation that is always the same: what writes others has another."""
        clip = Heard("clip", ("A bell.", None))
        turns = (Turn("system", ("Listen.",)), Turn("user", ("\n First ", clip, " and then?  \n", clip)))
        ids = (token for token in self.row(turns, " A drum.\n").ids if token != self.placeholder)
        return hashlib.sha256(" ".join(map(str, ids)).encode()).hexdigest()

    def _tried(self, turns: Sequence[Turn], thinking: Literal["off", "on"] | int) -> tuple[str, list[bool]] | AkbError:
        try:
            return self._prompt(turns, thinking)
        except AkbError as error:
            return error

    def _prompt(self, turns: Sequence[Turn], thinking: Literal["off", "on"] | int) -> tuple[str, list[bool]]:
        """The rendered text with a placeholder for each block; for each that it holds whether it is one of ours."""
        mark = mark_for(part for turn in turns for part in turn.parts if isinstance(part, str))
        messages = tuple(Message(t.role, tuple(mark if isinstance(p, Heard) else p for p in t.parts)) for t in turns)
        rendered = self.renderer.text(Generate(messages, Decoding(thinking=thinking)))
        return self.with_blocks(rendered, mark, [p for turn in turns for p in turn.parts if isinstance(p, Heard)])

    def with_blocks(self, rendered: str, mark: str, clips: Sequence[Heard]) -> tuple[str, list[bool]]:
        """What the template wrote, with blocks where it has marks, so that it trims text and never a block; and for
        each placeholder in it whether it stands in a block.

        Raises:
            AkbError: the template does not write all marks.
        """
        pieces = rendered.split(mark)
        if len(pieces) != len(clips) + 1:
            raise AkbError(f"the chat template writes {len(pieces) - 1} of {len(clips)} clips", where=self.where)
        text, ours = pieces[0], [False] * pieces[0].count(self.written)
        for clip, piece in zip(clips, pieces[1:], strict=True):
            block = f"{self.part.start}{self.written}{self.part.end}"
            text += block * len(clip.chunks) + piece
            ours += [True] * len(clip.chunks) + [False] * piece.count(self.written)
        return text, ours

    def _placed(self, whole: list[int], ours: list[bool], blocks: Sequence[list[int]]) -> tuple[list[int], list[int]]:
        """Ids with blocks in them, each with the tokens of its transcript, and where the blocks begin."""
        if whole.count(self.placeholder) != len(ours):
            raise AkbError(f"{self.written!r} is not kept as one token in a text", where=self.where,
                           fix=f"Name another in the recipe: {SETTING}")  # fmt: skip
        ids, places, start, at, said = list[int](), list[int](), 0, -1, iter(blocks)
        for is_ours in ours:
            at = whole.index(self.placeholder, at + 1)
            if is_ours:
                ids += whole[start:at]
                places.append(len(ids))
                ids += [self.placeholder] * self.queries + next(said)
                start = at + 1
        return ids + whole[start:], places

    def _transcripts(self, clips: Sequence[Heard]) -> list[list[int]]:
        said = [text for clip in clips for text in clip.transcripts]
        if not self.part.transcripts:
            return [[] for _ in said]
        texts = [text if text and text.strip() else " " for text in said]
        return [ids[: self.part.transcript_tokens] for ids in self._plain(texts)]

    def _plain(self, texts: Sequence[str], *, special: bool = False) -> list[list[int]]:
        """Ids of texts with nothing added; what looks like one of the tokenizer's marks is text, unless `special`."""
        if not texts:
            return []
        told = self.tokenizer(list(texts), add_special_tokens=False, split_special_tokens=not special)
        found: list[list[int]] = told["input_ids"]
        return found


def mark_for(texts: Iterable[str]) -> str:
    """A character that none of these texts holds."""
    held = set("".join(texts))
    return next(mark for mark in map(chr, MARKS) if mark not in held)


# -- batches --


@dataclass
class Batch:
    """Rows that go through the model together, of b rows and t tokens, with n blocks of m different chunks.

    Attributes:
        ids, attention: (b, t).
        labels: (b, t), or None for evaluation.
        clip_rows, clip_starts: (n,): in which row a block begins, and where.
        clip_of: (n,): which of the m chunks it is; each is encoded once.
        features: (m, bands, frames), or None.
        taps: (taps, m, positions, width) in place of features, or None.
        side: on which rows are padded: left for generation, right for loss and scores.
    """

    ids: Tensor
    attention: Tensor
    labels: Tensor | None
    clip_rows: Tensor
    clip_starts: Tensor
    clip_of: Tensor
    features: Tensor | None = None
    taps: Tensor | None = None
    side: Literal["left", "right"] = "right"

    def to(self, device: Any) -> Batch:
        """The batch on a device."""
        tensors = {name: value.to(device, non_blocking=True) for name, value in vars(self).items()
                   if isinstance(value, Tensor)}  # fmt: skip
        return replace(self, **tensors)


def collate(
    rows: Sequence[Row],
    fill: int,
    side: Literal["left", "right"] = "right",
    *,
    features: Mapping[str, Tensor] | None = None,
    taps: Mapping[str, Tensor] | None = None,
    multiple: int = 1,
) -> Batch:
    """Rows, padded with `fill`, as a batch.

    Args:
        features: (bands, frames) of each chunk by its key; `taps` likewise, (taps, positions, width).
        multiple: lengths are padded to one of it.
    """
    length = max(len(row.ids) for row in rows)
    length += -length % multiple
    keys = {key: number for number, key in enumerate(dict.fromkeys(key for row in rows for key in row.clips))}
    blocks = [
        (number, place + (length - len(row.ids) if side == "left" else 0), keys[key])
        for number, row in enumerate(rows)
        for place, key in zip(row.places, row.clips, strict=True)
    ]
    where = torch.tensor(blocks, dtype=torch.long).reshape(-1, 3).T
    labelled = any(row.labels for row in rows)
    return Batch(
        ids=_padded([row.ids for row in rows], length, fill, side),
        attention=_padded([[1] * len(row.ids) for row in rows], length, 0, side),
        labels=_padded([row.labels for row in rows], length, IGNORED, side) if labelled else None,
        clip_rows=where[0],
        clip_starts=where[1],
        clip_of=where[2],
        features=torch.stack([features[key] for key in keys]) if features is not None and keys else None,
        taps=torch.stack([taps[key] for key in keys], 1) if taps is not None and keys else None,
        side=side,
    )


def _padded(rows: Sequence[Sequence[int]], length: int, fill: int, side: str) -> Tensor:
    made = torch.full((len(rows), length), fill)
    for number, row in enumerate(rows):
        if row:
            start = length - len(row) if side == "left" else 0
            made[number, start : start + len(row)] = torch.tensor(row)
    return made
