"""A task as a task of EleutherAI's lm-evaluation-harness: YAML files for lm-eval, a JSONL file with the questions.

    lm_eval --model hf --model_args pretrained=ORG/NAME --tasks NAME      --include_path DIR
    lm_eval --model hf --model_args pretrained=ORG/NAME --tasks NAME_chat --include_path DIR --apply_chat_template

Two YAML files over one JSONL file, because no single one is right in both of lm-eval's modes: in plain text akb sets
the start of the reply ("Answer:") on a line of its own, while in a chat it stands in the assistant's turn, and
lm-eval has one place for what comes between.

NAME, without a chat template: the context is the very text that akb gives a model without one, worked examples
included, so every log-probability is the same.

NAME_chat, with `--apply_chat_template` (and lm-eval's default `--fewshot_as_multiturn true`): the turns are the same;
the rendering is where the chat template writes an unfinished assistant's turn as it writes the generation prompt
followed by the text, and takes the system message (if refused, lm-eval leaves it out, and akb puts it before the
question). lm-eval shows all questions the same worked examples; where akb's differ between questions (they are taken
from the question's own category first), only NAME is written.

`acc` is akb's accuracy by the sum of log-probabilities, `acc_norm` by the mean over characters (the rules "none" and
"characters"), but for exact ties, which are no answer for akb and the first option's for lm-eval. An option that says
the same as the key counts as right in both. What lm-eval has no word for is refused: see `_check`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from akb.adapters.rendering import plain
from akb.errors import AkbError
from akb.tasks.judging import same_text
from akb.tasks.multiple_choice import MultipleChoice
from akb.types import Choose, Clip, Message, Trial

Row = dict[str, Any]


def export_lm_eval(task: MultipleChoice, trials: Iterable[Trial], folder: Path, name: str | None = None) -> list[Path]:
    """Write a task for lm-eval that gives the same log-probability for every option as akb does.

    Args:
        task: bound to the protocol that is to be exported.
        trials: the questions, as `task.trial` gives them.
        folder: where the files go; made if it is not there. lm-eval's YAML names the JSONL file by its full path.
        name: lm-eval's name of the task; default: task and protocol.

    Returns:
        The files: NAME.yaml, NAME_chat.yaml where a chat can be told (see above), NAME.jsonl.

    Raises:
        AkbError: the protocol or a question cannot be told to lm-eval, or a file cannot be written.
    """
    _check(task)
    asked = [_asked(task, trial) for trial in trials]
    if not asked:
        raise AkbError("there are no questions to export", where=f"task {task.name}")
    delimiter = " " if all(text.startswith(" ") and text[1:].strip() for a in asked for text in a.texts) else ""
    name = _name(name or f"{task.name}_{task.asking.protocol.name}")
    folder = folder.expanduser().resolve()
    data = folder / f"{name}.jsonl"
    config = _config(task, name, data, delimiter)
    files = {folder / f"{name}.yaml": _yaml(config, PLAIN)}
    before = asked[0].request.messages[:-1]
    if _in_pairs(before) and all(a.request.messages[:-1] == before for a in asked):
        chat = _chat_config(config, before)
        files[folder / f"{name}_chat.yaml"] = _yaml(chat, CHAT)
    files[data] = "".join(json.dumps(a.row(delimiter), ensure_ascii=False) + "\n" for a in asked)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, "utf-8")
    except OSError as error:
        raise AkbError(f"cannot be written: {error.strerror}", where=str(error.filename or folder)) from None
    return list(files)


@dataclass(frozen=True)
class _Asked:
    """A question with the one request that asks it."""

    trial: Trial
    request: Choose

    @property
    def texts(self) -> list[str]:
        """What is scored for each option, in the order shown."""
        return [group[0] for group in self.request.continuations]

    @property
    def right(self) -> list[int]:
        """The places of the key and of whatever says the same."""
        question, order = self.trial.question, self.trial.ask["orders"][0]
        key = question.options[question.answer]
        return [place for place, index in enumerate(order) if same_text(question.options[index], key)]

    def row(self, delimiter: str) -> Row:
        """The line of the JSONL file; `prompt` is for plain text, `system`, `question`, `reply_start` for a chat."""
        messages, question = self.request.messages, self.trial.question
        return {
            "id": self.trial.id,
            "category": question.category,
            "subcategory": question.subcategory,
            "prompt": plain(messages, self.request.reply_start),
            "system": _system(messages),
            "question": messages[-1].text,
            "reply_start": self.request.reply_start,
            "choices": [text.removeprefix(delimiter) for text in self.texts],
            "key": self.right,
            "messages": [{"role": m.role, "content": m.text} for m in messages],
        }


def _check(task: MultipleChoice) -> None:
    """Refuse what lm-eval cannot be told: its multiple choice scores one text for each option, once."""
    protocol, prompt = task.asking.protocol, task.asking.prompt
    where = f"protocol {protocol.name}"
    if protocol.ask == "generate":
        raise AkbError("it lets the model reply in words, and how akb reads replies cannot be told to lm-eval",
                       where=where, fix="Export a protocol of log-probabilities, e.g. akb-v1-loglik.")  # fmt: skip
    if protocol.order == "cyclic":
        raise AkbError("it asks every question in several orders; lm-eval asks once", where=where,
                       fix="Export akb-v1-loglik, which asks in one of these orders.")  # fmt: skip
    if protocol.ask == "letters" and len(protocol.spellings) > 1:
        raise AkbError(f"it adds up {len(protocol.spellings)} spellings of each letter; lm-eval scores one",
                       where=where, fix="Export a protocol with one spelling.")  # fmt: skip
    if protocol.ask == "text" and protocol.normalise in ("unconditional", "tokens"):
        raise AkbError(f"its rule (normalise: {protocol.normalise}) is not lm-eval's acc or acc_norm", where=where,
                       fix="Export one that decides by none (acc) or characters (acc_norm).")  # fmt: skip
    if not prompt.reply_start or prompt.reply_start[-1].isspace():
        raise AkbError(
            f"reply_start is {prompt.reply_start!r}; lm-eval would score the white space before the answer with it",
            where=f"prompt {prompt.name}",
            fix='Export a prompt whose reply_start ends in a visible character, e.g. "Answer:".',
        )


def _asked(task: MultipleChoice, trial: Trial) -> _Asked:
    request = task.requests(trial, ())[0]
    if not isinstance(request, Choose):
        raise AkbError("it is not asked by log-probabilities", where=f"question {trial.id}")
    if any(isinstance(part, Clip) for message in request.messages for part in message.parts):
        raise AkbError("it has audio, which lm-eval cannot be given", where=f"question {trial.id}",
                       fix="Export the question alone: --listen none")  # fmt: skip
    return _Asked(trial, request)


def _system(messages: Sequence[Message]) -> str:
    return messages[0].text if messages[0].role == "system" else ""


def _in_pairs(before: Sequence[Message]) -> bool:
    """Whether what precedes the question is a system message, if any, and worked examples."""
    roles = [m.role for m in before if m.role != "system"]
    return roles == ["user", "assistant"] * (len(roles) // 2)


def _name(wanted: str) -> str:
    """A name that lm-eval takes as one name (no commas, no globs) and that is a file's name."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in wanted)


