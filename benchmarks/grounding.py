"""What a training step of a grounded model costs: akb beside a plain loop after the description of DeSTA's.

    python benchmarks/grounding.py                      # pip install -e ".[hf,audio]"; two minutes
    python benchmarks/grounding.py --rounds 5 --layers 6 --json
    python benchmarks/grounding.py --gpu                # a 0.5 B backbone, an encoder of whisper-large's size, bf16

The plain loop (arXiv 2507.02768 and its public code, as described; no code of it) runs the frozen encoder in every
step on a clip for each row, takes the taps through the Q-Former one by one, uses eager attention everywhere, pads rows
to the longest that is allowed, in the order in which they come, and computes all logits. Both pad clips to 30 s, as
Whisper must have them. Both train the same connector on the same rows, files and frozen models, whose weights are
random: whisper-tiny's shape, a Llama of 50 M parameters with a vocabulary of 32,000, batches of 4 rows, 2 rows a clip.

Every turn is one epoch in a process of its own on one core, sides taking turns; figures are medians over the rounds.
"cold" begins without anything on disk and counts the encoding; "warm" finds on disk what the encoder makes; "off" keeps
nothing and encodes in every step. Loading is left out; reading and decoding audio is in. Memory is the most that the
process (on a GPU: its allocator) held.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import numpy as np

SMALL = {
    "encoder": {"d_model": 384, "encoder_layers": 4, "encoder_attention_heads": 6, "encoder_ffn_dim": 1536,
                "num_mel_bins": 80},
    "llm": {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 10, "num_attention_heads": 8,
            "num_key_value_heads": 4, "vocab_size": 32_000},
    "train": {"batch": 4, "precision": "fp32"}, "layers": 2, "clips": 6,
}  # fmt: skip
LARGE = {
    "encoder": {"d_model": 1280, "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
                "num_mel_bins": 128},
    "llm": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
            "num_key_value_heads": 2, "vocab_size": 151_936},
    "train": {"batch": 12, "precision": "bf16"}, "layers": 6, "clips": 120,
}  # fmt: skip
TEMPLATE = ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")  # fmt: skip
RATE, LONGEST = 16_000, 300
SIDES = ("plain", "cold", "warm", "off")


# -- what both are given --


def write_all(folder: Path, shape: dict[str, Any], clips: int, layers: int) -> None:
    """Models, recipe, clips and rows."""
    import torch
    import yaml
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    letters = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    core = Tokenizer(models.BPE(letters, []))
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    core.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|pad|>", "<|video_pad|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|pad|>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder / "llm")
    torch.manual_seed(0)
    dtype = torch.bfloat16 if shape["train"]["precision"] == "bf16" else torch.float32
    config = LlamaConfig(**shape["llm"], tie_word_embeddings=True, max_position_embeddings=2048, eos_token_id=257)
    LlamaForCausalLM(config).to(dtype).save_pretrained(folder / "llm")
    own = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
    small = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 16, "vocab_size": 64}
    WhisperForConditionalGeneration(WhisperConfig(**shape["encoder"], **small, **own)).save_pretrained(folder / "ear")
    WhisperFeatureExtractor(feature_size=shape["encoder"]["num_mel_bins"]).save_pretrained(folder / "ear")
    recipe = {
        "name": "bench", "backbone": "llm", "encoder": {"model": "ear"}, "connector": {"layers": layers},
        "train": {"epochs": 1, "warmup": 1, "max_length": LONGEST, "cache": "on", **shape["train"]},
    }  # fmt: skip
    (folder / "bench.yaml").write_text(yaml.safe_dump(recipe))
    write_rows(folder / "data", clips)


def write_rows(folder: Path, clips: int) -> None:
    """Two rows a clip of 3 to 30 s, in a random order; responses of 20 to 150 tokens."""
    draw = Random(0)
    lines = []
    for number in range(clips):
        path = folder / "audio" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        t = np.arange(int(RATE * draw.uniform(3, 30))) / RATE
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes((8000 * np.sin(2 * np.pi * (200 + 20 * number) * t)).astype("<i2").tobytes())
        for prompt in ("What is heard in this?", "Describe the sound in a few words."):
            response = "".join(draw.choice("abcdefgh ") for _ in range(draw.randint(20, 150)))
            message = {"role": "user", "content": f"<|AUDIO|>\n{prompt}",
                       "audios": [{"audio": f"audio/{number}.wav", "text": ""}]}  # fmt: skip
            lines.append({"messages": [message], "response": response})
    draw.shuffle(lines)
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


# -- the plain loop --


def plain_connector(ours: Any) -> Any:
    """The Q-Former written plainly, one tap after another, with the weights of ours."""
    from torch import nn
    from torch.nn import functional

    class Plain(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inside = ours

        def attended(self, part: Any, states: Any, heard: Any) -> Any:
            width, heads = states.shape[-1], part.heads
            if part.cross:
                query = part.query(states)
                weight, bias = part.key_value.weight, part.key_value.bias
                key = functional.linear(heard, weight[:width], bias[:width])
                value = functional.linear(heard, weight[width:], bias[width:])
            else:
                weight, bias = part.query_key_value.weight, part.query_key_value.bias
                parts = zip(weight.split(width), bias.split(width), strict=True)
                query, key, value = (functional.linear(states, w, b) for w, b in parts)
            split = [x.view(*x.shape[:2], heads, -1).transpose(1, 2) for x in (query, key, value)]
            scores = split[0] @ split[1].transpose(-1, -2) / math.sqrt(width // heads)
            shares = functional.dropout(scores.softmax(-1), part.dropout, self.training)
            out = part.out((shares @ split[2]).transpose(1, 2).reshape(states.shape))
            return part.norm(functional.dropout(out, part.dropout, self.training) + states)

        def forward(self, taps: Sequence[Any]) -> Any:
            inside, outs = self.inside, []
            for number, heard in enumerate(taps):
                states = inside.queries[number].expand(len(heard), -1, -1)
                for layer in inside.layers:
                    states = self.attended(layer.attention, states, None)
                    states = self.attended(layer.crossing, states, heard)
                    out = layer.outer(functional.gelu(layer.inner(states)))
                    states = layer.norm(functional.dropout(out, layer.dropout, self.training) + states)
                outs.append(states)
            shares = inside.mix.softmax(-1)
            mixed = sum(out * shares[:, number, None] for number, out in enumerate(outs))
            return inside.project(inside.norm(mixed))

    return Plain()


def plain_taps(ear: Any, features: Any) -> list[Any]:
    """What transformers' own encoder makes, in eager attention; the taps are caught on their way."""
    import torch

    caught: list[Any] = []
    handles = [ear.encoder.layers[n].register_forward_hook(lambda _m, _i, out: caught.append(out)) for n in ear.taps]
    with torch.no_grad():
        ear.encoder(features.to(ear.dtype))
    for handle in handles:
        handle.remove()
    return [out[0] if isinstance(out, tuple) else out for out in caught]


