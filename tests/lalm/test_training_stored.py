"""Rows of a training are read and tokenised once, in little memory, and found on disk from then on."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import soundfile
from lalm_models import backbone, tokenizer
from tones import write_tone
from training_parts import made, session

from akb.errors import AkbError
from akb.lalm.data import rows as data_rows
from akb.lalm.prompting import Heard, Prompting, Row, Turn
from akb.lalm.recipe import Recipe, read
from akb.lalm.saving import Grounded, untrained
from akb.lalm.training import outline, record, rows, stored
from akb.lalm.training.record import changed
from akb.lalm.training.session import Session, _accelerator

SAMPLES, RATE = 32_000, 16_000  # what the tiny encoder hears at once
DECIDED_OTHERWISE = {  # fields of a recipe that no row depends on; an encoder is told by what it hears at once
    "name", "title", "source", "backbone", "lora", "encoder.model", "encoder.revision", "encoder.taps",
    "encoder.trained", "connector.layers", "connector.inner", "connector.heads", "connector.dropout", "data.manifests",
    "data.prompts", "data.per_clip", "data.generation", "data.filters", "train.epochs", "train.steps", "train.batch",
    "train.micro_batch", "train.lr", "train.betas", "train.weight_decay", "train.warmup", "train.schedule",
    "train.clip", "train.precision", "train.checkpointing", "train.bucket", "train.cache", "train.eval_every",
    "train.save_every", "train.seed", "seeds.weights",
}  # fmt: skip


def write_rows(folder: Path) -> Path:
    """Rows of one clip, two clips, clips of two chunks, copies of a clip, and none; some tell hash and duration."""
    data = folder / "lalms/tiny/data"
    for number in range(24):
        write_tone(data / f"audio/{number}.wav", 200 + 37 * (number - (number == 7)), 2.5 if number % 6 == 4 else 0.4)
    lines: list[dict[str, Any]] = []
    draw = Random(1)
    for number in range(60):
        some = [] if number % 20 == 3 else [number % 24] if number % 4 else [number % 24, (5 * number + 1) % 24]
        audios = [{"audio": f"audio/{n}.wav", "text": "said <|im_end|> so" if (n + number) % 3 else ""} for n in some]
        content = "Listen. " + " then ".join("<|AUDIO|>" for _ in some) + draw.choice(["", "\nWhat <|video_pad|>?"])
        turns = [{"role": "user", "content": content, "audios": audios}]
        if number % 5 == 0:
            turns.insert(0, {"role": "system", "content": "Hear."})
        line = {"id": f"r{number}", "messages": turns, "response": "ding " * draw.randint(1, 9) + "<|im_end|>."}
        if number % 7 == 1 and len(some) == 1:
            path = data / f"audio/{some[0]}.wav"
            line |= {"audio_sha256": [hashlib.sha256(path.read_bytes()).hexdigest()],
                     "duration": soundfile.info(path).duration}  # fmt: skip
        lines.append(line)
    (data / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return data


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recipe, models and rows, for those who leave them as they are."""
    folder = tmp_path_factory.mktemp("whole")
    made(folder, clips=0)
    write_rows(folder)
    return folder


@pytest.fixture
def own(whole: Path, tmp_path: Path) -> Path:
    """Such a folder, to be changed."""
    shutil.rmtree(whole / "lalms/tiny/train", ignore_errors=True)
    return Path(shutil.copytree(whole, tmp_path / "own"))


def ready(folder: Path, *changes: str) -> Session:
    """A training of such rows."""
    return session(folder, recipe=changed(session(folder).recipe, list(changes)), own=False)


def grounded_of(doing: Session) -> tuple[Grounded, record.Run]:
    doing.place.mkdir(parents=True, exist_ok=True)
    doing.accelerator = _accelerator("cpu", None, doing.place)
    return untrained(doing.recipe), record.begun(doing.recipe, doing.data, own=False)


def data_of(doing: Session) -> stored.Data:
    return doing._data(*grounded_of(doing))


def plain_way(doing: Session) -> tuple[list[Row], list[Row]]:
    return plainly(doing.recipe, doing.data, untrained(doing.recipe).prompting)


def listed(found: rows.Rows) -> list[Row]:
    return [found[number] for number in range(len(found))]


# -- the plain way: all rows in a list, one after another ---------------------------------------------------------


def parts_of(row: data_rows.Row) -> list[tuple[str, str]]:
    return [(audio.audio, audio.text) for audio in row.audios]


