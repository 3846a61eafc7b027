"""Letting a trained decoder listen to a session that it has never seen."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch

from glassbox.decoders.checkpoint import Checkpoint
from glassbox.decoders.data import TrialSet
from glassbox.decoders.devices import local
from glassbox.decoders.fit import Run, fit
from glassbox.decoders.fitted import FittedDecoder, FittedSession
from glassbox.decoders.model import OWN, new_decoder
from glassbox.tensors.splits import TRAIN

_NEVER_S = float("inf")


def adapt(
    decoder: FittedDecoder, data: TrialSet, epochs: int | None = None, stop_early: bool = True
) -> FittedDecoder:
    """A decoder of one new session: the same body, unit vectors fitted to the session's trials.

    As for a held-out session: scaling and unit vectors come from the training trials, the best
    epoch from the selection trials, no genotype is used, and the body stays as it is.

    Args:
        decoder: the trained decoder; it is not changed.
        data: the new session, with parts for the decoder's fold.
        epochs: length of the schedule; None: that of held-out sessions.
        stop_early: keep the epoch that selection trials like best; otherwise the last one.
    """
    name = data.session
    model = new_decoder(
        decoder.options, {name: data.cell_specimen_id}, deepcopy(decoder.model.targets).cpu()
    )
    body = {
        key: value.cpu()
        for key, value in decoder.model.state_dict().items()
        if not key.startswith(("sessions.", *OWN))
    }
    model.draw(decoder.seed)
    model.load_state_dict(body, strict=False)
    model.scaling(name).fit([data.windows[data.in_part(decoder.fold, TRAIN)]])
    run = Run(
        name,
        decoder.seed,
        decoder.fold,
        (data,),
        model.cell_parameters(name),
        epochs or decoder.options.unit_epochs,
        stop_early,
    )
    with torch.enable_grad():
        checkpoint, fabric = Checkpoint(None, name, "", _NEVER_S), local(model.device)
        fit(model, run, decoder.options, checkpoint, _unheard, fabric)
    model.requires_grad_(False)
    session = FittedSession(
        name,
        data.mouse,
        data.cre_line,
        data.cell_specimen_id,
        (data.stimulus,),
        data.store,
        True,
    )
    return replace(decoder, sessions={name: session}, model=model)


def _unheard(epochs: int, note: str) -> None:
    """Nobody watches the fit of one session."""
