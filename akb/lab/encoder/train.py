"""Train lab-encoder, from nothing, on one thread of an ordinary computer.

    python -m akb.lab.encoder.train --out lalm/lab-encoder

It learns to tell attributes that are exactly known, by heads that are thrown away; what is left is an encoder in
Whisper's form, which stands in for Whisper where sounds of akb.lab.sound are heard. Clips are rendered on the spot (and
kept in a folder, so that a broken run goes on). The same settings give the same weights on the same kind of processor
with the same torch.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from akb.lab.encoder.attributes import (
    IGNORED,
    PITCHES,
    POSITIONS,
    SLOTS,
    STEP,
    Classes,
    Told,
    classes,
    numbered,
    told,
)  # fmt: skip
from akb.lab.encoder.clips import BANDS, clips, extractor, features
from akb.lab.train import rate
from akb.settings import cache_folder

if TYPE_CHECKING:
    from transformers import WhisperConfig


ALIKE = 16  # batches whose clips are sorted by length together


@dataclass(frozen=True)
class Settings:
    """Every choice of the run.

    Attributes:
        items, random: scenes of questions like lab-audio's, and scenes drawn at random; `seed` of both.
        valid: (items, random, seed) to validate on.
        passes: how often each clip is heard: first among clips of like length and without the silence after the
            longest, which saves half of the time; then whole, as it is heard afterwards.
        louder: spectrograms are moved by at most so much up or down (0.25 is 10 dB), so that level is no sure sign.
    """

    items: int = 8_000
    random: int = 3_000
    seed: int = 100
    valid: tuple[int, int, int] = (600, 200, 300)
    passes: tuple[int, int] = (5, 2)
    batch: int = 32
    peak: float = 2e-3
    warm_up: float = 0.03
    weight_decay: float = 0.05
    louder: float = 0.08
    width: int = 192
    layers: int = 4
    heads: int = 3
    inner: int = 384


def config(settings: Settings) -> WhisperConfig:
    """Of the encoder; the decoder's part is never used."""
    from transformers import WhisperConfig

    return WhisperConfig(
        d_model=settings.width,
        encoder_layers=settings.layers,
        encoder_attention_heads=settings.heads,
        encoder_ffn_dim=settings.inner,
        num_mel_bins=BANDS,
        max_source_positions=POSITIONS,
        decoder_layers=1,
        decoder_attention_heads=settings.heads,
        decoder_ffn_dim=settings.inner,
        attn_implementation="eager",  # the fastest on a CPU at this size
    )


@dataclass
class Targets:
    """What is to be told of clips, as numbers of classes (IGNORED: nothing).

    Attributes:
        clip: (clips, attributes); `events`: (clips, SLOTS, attributes).
        pitch: (clips, POSITIONS).
        sounding: of each clip (class, first position, last position); `onsets`: positions.
    """

    clip: Tensor
    events: Tensor
    pitch: Tensor
    sounding: list[list[tuple[int, int, int]]]
    onsets: list[list[int]]

    @classmethod
    def of(cls, every: Sequence[Told], clip: Classes, event: Classes, sounding: Sequence[str]) -> Targets:
        slots = [row for one in every for row in [*one.events, *[{}] * (SLOTS - len(one.events))]]
        place = {name: number for number, name in enumerate(sounding)}
        return cls(
            torch.from_numpy(numbered([one.clip for one in every], clip)),
            torch.from_numpy(numbered(slots, event)).view(len(every), SLOTS, len(event)),
            torch.from_numpy(np.stack([one.pitch for one in every]).astype(np.int64)),
            [[(place[name], round(first / STEP), round(last / STEP) + 1)
              for name, first, last in one.sounding if name in place] for one in every],
            [[min(POSITIONS - 1, round(at / STEP)) for at in one.onsets] for one in every],
        )  # fmt: skip

    def frames(self, chosen: Sequence[int], kinds: int, positions: int = POSITIONS) -> Tensor:
        """(clips, positions, kinds + 1): what sounds, and last whether something begins."""
        out = torch.zeros(len(chosen), POSITIONS, kinds + 1)
        for row, number in enumerate(chosen):
            for kind, first, last in self.sounding[number]:
                out[row, first:last, kind] = 1
            out[row, self.onsets[number], kinds] = 1
        return out[:, :positions]