def grounded_of(folder: Path, device: str) -> Any:
    from akb.lalm.recipe import read
    from akb.lalm.saving import untrained

    return untrained(read(folder / "bench.yaml"), device=device)


def run_plain(folder: Path, device: str) -> dict[str, Any]:
    """One epoch of the plain loop."""
    import torch
    from torch.nn import functional

    from akb.lalm.data.rows import read as read_rows
    from akb.lalm.prompting import IGNORED, Heard, Turn

    grounded = grounded_of(folder, device)
    llm, ear, train = grounded.model.llm, grounded.model.encoder, grounded.recipe.train
    llm.config._attn_implementation = ear.encoder.config._attn_implementation = "eager"
    connector = plain_connector(grounded.model.connector).train()
    rows = []
    for row in read_rows(folder / "data/train.jsonl"):
        turns = [Turn(one.role, tuple(part if isinstance(part, str) else Heard(part.audio, (part.text,))
                                      for part in one.parts)) for one in row.messages]  # fmt: skip
        rows.append((row.audios[0].audio, grounded.prompting.row(turns, row.response, longest=LONGEST)))
    optimiser = torch.optim.AdamW(connector.parameters(), lr=1e-4, betas=(0.9, 0.98), weight_decay=0.01)
    clear_peak(device)
    started, tokens = time.perf_counter(), 0
    for first in range(0, len(rows), train.batch):
        part = rows[first : first + train.batch]
        ids = torch.full((len(part), LONGEST), grounded.prompting.fill)
        labels, mask = torch.full_like(ids, IGNORED), torch.zeros_like(ids)
        for n, (_, row) in enumerate(part):
            ids[n, : len(row.ids)], mask[n, : len(row.ids)] = torch.tensor(row.ids), 1
            labels[n, : len(row.labels)] = torch.tensor(row.labels)
            tokens += len(row.ids)
        ids, labels, mask = ids.to(device), labels.to(device), mask.to(device)
        features = ear.features([one_sound(path) for path, _ in part]).to(device)
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=train.precision == "bf16"):
            vectors = connector(plain_taps(ear, features))
        embeds = llm.get_input_embeddings()(ids).clone()
        for n, (_, row) in enumerate(part):
            embeds[n, row.places[0] : row.places[0] + vectors.shape[1]] = vectors[n].to(embeds.dtype)
        logits = llm(inputs_embeds=embeds, attention_mask=mask, use_cache=False).logits.float()
        loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(connector.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        float(loss.detach())
    return told(time.perf_counter() - started, len(rows), tokens, device)


def one_sound(path: str) -> Any:
    from akb.audio import Policy, read

    return read(path, Policy())


# -- akb --


def run_akb(folder: Path, device: str, cache: str) -> dict[str, Any]:
    """One epoch of `akb lalm train`."""
    from akb.lalm.recipe import read
    from akb.lalm.training import features
    from akb.lalm.training.record import changed
    from akb.lalm.training.session import Session

    if cache == "cold":
        shutil.rmtree(folder / "taps", ignore_errors=True)
    shutil.rmtree(folder / "made", ignore_errors=True)
    more = ["train.cache=off"] if cache == "off" else []
    recipe = changed(read(folder / "bench.yaml"), ["train.held_out=0", *more])
    spent, plain_fill = [0.0], features.fill

    def timed(*args: Any, **options: Any) -> None:
        started = time.perf_counter()
        plain_fill(*args, **options)
        spent[0] += time.perf_counter() - started

    features.fill = timed
    clear_peak(device)
    session = Session(recipe, folder / "data/train.jsonl", folder / "made", folder / "taps",
                      device="cpu" if device == "cpu" else None)  # fmt: skip
    run = session.run()
    assert run.result is not None
    return told(run.result["seconds"] + spent[0], run.rows, run.result["tokens"], device)


def told(seconds: float, rows: int, tokens: int, device: str) -> dict[str, Any]:
    return {"rows_per_s": rows / seconds, "tokens_per_s": tokens / seconds, "memory_gb": peak(device)}


def clear_peak(device: str) -> None:
    if device != "cpu":
        import torch

        torch.cuda.reset_peak_memory_stats()


def peak(device: str) -> float:
    if device != "cpu":
        import torch

        return int(torch.cuda.max_memory_allocated()) / 1e9
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


# -- both --


def difference(folder: Path, device: str) -> dict[str, float]:
    """Between the vectors of both for the first clips: the largest, and as a share of the largest vector's element."""
    import torch

    grounded = grounded_of(folder, device)
    ear, connector = grounded.model.encoder, grounded.model.connector.eval()
    features = ear.features([one_sound(str(folder / f"data/audio/{n}.wav")) for n in range(3)]).to(device)
    with torch.no_grad(), torch.autocast(torch.device(device).type, torch.bfloat16,
                                         enabled=grounded.recipe.train.precision == "bf16"):  # fmt: skip
        ours = connector(ear(features))
        ear.encoder.config._attn_implementation = "eager"
        theirs = plain_connector(connector).eval()(plain_taps(ear, features))
    found = float((ours.float() - theirs.float()).abs().max())
    return {"largest": found, "of": float(theirs.float().abs().max())}


def turn(pipe: Any, work: Callable[..., Any], *args: Any) -> None:
    """In a process of its own, on one core."""
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity") and "cpu" in args:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pipe.send(work(*args))


def apart(work: Callable[..., Any], *args: Any) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["akb.lalm.training.session", "transformers.models.llama", "accelerate"])
    here, there = context.Pipe(False)
    process = context.Process(target=turn, args=(there, work, *args))
    process.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        raise SystemExit("a turn failed; see above") from None
    finally:
        process.join()


