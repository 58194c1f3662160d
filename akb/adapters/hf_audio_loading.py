"""Loading processors and models that hear, as `loading` loads those that read."""

from __future__ import annotations

from typing import Any

from akb.adapters.loading import check_device, exact_logits, explained_load, imported, moved, quiet
from akb.adapters.snapshot import Snapshot, weights
from akb.errors import AkbError
from akb.strict import parse_yaml, read_text


def processor(snapshot: Snapshot, kind: str, where: str, code: bool = False) -> Any:
    """A model's processor: what turns text and audio into the model's inputs.

    Args:
        kind: transformers' class, e.g. "AutoProcessor".
        code: run code that comes with the model.

    Raises:
        AkbError: it has none that takes audio, or it cannot be loaded.
    """
    transformers = imported(where)
    with quiet(), explained_load(where, "processor"):
        loaded = getattr(transformers, kind).from_pretrained(str(snapshot.folder), trust_remote_code=code)
    if extractor(loaded) is None:
        raise AkbError("the model's processor takes no audio", where=where,
                       fix="A model that hears is wanted; one that reads runs as hf:ORG/NAME.")  # fmt: skip
    return loaded


def extractor(loaded: Any) -> Any:
    """The part of a processor that turns samples into features; None if there is none."""
    names = ("feature_extractor", "audio_processor")
    found = (getattr(loaded, name, None) for name in names)
    return next((part for part in found if hasattr(part, "sampling_rate")), None)


def sampling_rate(snapshot: Snapshot) -> int | None:
    """Hz, as the processor's small files tell it; None where they do not."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        if not (snapshot.folder / name).is_file():
            continue
        told = parse_yaml(read_text(snapshot.folder / name), str(snapshot.folder / name))
        parts = [told, *told.values()] if isinstance(told, dict) else []
        rates = (part.get("sampling_rate") for part in parts if isinstance(part, dict))
        if found := next((rate for rate in rates if isinstance(rate, int)), None):
            return found
    return None


def hearing_class(snapshot: Snapshot) -> str:
    """transformers' class for a model that is given text and audio.

    Most are known to AutoModelForMultimodalLM; some (Audio Flamingo) only to others, and the rest is told by the
    configuration's `architectures`, or comes with the model (trust_remote_code).
    """
    from transformers.models.auto import modeling_auto

    config = snapshot.config
    for kind in ("MULTIMODAL_LM", "SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ"):
        if config.get("model_type") in getattr(modeling_auto, f"MODEL_FOR_{kind}_MAPPING_NAMES", {}):
            return _CLASSES[kind]
    import transformers

    told = [name for name in config.get("architectures") or () if hasattr(transformers, name)]
    return told[0] if told else "AutoModelForCausalLM"


_CLASSES = {
    "MULTIMODAL_LM": "AutoModelForMultimodalLM",
    "SEQ_TO_SEQ_CAUSAL_LM": "AutoModelForSeq2SeqLM",
    "SPEECH_SEQ_2_SEQ": "AutoModelForSpeechSeq2Seq",
}


def model(
    snapshot: Snapshot,
    kind: str,
    *,
    dtype: str,
    device: str,
    where: str,
    attention: str | None = None,
    threads: int | None = None,
    device_map: str | None = None,
    code: bool = False,
    exact: bool = False,
    role: str = "model",
) -> Any:
    """A model in eval mode on its device, with the generation settings that come with it.

    Args:
        kind: transformers' class, e.g. "AutoModelForMultimodalLM".
        exact: compute the logits of a half-precision model in fp32.
        role: with what the model's settings begin.

    Raises:
        AkbError: it cannot be loaded, or the device or an extra is missing.
    """
    transformers = imported(where)
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    check_device(device, where)
    options: dict[str, Any] = {"dtype": getattr(torch, dtype), "trust_remote_code": code}
    folder = weights(snapshot)
    if folder is None:
        options["revision"] = snapshot.revision
    if attention is not None:
        options["attn_implementation"] = attention
    if device_map is not None:
        options["device_map"] = device_map
    with quiet(), explained_load(where, "model"):
        loaded = getattr(transformers, kind).from_pretrained(
            snapshot.name if folder is None else str(folder), **options
        )
    loaded = getattr(loaded, "thinker", loaded)  # of models that also speak, the part that hears and writes
    if exact and device_map is None and dtype != "float32":
        exact_logits(loaded)
    smaller = f"Use a smaller dtype: --set {role}.dtype=bfloat16"
    return (loaded if device_map is not None else moved(loaded, device, where, smaller)).eval()
