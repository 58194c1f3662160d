"""Checks of content: every question is really rendered under every protocol, keys and options are looked at, and what
a computed item claims is proved again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from scipy.stats import binomtest, chisquare

from akb.bank import checks
from akb.errors import AkbError
from akb.registry import Registry
from akb.settings import Settings
from akb.tasks.asking import LABELS, Asking
from akb.tasks.folder import Folder, FolderTask
from akb.tasks.fresh import task_of
from akb.tasks.items import read_items
from akb.tasks.judging import same_text
from akb.tasks.rendered import RenderedTask
from akb.types import Question

ALPHA = 0.001  # of the tests for balance; they are many, and a false alarm costs trust


@dataclass(frozen=True)
class Finding:
    """Something found in content: an error (it must not be run on) or a warning (look at it)."""

    level: Literal["error", "warning"]
    where: str
    what: str


@dataclass
class Report:
    """What was checked and what was found."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def errors(self) -> list[Finding]:
        return [f for f in self.findings if f.level == "error"]

    def error(self, where: str, what: str) -> None:
        self.findings.append(Finding("error", where, what))

    def warning(self, where: str, what: str) -> None:
        self.findings.append(Finding("warning", where, what))

    def attempt(self, work: Callable[[], Any]) -> Any:
        """The result of `work`; an AkbError becomes a finding and the result None."""
        try:
            return work()
        except AkbError as error:
            self.error(error.where or "content", error.what + (f" ({error.fix})" if error.fix else ""))
            return None

    def summary(self) -> str:
        told = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        warnings = len(self.findings) - len(self.errors)
        return f"checked: {told or 'nothing'}; {len(self.errors)} errors, {warnings} warnings"

    def to_dict(self) -> dict[str, Any]:
        """For --json."""
        return {"checked": dict(self.counts), "findings": [asdict(f) for f in self.findings]}


def check_content(path: Path | None = None) -> Report:
    """Check a task's folder, a folder of content, or (None) akb's own.

    Raises:
        AkbError: the folder does not exist.
    """
    report = Report()
    task_folder = path is not None and (path / "task.yaml").is_file()
    include = () if path is None or task_folder else (path,)
    registry = Registry(Settings(), include=include)
    for name, lookup in (("model cards", "cards"), ("protocols", "protocols"), ("prompts", "prompts")):
        found = report.attempt(lambda lookup=lookup: getattr(registry, lookup))  # type: ignore[misc]
        report.counts[name] = len(found or {})
    folders = [report.attempt(lambda: Folder.read(path))] if path and task_folder else _folders(report, registry)
    for folder in folders:
        if folder is not None and (path is None or _below(folder.path, path)):
            check_folder(folder, registry, report)
    return report


def _folders(report: Report, registry: Registry) -> list[Folder]:
    found: dict[str, Folder] | None = report.attempt(lambda: registry.folders)
    return list((found or {}).values())


def _below(folder: Path, base: Path) -> bool:
    return folder.resolve().is_relative_to(base.resolve())


def check_folder(folder: Folder, registry: Registry, report: Report) -> None:
    """Check one task: its files, each question, and the questions together."""
    report.counts["tasks"] += 1
    if folder.file.format == "official":
        return
    where = str(folder.path / "task.yaml")
    task = task_of(folder, _asking(registry))
    if not task.is_here:
        report.counts["tasks to be fetched first"] += 1
        return
    located: list[tuple[str, Question]] | None = report.attempt(lambda: list(task.located()))
    if located is None:
        return
    report.counts["questions"] += len(located)
    if folder.file.format == "item":
        _check_items(folder, report)
    if isinstance(task, RenderedTask):
        _check_clips(task, report)
    for place, question in located:
        _check_question(place, question, report, others=folder.file.fetch is not None)
    if any(question.audio for _, question in located) or (
        folder.file.audio is None and folder.file.format != "rendered"  # there the clips differ, and are not made here
    ):
        _check_duplicates(located, report)
    if folder.file.format == "fields":
        report.counts.update(report.attempt(task.oddities) or {})
    _check_taxonomy(folder, located, report)
    _check_fewshot(task, located, report, where)
    _check_rendering(folder, registry, [q for _, q in located], report)
    _check_balance([q for _, q in located], where, report)


def _asking(registry: Registry) -> Asking:
    protocol, prompt = registry.protocol("akb-v1")
    return Asking(protocol, prompt)


def _check_items(folder: Folder, report: Report) -> None:
    """Computed items prove their key: their check must find the key right and every distractor wrong."""
    canaries = set()
    files = [*folder.data_files, *([folder.path / folder.file.fewshot] if folder.file.fewshot else [])]
    for where, item in read_items(files):
        canaries.add(item.canary)
        if (item.kind == "computed") != (item.check is not None) and folder.file.name == "akb-open":
            report.error(where, f"kind {item.kind} {'needs' if item.check is None else 'has'} a check")
        if item.check is None:
            continue
        report.counts["proofs"] += 1
        right = report.attempt(lambda item=item, where=where: checks.prove(item.check, item.options, where))  # type: ignore[misc]
        if right is not None and [i for i, ok in enumerate(right) if ok] != [item.answer]:
            told = [item.options[i] for i, ok in enumerate(right) if ok]
            report.error(where, f"answer: the check {item.check.split('(')[0]} finds {told} right, not the key")
    if len(canaries) > 1:
        report.error(str(folder.path), f"canary: {len(canaries)} different strings, one is wanted")


