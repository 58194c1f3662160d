"""Captions: what a captioner said of clips, made once and read by any number of models.

On disk they are `captions.jsonl`, one line a clip, keyed by the hash of the clip's bytes; the folder's run.json says
who described them, with which prompt and settings, and holds the file's hash.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from akb.cascades.cards import Captioner
from akb.tasks.listening import UndescribedError
from akb.types import Clip, Finish, Response

State = Literal["ok", "empty", "refused", "unheard", "error"]
CAPTIONS = "captions.jsonl"
PASSING = ("missing", "unreadable")  # kinds of what cannot be heard (akb.audio.Unhearable) that lie not in its bytes


class Caption(NamedTuple):
    """What a captioner said of one clip.

    Attributes:
        state: "empty": it had nothing to say (a transcript of no speech); "unheard": nothing is to be heard in the
            clip's bytes, or the captioner takes no such clips, and that is final; "error": the captioner failed, and
            is asked again. `why` says it, without the clip's path.
        cut: it had not ended when its budget of tokens did.
        beyond: seconds at the clip's end that were not heard (0 where nobody knows how many); None: it was heard whole.
    """

    text: str
    state: State = "ok"
    why: str = ""
    cut: bool = False
    beyond: float | None = None

    @property
    def there(self) -> bool:
        """Whether a reader can be shown anything."""
        return self.state not in ("unheard", "error")

    @classmethod
    def of(cls, response: Response, path: str = "") -> Caption:
        """The caption that a captioner's response holds; `path` is the clip's."""
        if response.finish == Finish.ERROR:
            kind = response.notes.get("unhearable")
            return cls("", "error" if kind in (None, *PASSING) else "unheard", _why(response.error, path))
        if response.finish == Finish.THINKING:
            return cls("", "error", "the budget ran out before the reasoning ended")
        if response.finish == Finish.REFUSAL:
            return cls("", "refused")
        text, beyond = (response.text or "").strip(), beyond_in(response.notes)
        return cls(text, "ok" if text else "empty", cut=response.finish == Finish.LENGTH, beyond=beyond)


def beyond_in(notes: Mapping[str, Any]) -> float | None:
    """Seconds that a reply's notes say were not heard (`akb.audio.Sound`'s "cut_seconds"); None: they say none."""
    told = notes.get("audio", notes)
    parts = [part for part in (told if isinstance(told, list) else [told]) if isinstance(part, Mapping)]
    found = [float(part["cut_seconds"] or 0.0) for part in parts if "cut_seconds" in part]
    return sum(found) if found else None


def _why(error: str, path: str) -> str:
    """What was wrong in one line, alike for all clips of which it is so: without the clip's path and what to do."""
    from akb.audio.sound import shown

    first = error.strip().splitlines()[0] if error.strip() else "it failed"
    return first.removeprefix(f"{path}: ").removeprefix(f"{shown(path)}: ") if path else first


@dataclass
class Captions:
    """The captions of a captioner, by the hash of the clip's bytes.

    Attributes:
        card: who described.
        identity: fingerprint, prompt and settings of who described: whatever can move a caption.
        folders: where they lie; several for those put together from others.
        parts: what they were put together from.
    """

    card: Captioner
    identity: Mapping[str, Any]
    known: Mapping[str, Caption] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    parts: tuple[Captions, ...] = ()

    def of(self, clip: Clip) -> Caption:
        """The caption of a clip; an error where it was not described."""
        return self.known.get(clip.sha256, Caption("", "error", "it was not described"))

    def shown(self, clip: Clip) -> str:
        """The caption of a clip as a reader sees it, cut to the card's length.

        Raises:
            UndescribedError: the clip has none.
        """
        found = self.of(clip)
        if not found.there:
            raise UndescribedError(f"no caption by {self.card.name}: {found.why}", where=Path(clip.path).name,
                                   final=found.state == "unheard")  # fmt: skip
        return self._shortened(found.text) or self.card.nothing

    def shortened(self, clip: Clip) -> bool:
        """Whether a reader sees less than was said."""
        text = self.of(clip).text
        return len(self._shortened(text)) < len(text) or any(part.shortened(clip) for part in self.parts)

    def _shortened(self, text: str) -> str:
        """At most the card's length, cut between words where there are any."""
        most = self.card.characters
        if most is None or len(text) <= most:
            return text
        head = text[: most + 1]
        return (head.rsplit(maxsplit=1)[0] if " " in head else head[:most])[:most]

    def digest(self, clips: Iterable[Clip]) -> str:
        """A sha256 over what a reader is shown of these clips, in whatever order they come."""
        sums = hashlib.sha256()
        for sha, clip in sorted({clip.sha256: clip for clip in clips}.items()):
            told = f"{sha}\t{self.shown(clip)}\n" if self.of(clip).there else f"{sha}\n"
            sums.update(told.encode("utf-8", "surrogatepass"))
        return sums.hexdigest()

    def notes(self, clips: Iterable[Clip]) -> Iterator[str]:
        """What a reader of the scores should know of the captions of these clips."""
        clips = list(clips)
        found = [self.of(clip) for clip in clips]
        counts = Counter[str]("without a caption" if not caption.there else caption.state for caption in found)
        counts["ended by its budget of tokens"] = sum(caption.cut for caption in found)
        most = "a part's length" if self.parts else f"{self.card.characters} characters"
        counts[f"cut to {most}"] = sum(map(self.shortened, clips))
        words = {"empty": "said nothing"}
        told = [f"{n:,} {words.get(kind, kind)}" for kind, n in counts.items() if n and kind != "ok"]
        parts = [caption.beyond for caption in found if caption.beyond is not None]
        if parts:
            told.append(f"{len(parts):,} not heard to the end ({sum(parts):,.0f} s in all)")
        if whys := [caption.why for caption in found if not caption.there and caption.why]:
            told.append(_commonest(whys))
        yield f"captions of {len(found):,} clips by {self.card.name}" + (f": {', '.join(told)}" if told else "")


