"""What the encoder makes of clips: kept whole, found again, made once, and read ahead."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from lalm_models import extractor, whisper_config
from tones import write_tone
from training_parts import made, session
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from akb.audio import chunks as heard_chunks
from akb.audio import clip_of
from akb.errors import AkbError
from akb.lalm.encoder import Taps
from akb.lalm.prompting import IGNORED, Row
from akb.lalm.training import features
from akb.lalm.training.features import Cache, Chunk, Reader, ahead, choose, chunks_of, fill
from akb.lalm.training.rows import Clip, flat


def ear(seed: int = 0, **options: Any) -> Taps:
    torch.manual_seed(seed)
    return Taps(WhisperEncoder(whisper_config()).eval(), extractor(), **options)


def clips(folder: Path) -> dict[str, Clip]:
    """Seven clips; the third is of three chunks."""
    found = {}
    for number in range(7):
        path = folder / f"{number}.wav"
        write_tone(path, 150 + 60 * number, 4.5 if number == 2 else 0.4 + 0.2 * number)
        found[str(path)] = Clip(path, clip_of(path).sha256, 3 if number == 2 else 1)
    return found


def by_hand(one: Taps, chunk: Chunk) -> torch.Tensor:
    sound = heard_chunks(chunk.clip.path, one.policy)[chunk.number]
    with torch.no_grad():
        return one(one.features([sound]))[:, 0]


def test_kept_taps_are_those_of_the_encoder(tmp_path: Path) -> None:
    one, known = ear(), chunks_of(clips(tmp_path))
    assert len(known) == 9
    assert sum("#" in key for key in known) == 3
    cache = Cache(tmp_path / "taps", one, "v1")
    fill(cache, one, known.values())
    cache.refresh()
    assert cache.missing(known.values()) == []
    for chunk in known.values():
        torch.testing.assert_close(cache.read(chunk), by_hand(one, chunk), rtol=1e-4, atol=1e-5)


def test_they_are_found_again_and_not_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, known = ear(), list(chunks_of(clips(tmp_path)).values())
    cache = Cache(tmp_path / "taps", one, "v1")
    fill(cache, one, known[:5])
    again = Cache(tmp_path / "taps", one, "v1")
    again.refresh()
    assert again.missing(known) == known[5:]
    told: list[tuple[int, int]] = []
    fill(again, one, known, lambda done, of: told.append((done, of)))
    assert told == [(4, 4)]
    monkeypatch.setattr(Taps, "forward", None)
    again.refresh()
    fill(again, one, known)


def test_another_encoder_taps_or_precision_has_a_cache_of_its_own(tmp_path: Path) -> None:
    one = ear()
    folders = {
        Cache(tmp_path, one, "v1").folder,
        Cache(tmp_path, one, "v2").folder,
        Cache(tmp_path, ear(taps=(1, 3)), "v1").folder,
        Cache(tmp_path, ear().to(torch.bfloat16), "v1").folder,
    }
    assert len(folders) == 4
    assert Cache(tmp_path, ear(1), "v1").folder in folders
    assert "16000 Hz, mono" in (Cache(tmp_path, one, "v1").folder / "encoder.txt").read_text()


def test_a_half_written_shard_is_not_taken_for_one(tmp_path: Path) -> None:
    one, known = ear(), list(chunks_of(clips(tmp_path)).values())
    cache = Cache(tmp_path / "taps", one, "v1")
    fill(cache, one, known)
    (shard,) = cache.folder.glob("*.safetensors")
    whole = shard.read_bytes()
    (shard.with_name(".abc.99.part")).write_bytes(whole)
    for cut in (len(whole) // 2, 4, 0):
        shard.write_bytes(whole[:cut])
        again = Cache(tmp_path / "taps", one, "v1")
        again.refresh()
        assert again.missing(known) == known
    fill(again, one, known)
    again.refresh()
    torch.testing.assert_close(again.read(known[0]), by_hand(one, known[0]), rtol=1e-4, atol=1e-5)


def test_two_threads_read_one_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of the training and held-out rows are read ahead at once."""
    monkeypatch.setattr(features, "OPEN", 2)
    one = Cache(tmp_path, ear(), "v1")
    known = [Chunk(Clip(Path("x"), f"{number}", 1), 0) for number in range(40)]
    for start in range(0, 40, 4):
        one.write(
            {Cache.key(chunk): torch.full((4, 50, 24), float(chunk.clip.sha256)) for chunk in known[start : start + 4]}
        )
    one.refresh()

    def read(seed: int) -> None:
        draw = np.random.default_rng(seed)
        for number in draw.integers(0, 40, 1500):
            assert float(one.read(known[number])[0, 0, 0]) == number

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(read, seed) for seed in range(2)]:
            done.result()


