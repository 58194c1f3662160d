"""What may move a number of a run is in its identity, so that no run goes on in the folder of another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from akb.evaluation import unmanned
from akb.plan import Plan, RunConfig
from akb.registry import Registry


@pytest.fixture(scope="module")
def plan() -> Plan:
    registry, config = Registry(), RunConfig(model="first", task=("phonetic",))
    [selection] = registry.select(config.task)
    return unmanned(config, registry, selection)


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"limit": 7}, {"listen": "none"}, {"control": "choices-only"}, {"task_args": {"allow_partial": True}},
     {"shard": "1/2"}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_a_setting_that_may_move_a_number_makes_another_run(plan: Plan, change: dict[str, Any]) -> None:
    other = replace(plan, config=plan.config.model_copy(update=change))
    assert replace(plan).identity == plan.identity
    (name,) = change
    assert {key for key in other.identity if other.identity[key] != plan.identity.get(key)} == {name}


def test_other_categories_or_parts_make_another_run(plan: Plan) -> None:
    [music] = Registry().select(("music",))
    assert replace(plan, categories=plan.categories[:-1]).identity != plan.identity
    assert replace(plan, selection=music).identity["parts"] != plan.identity["parts"]
