"""Write down the names of vLLM that the adapter uses, from the package's source alone: it is read, not imported.

python tests/adapters/record_vllm.py /path/to/site-packages/vllm > tests/adapters/vllm_signatures.json
"""

from __future__ import annotations

import argparse
import ast
import json
from pathlib import Path
from typing import Any


def record(package: Path) -> dict[str, Any]:
    """The signatures, fields and constants of an unpacked vLLM (the folder `vllm`, beside its dist-info)."""
    llm, sampling = _classes(package / "entrypoints/llm.py"), _classes(package / "sampling_params.py")
    outputs, inputs = _classes(package / "outputs.py"), _classes(package / "inputs/llm.py")
    engine = _classes(package / "engine/arg_utils.py")["EngineArgs"]
    platform = _classes(package / "platforms/interface.py")["Platform"]
    return {
        "vllm": _version(package),
        "LLM.__init__": _parameters(_method(llm["LLM"], "__init__")),
        "EngineArgs": _fields(engine),
        "LLM.generate": _parameters(_method(llm["LLM"], "generate")),
        "SamplingParams": _fields(sampling["SamplingParams"]),
        "MAX_LOGPROB_TOKEN_IDS": _constant(package / "sampling_params.py", "MAX_LOGPROB_TOKEN_IDS"),
        "TokensPrompt": {**_keys(inputs["_PromptOptions"]), **_keys(inputs["TokensPrompt"])},
        "RequestOutput": _assigned(_method(outputs["RequestOutput"], "__init__")),
        "CompletionOutput": list(_fields(outputs["CompletionOutput"])),
        "Logprob": list(_fields(_classes(package / "logprobs.py")["Logprob"])),
        "LLM": _assigned(_method(llm["LLM"], "__init__")),
        "LLMEngine": _assigned(
            _method(_classes(package / "v1/engine/llm_engine.py")["LLMEngine"], "__init__"), annotated=False
        ),
        "EngineCoreClient": _methods(_classes(package / "v1/engine/core_client.py")["EngineCoreClient"]),
        "Platform": sorted({"device_type", "get_device_name"} & {*_fields(platform), *_methods(platform)}),
        "finish_reasons": list(_constant(package / "v1/engine/__init__.py", "FINISH_REASON_STRINGS")),
        "logprobs_mode": _literal(package / "config/model.py", "LogprobsMode"),
    }


def _classes(file: Path) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.ClassDef)}


def _version(package: Path) -> str:
    found = sorted(package.parent.glob("vllm*.dist-info"))
    return found[0].name.removesuffix(".dist-info").split("-")[1] if found else ""


def _method(of: ast.ClassDef, name: str) -> ast.FunctionDef:
    return next(node for node in of.body if isinstance(node, ast.FunctionDef) and node.name == name)


def _methods(of: ast.ClassDef) -> list[str]:
    return [node.name for node in of.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


def _parameters(of: ast.FunctionDef) -> dict[str, dict[str, Any]]:
    """Name -> kind and whether it has a default."""
    args = of.args
    plain = [*args.posonlyargs, *args.args][1:]
    from_end = len(plain) - len(args.defaults)
    told = {arg.arg: {"kind": "positional or keyword", "default": place >= from_end} for place, arg in enumerate(plain)}
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        told[arg.arg] = {"kind": "keyword", "default": default is not None}
    if args.kwarg is not None:
        told[args.kwarg.arg] = {"kind": "any keyword", "default": True}
    return told


def _fields(of: ast.ClassDef) -> dict[str, bool]:
    """Name -> whether it has a default."""
    return {
        node.target.id: node.value is not None
        for node in of.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_")
    }


def _keys(of: ast.ClassDef) -> dict[str, str]:
    """The keys of a TypedDict: required or not."""
    found = [node for node in of.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    return {
        ast.unparse(node.target): "optional" if "NotRequired" in ast.unparse(node.annotation) else "required"
        for node in found
    }


def _assigned(of: ast.FunctionDef, *, annotated: bool = True) -> list[str]:
    """The attributes that a constructor sets on itself."""
    targets = [
        target
        for node in ast.walk(of)
        for target in (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AnnAssign) and annotated
            else []
        )
    ]
    found = [t.attr for t in targets if isinstance(t, ast.Attribute) and ast.unparse(t.value) == "self"]
    return sorted({name for name in found if not name.startswith("_")})


def _constant(file: Path, name: str) -> Any:
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise ValueError(f"{file} does not set {name}")


def _literal(file: Path, name: str) -> list[str]:
    """The values of a `Literal[...]` type."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == name
            and isinstance(node.value, ast.Subscript)
        ):
            return list(ast.literal_eval(node.value.slice))
    raise ValueError(f"{file} does not define {name}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Record the names of vLLM that the adapter uses.")
    parser.add_argument("package", type=Path, help="the folder of the package, e.g. .../site-packages/vllm")
    print(json.dumps(record(parser.parse_args().package), indent=1))