def plainly(recipe: Recipe, file: Path, prompting: Prompting) -> tuple[list[Row], list[Row]]:
    found = list(data_rows.read(file))[: recipe.data.rows]
    paths = {path for row in found for path, _ in parts_of(row)}
    sha = {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}
    every = set(sha.values())
    number = round(len(every) * min(recipe.train.held_out, 512 / len(found)))
    number = max(number, 1) if recipe.train.held_out > 0 and len(every) >= 10 else 0
    seed = recipe.seeds.data
    out = sorted(every, key=lambda name: hashlib.sha256(f"{seed}\x1f{name}".encode()).digest())[:number]
    apart = [any(sha[path] in out for path, _ in parts_of(row)) for row in found]
    parts = [[row for row, is_out in zip(found, apart, strict=True) if is_out is part] for part in (False, True)]
    heard = [[parts_of(row) for row in part] for part in parts]
    if recipe.data.shuffled:
        heard[0] = shuffled_plainly(heard[0], sha, seed)
        several = {tuple(sha[path] for path, _ in one) for one in heard[1]}
        if all(sum(len(one) == number for one in several) > 1 for number in map(len, several)):
            heard[1] = shuffled_plainly(heard[1], sha, seed)
        else:
            parts[1], heard[1] = [], []
    train, held = ([written(row, told, prompting, recipe.train.max_length) for row, told in zip(*both, strict=True)]
                   for both in zip(parts, heard, strict=True))  # fmt: skip
    return train, held


def shuffled_plainly(heard: list[Any], sha: dict[str, str], seed: int) -> list[Any]:
    def name(one: Any) -> tuple[str, ...]:
        return tuple(sha[path] for path, _ in one)

    order: dict[int, dict[tuple[str, ...], Any]] = {}
    for one in heard:
        order.setdefault(len(one), {}).setdefault(name(one), one)
    other: dict[tuple[str, ...], Any] = {}
    for number, known in sorted(order.items()):
        names = sorted(known)
        if number:
            Random(f"{seed}:{number}").shuffle(names)
        other |= {one: known[names[n - 1]] for n, one in enumerate(names)}
    return [other[name(one)] for one in heard]


def written(row: data_rows.Row, told: list[tuple[str, str]], prompting: Prompting, longest: int) -> Row:
    given, turns = iter(told), []
    for turn in row.messages:
        parts: list[str | Heard] = []
        for part in turn.parts:
            if isinstance(part, str):
                parts.append(part)
            else:
                path, text = next(given)
                chunks = math.ceil(soundfile.info(path).frames / SAMPLES)
                parts.append(Heard(path, (text or None, *[None] * (chunks - 1))))
        turns.append(Turn(turn.role, tuple(parts)))
    return prompting.row(turns, row.response, longest=longest)


def groups_plainly(found: list[Row]) -> list[int]:
    known: dict[Any, int] = {}
    return [known.setdefault(row.clips or n, len(known)) for n, row in enumerate(found)]


