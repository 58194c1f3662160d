"""What asking a grounded model costs: akb's adapter, batched, beside asking one question after another.

    python benchmarks/audio_eval.py                        # pip install -e ".[hf,audio]"; a few minutes on one thread
    python benchmarks/audio_eval.py --clips 24 --each 1 --rounds 5 --json

The models have random weights: a Whisper encoder of tiny's shape, a Q-Former of two layers, a Llama of 48 M. Each clip
has several questions, as where options are asked in several orders. Three sides take turns over the same questions,
loading left out:

loop         what one writes without akb: for each question decode the clip, encode it, and run prompt and option
             through the backbone once for each option; replies by transformers' own generate
one by one   akb, each question a batch of its own that knows nothing of the last
akb          akb, as the engine asks it

Figures are medians over the rounds. Log-probabilities of all sides are compared, and so are replies.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import numpy as np
from scoring_models import SHAPES, Words, tokenizer, write_model

from akb.adapters.cards import Card
from akb.adapters.lalm import LALM
from akb.adapters.lalm import build as lalm
from akb.types import Choose, Clip, Decoding, Generate, Message, Request

RATE, QUERIES = 16_000, 64
START, END, MARK = (f"filler{number}" for number in (31997, 31998, 31999))  # tokens that no text is made of
CHAT = (
    f"{{% for m in messages %}}{START}{{{{ m['role'] }}}}\n{{{{ m['content'] }}}}{END}\n{{% endfor %}}"
    f"{{% if add_generation_prompt %}}{START}assistant\n{{% endif %}}"
)
Found = list[float | str]


# -- what is asked of whom -------------------------------------------------------------------------------------


def write_lalm(folder: Path) -> Path:
    """A grounded model's folder, its backbone and encoder beside it."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    from akb.lalm.recipe import Recipe
    from akb.lalm.saving import untrained

    write_model(folder / "llm", "48m")
    words = tokenizer(SHAPES["48m"])
    words.add_tokens([START, END, MARK], special_tokens=True)
    words.chat_template = CHAT
    words.save_pretrained(folder / "llm")
    torch.manual_seed(0)
    own = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
    ear = WhisperConfig(vocab_size=60, d_model=384, encoder_layers=4, encoder_attention_heads=6, encoder_ffn_dim=1536,
                        decoder_layers=1, decoder_ffn_dim=64, num_mel_bins=80, init_std=0.06, **own)  # fmt: skip
    WhisperForConditionalGeneration(ear).save_pretrained(folder / "ear")
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder / "ear")
    told = {
        "name": "bench",
        "backbone": str(folder / "llm"),
        "encoder": {"model": str(folder / "ear")},
        "connector": {"queries": QUERIES, "layers": 2},
        "prompt": {"placeholder": MARK},
        "train": {"precision": "fp32"},
    }
    untrained(Recipe.model_validate(told)).save(folder / "model")
    return folder / "model"


def write_clips(folder: Path, many: int) -> list[Clip]:
    """Clips of 3 to 20 s, each with chords and noise of its own."""
    import soundfile

    from akb.audio import clip_of

    random, found = np.random.default_rng(0), []
    for number in range(many):
        time_ = np.arange(int(random.uniform(3, 20) * RATE)) / RATE
        tones = sum(0.1 * np.sin(2 * np.pi * f * time_) for f in random.uniform(80, 3000, 4))
        samples = tones + random.uniform(0, 0.1) * random.normal(size=time_.size)
        soundfile.write(folder / f"{number}.flac", np.clip(samples, -1, 1), RATE)
        found.append(clip_of(folder / f"{number}.flac"))
    return found


def requests(clips: Sequence[Clip], each: int, tokens: int) -> list[Request]:
    """So many questions about each clip whose options are scored, clip after clip, and then a reply to one of each."""
    words, random = Words.made(), Random(1)
    asked: list[Request] = []
    for clip in [*clips] * each:
        options = tuple((" " + words.some(random, random.randint(1, 6)),) for _ in "ABCD")
        question = words.some(random, random.randint(20, 40))
        asked.append(Choose((Message("user", (clip, question)),), options, "Answer:"))
    for clip in clips if tokens else ():
        told = Decoding(max_tokens=tokens)
        asked.append(Generate((Message("user", (clip, words.some(random, 20))),), told))
    return asked


# -- the sides -------------------------------------------------------------------------------------------------


