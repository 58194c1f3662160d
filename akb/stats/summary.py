"""A run's table: accuracy with its interval, chance, what was not readable, and the baselines beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from akb.stats.proportion import wilson
from akb.tasks.judging import same_text
from akb.types import Outcome, Question, Status, Trial


@dataclass(frozen=True)
class Row:
    """One line of a table. All shares are from 0 to 1.

    Attributes:
        n: questions.
        accuracy: strict: what was not readable counts as wrong.
        low, high: 95 % Wilson interval of `accuracy`.
        chance: mean over the questions of the share of options that are right.
        not_ok: share of answers whose status was not OK.
        first, longest: accuracy of always taking the option shown first, or the longest.
        by_chance: accuracy where what was not readable counts as chance.
        readable: accuracy over the answers that were readable; None where none was.
    """

    level: str
    name: str
    n: int
    accuracy: float
    low: float
    high: float
    chance: float
    not_ok: float
    first: float
    longest: float
    by_chance: float
    readable: float | None


@dataclass(frozen=True)
class Order:
    """What asking in every option order showed (None where one order was asked).

    Attributes:
        consistent: share of the questions in all orders of which the same option was chosen.
        positions: for each place, the share of all answers that chose the option standing there.
    """

    consistent: float
    positions: tuple[float, ...]


@dataclass(frozen=True)
class Summary:
    """Everything that a run's table shows.

    Attributes:
        rows: the whole first, then each category, each followed by its subcategories.
        macro: mean of the categories' accuracies; None with fewer than two categories.
        statuses: how many answers had which status.
        reasons: why answers were not readable, with counts, most frequent first.
        others: strict accuracy by other rules from the same responses, e.g. length normalisations.
    """

    rows: tuple[Row, ...]
    macro: float | None
    statuses: dict[str, int]
    reasons: tuple[tuple[str, int], ...]
    others: dict[str, float]
    order: Order | None

    def to_dict(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


@dataclass(slots=True)
class _Sums:
    """What a row of the table needs of its trials, added up, so that 200,000 of them take no memory."""

    n: int = 0
    score: float = 0.0
    chance: float = 0.0
    first: float = 0.0
    longest: float = 0.0
    by_chance: float = 0.0
    bad: int = 0
    answers: int = 0
    right: int = 0

    def add(self, other: _Sums) -> None:
        """Count what another counted as well."""
        self.n += other.n
        self.score += other.score
        self.chance += other.chance
        self.first += other.first
        self.longest += other.longest
        self.by_chance += other.by_chance
        self.bad += other.bad
        self.answers += other.answers
        self.right += other.right


@dataclass
class _Groups:
    """The sums of all trials, of each category and of each subcategory (with its category), as they come."""

    whole: _Sums = field(default_factory=_Sums)
    parts: dict[tuple[str, str], _Sums] = field(default_factory=dict)

    def add(self, trial: Trial, outcome: Outcome) -> None:
        """Count a trial in every group that it is in."""
        one, question = _sums(trial, outcome), trial.question
        self.whole.add(one)
        if question.category:
            self.parts.setdefault((question.category, ""), _Sums()).add(one)
            if question.subcategory:
                self.parts.setdefault((question.category, question.subcategory), _Sums()).add(one)


def summarise(judged: Iterable[tuple[Trial, Outcome]], categories: Sequence[str] = ()) -> Summary:
    """The summary of judged trials.

    Args:
        judged: trials with their outcomes.
        categories: names in the order in which to show them (category and category/subcategory); others follow in
            the order in which they come.
    """
    groups = _Groups()
    statuses: dict[str, int] = {}
    reasons: dict[str, int] = {}
    others: dict[str, float] = {}
    orders = _Orders()
    for trial, outcome in judged:
        groups.add(trial, outcome)
        orders.add(trial, outcome)
        for status, reason in _statuses(outcome):
            statuses[status.value] = statuses.get(status.value, 0) + 1
            if status != Status.OK:
                reasons[reason] = reasons.get(reason, 0) + 1
        for rule, score in outcome.others.items():
            others[rule] = others.get(rule, 0.0) + score
    rows = _rows(groups, categories)
    of_categories = [row.accuracy for row in rows if row.level == "category"]
    return Summary(
        rows=tuple(rows),
        macro=sum(of_categories) / len(of_categories) if len(of_categories) > 1 else None,
        statuses=statuses,
        reasons=tuple(sorted(reasons.items(), key=lambda pair: -pair[1])),
        others={rule: total / groups.whole.n for rule, total in others.items()},
        order=orders.result(),
    )


def _statuses(outcome: Outcome) -> list[tuple[Status, str]]:
    if not outcome.answers:
        return [(outcome.status, outcome.reason)]
    return [(answer.status, answer.reason) for answer in outcome.answers]


def _sums(trial: Trial, outcome: Outcome) -> _Sums:
    """The sums of one trial. A question without options has no chance and nothing to take always."""
    question = trial.question
    orders = trial.ask.get("orders") or [list(range(len(question.options)))]
    key = question.options[question.answer] if question.options else ""
    right = [same_text(option, key) for option in question.options]
    statuses = _statuses(outcome)
    bad = sum(status != Status.OK for status, _ in statuses)
    chance = sum(right) / len(right) if right else 0.0
    return _Sums(
        n=1,
        score=outcome.score,
        chance=chance,
        first=sum(right[order[0]] for order in orders) / len(orders) if right else 0.0,
        longest=sum(_longest(question, order, right) for order in orders) / len(orders) if right else 0.0,
        by_chance=outcome.score + chance * bad / len(statuses),
        bad=bad,
        answers=len(statuses),
        right=round(outcome.score * len(statuses)) if outcome.answers else int(outcome.score > 0),
    )


def _longest(question: Question, order: Sequence[int], right: Sequence[bool]) -> bool:
    """Whether the longest option is right; of several the first shown, as the baseline `longest` takes it."""
    return right[max(order, key=lambda index: len(question.options[index]))]


def _rows(groups: _Groups, categories: Sequence[str]) -> list[Row]:
    rank = {name: number for number, name in enumerate(categories)}
    seen = {key: number for number, key in enumerate(groups.parts)}

    def place(key: tuple[str, str]) -> tuple[int, int, int, int]:
        category, subcategory = key
        return (
            rank.get(category, len(rank)),
            seen[category, ""],
            0 if not subcategory else 1 + rank.get(f"{category}/{subcategory}", len(rank)),
            seen[key],
        )

    rows = [_row("all", "all", groups.whole)]
    for category, subcategory in sorted(groups.parts, key=place):
        level = "subcategory" if subcategory else "category"
        rows.append(_row(level, subcategory or category, groups.parts[category, subcategory]))
    return rows


def _row(level: str, name: str, sums: _Sums) -> Row:
    n = sums.n
    if n == 0:
        return Row(level, name, 0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, None)
    low, high = wilson(sums.score, n)
    readable = sums.answers - sums.bad
    return Row(
        level=level,
        name=name,
        n=n,
        accuracy=sums.score / n,
        low=low,
        high=high,
        chance=sums.chance / n,
        not_ok=sums.bad / sums.answers,
        first=sums.first / n,
        longest=sums.longest / n,
        by_chance=sums.by_chance / n,
        readable=sums.right / readable if readable else None,
    )


class _Orders:
    """Consistency and position bias over trials that were asked in every order."""

    def __init__(self) -> None:
        self.trials = self.same = self.answers = self.most = 0
        self.places: dict[int, int] = {}

    def add(self, trial: Trial, outcome: Outcome) -> None:
        if len(outcome.answers) < 2:
            return
        self.trials += 1
        options = trial.question.options
        self.most = max(self.most, len(options))
        chosen = [None if a.chosen is None else options[a.chosen] for a in outcome.answers]
        first = chosen[0]
        self.same += first is not None and all(c is not None and same_text(first, c) for c in chosen)
        for answer in outcome.answers:
            self.answers += 1
            if answer.position is not None:
                self.places[answer.position] = self.places.get(answer.position, 0) + 1

    def result(self) -> Order | None:
        if not self.trials:
            return None
        shares = tuple(self.places.get(place, 0) / self.answers for place in range(self.most))
        return Order(self.same / self.trials, shares)