def test_told_to_stop_no_further_shard_is_made_and_those_that_were_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "SHARD", 2)
    one, known = ear(), list(chunks_of(clips(tmp_path)).values())
    cache = Cache(tmp_path / "taps", one, "v1")
    asked = iter([False, True])
    with pytest.raises(KeyboardInterrupt):
        fill(cache, one, known, stopped=lambda: next(asked))
    cache.refresh()
    assert len(cache.missing(known)) == len(known) - 4


def test_a_training_that_is_told_to_stop_while_clips_are_encoded_stops_after_the_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path)
    forward = Taps.forward

    def told(self: Taps, mels: torch.Tensor) -> torch.Tensor:
        monkeypatch.undo()  # once
        signal.raise_signal(signal.SIGTERM)
        return forward(self, mels)

    monkeypatch.setattr(Taps, "forward", told)
    with pytest.raises(KeyboardInterrupt):
        session(tmp_path).run()
    assert len(list((tmp_path / "lalms/.taps").rglob("*.safetensors"))) == 1


def test_a_shard_for_which_there_is_no_room_leaves_nothing_and_old_parts_go(tmp_path: Path) -> None:
    one = ear()
    cache = Cache(tmp_path, one, "v1")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(AkbError, match="cannot be written") as error:
            cache.write({"a.0": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert "--out" not in error.value.fix
    old, young = cache.folder / ".abc.99.part", cache.folder / ".def.98.part"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * features.LEFT,) * 2)
    fill(cache, one, [])
    assert sorted(path.name for path in cache.folder.iterdir()) == [young.name, "encoder.txt"]


def test_shards_of_two_devices_together_hold_everything_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "SHARD", 2)
    one, known = ear(), list(chunks_of(clips(tmp_path)).values())
    cache = Cache(tmp_path / "taps", one, "v1")
    for device in range(2):
        fill(cache, one, known, device=device, devices=2)
    assert len(list(cache.folder.glob("*.safetensors"))) == 5
    cache.refresh()
    assert cache.missing(known) == []


def test_by_itself_taps_are_kept_where_they_are_used_again_and_there_is_room(tmp_path: Path) -> None:
    one = ear()

    def chosen(wanted: Any = "auto", trained: bool = False, number: int = 10, uses: float = 5.0) -> features.Choice:
        return choose(wanted, one, trained=trained, number=number, uses=uses, folder=tmp_path)

    assert chosen().on
    assert chosen(uses=1.0) == features.Choice(False, "each clip is heard once")
    assert chosen(number=0, uses=1.0) == features.Choice(True, "all of it is there")
    assert not chosen(number=10**9).on
    assert "GB for 1,000,000,000 chunks" in chosen(number=10**9).why
    assert not chosen("off").on
    assert not chosen(trained=True).on
    assert chosen("on", uses=1.0).on
    with pytest.raises(AkbError, match="too little room"):
        chosen("on", number=10**9)
    with pytest.raises(AkbError, match="the encoder is trained"):
        chosen("on", trained=True)
    assert features.bytes_of(one) == 4 * 100 * 24 * 4


def rows_of(known: dict[str, Clip]) -> Any:
    keys = list(chunks_of(known))
    made_rows = [Row((1, 2, 3, 4), (IGNORED, IGNORED, 3, 4), (0,), (key,)) for key in keys]
    return flat([*made_rows, made_rows[0], Row((5, 6), (IGNORED, 6))])