class Loop:
    """What one writes without akb."""

    def __init__(self, folder: Path) -> None:
        from akb.lalm.saving import load

        made = load(folder)
        self.model, self.tokenizer = made.model, made.prompting.tokenizer
        self.end, self.mark = made.prompting.end, self.tokenizer.convert_tokens_to_ids(MARK)

    def __call__(self, asked: Sequence[Request]) -> Found:
        import torch

        found: Found = []
        with torch.inference_mode():
            for request in asked:
                clip, text = request.messages[0].parts
                assert isinstance(clip, Clip)
                vectors = self._vectors(clip)
                told = [{"role": "user", "content": f"<start_audio>{MARK}<end_audio>{text}"}]
                prompt = self.tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True)
                if isinstance(request, Generate):
                    found.append(self._reply(prompt, vectors, request.decoding.max_tokens))
                else:
                    start = prompt + request.reply_start
                    found += [self._logprob(start, option, vectors) for (option,) in request.continuations]
        return found

    def _vectors(self, clip: Clip) -> Any:
        from akb.audio import read

        ear = self.model.encoder
        assert ear is not None
        return self.model.connector(ear(ear.features([read(clip.path)])))[0]

    def _ids(self, text: str) -> list[int]:
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        bos = self.tokenizer.bos_token_id
        return [bos, *ids] if bos is not None else ids

    def _embeds(self, ids: list[int], vectors: Any) -> Any:
        import torch

        layer, at = self.model.llm.get_input_embeddings(), ids.index(self.mark)
        silent = self.tokenizer(" ", add_special_tokens=False)["input_ids"]
        parts = (layer(torch.tensor(ids[:at])), vectors, layer(torch.tensor(silent + ids[at + 1 :])))
        return torch.cat(parts)[None]

    def _logprob(self, start: str, option: str, vectors: Any) -> float:
        before, whole = self._ids(start), self._ids(start + option)
        assert whole[: len(before)] == before
        new = whole[len(before) :]
        logits = self.model.llm(inputs_embeds=self._embeds(whole, vectors), use_cache=False).logits[0]
        logs = logits[-len(new) - 1 : -1].float().log_softmax(-1)
        return float(sum(logs[place, token] for place, token in enumerate(new)))

    def _reply(self, prompt: str, vectors: Any, most: int) -> str:
        embeds = self._embeds(self._ids(prompt), vectors)
        new = self.model.llm.generate(inputs_embeds=embeds, max_new_tokens=most, do_sample=False,
                                      eos_token_id=self.end, pad_token_id=0)[0]  # fmt: skip
        return str(self.tokenizer.decode(new, skip_special_tokens=True))


def by_akb(side: LALM, asked: Sequence[Request]) -> Found:
    """As the engine asks: planned, then batch by batch; of what was asked before nothing is known."""
    side._vectors.forget()
    plan, found = side.plan(asked), dict[int, Found]()
    for number, responses in side.ask([[asked[place] for place in batch] for batch in plan]):
        for place, response in zip(plan[number], responses, strict=True):
            scores: Found = [score.logprob for group in response.scores for score in group]
            found[place] = scores or [str(response.text)]
    return [one for place in range(len(asked)) for one in found[place]]


def one_by_one(side: LALM, asked: Sequence[Request]) -> Found:
    """Each question as if it were the only one."""
    found: Found = []
    for request in asked:
        found += by_akb(side, [request])
    return found


# -- measuring -------------------------------------------------------------------------------------------------


def measure(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """All sides in turn."""
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(given.threads)
    model, clips = write_lalm(folder), write_clips(folder, given.clips)
    card, args = Card(name="bench", adapter="lalm", model=str(model)), {"device": "cpu"}
    asked, loop, side = requests(clips, given.each, given.tokens), Loop(model), lalm(card, args)
    sides: dict[str, Callable[[], Found]] = {
        "loop": lambda: loop(asked),
        "one by one": lambda: one_by_one(side, asked),
        "akb": lambda: by_akb(side, asked),
    }
    loop(asked[:1])
    by_akb(side, [asked[0], asked[-1]])
    walls: dict[str, list[float]] = {name: [] for name in sides}
    works: dict[str, list[float]] = {name: [] for name in sides}
    found: dict[str, Found] = {}
    for _ in range(given.rounds):
        for name, run in sides.items():
            started, worked = time.perf_counter(), time.process_time()
            found[name] = run()
            walls[name].append(time.perf_counter() - started)
            works[name].append(time.process_time() - worked)
    rows = [
        {
            "side": name,
            "wall": median(walls[name]),
            "cpu": median(works[name]),
            "ratio": median(a / b for a, b in zip(walls["loop"], walls[name], strict=True)),
            "cpu_ratio": median(a / b for a, b in zip(works["loop"], works[name], strict=True)),
            **differences(found[name], found["loop"]),
        }
        for name in sides
    ]
    return {"questions": len(asked), "clips": len(clips), "rows": rows}


def differences(found: Found, wanted: Found) -> dict[str, float]:
    """The largest of any log-probability, and the share of replies that are the very same."""
    pairs = list(zip(found, wanted, strict=True))
    scores = [abs(a - b) for a, b in pairs if isinstance(a, float) and isinstance(b, float)]
    replies = [a == b for a, b in pairs if isinstance(a, str)]
    return {"difference": max(scores), "replies": sum(replies) / len(replies) if replies else 1.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--each", type=int, default=2, help="questions about each clip whose options are scored")
    parser.add_argument("--tokens", type=int, default=16, help="of the reply to one more; 0: none is asked for")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given)
    if given.json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"{found['questions']} questions about {found['clips']} clips, {given.threads} thread(s)")
    print(f"{'':12}{'wall s':>8}{'cpu s':>8}{'ratio':>8}{'cpu':>8}{'largest difference':>20}{'same replies':>14}")
    for row in found["rows"]:
        print(f"{row['side']:12}{row['wall']:8.2f}{row['cpu']:8.2f}{row['ratio']:8.2f}{row['cpu_ratio']:8.2f}"
              f"{row['difference']:20.1e}{row['replies']:14.0%}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