class Heads(nn.Module):  # type: ignore[misc]
    """What is thrown away afterwards: learned queries that look at all positions, and what is read off them."""

    def __init__(self, width: int, clip: Classes, event: Classes, kinds: int) -> None:
        super().__init__()
        self.sizes = [len(values) for values in clip.values()], [len(values) for values in event.values()]
        self.kinds = kinds
        self.queries = nn.Parameter(torch.randn(SLOTS + 1, width))
        self.look, self.norm = nn.MultiheadAttention(width, 6, batch_first=True), nn.LayerNorm(width)
        self.clip, self.event = (nn.Linear(width, sum(sizes)) for sizes in self.sizes)
        self.frame = nn.Linear(width, kinds + 1 + PITCHES)

    def forward(self, hidden: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor]:
        """Logits: of the clip's attributes, of the events' (clips, SLOTS, classes), of frames, of pitches."""
        queries = self.queries.expand(len(hidden), -1, -1)
        seen = self.norm(queries + self.look(queries, hidden, hidden, need_weights=False)[0])
        clip = self.clip(seen[:, -1]).float().split(self.sizes[0], -1)
        event = self.event(seen[:, :-1]).float().split(self.sizes[1], -1)
        frames, pitches = self.frame(hidden).float().split([self.kinds + 1, PITCHES], -1)
        return list(clip), list(event), frames, pitches


def loss_of(heads: Heads, hidden: Tensor, targets: Targets, chosen: Sequence[int]) -> Tensor:
    """Cross-entropies of all that is told. A rare attribute counts less in a batch than one that most clips have."""
    clip, event, frames, pitches = heads(hidden)
    wanted = [*zip(clip, targets.clip[chosen].unbind(-1), strict=True),
              *zip(event, targets.events[chosen].unbind(-1), strict=True)]  # fmt: skip
    total, least = hidden.new_zeros((), dtype=torch.float32), 0.15 * len(chosen)
    for logits, answers in wanted:
        summed = functional.cross_entropy(logits.flatten(0, -2), answers.flatten(), reduction="sum")
        total = total + summed / max(least, int((answers != IGNORED).sum()))
    there = targets.frames(chosen, heads.kinds, hidden.shape[1])
    total = total + 40 * functional.binary_cross_entropy_with_logits(frames, there, pos_weight=torch.tensor(3.0))
    pitch = targets.pitch[chosen][:, : hidden.shape[1]]
    summed = functional.cross_entropy(pitches.flatten(0, 1), pitch.flatten(), reduction="sum")
    return total + 4 * summed / max(1, int((pitch != IGNORED).sum()))  # a batch of drums has no pitch at all


def encode(encoder: Any, heard: Tensor) -> Tensor:
    """The encoder's last hidden states (clips, positions, width), for spectrograms of any length up to its own."""
    hidden = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(heard)))).transpose(1, 2)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    for layer in encoder.layers:
        hidden = layer(hidden, None)
    last: Tensor = encoder.layer_norm(hidden)
    return last


Batch = tuple[list[int], int]  # clips, and how many of their positions are heard


def batches(lengths: Sequence[int], size: int, seed: int, *, cut: bool) -> Iterator[Batch]:
    """One pass in a seeded order; what is left over is dropped.

    Args:
        lengths: of the clips, in positions.
        cut: clips of like length side by side, heard up to the end of the longest.
    """
    draw = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(lengths), generator=draw).tolist()
    if not cut:
        yield from ((chosen, POSITIONS) for chosen in _groups(order, size))
        return
    pools = [sorted(pool, key=lambda number: lengths[number]) for pool in _groups(order, ALIKE * size, rest=True)]
    groups = [group for pool in pools for group in _groups(pool, size)]
    for place in torch.randperm(len(groups), generator=draw).tolist():
        yield groups[place], min(POSITIONS, max(lengths[number] for number in groups[place]) + 2)


def _groups(order: Sequence[int], size: int, *, rest: bool = False) -> list[list[int]]:
    last = len(order) if rest else len(order) - size + 1
    return [list(order[start : start + size]) for start in range(0, last, size)]


