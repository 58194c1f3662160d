"""Weights and optimiser in whole, also where FSDP shards them over devices.

FSDP is set by `accelerate config` (version 2: frozen weights in bfloat16 and trained ones in float32 stand side by
side). That part is written by the documentation of torch.distributed.checkpoint.state_dict, and untested.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from akb.lalm.model import Lalm


def is_sharded(accelerator: Any) -> bool:
    """Whether the model is."""
    return str(accelerator.distributed_type).endswith("FSDP")


def gathered(accelerator: Any, model: Any, lalm: Lalm, optimiser: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What is trained, by name, and the optimiser's state. All devices must call it."""
    if not is_sharded(accelerator):
        weights = {name: value.detach().cpu() for name, value in lalm.trained_parameters().items()}
        return weights, optimiser.state_dict()
    from torch.distributed.checkpoint.state_dict import get_state_dict

    found, state = get_state_dict(model, optimiser.optimizer, options=_options())
    return found, state


def restore(accelerator: Any, model: Any, optimiser: Any, state: Mapping[str, Any]) -> None:
    """Give the optimiser its state; after the model was prepared."""
    if not is_sharded(accelerator):
        optimiser.load_state_dict(dict(state))
        return
    from torch.distributed.checkpoint.state_dict import set_optimizer_state_dict

    set_optimizer_state_dict(model, optimiser.optimizer, dict(state), options=_options())


def _options() -> Any:
    from torch.distributed.checkpoint.state_dict import StateDictOptions

    return StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
