"""Captions before they are made: what is known already, what is missing, and what that may cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akb import records
from akb.cascades.captioning import DescribeTask, read
from akb.cascades.captions import Caption, Foreseen, joined_ahead
from akb.cascades.cards import JOINED, Captioner
from akb.cascades.human import Human
from akb.cascades.settings import config_of, settings_of, settled
from akb.types import Adapter, Clip, Priced, Question, Trial

if TYPE_CHECKING:
    from akb.registry import Registry

HOW = frozenset({  # settings that decide where and how fast captions are made, and not what they say
    "device", "device_map", "batch_seconds", "threads", "key_env", "key_file", "concurrency", "timeout", "prices",
})  # fmt: skip


def foreseen(registry: Registry, name: str, clips: Sequence[Clip], args: Mapping[str, Any]) -> Foreseen:
    """The captions that are there, and room for those that are not; nobody is asked, and no model's files are needed.
    A file of captions is read: one that was edited is another captioner.

    Args: as of `Describing.captions`.

    Raises:
        AkbError: a name, a setting or a file of captions is wrong.
    """
    card, own = settings_of(registry, name, args)
    if card.adapter == JOINED:
        return joined_ahead(card, [foreseen(registry, part, clips, own) for part in card.parts])
    card, rest = settled(card, own)
    task = DescribeTask(card, registry.cascades.prompt(card))
    adapter = registry.cascades.adapter(card, rest)
    try:
        known, by = dict[str, Caption](), None
        if isinstance(adapter, Human):
            adapter.check(clips)
            by = records.as_json({"captioner": adapter.fingerprint()})
        for folder in _alike(registry.settings.captions, card, task, rest, by):
            known = (read(folder) or {}) | known
        known = {sha: caption for sha, caption in known.items() if caption.state != "error"}
        ahead = {clip.sha256: _most(adapter, task, clip) for clip in clips if clip.sha256 not in known}
    finally:
        adapter.close()
    return Foreseen(card, {"foreseen": True}, known, ahead={card.name: ahead} if ahead else {})


def told(parts: Iterable[Foreseen]) -> tuple[list[str], float | None]:
    """Each captioner's clips ahead in words, over all of several runs, and the most that all can cost in US dollars;
    None if some price is not known."""
    clips: dict[str, dict[str, float | None]] = {}
    for part in parts:
        for name, ahead in part.ahead.items():
            clips.setdefault(name, {}).update(ahead)
    costs = [cost for ahead in clips.values() for cost in ahead.values()]
    return [_told(name, ahead) for name, ahead in clips.items()], _sum(costs)


def _told(name: str, ahead: Mapping[str, float | None]) -> str:
    cost = _sum(ahead.values())
    price = ", at a price that is not known" if cost is None else f", for at most ${cost:.4f}" if cost else ""
    return f"{len(ahead):,} clips to be described by {name}{price}"


def _sum(costs: Iterable[float | None]) -> float | None:
    """The sum; None where one is not known."""
    known = list(costs)
    return None if None in known else sum(cost or 0.0 for cost in known)


def _alike(captions: Path, card: Captioner, task: DescribeTask, args: Mapping[str, Any],
           parties: Mapping[str, Any] | None) -> Iterator[Path]:  # fmt: skip
    """The folders of captions made with this prompt and these settings, and by these parties if they are told."""
    asked, config = records.as_json(dict(task.describe())), _answering(config_of(card, args))
    for folder in sorted(captions.glob(f"{card.name}.*")):
        if (folder / records.MANIFEST).is_file():
            old = records.read_manifest(folder)
            same = {name: old.identity.get(name) for name in asked} == asked and _answering(old.config) == config
            if same and parties in (None, old.identity.get("parties")):
                yield folder


def _answering(config: Mapping[str, Any]) -> dict[str, Any]:
    """Of a captioner's settings those that may move what it says."""
    args = {name: value for name, value in config.get("captioner_args", {}).items() if name not in HOW}
    return records.as_json({**config, "captioner_args": args})


def _most(adapter: Adapter, task: DescribeTask, clip: Clip) -> float | None:
    """The most that a clip's caption can cost."""
    (request,) = task.requests(Trial(clip.sha256, Question(clip.sha256, "", (), 0, audio=(clip,))), ())
    if isinstance(adapter, Priced):
        return adapter.estimate(request).cost
    return None if adapter.capabilities.concurrent else 0.0
