"""What a run took: requests, tokens, money, faults, and which models served it; counted from its responses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from akb.strict import Strict
from akb.types import MODEL, Finish

if TYPE_CHECKING:
    from akb.records import Recorded


class Usage(Strict):
    """What one party of a run took.

    Attributes:
        answered: requests that it answered in this run.
        cached: requests whose answers were known already (from the cache, or from the same request in this run).
        failed: requests that had no answer, counted each time they were given up.
        cost: US dollars for what it answered, at the prices known then; None where no price is known.
        faults: failed calls by kind ("rate_limit", "transient", "fatal").
        served: answers by the model's name as the server gave it.
    """

    answered: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float | None = None
    faults: dict[str, int] = Field(default_factory=dict)
    served: dict[str, int] = Field(default_factory=dict)


def count(lines: Iterable[Recorded]) -> dict[str, Usage]:
    """The usage of each party of a run."""
    sums: dict[str, Counter[str]] = {}
    faults: dict[str, Counter[str]] = {}
    served: dict[str, Counter[str]] = {}
    costs: dict[str, float | None] = {}
    for line in lines:
        if line.to not in sums:
            sums[line.to], faults[line.to], served[line.to] = Counter(), Counter(), Counter()
        response, party = line.response, sums[line.to]
        if not line.cached:
            faults[line.to].update(told.partition(":")[0] for told in response.notes.get("faults", ()))
        if line.cached:
            party["cached"] += 1
        elif response.finish == Finish.ERROR:
            party["failed"] += 1
        else:
            party["answered"] += 1
            for name in ("prompt_tokens", "completion_tokens", "reasoning_tokens"):
                party[name] += getattr(response, name)
            if response.cost is not None:
                costs[line.to] = (costs.get(line.to) or 0.0) + response.cost
        if response.served_model:
            served[line.to][response.served_model] += 1
    return {
        name: Usage(**party, cost=costs.get(name), faults=dict(faults[name]), served=dict(served[name]))
        for name, party in sums.items()
    }


def spent(lines: Iterable[Recorded]) -> float:
    """US dollars that the answers of a run cost, as far as prices were known; what was set aside for those whose
    tokens the server did not count."""
    found = (line.response for line in lines if not line.cached)
    return sum(response.cost or float(response.notes.get("charged", 0.0)) for response in found)


def told(usage: Mapping[str, Usage]) -> Iterator[str]:
    """What a reader of a run's table should know of what it took, in lines; nothing for local models."""
    for name, party in usage.items():
        whom = "" if name == MODEL else f" by the {name}"
        if party.cost is not None:
            tokens = f"{party.prompt_tokens:,} tokens read and {party.completion_tokens:,} written{whom}"
            yield f"cost: ${party.cost:.4f} ({tokens})"
        if party.faults:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(party.faults.items()))
            yield f"failed calls{whom}, asked again: {kinds}"


def strangers(usage: Mapping[str, Usage], parties: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Notes on answers by another model than the one asked for, or by several."""
    for name, party in usage.items():
        asked = str(parties.get(name, {}).get("model", ""))
        others = {model: n for model, n in party.served.items() if not _same(asked, model)}
        if asked and (others or len(party.served) > 1):
            served = ", ".join(f"{model} ({n:,})" for model, n in sorted(party.served.items(), key=lambda x: -x[1]))
            yield f"asked of {asked}, and answered by {served}"


def _same(asked: str, served: str) -> bool:
    """Whether a served name is the one asked for, or a dated version of it ("gpt-4o", "gpt-4o-2024-08-06"; servers of
    one's own may tell a path or put "models/" before it). A name that goes on with more than digits is another's
    ("llama-3", "llama-3-8b")."""
    short, told = asked.rpartition("/")[2].casefold(), served.rpartition("/")[2].casefold()
    short = short.removesuffix("-latest")
    return told == short or (told.startswith(short) and re.fullmatch(r"[-@:]\d[\d-]*", told[len(short) :]) is not None)
