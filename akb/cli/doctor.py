"""akb doctor: what is installed, which keys are set, which device there is, and what mends what is missing."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from akb.cli import options

EXTRAS = {
    "hf": ("torch", "transformers", "accelerate", "safetensors"),
    "peft": ("peft",),
    "quantize": ("bitsandbytes",),
    "vllm": ("vllm",),
    "lm-eval": ("lm_eval",),
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "google": ("google.genai",),
    "data": ("pandas", "pyarrow"),
}
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "HF_TOKEN")
PACKAGE_OF = {"google.genai": "google-genai"}


def doctor(json: options.Json = False) -> None:
    """Show what is installed, which keys are set (never their values), which device there is, and what is missing."""
    from akb import report

    told = {
        "akb": _version("akb"),
        "python": f"{platform.python_version()} at {sys.executable}",
        "platform": platform.platform(),
        "extras": _extras(),
        "keys": {name: bool(os.environ.get(name)) for name in KEYS},
        "devices": _devices(),
        "content": _content(),
    }
    if json:
        report.print_json(told)
        return
    print(f"akb {told['akb']}, Python {told['python']}, {told['platform']}\n")
    rows = [(e["extra"], "yes" if e["installed"] else "no", e["found"], e["mend"]) for e in _extras()]
    report.show(report.listing(["extra", "installed", "found", "to install it"], rows))
    print()
    keys = [(name, "set" if there else "not set") for name, there in _keys().items()]
    report.show(report.listing(["key (environment variable)", ""], keys))
    print()
    report.show(report.listing(["device", ""], _devices()))
    print()
    report.show(report.listing(["content", ""], list(_content().items())))


def _keys() -> dict[str, bool]:
    return {name: bool(os.environ.get(name)) for name in KEYS}


def _version(package: str) -> str:
    try:
        return version(PACKAGE_OF.get(package, package))
    except PackageNotFoundError:
        return ""


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _extras() -> list[dict[str, Any]]:
    found = []
    for extra, packages in EXTRAS.items():
        missing = [p for p in packages if not _there(p)]
        told = ", ".join(f"{p} {_version(p)}" for p in packages if p not in missing)
        mend = f'pip install "akb[{extra}]"' if missing else ""
        found.append({"extra": extra, "installed": not missing, "found": told, "missing": missing, "mend": mend})
    return found


def _devices() -> list[tuple[str, str]]:
    """Devices that torch sees; torch is imported only if it is installed."""
    cores = f"{os.cpu_count()} cores"
    if not _there("torch"):
        return [("cpu", cores), ("cuda, mps", "torch is not installed")]
    try:
        import torch
    except Exception as error:  # installed and broken, e.g. a library of CUDA is missing
        return [("cpu", cores), ("cuda, mps", f"torch cannot be imported: {error}")]
    found = [("cpu", f"{cores}, {torch.get_num_threads()} torch threads")]
    for number in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(number).total_memory / 2**30
        found.append((f"cuda:{number}", f"{torch.cuda.get_device_name(number)}, {memory:.0f} GiB"))
    if torch.backends.mps.is_available():
        found.append(("mps", "Apple GPU"))
    if len(found) == 1:
        found.append(("cuda, mps", "none"))
    return found


def _content() -> dict[str, str]:
    """What is registered; what cannot be loaded is told by name."""
    from akb import content
    from akb.errors import AkbError
    from akb.registry import Registry

    told = {"folder": str(content.builtin())}
    try:
        registry = Registry()
        told |= {
            "runs": str(registry.settings.runs),
            "cache": str(registry.settings.cache_file),
            "tasks": ", ".join([*registry.folders, *registry.task_plugins]),
            "models": str(len(registry.cards)),
            "protocols": ", ".join(registry.protocols),
        }
    except AkbError as error:
        told["error"] = str(error)
        return told
    for plugin in [*registry.task_plugins.values(), *registry.adapter_plugins.values()]:
        try:
            plugin.load()
            told[f"plugin {plugin.name}"] = plugin.entry.value
        except AkbError as error:
            told[f"plugin {plugin.name}"] = f"cannot be loaded: {error.what}"
    return told