def test_batches_hold_each_chunk_once_whether_from_disk_or_from_files(tmp_path: Path) -> None:
    one, known = ear(), clips(tmp_path)
    rows, chunks = rows_of(known), chunks_of(known)
    cache = Cache(tmp_path / "taps", one, "v1")
    fill(cache, one, chunks.values())
    cache.refresh()
    parts = [np.array(part) for part in ([0, 9, 3], [2, 4, 10], [10], [8, 7, 6, 5])]
    kept = list(Reader(rows, chunks, 0, one, cache).batches(iter(parts)))
    fresh = list(Reader(rows, chunks, 0, one).batches(iter(parts)))
    assert [len(batch.clip_of) for batch in kept] == [3, 2, 0, 4]
    assert kept[0].taps is not None
    assert kept[0].taps.shape[1] == 2  # rows 0 and 9 hear the same
    assert kept[2].taps is None
    for a, b in zip(kept, fresh, strict=True):
        assert torch.equal(a.ids, b.ids)
        if a.taps is not None:
            assert b.features is not None
            with torch.no_grad():
                torch.testing.assert_close(a.taps, one(b.features), rtol=1e-4, atol=1e-5)


def test_a_clip_that_cannot_be_heard_stops_the_training_with_its_name(tmp_path: Path) -> None:
    folder = made(tmp_path).parent / "lalms/tiny/data"
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for line in lines:  # lengths that are told are not read from files
        line["duration"] = 2.5 if int(Path(line["messages"][0]["audios"][0]["audio"]).stem) % 5 == 4 else 0.5
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "audio/5.wav").write_bytes(b"no audio at all")
    with pytest.raises(AkbError, match=r"5\.wav"):
        session(tmp_path).run()


def tell(folder: Path) -> None:
    """Rows tell hash and duration of their clips, as those that akb makes do."""
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for line in lines:
        path = folder / line["messages"][0]["audios"][0]["audio"]
        line |= {"audio_sha256": [clip_of(path).sha256], "duration": soundfile.info(path).duration}
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("cache", ["on", "off"])
def test_a_clip_that_changed_since_the_data_was_made_is_not_trained_on(cache: str, tmp_path: Path) -> None:
    folder = made(tmp_path, train={"cache": cache}).parent / "lalms/tiny/data"
    tell(folder)
    write_tone(folder / "audio/5.wav", 3000, 0.5)
    with pytest.raises(AkbError, match=r"5\.wav: the clip has changed since the data was made"):
        session(tmp_path).run()
    for shard in (tmp_path / "lalms/.taps").rglob("*.safetensors"):  # what is there is of the clips that are known
        assert clip_of(folder / "audio/5.wav").sha256 not in shard.read_bytes().decode("latin1")


def test_a_duration_that_is_not_the_clips_does_not_cut_it(tmp_path: Path) -> None:
    folder = made(tmp_path).parent / "lalms/tiny/data"
    tell(folder)
    text = (folder / "train.jsonl").read_text()
    (folder / "train.jsonl").write_text(text.replace('"duration": 2.5', '"duration": 0.5'))
    with pytest.raises(AkbError, match=r"\d+\.wav: the clip lasts 2.5 s, and the data tells another duration"):
        session(tmp_path).run()


def test_batches_of_rows_without_audio_do_not_pile_up() -> None:
    def alive() -> int:
        return sum(type(one) is Row for one in gc.get_objects())

    gc.collect()
    rows, before = flat([Row((5, 6, 7), (IGNORED, 6, 7)) for _ in range(3)]), alive()
    batches = Reader(rows, {}, 0, ear()).batches(np.arange(3) for _ in range(10_000))
    assert all(next(batches).ids.tolist() == [[5, 6, 7]] * 3 for _ in range(100))
    assert alive() - before < 30
    batches.close()  # type: ignore[attr-defined]


# -- ahead --


def test_items_come_in_order_and_no_more_are_made_than_said() -> None:
    made_items: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            made_items.append(number)
            yield number

    found = []
    for number in ahead(items(), 2):
        assert len(made_items) <= number + 5
        found.append(number)
    assert found == list(range(20))


def test_an_error_on_the_thread_is_raised_where_items_are_wanted() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise AkbError("broken")

    one = ahead(items(), 2)
    assert next(one) == 1
    with pytest.raises(AkbError, match="broken"):
        next(one)


def test_no_thread_is_left_when_nobody_wants_more() -> None:
    one = ahead(iter(range(100)), 2)
    next(one)
    one.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]