def sides(device: str) -> Iterator[tuple[str, Callable[[Path], Any]]]:
    yield "plain", lambda folder: apart(run_plain, folder, device)
    for cache in SIDES[1:]:
        yield cache, lambda folder, cache=cache: apart(run_akb, folder, device, cache)  # type: ignore[misc]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clips", type=int, help="clips; two rows each")
    parser.add_argument("--layers", type=int, help="of the Q-Former")
    parser.add_argument("--gpu", action="store_true", help="large shapes, in bf16, on the GPU")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1")
    shape: dict[str, Any] = LARGE if args.gpu else SMALL
    device = "cuda:0" if args.gpu else "cpu"
    clips, layers = args.clips or shape["clips"], args.layers or shape["layers"]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        apart(write_all, folder, shape, clips, layers)
        found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(args.rounds):
            for side, work in sides(device):
                found[side].append(work(folder))
        apart_by = apart(difference, folder, device)
    figures = {side: {name: median(one[name] for one in some) for name in some[0]} for side, some in found.items()}
    base = figures["plain"]["rows_per_s"]
    for one in figures.values():
        one["times"] = one["rows_per_s"] / base
    if args.json:
        print(json.dumps({"sides": figures, "rounds": found, "vectors": apart_by}, indent=1))
        return
    print(f"{2 * clips} rows, {clips} clips, Q-Former of {layers} layers; {args.rounds} rounds")
    for side, one in figures.items():
        print(f"{side:6} {one['rows_per_s']:7.3f} rows/s  {one['tokens_per_s']:8.0f} tokens/s  {one['times']:5.2f} x  "
              f"{one['memory_gb']:6.2f} GB")  # fmt: skip
    print(f"vectors differ by at most {apart_by['largest']:.2g} (the largest element is {apart_by['of']:.2g})")


if __name__ == "__main__":
    main()
