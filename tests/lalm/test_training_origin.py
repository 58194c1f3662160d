"""The rows are those of the recipe that is trained, or somebody says that others are wanted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from lalm_models import recipe as tiny
from training_parts import finish, made, session, train_rows

from akb.adapters import snapshot
from akb.errors import AkbError
from akb.lalm.data import describing, filtering
from akb.lalm.data.pool import find
from akb.lalm.recipe import Recipe
from akb.lalm.training import origin, record
from akb.lalm.training.record import changed
from akb.registry import Registry


def reported(folder: Path, recipe: Recipe, **others: Any) -> Path:
    """A report beside rows, as `akb lalm data` leaves it; the rows' file."""
    data = folder / "lalms/tiny/data/train.jsonl"
    if not data.is_file():
        data.parent.mkdir(parents=True)
        data.write_text("{}\n")
    pool = find(recipe.data.prompts, Registry().roots)
    told = {
        "recipe": recipe.name, "backbone": recipe.backbone, "writer": recipe.backbone,
        "pool": {"name": pool.name, "version": pool.version, "sha256": pool.sha256}, "template": pool.template.name,
        "generation": recipe.data.generation.model_dump(), "marks": [recipe.prompt.start, recipe.prompt.end],
        "descriptions": describing.VERSION,
        "filters": {"version": filtering.VERSION, "names": list(filtering.chosen(recipe.data.filters))},
        "per_clip": recipe.data.per_clip, "seed": recipe.seeds.data, "limit": None, "dropped": {},
        "train_sha256": hashlib.sha256(data.read_bytes()).hexdigest(), **others,
    }  # fmt: skip
    (data.parent / "report.json").write_text(json.dumps(told))
    return data


def notes(data: Path, recipe: Recipe, **others: Any) -> tuple[str, ...]:
    return origin.notes(data, origin.sha256(data), recipe, "tiny", **others)


def test_rows_of_the_recipe_as_it_is_are_trained_on_without_a_word(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    assert notes(reported(tmp_path, recipe), recipe) == ()
    other = changed(recipe, ["train.lr=1", "connector.queries=4", "data.rows=5"])
    assert notes(reported(tmp_path, recipe), other) == ()


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"backbone": "qwen3-8b"}, r'backbone was "qwen3-8b" and is ".*llm"'),
        ({"pool": {"name": "pool-v1", "version": "1", "sha256": "0"}}, "pool was .* and is "),
        ({"generation": {"temperature": 0.7}}, "generation was .*0.7.* and is .*0.0"),
        ({"marks": ["<a>", "<b>"]}, r'marks was \["<a>", "<b>"\] and is \["<start_audio>"'),
        ({"manifests": [{"path": "a.jsonl"}]}, r"manifests was .*a.jsonl.* and is \[\]"),
        ({"train_sha256": "0" * 64}, r"train.jsonl was changed since"),
    ],
)
def test_rows_that_were_made_otherwise_are_an_error_that_names_what_differs(
    others: dict[str, Any], said: str, tmp_path: Path
) -> None:
    recipe = tiny(tmp_path)
    with pytest.raises(AkbError, match=said) as error:
        notes(reported(tmp_path, recipe, **others), recipe)
    assert "akb lalm data tiny --fresh" in error.value.fix
    assert "--data" in error.value.fix


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"filters": {"version": filtering.VERSION, "names": ["empty"]}}, r'filters was .*\["empty"\].* and is .*loop'),
        ({"filters": {"version": "1", "names": list(filtering.FILTERS)}}, 'filters was .*"1".* and is '),
        ({"descriptions": "1"}, 'descriptions was "1" and is '),
        ({"per_clip": 3}, "per_clip was 3 and is 1"),
        ({"seed": 7}, "seed was 7 and is 42"),
    ],
)
def test_other_rows_of_the_same_backbone_are_an_error_and_are_made_without_asking_anew(
    others: dict[str, Any], said: str, tmp_path: Path
) -> None:
    recipe = tiny(tmp_path)
    with pytest.raises(AkbError, match=said) as error:
        notes(reported(tmp_path, recipe, **others), recipe)
    assert "akb lalm data tiny. Or train on it as it is: --data" in error.value.fix