def _check_clips(task: RenderedTask, report: Report) -> None:
    """Items with scenes prove their key from what is known of the scene; no two have the same id or are of one clip."""
    from akb.lab.audio.item import key_of
    from akb.lab.audio.proofs import prove

    seen: dict[str, str] = {}
    for where, item in task.items:
        report.counts["proofs"] += 1
        right = report.attempt(lambda item=item: prove(item.template_id, item.scene, item.options))  # type: ignore[misc]
        if right is not None and [i for i, ok in enumerate(right) if ok] != [item.answer]:
            told = [item.options[i] for i, ok in enumerate(right) if ok]
            report.error(where, f"answer: the proof of {item.template_id} finds {told} right, not the key")
        for name, value in (("id", item.id), ("scene", key_of(item.scene))):
            if value in seen:
                report.error(where, f"{name}: is also that of {seen[value]}")
            seen.setdefault(value, where)


def _check_question(where: str, question: Question, report: Report, *, others: bool) -> None:
    """Check one question; `others`: its benchmark is not ours to mend, so what is counted there is no error."""
    options = question.options
    for index, option in enumerate(options):
        if not option.strip():
            report.error(where, f"options: option {index} is empty")
        if len(options) <= len(LABELS) and option.strip() in LABELS[: len(options)]:
            report.warning(
                where, f"options: {option.strip()!r} is also a label; replies in words cannot tell them apart"
            )
        for other in range(index):
            if same_text(option, options[other]) and not others:
                report.error(where, f"options: {other} and {index} say the same ({option!r})")
    if not question.text.strip():
        report.error(where, "question: is empty")


def _check_duplicates(located: Sequence[tuple[str, Question]], report: Report) -> None:
    ids: dict[str, str] = {}
    texts: dict[tuple[str, frozenset[str], tuple[str, ...]], str] = {}
    for where, question in located:
        if question.id in ids:
            report.error(where, f"id: {question.id!r} was used before, at {ids[question.id]}")
        ids.setdefault(question.id, where)
        clips = tuple(clip.sha256 for clip in question.audio)
        options = frozenset(o.strip().casefold() for o in question.options)
        same = (" ".join(question.text.split()).casefold(), options, clips)
        if same in texts:
            report.error(where, f"question: the same question with the same options stands at {texts[same]}")
        texts.setdefault(same, where)


def _check_taxonomy(folder: Folder, located: Sequence[tuple[str, Question]], report: Report) -> None:
    if folder.taxonomy is None:
        return
    known = {(c.name, s.name) for c in folder.taxonomy.categories for s in c.subcategories}
    used = {(q.category, q.subcategory) for _, q in located}
    for where, question in located:
        if (question.category, question.subcategory) not in known:
            report.error(where, f"subcategory: {question.category}/{question.subcategory} is not in the taxonomy")
    wanted = {name for name in folder.names() if "/" in name}
    for category, subcategory in sorted(pair for pair in known - used if "/".join(pair) in wanted):
        report.error(str(folder.path), f"{category}/{subcategory} has no question")


def _check_fewshot(task: FolderTask, located: Sequence[tuple[str, Question]], report: Report, where: str) -> None:
    """A worked example that is also a test item gives its answer away."""
    examples = report.attempt(lambda: list(task.examples())) or []
    texts = {" ".join(q.text.split()).casefold(): q.id for _, q in located}
    ids = {q.id for _, q in located}
    for example in examples:
        text = " ".join(example.text.split()).casefold()
        if example.id in ids or text in texts:
            report.error(where, f"fewshot: {example.id} is a test item")


def _check_rendering(folder: Folder, registry: Registry, questions: Iterable[Question], report: Report) -> None:
    """Make every request of every question under every protocol."""
    tasks = []
    for name in registry.protocols:
        pair = report.attempt(lambda name=name: registry.protocol(name))  # type: ignore[misc]
        if pair is not None:
            tasks.append((name, FolderTask(folder, replace(_asking(registry), protocol=pair[0], prompt=pair[1]))))
    for question in questions:
        for name, task in tasks:
            try:
                report.counts["rendered requests"] += len(task.requests(task.trial(question), ()))
            except AkbError as error:
                report.error(question.id, f"under protocol {name}: {error.what}")


def _check_balance(questions: Sequence[Question], where: str, report: Report) -> None:
    """Where keys stand, and whether length gives them away; only what chance hardly explains is told."""
    for size, group in _by_options(questions):
        places = Counter(q.answer for q in group)
        if len(group) > 2 and not places[0]:
            report.warning(
                where, "answer: no key stands first; answers count from 0, so look whether these count from 1"
            )
        if len(group) < 5 * size:
            continue
        p = float(chisquare([places[i] for i in range(size)]).pvalue)
        if p < ALPHA:
            told = [places[i] for i in range(size)]
            report.warning(where, f"answer: keys of {size}-option questions stand at {told} (p = {p:.1g})")
        for name, pick in (("longest", max), ("shortest", min)):
            single = [q for q in group if _single(q, pick)]
            hits = sum(len(q.options[q.answer]) == pick(map(len, q.options)) for q in single)
            if single and binomtest(hits, len(single), 1 / size).pvalue < ALPHA:
                share = hits / len(single)
                report.warning(
                    where, f"options: the {name} option is the key in {share:.0%} of {len(single)} questions"
                )


def _by_options(questions: Sequence[Question]) -> Iterator[tuple[int, list[Question]]]:
    for size in sorted({len(q.options) for q in questions}):
        yield size, [q for q in questions if len(q.options) == size]


def _single(question: Question, pick: Callable[[Iterable[int]], int]) -> bool:
    lengths = [len(o) for o in question.options]
    return lengths.count(pick(lengths)) == 1
