"""How much of a clip a processor gives the model.

Some processors (Qwen2-Audio's, Gemma 3n's) leave out what lies beyond their window and say so nowhere; others (Audio
Flamingo's) take several windows. So it is asked of the processor itself: what can be replaced by noise without a change
of the model's inputs is not heard.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from akb.adapters.hf_audio_inputs import Asked, Inputs

END = 0.25  # seconds; as much as processors may leave over for want of a whole frame
STEP = 0.01  # seconds to which the window is found


@dataclass
class Window:
    """The window of one processor, as far as it is known.

    Attributes:
        inputs: of the processor.
        rate: samples a second.
        heard: a clip of so many samples is heard to its end.
        limit: of a longer clip so many samples are heard; None: no clip was met that is not heard to its end.
    """

    inputs: Inputs
    rate: int
    heard: int = 0
    limit: int | None = None

    def unheard(self, asked: Asked) -> tuple[float, ...]:
        """Seconds at the end of each of a request's clips that the model is not given; 0: all is heard.

        Raises:
            AkbError: the processor cannot take the request, or leaves all of a clip out.
        """
        return tuple(self._unheard(asked, number) / self.rate for number in range(len(asked.samples)))

    def _unheard(self, asked: Asked, number: int) -> int:
        whole, end = len(asked.samples[number]), round(END * self.rate)
        if self.limit is None and whole > max(self.heard, end):
            if self._matters(asked, number, whole - end):
                self.heard = whole
            else:
                self.limit = self._found(asked, number, whole - end)
        beyond = 0 if self.limit is None else whole - self.limit
        return beyond if beyond >= end else 0

    def _found(self, asked: Asked, number: int, high: int) -> int:
        """The first sample from which on nothing is heard; `high` is such a one."""
        step = max(round(STEP * self.rate), 1)
        low, most = 0, -(-high // step)
        while low < most:
            middle = (low + most) // 2
            if self._matters(asked, number, middle * step):
                low = middle + 1
            else:
                most = middle
        if not low:
            raise self.inputs.left_out()
        return low * step

    def _matters(self, asked: Asked, number: int, start: int) -> bool:
        """Whether the model's inputs change with what a clip holds from a sample on."""
        import torch

        own = asked.samples[number]
        noise = np.random.default_rng(start).uniform(-0.5, 0.5, len(own) - start).astype(np.float32)
        other = [*asked.samples]
        other[number] = np.concatenate([own[:start], noise])
        one, two = (self.inputs.of([each]) for each in (asked, replace(asked, samples=tuple(other))))
        return any(torch.is_tensor(value) and not torch.equal(value, two[name]) for name, value in one.items())