def test_fewer_rows_than_the_recipe_wants_are_told(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    data = reported(tmp_path, recipe, rows={"wanted": 1000, "kept": 990, "dropped": 10})
    assert notes(data, recipe) == notes(data, changed(recipe, ["data.rows=1000"])) == ()
    (note,) = notes(data, changed(recipe, ["data.rows=500000"]))
    assert note == "the data is of 1,000 rows, and the recipe's is of 500,000; more: akb lalm data tiny"


def test_rows_that_other_weights_of_the_backbone_wrote_are_an_error(tmp_path: Path) -> None:
    made(tmp_path, train={"steps": 1})
    recipe = session(tmp_path).recipe
    backbone = Path(recipe.backbone)
    reported(tmp_path, recipe, revision=snapshot.find(recipe.backbone).revision)
    record.begun(recipe, session(tmp_path).data)
    weights = backbone / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(AkbError, match=r"the backbone's version was .* and is ") as error:
        record.begun(recipe, session(tmp_path).data)
    assert "--fresh" in error.value.fix
    reported(tmp_path, recipe, revision="a server's", writer="openai:llm")
    assert "the responses are those of openai:llm" in record.begun(recipe, session(tmp_path).data).notes[0]


def test_what_is_odd_about_rows_is_told(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    data = reported(tmp_path, recipe, writer="server", limit=40, dropped={"error": 3, "loop": 2})
    writer, limit, dropped = notes(data, recipe)
    assert "the responses are those of server, not of the backbone" in writer
    assert "the first 40 rows alone" in limit
    assert dropped.startswith("3 rows had no response")
    (data.parent / "report.json").unlink()
    assert notes(data, recipe) == ("there is no report.json beside the data: how it was made is not known",)


def test_a_damaged_report_is_an_error(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    data = reported(tmp_path, recipe)
    for damaged in ("[]", "{", '{"pool"'):
        (data.parent / "report.json").write_text(damaged)
        with pytest.raises(AkbError, match=r"report\.json"):
            notes(data, recipe)


def test_a_training_compares_its_rows_and_keeps_what_it_was_told(tmp_path: Path) -> None:
    made(tmp_path, train={"steps": 1})
    recipe = session(tmp_path).recipe
    data = reported(tmp_path, recipe, limit=40)
    run = session(tmp_path).run()
    assert any("the first 40 rows" in note for note in run.notes)
    reported(tmp_path, recipe, backbone="other")
    with pytest.raises(AkbError, match="the data was made otherwise than the recipe says"):
        session(tmp_path).run()
    assert session(tmp_path, own=False).run() == run  # --data: as it is
    assert run.data == str(data)


def test_released_rows_are_trained_on_from_parquet_with_audio_elsewhere(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    made(tmp_path, train={"steps": 2})
    data = tmp_path / "lalms/tiny/data"
    rows = [json.loads(line) for line in (data / "train.jsonl").read_text().splitlines()]
    (tmp_path / "released").mkdir()
    table = pyarrow.Table.from_pylist([{**row, "messages": json.dumps(row["messages"])} for row in rows])
    parquet.write_table(table, tmp_path / "released/rows.parquet")
    (data / "train.jsonl").unlink()
    done = finish(tmp_path, "--data", "released/rows.parquet", "--audio", str(data), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["data"].endswith("released/rows.parquet")
    assert told["rows"] + told["held_out"] == len(rows)
    with pytest.raises(AkbError, match=r"nowhere.parquet: there is no training data$"):
        session(tmp_path, data=tmp_path / "nowhere.parquet", own=False).run()


def test_a_folder_of_rows_has_a_hash_of_what_is_read_of_it(tmp_path: Path) -> None:
    folder = train_rows(tmp_path, 2)
    first = origin.sha256(folder)
    (folder / "audio/0.wav").write_bytes(b"other")
    assert origin.sha256(folder) == first
    (folder / "more.jsonl").write_text("{}\n")
    second = origin.sha256(folder)
    (folder / "more.jsonl").rename(folder / "other.jsonl")
    assert len({first, second, origin.sha256(folder)}) == 3
