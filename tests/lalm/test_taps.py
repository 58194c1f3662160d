"""The encoder: what is tapped, and what is read of a Whisper's files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lalm_models import BANDS, extractor, whisper, whisper_config
from torch import Tensor
from torch.nn import functional as f
from transformers import WhisperForConditionalGeneration, WhisperModel

from akb.adapters import snapshot
from akb.audio import Sound
from akb.errors import AkbError
from akb.lalm import encoder


def by_hand(state: dict[str, Tensor], features: Tensor, layers: int, heads: int = 4) -> list[Tensor]:
    """Hidden states after each block, written out from the paper and the weights alone."""

    def linear(name: str, x: Tensor) -> Tensor:
        bias = state.get(f"{name}.bias")
        return x @ state[f"{name}.weight"].T + (0 if bias is None else bias)

    def norm(name: str, x: Tensor) -> Tensor:
        spread = ((x - x.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True)
        return (x - x.mean(-1, keepdim=True)) / (spread + 1e-5).sqrt() * state[f"{name}.weight"] + state[f"{name}.bias"]

    def gelu(x: Tensor) -> Tensor:
        return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))

    def heads_of(x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], heads, -1).permute(0, 2, 1, 3)

    x = gelu(f.conv1d(features, state["conv1.weight"], state["conv1.bias"], padding=1))
    x = gelu(f.conv1d(x, state["conv2.weight"], state["conv2.bias"], stride=2, padding=1))
    x = x.permute(0, 2, 1) + state["embed_positions.weight"]
    found = []
    for n in range(layers):
        of = f"layers.{n}"
        y = norm(f"{of}.self_attn_layer_norm", x)
        q, k, v = (heads_of(linear(f"{of}.self_attn.{p}_proj", y)) for p in "qkv")
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        x = x + linear(f"{of}.self_attn.out_proj", (weights @ v).permute(0, 2, 1, 3).reshape(x.shape))
        x = x + linear(f"{of}.fc2", gelu(linear(f"{of}.fc1", norm(f"{of}.final_layer_norm", x))))
        found.append(x)
    return found


def encoder_state(folder: Path) -> dict[str, Tensor]:
    whole = WhisperForConditionalGeneration.from_pretrained(folder)
    return {name: value.detach() for name, value in whole.get_encoder().state_dict().items()}


@pytest.mark.parametrize(("layers", "wanted"), [(4, None), (12, None), (5, (1, 3))])
def test_taps_are_the_states_after_their_blocks_by_a_forward_written_by_hand(
    tmp_path: Path, layers: int, wanted: tuple[int, ...] | None
) -> None:
    found = encoder.load(snapshot.find(str(whisper(tmp_path, layers))), wanted)
    features = torch.randn(3, BANDS, found.frames, generator=torch.Generator().manual_seed(0))
    states = by_hand(encoder_state(tmp_path), features, layers)
    with torch.no_grad():
        taps = found(features)
    assert found.taps == (wanted or {4: (0, 1, 2, 3), 12: (2, 5, 8, 11)}[layers])
    assert taps.shape == (len(found.taps), 3, 100, 24)
    torch.testing.assert_close(taps, torch.stack([states[tap] for tap in found.taps]), rtol=1e-4, atol=1e-4)


def test_the_last_tap_under_the_last_layer_norm_is_what_transformers_gives(tmp_path: Path) -> None:
    found = encoder.load(snapshot.find(str(whisper(tmp_path))))
    whole = WhisperModel.from_pretrained(tmp_path).get_encoder().eval()
    features = torch.randn(2, BANDS, found.frames)
    with torch.no_grad():
        torch.testing.assert_close(whole.layer_norm(found(features)[-1]), whole(features)[0], rtol=1e-5, atol=1e-5)


def test_encoders_saved_in_three_ways_and_in_shards_are_the_same(tmp_path: Path) -> None:
    whole = WhisperForConditionalGeneration.from_pretrained(whisper(tmp_path / "whole"))
    whole.model.save_pretrained(tmp_path / "model")
    whole.get_encoder().save_pretrained(tmp_path / "encoder")
    whole.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 3
    features = torch.randn(1, BANDS, 200)
    expected = encoder.load(snapshot.find(str(tmp_path / "whole")))(features)
    for way in ("model", "encoder", "shards"):
        extractor().save_pretrained(tmp_path / way)
        torch.testing.assert_close(encoder.load(snapshot.find(str(tmp_path / way)))(features), expected)


def test_the_decoders_weights_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors

    read: list[str] = []
    opened = safetensors.safe_open

    class Watched:
        def __init__(self, *args: object) -> None:
            self.inner: Any = opened(*args)

        def __enter__(self) -> Watched:
            self.file: Any = self.inner.__enter__()
            return self

        def __exit__(self, *args: object) -> None:
            self.inner.__exit__(*args)

        def keys(self) -> list[str]:
            return list(self.file.keys())

        def get_tensor(self, name: str) -> Tensor:
            read.append(name)
            tensor: Tensor = self.file.get_tensor(name)
            return tensor

    version = snapshot.find(str(whisper(tmp_path)))
    monkeypatch.setattr(safetensors, "safe_open", Watched)
    encoder.load(version)
    assert read
    assert all(name.startswith("model.encoder.") for name in read)


def test_an_encoder_of_another_length_hears_that_long(tmp_path: Path) -> None:
    found = encoder.load(snapshot.find(str(whisper(tmp_path, seconds=3))))
    assert (found.seconds, found.positions, found.frames) == (3.0, 150, 300)
    assert (found.policy.longest, found.policy.beyond) == (3.0, "chunk")
    sound = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    features = found.features([sound, Sound(sound, 16_000, 1.0)])
    assert features.shape == (2, BANDS, 300)
    torch.testing.assert_close(features[0], features[1])
    assert found(features).shape == (4, 2, 150, 24)


def test_an_encoder_of_unknown_depth_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match=r"6 blocks no taps are known[\s\S]*encoder\.taps"):
        encoder.load(snapshot.find(str(whisper(tmp_path, 6))))
    with pytest.raises(AkbError, match=r"names block 6"):
        encoder.load(snapshot.find(str(tmp_path)), (2, 6))


def test_what_does_not_suit_is_told(tmp_path: Path) -> None:
    found = encoder.load(snapshot.find(str(whisper(tmp_path))))
    with pytest.raises(AkbError, match="16000 Hz, the sound has 8000"):
        found.features([Sound(np.zeros(10, np.float32), 8000, 0.1)])
    with pytest.raises(AkbError, match="at most 32000"):
        found.features([np.zeros(40_000, np.float32)])
    extractor(3).save_pretrained(tmp_path)
    with pytest.raises(AkbError, match="feature extractor gives 16 bands x 300 frames"):
        encoder.load(snapshot.find(str(tmp_path)))
    for file in tmp_path.glob("*.safetensors"):
        file.unlink()
    with pytest.raises(AkbError, match="no weights in safetensors"):
        encoder.load(snapshot.find(str(tmp_path)))


def test_another_kind_of_model_is_no_encoder(tmp_path: Path) -> None:
    config = whisper_config()
    config.model_type = "whisper"
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2"}')
    with pytest.raises(AkbError, match="a Whisper is wanted"):
        encoder.load(snapshot.find(str(tmp_path)))