def _config(task: MultipleChoice, name: str, data: Path, delimiter: str) -> Row:
    protocol, asking = task.asking.protocol, task.asking
    metrics = ["acc"] if protocol.ask == "letters" else ["acc", "acc_norm"]
    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "prompt",
        "doc_to_choice": "choices",
        "doc_to_target": "key",
        "target_delimiter": delimiter,
        "num_fewshot": 0,
        "metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in metrics],
        "metadata": {
            "version": task.version,
            "akb_task": task.name,
            "akb_protocol": protocol.name,
            "akb_decides_by": metrics[-1] if protocol.normalise == "characters" else "acc",
            "akb_seed": asking.seed,
            "akb_control": asking.control,
        },
    }


def _chat_config(config: Row, before: Sequence[Message]) -> Row:
    """The same task in turns: the system message as description, worked examples as lm-eval's, the start of the
    reply as its prefix. Columns are named, not written as templates, so that no text is ever taken for one."""
    chat = {**config, "task": f"{config['task']}_chat", "doc_to_text": "question", "gen_prefix": "reply_start"}
    if before and before[0].role == "system":
        chat["description"] = "system"
        before = before[1:]
    if before:
        shots = [
            {"question": user.text, "choices": [reply.text], "key": 0}
            for user, reply in zip(before[::2], before[1::2], strict=True)
        ]
        chat["num_fewshot"] = len(shots)
        chat["fewshot_config"] = {"sampler": "first_n", "samples": shots, "gen_prefix": ""}
    return chat


PLAIN = """\
# An akb task for lm-eval, as plain text: the prompt is complete. Run it without --apply_chat_template.
# Written by `akb export lm-eval`; if you move the folder, change the path under data_files.
"""
CHAT = """\
# An akb task for lm-eval, in turns. Run it with --apply_chat_template.
# Written by `akb export lm-eval`; if you move the folder, change the path under data_files.
"""


def _yaml(config: Row, head: str) -> str:
    return head + yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=110)
