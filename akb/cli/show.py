"""akb show: exactly what a model would be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.cli import options
from akb.errors import AkbError, unknown

if TYPE_CHECKING:
    from akb.types import Preview, Question, Request, Task


def show(
    task: Annotated[str, typer.Argument(help="A task or a part of one, e.g. phonetic/rhyme.")],
    item: Annotated[str | None, typer.Option(help="The question's id [default: the first].")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Render for this model: its template and tokens.")
    ] = None,
    protocol: options.ProtocolName = None,
    shots: options.Shots = None,
    seed: Annotated[int, typer.Option(help="Of the option order.")] = 0,
    listen: options.Listen = None,
    data: options.Data = None,
    set_: options.Set = None,
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """Show a question as it is asked: the rendered prompt, token ids, BOS count, continuations and key."""
    from akb import report
    from akb.evaluation import foreseen, unmanned

    registry = options.registry(include)
    changes = options.settings(set_, shots=shots)
    config = options.run_config("akb show", changes, model=model, task=[task], protocol=protocol, seed=seed,
                                listen=listen, data=data)  # fmt: skip
    plan = foreseen(unmanned(config, registry, registry.select(config.task)[0]), registry)
    question = _question(list(plan.questions()), item, task)
    adapter = registry.adapter(registry.card(model), config.model_args) if model else None
    told = _told(plan.task, question, adapter)
    if json:
        report.print_json(told)
        return
    _print(told)


def _question(questions: list[Question], item: str | None, task: str) -> Question:
    if not questions:
        raise AkbError(f"task {task} has no questions")
    if item is None:
        return questions[0]
    for question in questions:
        if question.id == item:
            return question
    see = f"Its ids are such as {questions[0].id}; without --item the first is shown."
    raise unknown("question", item, (q.id for q in questions), where=f"task {task}", see=see)


def _told(task: Task, question: Question, adapter: Any) -> dict[str, Any]:
    from akb.types import Previews

    trial = task.trial(question)
    requests = task.requests(trial, ())
    if adapter is not None and not isinstance(adapter, Previews):
        raise AkbError("this kind of model cannot show what it reads", fix="Leave --model out to see the messages.")
    return {
        "id": question.id,
        "category": question.category,
        "subcategory": question.subcategory,
        "key": question.options[question.answer],
        "template_id": question.template_id,
        "requests": [_request(request, None if adapter is None else adapter.preview(request)) for request in requests],
        "meta": dict(question.meta),
    }


def _request(request: Request, preview: Preview | None) -> dict[str, Any]:
    from akb.adapters.rendering import shown
    from akb.types import Choose

    found: dict[str, Any] = {"options": [f"{o.label}. {o.text}" for o in request.options]}
    if isinstance(request, Choose):
        found["continuations"] = [list(group) for group in request.continuations]
    if preview is None:
        return {**found, "prompt": shown(request.messages, getattr(request, "reply_start", ""))}
    found |= {"prompt": preview.text, "ids": list(preview.ids), "tokens": len(preview.ids), "bos": preview.bos_count}
    if preview.continuations:
        found["continuation_ids"] = [[list(ids) for ids in group] for group in preview.continuations]
    return found


def _print(told: dict[str, Any]) -> None:
    print(f"{told['id']} ({told['category']}/{told['subcategory']}), key: {told['key']}; another: --item ID")
    for number, request in enumerate(told["requests"], start=1):
        print(f"\n-- request {number} of {len(told['requests'])}: the prompt, between the lines " + "-" * 20)
        print(request["prompt"])
        print("-" * 74)
        if "ids" in request:
            print(f"{request['tokens']} tokens, BOS {request['bos']} times: {request['ids']}")
        for place, group in enumerate(request.get("continuations", ())):
            ids = request.get("continuation_ids")
            told_ids = f"  ids {ids[place]}" if ids else ""
            print(f"scored for {request['options'][place]!r}: {group}{told_ids}")
