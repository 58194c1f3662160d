"""Loading and keeping grounded models. Only what was trained is kept; backbone and encoder are found by the recipe, and
must be the very ones that it was trained with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from akb.adapters import loading, snapshot
from akb.adapters.cards import Card
from akb.adapters.hf import Args
from akb.adapters.rendering import Renderer
from akb.adapters.snapshot import Snapshot
from akb.errors import AkbError
from akb.lalm import encoder as ears
from akb.lalm.kept import CONFIG, RECIPE, WEIGHTS, Identity, Kept, card_of, ear_of, kept_in
from akb.lalm.model import Lalm, connector_for, llm_width, with_lora
from akb.lalm.prompting import Prompting
from akb.lalm.recipe import Recipe, read
from akb.strict import read_text


@dataclass
class Grounded:
    """A model with all that is needed to write its rows.

    Attributes:
        backbone, encoder: the versions that are in it.
        hears: so many samples at once, and so many a second.
    """

    model: Lalm
    prompting: Prompting
    recipe: Recipe
    card: Card
    backbone: Snapshot
    encoder: Snapshot
    hears: tuple[int, int]

    def save(self, folder: Path) -> None:
        """Keep what is trained, with recipe and identities, in a folder; what stands there goes when all is written.

        Raises:
            AkbError: it cannot be written.
        """
        from safetensors.torch import save

        state = {name: p.detach().cpu().contiguous() for name, p in self.model.trained_parameters().items()}
        told = yaml.safe_dump(self.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        kept = self.kept().model_dump_json(indent=2) + "\n"
        _write_together(folder, {WEIGHTS: save(state), RECIPE: told.encode(), CONFIG: kept.encode()})

    def kept(self) -> Kept:
        """What is kept beside the weights."""
        template = self.prompting.renderer.template or ""
        return Kept(
            akb=metadata.version("akb"),
            card=self.card,
            backbone=Identity(name=self.backbone.name, revision=self.backbone.revision),
            encoder=Identity(name=self.encoder.name, revision=self.encoder.revision),
            samples=self.hears[0],
            rate=self.hears[1],
            placeholder=self.prompting.written,
            end=self.prompting.end,
            template_sha256=snapshot.text_sha256(template),
            prompt_sha256=self.prompting.digest(),
            precision=self.recipe.train.precision,
            trained=tuple(sorted(self.model.trained_parameters())),
        )


def _write_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files of a folder, all or none of them. The last says that the others are whole: it goes first."""
    parts = {folder / name: folder / f".{name}.part" for name in files}
    last = [*parts][-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part, content in zip(parts.values(), files.values(), strict=True):
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        last.unlink(missing_ok=True)
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()
        raise AkbError(f"the model cannot be written: {error.strerror or error}", where=str(folder),
                       fix="Make room, or choose another place, and run the same again.") from None  # fmt: skip


def prompting_of(recipe: Recipe, card: Card, backbone: Snapshot) -> Prompting:
    """What writes rows for a backbone; needs its small files alone."""
    where = f"{recipe.where}: backbone {card.name}"
    tokenizer = loading.tokenizer(backbone, Args(), where)
    template = "chat" if backbone.chat_template else "plain"
    file = backbone.folder / "generation_config.json"
    told = json.loads(read_text(file)).get("eos_token_id") if file.is_file() else None
    ends = told if isinstance(told, list) else [told]
    renderer = Renderer(tokenizer, template, card.reasoning, where)  # type: ignore[arg-type]
    return Prompting(renderer, recipe.prompt, recipe.connector.queries, [end for end in ends if end is not None])


def untrained(
    recipe: Recipe,
    *,
    include: Sequence[Path] = (),
    device: str = "cpu",
    exact: bool = False,
    with_encoder: bool = True,
    backbone: str | None = None,
    encoder: str | None = None,
    known: Kept | None = None,
) -> Grounded:
    """A model as a recipe says, its connector at the start.

    Args:
        include: folders of the user's with model cards.
        exact: a half-precision backbone computes its logits in fp32, for scores (akb.adapters.loading.exact_logits).
        with_encoder: else what it makes of clips must come with the batches.
        backbone, encoder: folders to be taken in place of what the recipe names.
        known: the versions that it must be.

    Raises:
        AkbError: a model cannot be found or loaded, is another than is known, or does not suit.
    """
    loading.check_device(device, recipe.where)
    card = card_of(recipe, include, known.card if known else None, backbone)
    text = _version(card.model, card.revision, known.backbone if known else None, "backbone", recipe)
    prompting = prompting_of(recipe, card, text)  # what is wrong with it is known before weights are read
    ear = _version(encoder or ear_of(recipe, include), None if encoder else recipe.encoder.revision,
                   known.encoder if known else None, "encoder", recipe)  # fmt: skip
    _same_prompts(known, prompting, recipe)
    half = torch.bfloat16 if recipe.train.precision == "bf16" else torch.float32
    taps = ears.load(ear, recipe.encoder.taps, torch.float32 if recipe.encoder.trained else half)
    llm = _backbone(text, half, f"{recipe.where}: backbone {card.name}", exact)
    if recipe.lora is not None:
        llm = with_lora(llm, recipe.lora, recipe.seeds.weights, recipe.where)
    connector = connector_for(recipe.connector, taps, llm_width(llm), recipe.seeds.weights)
    kept = taps if with_encoder or recipe.encoder.trained else None
    model = Lalm(llm, kept, connector, precision=recipe.train.precision, encoder_trained=recipe.encoder.trained)
    if recipe.train.checkpointing:
        model.checkpoint()
    hears = (int(taps.extractor.n_samples), taps.rate)
    return Grounded(loading.moved(model, device, recipe.where), prompting, recipe, card, text, ear, hears)


def load(folder: Path, **options: Any) -> Grounded:
    """A trained model from its folder; options as of `untrained`.

    Raises:
        AkbError: it is no such folder, weights are missing or over, or backbone or encoder are not those with which it
            was trained.
    """
    known = kept_in(folder)
    made = untrained(read(folder / RECIPE), known=known, **options)
    fill(made.model, _read(folder / WEIGHTS), str(folder / WEIGHTS))
    return made


def fill(model: Lalm, state: dict[str, Tensor], where: str) -> None:
    """Put weights in the place of all that is trained.

    Raises:
        AkbError: some are missing, over, or of another shape.
    """
    wanted = model.trained_parameters()
    wrong = [f"{name} is {tuple(state[name].shape)}, wanted is {tuple(p.shape)}"
              for name, p in wanted.items() if name in state and state[name].shape != p.shape]  # fmt: skip
    wrong += [f"missing: {name}" for name in wanted if name not in state]
    wrong += [f"not wanted: {name}" for name in state if name not in wanted]
    if wrong:
        more = f" and {len(wrong) - 20} more" if len(wrong) > 20 else ""
        raise AkbError(f"the weights do not fit the recipe: {'; '.join(wrong[:20])}{more}", where=where)
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(state[name])


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    if not path.is_file():
        raise AkbError("there is no such file", where=str(path))
    with loading.explained_load(str(path), "weights"):
        state: dict[str, Tensor] = load_file(str(path))
    return state


def _version(name: str, revision: str | None, known: Identity | None, what: str, recipe: Recipe) -> Snapshot:
    """The version of a model that is meant, or that is known from training."""
    local = Path(name).is_dir()
    found = snapshot.find(name, known.revision if known and not local and "sha256:" not in known.revision else revision)
    if known is not None and found.revision != known.revision:
        raise AkbError(
            f"the {what} is another than it was trained with: {name} is {found.revision}, trained with was "
            f"{known.name} at {known.revision}",
            where=recipe.where,
            fix=f"Give that version's folder ({what}), or train again.",
        )
    return found


def _same_prompts(known: Kept | None, prompting: Prompting, recipe: Recipe) -> None:
    now = (prompting.written, prompting.end, snapshot.text_sha256(prompting.renderer.template or ""),
           prompting.digest())  # fmt: skip
    if known is None:
        return
    then = (known.placeholder, known.end, known.template_sha256, known.prompt_sha256)
    names = ("placeholder", "end of reply", "chat template", "tokens of a conversation")
    if differ := [name for name, a, b in zip(names, now, then, strict=True) if a != b]:
        raise AkbError(f"prompts would be written otherwise than in training ({', '.join(differ)})",
                       where=recipe.where,
                       fix="Take the akb, the backbone and the model card of the training.")  # fmt: skip


def _backbone(version: Snapshot, dtype: torch.dtype, where: str, exact: bool) -> Any:
    """The backbone in a dtype, in eval mode."""
    transformers = loading.imported(where)
    folder = snapshot.weights(version)
    source = version.name if folder is None else str(folder)
    told = {"revision": version.revision} if folder is None else {}
    with loading.quiet(), loading.explained_load(where, "model"):
        llm = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **told)
    if exact and dtype != torch.float32:
        loading.exact_logits(llm)
    ends = getattr(llm.generation_config, "eos_token_id", None)
    llm.generation_config = transformers.GenerationConfig(eos_token_id=ends)
    return llm.eval()