@pytest.mark.parametrize(
    "changes",
    [(), ("data.shuffled=true", "train.held_out=0.3"), ("data.shuffled=true", "seeds.data=5"),
     ("data.rows=31", "train.held_out=0.2"), ("train.held_out=0", "prompt.transcripts=false"),
     ("train.max_length=155",)],
    ids=["as it is", "shuffled", "shuffled, few held out", "some", "none held out", "cut"],
)  # fmt: skip
def test_rows_are_those_that_the_plain_way_makes(
    changes: tuple[str, ...], whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BLOCK", 7)
    doing = ready(whole, *changes)
    grounded, run = grounded_of(doing)
    found = doing._data(grounded, run)
    train, held = plainly(doing.recipe, doing.data, grounded.prompting)
    for ours, plain in ((found.train, train), (found.held, held)):
        assert listed(ours) == plain
        assert ours.keys == tuple(dict.fromkeys(key for row in plain for key in row.clips))
        assert ours.groups.tolist() == groups_plainly(plain)
        assert ours.lengths.tolist() == [len(row.ids) for row in plain]
        assert ours.labelled.tolist() == [sum(label >= 0 for label in row.labels) for row in plain]
    assert all(clip.sha256 == hashlib.sha256(clip.path.read_bytes()).hexdigest() for clip in found.clips.values())
    assert len(train) > 20
    assert bool(held) is ("train.held_out=0" not in changes and "seeds.data=5" not in changes)


@pytest.mark.parametrize("style", ["llama", "qwen", "phi", "olmo"])
def test_rows_tokenised_together_are_those_tokenised_alone_and_errors_are_their_own(style: str, tmp_path: Path) -> None:
    made(tmp_path, clips=1)
    doing = session(tmp_path)
    shutil.rmtree(tmp_path / "llm")
    backbone(tmp_path / "llm", style=style)
    prompting = untrained(doing.recipe).prompting
    clip, long = Heard("a", ("hello there",)), Heard("b", (None, "x" * 300))
    asked: list[tuple[tuple[Turn, ...], str | None]] = [
        ((Turn("user", (clip, "\nWhat? ")),), "A bell."),
        ((Turn("user", (prompting.written, long, f"and {prompting.written} what")),), " \n<|im_end|> é"),
        ((Turn("user", ("x" * 400,)),), "too long"),
        ((Turn("system", ("Hear.",)), Turn("user", (long, clip))), None),
        ((Turn("user", ("no clip",)),), "y" * 500),
    ]
    found = prompting.rows(asked, longest=310)
    assert [isinstance(one, AkbError) for one in found] == [False, False, True, False, False]
    for (turns, response), one in zip(asked, found, strict=True):
        if isinstance(one, AkbError):
            with pytest.raises(AkbError, match=r"the prompt takes \d+ tokens, a row 310 at most"):
                prompting.row(turns, response, longest=310)
        else:
            assert one == prompting.row(turns, response, longest=310)


def test_no_more_rows_are_in_memory_than_are_tokenised_together(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BLOCK", 8)
    doing, alive, most = ready(own), weakref.WeakSet[Any](), [0]
    plain = data_rows.read

    def counted(*args: Any) -> Iterator[data_rows.Row]:
        for row in plain(*args):
            alive.add(row)
            most[0] = max(most[0], len(alive))
            yield row

    monkeypatch.setattr(data_rows, "read", counted)
    data_of(doing)
    assert 1 <= most[0] <= 10


# -- on disk -------------------------------------------------------------------------------------------------------


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("rows are made anew")


def test_whoever_goes_on_reads_them_from_disk_mapped_into_memory(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = data_of(ready(whole))
    monkeypatch.setattr(Session, "_tokenised", refuse)
    again = data_of(ready(whole, "train.lr=0.5", "train.epochs=9"))
    assert (listed(again.train), listed(again.held), again.clips) == (listed(first.train), listed(first.held),
                                                                      first.clips)  # fmt: skip
    base: Any = again.train.ids
    while isinstance(base, np.ndarray):
        base = base.base
    assert type(base).__name__ == "mmap"


def spoil(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return write


@pytest.mark.parametrize("name", ["index.json", "clips.jsonl", "train-ids.npy", "train-starts.npy", "held-keys.npy"])
@pytest.mark.parametrize(
    "harm",
    [spoil(lambda told: told[: len(told) // 2]), spoil(lambda told: told[:-9] + bytes([told[-9] ^ 1]) + told[-8:]),
     Path.unlink, spoil(lambda told: b"")],
    ids=["half", "a bit", "gone", "empty"],
)  # fmt: skip
def test_torn_rows_are_not_taken(name: str, harm: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    clip = tmp_path / "a.wav"
    clip.write_bytes(b"a")
    found = stored.Data(rows.flat([Row((1, 2, 3), (-100, 2, 3), (0,), (str(clip),))] * 3),
                        rows.flat([Row((1, 2), (-100, 2), (0,), (str(clip),))]),
                        {str(clip): rows.Clip(clip, "a", 1)})  # fmt: skip
    stored.write(folder, "made", found)
    assert stored.is_whole(folder, "made")
    assert not stored.is_whole(folder, "of something else")
    assert listed(stored.read(folder).train) == listed(found.train)
    harm(folder / name)
    assert not stored.is_whole(folder, "made")
    stored.write(folder, "made", found)
    assert stored.is_whole(folder, "made")


def test_torn_rows_are_made_anew(own: Path) -> None:
    first = listed(data_of(ready(own)).train)
    ids = own / "lalms/tiny/train/rows/train-ids.npy"
    spoil(lambda told: told[:-4] + b"\1\0\0\0")(ids)
    assert listed(data_of(ready(own)).train) == first


def test_rows_that_cannot_be_written_leave_what_stands_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, found = tmp_path / "rows", stored.Data(rows.flat([Row((1, 2), (-100, 2))]), rows.flat([]), {})
    stored.write(folder, "first", found)
    save, left = np.save, [3]

    def full(*args: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise OSError(28, "No space left on device")
        save(*args)

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(AkbError, match=r"cannot be written: No space left on device") as error:
        stored.write(folder, "second", found)
    assert "Make room" in error.value.fix
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]
    assert stored.is_whole(folder, "first")


def leaves(value: Any, name: str = "", whole: Iterable[str] = ("data.generation",)) -> Iterator[str]:
    if isinstance(value, dict) and value and name not in whole:
        for key, one in value.items():
            yield from leaves(one, f"{name}.{key}" if name else key, whole)
    else:
        yield name


def test_of_every_field_of_a_recipe_it_is_decided_whether_rows_depend_on_it(whole: Path) -> None:
    recipe = read(whole / "tiny.yaml")
    every = set(leaves(recipe.model_dump(mode="json")))
    told = set(leaves(stored.fields(recipe)))
    assert told | DECIDED_OTHERWISE == every
    assert not told & DECIDED_OTHERWISE


def other_template(folder: Path) -> None:
    changed_tokenizer = tokenizer("qwen")
    changed_tokenizer.chat_template = changed_tokenizer.chat_template.replace("helpful", "hearing")
    changed_tokenizer.save_pretrained(folder / "llm")


def other_data(folder: Path) -> None:
    path = folder / "lalms/tiny/data/train.jsonl"
    path.write_text(path.read_text().replace("ding", "dong", 1))


def other_clip(folder: Path) -> None:
    write_tone(folder / "lalms/tiny/data/audio/3.wav", 3000, 2.5)


@pytest.mark.parametrize("change", [other_template, other_data, other_clip], ids=lambda change: change.__name__)
def test_rows_of_another_template_of_other_data_or_clips_are_made_anew(
    change: Callable[[Path], None], own: Path
) -> None:
    before = data_of(ready(own))
    kept = listed(before.train) + listed(before.held)
    change(own)
    doing = ready(own)
    after = data_of(doing)
    train, held = plain_way(doing)
    assert (listed(after.train), listed(after.held)) == (train, held)
    assert train + held != kept


def test_rows_of_another_recipe_or_place_have_another_digest(whole: Path) -> None:
    doing = ready(whole)
    grounded, run = grounded_of(doing)
    found = {stored.digest(run, grounded, whole), stored.digest(run, grounded, whole / "elsewhere")}
    pairs = ["data.rows=40", "data.shuffled=true", "seeds.data=7", "connector.queries=5", "prompt.start='<'",
             "prompt.transcript_tokens=2", "train.held_out=0.4", "train.max_length=150"]  # fmt: skip
    for pair in pairs:
        grounded.recipe = changed(doing.recipe, [pair])
        found.add(stored.digest(run, grounded, whole))
    assert len(found) == 2 + len(pairs)
    grounded.recipe = doing.recipe
    assert stored.digest(run, grounded, whole) in found


def test_a_clip_that_is_gone_is_told_when_it_goes_on(own: Path) -> None:
    data_of(ready(own))
    (own / "lalms/tiny/data/audio/3.wav").unlink()
    with pytest.raises(AkbError, match=r"1 of 24 clips cannot be heard: .*3\.wav: there is no such file"):
        data_of(ready(own))


def test_data_that_changes_while_it_is_read_is_told_and_nothing_is_kept(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doing, plain = ready(own), outline.held_out
    changes = iter([("audio/5.wav", "audio/55.wav"), ("ding", "dong")])

    def meanwhile(*args: Any) -> Any:
        doing.data.write_text(doing.data.read_text().replace(*next(changes)))
        return plain(*args)

    monkeypatch.setattr("akb.lalm.training.session.held_out", meanwhile)
    for _ in range(2):
        with pytest.raises(AkbError, match="changed while they were read"):
            data_of(doing)
        write_rows(own)
    assert not (doing.place / "rows").exists()


def test_other_processes_wait_until_it_is_told_that_rows_are_made_or_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "WAIT", 0.01)
    stored.tell(tmp_path, "the launch before", stored.MADE)
    waiting = threading.Thread(target=stored.wait, args=(tmp_path, "this"), daemon=True)
    waiting.start()
    time.sleep(0.1)
    assert waiting.is_alive()
    stored.tell(tmp_path, "this", stored.MADE)
    waiting.join(10)
    assert not waiting.is_alive()
    stored.tell(tmp_path, "this", stored.FAILED)
    with pytest.raises(AkbError, match="the first process could not read the rows"):
        stored.wait(tmp_path, "this")


def test_a_folder_that_another_machine_does_not_see_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "WAIT", 0.01)
    monkeypatch.setattr(stored, "SEEN", 0.05)
    with pytest.raises(AkbError, match="one folder that all machines share"):
        stored.wait(tmp_path, "this")
    stored.tell(tmp_path, "this", stored.BEGUN)  # seen, and not over: waited for beyond that time
    waiting = threading.Thread(target=stored.wait, args=(tmp_path, "this"), daemon=True)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    stored.tell(tmp_path, "this", stored.MADE)
    waiting.join(10)
    assert not waiting.is_alive()
