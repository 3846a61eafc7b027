"""The sections of the configuration: the one place that knows the options of every stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassbox.claims.options import ClaimOptions
from glassbox.configuration import place_of
from glassbox.decoders.hook_names import check_hook
from glassbox.decoders.options import DecoderOptions
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.errors import UserError
from glassbox.figures.options import FiguresOptions
from glassbox.interventions.attribution_options import AttributionOptions
from glassbox.interventions.options import InterventionOptions
from glassbox.options import options_from
from glassbox.sessions.cohort_options import CohortOptions
from glassbox.sessions.source import SourceOptions
from glassbox.tensors.options import TensorOptions
from glassbox.units.options import UnitOptions


@dataclass(frozen=True)
class ThreadOptions:
    """CPU threads of one job. Results may depend on them in the last digits, so they are stated."""

    decoders: int = 1  # of train_decoder
    dictionaries: int = 1  # of train_dictionary
    units: int = 1  # of score_ground_truth
    interventions: int = 1  # of ablate_units and ablate_genotype

    def check(self, section: str) -> None:
        for name, threads in vars(self).items():
            if threads < 1:
                raise UserError(f"{section}.{name}: expected at least 1 thread; found {threads}.")


SECTIONS = {
    "sessions": SourceOptions,
    "cohorts": CohortOptions,
    "tensors": TensorOptions,
    "decoders": DecoderOptions,
    "dictionaries": DictionaryOptions,
    "units": UnitOptions,
    "interventions": InterventionOptions,
    "attribution": AttributionOptions,
    "figures": FiguresOptions,
    "claims": ClaimOptions,
    "threads": ThreadOptions,
}


def check_sections(config: Mapping[str, Any], files: Sequence[str | Path] = ()) -> dict[str, Any]:
    """The options of every section, each with its own check done.

    Raises `UserError` as the check words it, with the file and line where the value was set.
    """
    options = {}
    try:
        for section, cls in SECTIONS.items():
            options[section] = options_from(cls, config[section], section)
        check_hook(options["dictionaries"].hook, options["decoders"])
    except UserError as error:
        raise UserError(f"{error} ({_place(str(error), config, files)})") from None
    return options


def _place(message: str, config: Mapping[str, Any], files: Sequence[str | Path]) -> str:
    """Where the key stands that a message opens with."""
    found: Any = config
    keys = []
    for key in message.split(":")[0].split(" ")[0].split("."):
        key = key.split("[")[0]
        if not isinstance(found, Mapping) or key not in found:
            break
        keys, found = [*keys, key], found[key]
    return place_of(keys, found, files)