def _commonest(whys: Iterable[str]) -> str:
    """The commonest reason, counted by its kind: what stands before the first colon. Details are told where all have
    the same."""
    kinds: dict[str, list[str]] = {}
    for why in whys:
        kinds.setdefault(why.partition(": ")[0], []).append(why)
    kind, own = max(kinds.items(), key=lambda item: len(item[1]))
    return f"the commonest reason ({len(own):,}): {own[0] if len(set(own)) == 1 else kind}"


@dataclass
class Foreseen(Captions):
    """Captions of which some are still to be made: in their place as many words as a reader is shown at most.

    Attributes:
        ahead: by captioner, the clips that it is still to describe (by hash), with the most that each can cost in US
            dollars; None where no price is known.
    """

    ahead: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    def of(self, clip: Clip) -> Caption:
        if clip.sha256 in self.ahead.get(self.card.name, {}):
            return Caption("word " * self.card.max_tokens)
        return super().of(clip)


def joined(card: Captioner, parts: Iterable[Captions]) -> Captions:
    """The captions of several captioners side by side, each below its heading; each is cut as its own card says, and
    all of them together are not. A clip that one of them could not describe has no caption."""
    parts = tuple(parts)
    card = card.model_copy(update={"characters": None})
    known = {sha: _together(sha, parts) for sha in dict.fromkeys(sha for part in parts for sha in part.known)}
    identity = {"joined": [dict(part.identity) | {"shown": _shown(part.card)} for part in parts]}
    return Captions(card, identity, known, tuple(folder for part in parts for folder in part.folders), parts)


def joined_ahead(card: Captioner, parts: Iterable[Foreseen]) -> Foreseen:
    """The same of captions that are still to be made."""
    parts = tuple(parts)
    every = dict.fromkeys(sha for part in parts for sha in (*part.known, *part.ahead.get(part.card.name, {})))
    known = {sha: _together(sha, parts) for sha in every}
    ahead = {name: clips for part in parts for name, clips in part.ahead.items()}
    return Foreseen(card.model_copy(update={"characters": None}), {"foreseen": True}, known, (), parts, ahead)


def _together(sha: str, parts: Iterable[Captions]) -> Caption:
    """One clip's captions put together."""
    clip, parts = Clip(sha, ""), tuple(parts)
    own = [part.of(clip) for part in parts]
    bad = next((caption for caption in own if caption.state == "error"), None)
    bad = bad or next((caption for caption in own if not caption.there), None)
    if bad is not None:
        return bad
    lines = (f"{part.card.heading or part.card.name}: {part.shown(clip)}" for part in parts)
    beyond = max((caption.beyond for caption in own if caption.beyond is not None), default=None)
    return Caption("\n".join(lines), cut=any(caption.cut for caption in own), beyond=beyond)


def _shown(card: Captioner) -> dict[str, Any]:
    return card.model_dump(mode="json", include={"name", "characters", "nothing", "heading"})