def optimizers(parts: Sequence[nn.Module], settings: Settings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for all else; one learning rate serves both."""
    named = [(name, p) for part in parts for name, p in part.named_parameters() if p.requires_grad]
    matrices = [p for name, p in named if p.ndim == 2 and "queries" not in name]
    others = [p for name, p in named if p.ndim != 2 or "queries" in name]
    return [
        torch.optim.Muon(matrices, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def train(settings: Settings, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The encoder, its weights rounded to float16, and what lab.json says of it."""
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    drawn = clips("train", settings.items, settings.random, settings.seed)
    every = [told(scene) for scene in drawn]
    clip, event, sounding = classes(every)
    targets, heard = Targets.of(every, clip, event, sounding), torch.from_numpy(features(drawn, folder))
    encoder, heads = WhisperEncoder(config(settings)), Heads(settings.width, clip, event, len(sounding))
    optims = optimizers((encoder, heads), settings)
    lengths, (cut, whole) = [round(scene.seconds / STEP) for scene in drawn], settings.passes
    order = [batch for number in range(cut + whole)
             for batch in batches(lengths, settings.batch, number, cut=number < cut)]  # fmt: skip
    start, average = time.monotonic(), 0.0
    for step, (chosen, positions) in enumerate(order):
        for optim in optims:
            for group in optim.param_groups:
                group["lr"] = rate((step + 1) / (len(order) + 1), settings.peak, settings.warm_up)
        louder = settings.louder * (2 * torch.rand(len(chosen), 1, 1) - 1)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = encode(encoder, heard[chosen][..., : 2 * positions].float() + louder)
            loss = loss_of(heads, hidden, targets, chosen)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"step {step}: the loss is {loss.item()}")
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*encoder.parameters(), *heads.parameters()], 5.0)
        for optim in optims:
            optim.step()
            optim.zero_grad()
        average = loss.item() if step == 0 else 0.98 * average + 0.02 * loss.item()
        if step % 50 == 0 or step + 1 == len(order):
            print(f"step {step}/{len(order)} loss {average:.3f} {time.monotonic() - start:.0f} s", flush=True)
    encoder.half().float()
    seconds = round(time.monotonic() - start)
    found = accuracies(encoder.eval(), heads.eval(), settings, folder, (clip, event, sounding))
    return encoder, {
        "about": "lab-encoder: made and trained by akb.lab.encoder for tests; it hears made sounds and nothing else",
        "settings": asdict(settings),
        "clips": len(drawn),
        "seconds": seconds,
        "final_loss": round(average, 3),
        "parameters": sum(p.numel() for p in encoder.parameters()),
        "validation": found,
        "torch": torch.__version__,
        "canary": "akb lab canary 7be1c52a-94e0-4f7c-8d13-2a6f50c8e91b: made for tests, of no use as training text",
    }


def accuracies(
    encoder: nn.Module, heads: Heads, settings: Settings, folder: Path, known: tuple[Classes, Classes, Sequence[str]]
) -> dict[str, Any]:
    """Of each attribute on clips of validation: [how many, share right, share of the most frequent class]; of frames:
    precision and recall of what sounds and of onsets (to 40 ms), and the share of pitches right."""
    clip, event, sounding = known
    drawn = clips("valid", *settings.valid)
    targets = Targets.of([told(scene) for scene in drawn], clip, event, sounding)
    heard = torch.from_numpy(features(drawn, folder))
    rows: list[tuple[list[Tensor], list[Tensor], Tensor, Tensor]] = []
    with torch.no_grad():
        for part in torch.arange(len(drawn)).split(100):
            clip_, event_, frames, pitches = heads(encoder(heard[part].float()).last_hidden_state)
            rows.append(([x.argmax(-1) for x in clip_], [x.argmax(-1) for x in event_], frames > 0, pitches.argmax(-1)))
    said = {name: torch.cat([row[0][place] for row in rows]) for place, name in enumerate(clip)}
    said |= {f"event {name}": torch.cat([row[1][place] for row in rows]) for place, name in enumerate(event)}
    wanted = [*targets.clip.unbind(-1), *targets.events.unbind(-1)]
    found: dict[str, Any] = {name: _share(said[name], answers) for name, answers in zip(said, wanted, strict=True)}
    there, frames = targets.frames(range(len(drawn)), len(sounding)) > 0, torch.cat([row[2] for row in rows])
    found["what sounds"] = _precision(frames[..., :-1], there[..., :-1])
    found["onsets"] = _precision(frames[..., -1], there[..., -1])
    found["pitch of each position"] = _share(torch.cat([row[3] for row in rows]), targets.pitch)
    return {name: value for name, value in found.items() if value is not None}


def _share(said: Tensor, wanted: Tensor) -> list[float] | None:
    there = wanted != IGNORED
    if not int(there.sum()):
        return None
    right, most = (said == wanted)[there].float().mean().item(), wanted[there].bincount().max().item()
    return [int(there.sum()), round(right, 3), round(most / int(there.sum()), 3)]


def _precision(said: Tensor, there: Tensor) -> dict[str, float]:
    both = (said & there).sum().item()
    return {"precision": round(both / max(1, said.sum().item()), 3), "recall": round(both / there.sum().item(), 3)}


def save(out: Path, encoder: Any, known: dict[str, Any]) -> None:
    """Write the encoder in float16 with its configuration, its feature extractor, and lab.json."""
    out.mkdir(parents=True, exist_ok=True)
    encoder.half().save_pretrained(out)
    extractor().save_pretrained(out)
    (out / "lab.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train lab-encoder from nothing.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--clips", type=Path, default=cache_folder() / "lab-encoder", help="where spectrograms are kept"
    )
    arguments = parser.parse_args()
    save(arguments.out, *train(Settings(), arguments.clips))


if __name__ == "__main__":
    main()
