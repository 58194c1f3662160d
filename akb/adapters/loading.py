"""Loading tokenizers and models of transformers, with errors that say what to do."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import TYPE_CHECKING, Any

from akb.adapters.snapshot import TOKENIZERS, Snapshot, silent, weights
from akb.errors import AkbError, missing_extra

if TYPE_CHECKING:
    from akb.adapters.hf import Args

OMNI = {"torchvision": "torchvision", "torchaudio": "torchaudio", "PIL": "pillow"}  # as errors name them
SMALLER = "Use --dtype bfloat16, --set model.quantize=4bit, or --set model.device_map=auto."


def imported(where: str) -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # that torch is missing is ours to say
    try:
        import transformers
    except ImportError:
        raise missing_extra("transformers", "hf", needed_for=where) from None
    return transformers


@contextmanager
def explained_load(where: str, what: str) -> Iterator[None]:
    """Turns what transformers raises for files, settings and packages into an AkbError; its first line says what is
    wrong."""
    try:
        yield
    except ImportError as error:
        told = " ".join(str(error).split())
        if package := next((package for name, package in OMNI.items() if name.casefold() in told.casefold()), None):
            raise missing_extra(package, "omni", needed_for=where) from error
        raise AkbError(
            f"the {what} cannot be loaded: {told[:300]}", where=where, fix="Install what is missing."
        ) from error
    except Exception as error:  # safetensors and tokenizers raise kinds of their own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise AkbError(f"the {what} cannot be loaded: {lines[0][:300]}", where=where) from error


def tokenizer(snapshot: Snapshot, args: Args, where: str) -> Any:
    """The model's tokenizer.

    Raises:
        AkbError: the model has none, or it cannot be loaded.
    """
    transformers = imported(where)
    if not any((snapshot.folder / name).is_file() for name in TOKENIZERS) and not args.trust_remote_code:
        raise AkbError("the model has no tokenizer", where=where,
                       fix=f"One of {', '.join(TOKENIZERS)} is wanted beside its config.json.")  # fmt: skip
    with quiet(), explained_load(where, "tokenizer"):
        loaded = transformers.AutoTokenizer.from_pretrained(
            str(snapshot.folder), trust_remote_code=args.trust_remote_code
        )
    loaded.model_max_length = sys.maxsize  # the adapter counts tokens itself; transformers would only print a warning
    return loaded


def model(snapshot: Snapshot, args: Args, dtype: str, device: str, where: str, peft: str | None = None) -> Any:
    """The model, in eval mode, on its device; `peft` is the revision of the PEFT adapter, if that is on the hub.

    Raises:
        AkbError: it cannot be loaded, or the device or an extra is missing.
    """
    transformers = imported(where)
    import torch

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    check_device(device, where)
    options: dict[str, Any] = {"dtype": getattr(torch, dtype), "trust_remote_code": args.trust_remote_code}
    folder = weights(snapshot)  # from a folder transformers loads just this commit, and asks the hub nothing
    source = snapshot.name if folder is None else str(folder)
    if folder is None:
        options["revision"] = snapshot.revision
    if args.attention is not None:
        options["attn_implementation"] = args.attention
    if args.quantize is not None:
        options["quantization_config"] = _quantization(transformers, args.quantize, torch, dtype, where)
        options["device_map"] = args.device_map or {"": device}
    elif args.device_map is not None:
        options["device_map"] = args.device_map
    with quiet(), explained_load(where, "model"):
        loaded = transformers.AutoModelForCausalLM.from_pretrained(source, **options)
    ends = getattr(loaded.generation_config, "eos_token_id", None)
    # transformers fills whatever a request leaves open from here: the model's own penalties and temperatures
    loaded.generation_config = transformers.GenerationConfig(eos_token_id=ends)
    if "device_map" not in options and dtype != "float32":
        exact_logits(loaded)
    if args.peft is not None:
        loaded = _with_peft(loaded, args.peft, peft, where)
    if "device_map" not in options:
        loaded = moved(loaded, device, where)
    return loaded.eval()


def exact_logits(loaded: Any) -> None:
    """Let a half-precision model compute its logits in fp32, from its last hidden states.

    Half-precision logits are rounded to steps of an eighth of a nat, so that the two best options often have the very
    same value. The output layer alone in fp32 mends that at the cost of one more copy of it. Models that are spread
    over devices or quantised keep their own.
    """
    import copy

    head = loaded.get_output_embeddings()
    if head is None:
        return
    exact = copy.deepcopy(head).float()  # a copy, so that tied input embeddings stay as they are
    half = head.weight.dtype

    def in_fp32(layer: Any, hidden: Any) -> Any:
        with _products_of(half if hidden.dtype == half else None, hidden.device):
            return type(layer).forward(layer, hidden.float())

    exact.forward = MethodType(
        in_fp32, exact
    )  # bound, so that who copies the layer (PEFT does) uses the copy's weights
    loaded.set_output_embeddings(exact)


@contextmanager
def _products_of(half: Any, device: Any) -> Iterator[None]:
    """Within it a CPU that can multiplies fp32 matrices by their bf16 parts and adds in fp32, where bf16 is what both
    come from: then nothing is lost, and it takes half the time. It holds for the whole process, so for as short as can
    be."""
    import torch

    if half != torch.bfloat16 or device.type != "cpu":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def moved(loaded: Any, device: str, where: str, fix: str = SMALLER) -> Any:
    try:
        return loaded.to(device)
    except RuntimeError as error:
        if not lacks_memory(error):
            raise
        raise AkbError(
            "the model does not fit into the device's memory",
            where=f"{where} on {device}",
            fix=fix,
        ) from error


def lacks_memory(error: BaseException | None) -> bool:
    """Whether there was too little memory: of a GPU, or for the allocator of the CPU, which says so in words alone."""
    if error is None:
        return False
    import torch

    told = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in told for words in ("out of memory", "allocate memory")
    )


def check_device(device: str, where: str) -> None:
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise AkbError(f"{device!r} is not a torch device", where=where, fix="E.g. cpu, cuda:0, mps.") from None
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(kind, True):
        raise AkbError(f"the device {device!r} is not there", where=where, fix="See what is: akb doctor")


def _quantization(transformers: Any, quantize: str, torch: Any, dtype: str, where: str) -> Any:
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise missing_extra("bitsandbytes", "quantize", needed_for=f"{where} in {quantize}") from None
    if quantize == "8bit":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, dtype)
    )


def _with_peft(loaded: Any, name: str, revision: str | None, where: str) -> Any:
    try:
        import peft
    except ImportError:
        raise missing_extra("peft", "peft", needed_for=f"{where} with adapter {name}") from None
    with quiet(), explained_load(where, f"PEFT adapter {name}"):
        tuned = peft.PeftModel.from_pretrained(loaded, name, **({} if revision is None else {"revision": revision}))
    kind = tuned.active_peft_config
    if kind.is_prompt_learning and kind.peft_type != peft.PeftType.PREFIX_TUNING:
        raise AkbError(f"an adapter of the kind {kind.peft_type.value} puts tokens of its own before the prompt, which "
                       "akb does not score", where=f"{where} with adapter {name}",
                       fix="LoRA and its kin, full layers and prefix tuning can be used.")  # fmt: skip
    return tuned


def end_ids(loaded: Any, tokenizer: Any) -> tuple[int, ...]:
    """The ids that end a reply: those of the model's generation config and the tokenizer's EOS."""
    told = getattr(loaded.generation_config, "eos_token_id", None)
    ids = told if isinstance(told, list) else [told]
    ids = [*ids, tokenizer.eos_token_id]
    return tuple(dict.fromkeys(token for token in ids if token is not None))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' progress bars and notes off the terminal while it loads."""
    import transformers.utils.logging as hf_logging

    logger = logging.getLogger("transformers")
    level, bars = logger.level, hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    try:
        with silent():
            yield
    finally:
        logger.setLevel(level)
        if bars:
            hf_logging.enable_progress_bar()
