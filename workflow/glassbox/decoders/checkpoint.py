"""Keeping the state of a training run outside the declared outputs, to go on after a kill.

A checkpoint is one safetensors file, replaced atomically: tensors by name, and everything else as
JSON in the header. Its name carries a key over code, configuration and inputs, so that a state
that another run left behind is never taken up.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from glassbox.files import replacing_file


def key_of(*parts: Any) -> str:
    """16 digits of the SHA-256 of JSON-able parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Checkpoint:
    """The state of one training run.

    Args:
        folder: where states are kept; None: nothing is kept.
        name: of the run, such as 'body-seed0-fold1'.
        key: over code, configuration and inputs.
        every_s: least time between two states, seconds.
    """

    def __init__(self, folder: str | Path | None, name: str, key: str, every_s: float):
        self.folder = None if folder is None else Path(folder)
        self.name, self.key, self.every_s = name, key, every_s
        self._last = time.monotonic()

    @property
    def path(self) -> Path | None:
        return self.folder and self.folder / f"{self.name}-{self.key}.safetensors"

    def due(self) -> bool:
        """It is time to save a state."""
        return self.folder is not None and time.monotonic() - self._last >= self.every_s

    def save(self, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
        """Put the state in the place of the last one."""
        if self.path is None:
            return
        plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
        with replacing_file(self.path) as partial:
            save_file(plain, partial, metadata={"facts": json.dumps(facts)})
        self._last = time.monotonic()

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """The last state, or None where there is none that can be read."""
        if self.path is None or not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return tensors, json.loads(file.metadata()["facts"])
        except (SafetensorError, OSError, ValueError, TypeError, KeyError):
            return None

    def forget_others(self) -> None:
        """Delete the states that runs of this name left under other keys."""
        if self.folder is None:
            return
        for path in self.folder.glob(f"{self.name}-{'[0-9a-f]' * 16}.safetensors"):
            if path != self.path:
                path.unlink(missing_ok=True)
