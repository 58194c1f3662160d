"""The ear: a Whisper encoder (Radford et al. 2022, arXiv 2212.04356) of any size, tapped on the way.

DeSTA taps four blocks (arXiv 2507.02768), each before the encoder's last layer norm. What stands above the last tap is
not computed, and of a Whisper's files the encoder's weights alone are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from akb.adapters.loading import explained_load, imported, quiet
from akb.adapters.snapshot import Snapshot, weights
from akb.audio import Policy, Sound
from akb.errors import AkbError
from akb.lalm.shapes import taps_of

PREFIXES = ("model.encoder.", "encoder.", "")  # of WhisperForConditionalGeneration, WhisperModel, the encoder alone


class Taps(nn.Module):  # type: ignore[misc]
    """An encoder and where it is tapped.

    Args:
        encoder: a WhisperEncoder of transformers.
        extractor: its feature extractor.
        taps: blocks, counted from 0; null: by depth.
        where: names it in errors.

    Attributes:
        width: of the hidden states; `positions`: how many a clip has; `heads`: of its attention.
        frames: of the log-mel spectrogram that it takes; `seconds`: of audio.
    """

    def __init__(self, encoder: Any, extractor: Any, taps: Sequence[int] | None = None, where: str = "encoder") -> None:
        super().__init__()
        self.encoder, self.extractor, self.where = encoder, extractor, where
        config = encoder.config
        self.taps = taps_of(config.encoder_layers, taps, where)
        self.width, self.heads = int(config.d_model), int(config.encoder_attention_heads)
        self.positions = int(config.max_source_positions)
        self.frames = self.positions * encoder.conv1.stride[0] * encoder.conv2.stride[0]
        if extractor.nb_max_frames != self.frames or extractor.feature_size != config.num_mel_bins:
            raise AkbError(
                f"the feature extractor gives {extractor.feature_size} bands x {extractor.nb_max_frames} frames, the "
                f"encoder takes {config.num_mel_bins} x {self.frames}",
                where=where,
                fix="preprocessor_config.json is another model's.",
            )

    def parts(self) -> list[nn.Module]:
        """What is computed of the encoder and can be trained: all but positions and what is above the last tap."""
        return [self.encoder.conv1, self.encoder.conv2, *self.encoder.layers[: self.taps[-1] + 1]]

    @property
    def rate(self) -> int:
        """Samples a second."""
        return int(self.extractor.sampling_rate)

    @property
    def seconds(self) -> float:
        return float(self.extractor.n_samples / self.rate)

    @property
    def policy(self) -> Policy:
        """How clips are decoded for it; longer ones in several chunks, each a block of its own."""
        return Policy(rate=self.rate, channels="mono", longest=self.seconds, beyond="chunk")

    @property
    def dtype(self) -> torch.dtype:
        kind: torch.dtype = self.encoder.conv1.weight.dtype
        return kind

    def features(self, sounds: Sequence[Sound | NDArray[np.float32]]) -> Tensor:
        """Log-mel spectrograms, (clips, bands, frames) in fp32, of sounds or of samples at the encoder's rate.

        Raises:
            AkbError: a sound has another rate, or is longer than the encoder hears.
        """
        samples = [self._samples(sound) for sound in sounds]
        if not samples:
            return torch.zeros(0, self.extractor.feature_size, self.frames)
        made = self.extractor(samples, sampling_rate=self.rate, return_tensors="np", padding="max_length")
        return torch.from_numpy(np.asarray(made["input_features"], np.float32))

    def _samples(self, sound: Sound | NDArray[np.float32]) -> NDArray[np.float32]:
        if isinstance(sound, Sound) and sound.rate != self.rate:
            raise AkbError(f"the encoder hears {self.rate} Hz, the sound has {sound.rate}", where=self.where)
        samples = sound.samples if isinstance(sound, Sound) else sound
        if samples.ndim != 1 or len(samples) > self.extractor.n_samples:
            raise AkbError(f"samples of shape {samples.shape}; mono of at most {self.extractor.n_samples} is wanted",
                           where=self.where, fix="Cut it into chunks: akb.audio.chunks.")  # fmt: skip
        return samples

    def forward(self, features: Tensor) -> Tensor:
        """Hidden states after each tapped block, (taps, clips, positions, width), in the encoder's dtype.

        Args:
            features: (clips, bands, frames).
        """
        if features.shape[-1] != self.frames:
            raise ValueError(f"{features.shape[-1]} frames; {self.frames} are wanted")
        encoder, tapped = self.encoder, []
        hidden = functional.gelu(encoder.conv1(features.to(self.dtype)))
        hidden = functional.gelu(encoder.conv2(hidden)).transpose(1, 2) + encoder.embed_positions.weight
        for number, block in enumerate(encoder.layers[: self.taps[-1] + 1]):
            hidden = block(hidden, None)
            if number in self.taps:
                tapped.append(hidden)
        return torch.stack(tapped)


def load(snapshot: Snapshot, taps: Sequence[int] | None = None, dtype: torch.dtype = torch.float32) -> Taps:
    """The encoder of a Whisper, or one that was saved alone.

    Raises:
        AkbError: the files are no Whisper's, have no such weights, or not all of them.
    """
    where = f"encoder {snapshot.name}"
    transformers = imported(where)
    kind = snapshot.config.get("model_type")
    if kind != "whisper":
        raise AkbError(f"the model is of the type {kind!r}; a Whisper is wanted", where=where)
    taps = taps_of(int(snapshot.config.get("encoder_layers", 6)), taps, where)  # before weights are fetched
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    with quiet(), explained_load(where, "encoder"):
        config = transformers.WhisperConfig.from_pretrained(str(snapshot.folder))
        extractor = transformers.WhisperFeatureExtractor.from_pretrained(str(snapshot.folder))
        config._attn_implementation = "sdpa"
        with torch.device("meta"):
            encoder = WhisperEncoder(config)
    state = _encoder_weights(weights(snapshot) or snapshot.folder, where)
    wanted = set(encoder.state_dict())
    if missing := sorted(wanted - set(state)):
        raise AkbError(f"of the encoder's {len(wanted)} weights {len(missing)} are missing: {', '.join(missing[:5])} "
                       "...", where=where)  # fmt: skip
    with explained_load(where, "encoder"):
        encoder.load_state_dict({name: state[name].to(dtype) for name in wanted}, assign=True)
    return Taps(encoder.eval(), extractor, taps, where)


def _encoder_weights(folder: Path, where: str) -> dict[str, Tensor]:
    """Tensors of the encoder in a folder's safetensors files, by their names within it; others are not read."""
    from safetensors import safe_open

    files = sorted(folder.glob("model*.safetensors"))
    found: dict[str, Tensor] = {}
    with explained_load(where, "encoder"):
        for file in files:
            with safe_open(str(file), "pt") as opened:
                names = list(opened.keys())
                prefix = next((p for p in PREFIXES if any(name.startswith(f"{p}conv1.") for name in names)), None)
                prefix = prefix if prefix is not None else _prefix(names)
                found |= {name.removeprefix(prefix): opened.get_tensor(name)
                          for name in names if name.startswith(prefix)}  # fmt: skip
    if not found:
        raise AkbError("there are no weights in safetensors files (model*.safetensors)", where=where,
                       fix="Save the model anew with transformers' save_pretrained.")  # fmt: skip
    return found


def _prefix(names: Sequence[str]) -> str:
    """Of a part of the weights that does not hold the first layer."""
    return next((p for p in PREFIXES if p and any(name.startswith(p) for name in names)), "")
