"""How much each cell adds to a unit in a trial: integrated gradients from the cells' means.

The activation of a unit in a trial is its mean over the latents in which it fires. Where it fires
is held as it is in the trial (which units a dictionary takes is a matter of yes and no, which has
no gradient); in those latents the activation is linear in what passes the hook, and that is a
smooth function of the scaled dF/F. A cell's part is what its scaled dF/F, sample by sample, times
the mean gradient along the straight path from all cells at their means to the trial comes to. The
parts add up to the difference between the two ends (Sundararajan et al. 2017, "Axiomatic
attribution for deep networks", ICML).

Of the identity-keyed decoder the encoder is linear, so a path through it is a path of what enters
the latents: gradients are averaged behind the encoder alone, and each cell's part follows exactly
from the latents' receptive fields. Of POYO+ they are averaged through the whole decoder.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.encoder import LinearlyEncoded
from glassbox.dictionaries.matching_pursuit import MatchingPursuitDictionary, pursue
from glassbox.errors import UserError

PAIRS_AT_ONCE = 64  # of trial and unit


def pulls(dictionary: Dictionary, latents: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
    """Gradient of each trial's unit with respect to what passes the hook, (pairs, latents, dim).

    Of its mean over latents, where the units that fire are those that fire there.

    Args:
        dictionary: at the hook.
        latents: (pairs, latents, dim).
        units: which unit of each pair, (pairs,), i8.

    Raises:
        UserError: the dictionary's code is not linear where its choice of units is held.
    """
    if isinstance(dictionary, LinearlyEncoded):
        z = dictionary.encode(latents)
        fires = z.gather(2, units[:, None, None].expand(-1, z.shape[1], 1)) > 0
        return fires * dictionary.W_enc[units][:, None] / latents.shape[1]
    if isinstance(dictionary, MatchingPursuitDictionary):
        return _pulls_of_pursuit(dictionary, latents, units)
    raise UserError(
        f"dictionaries.architecture: {dictionary.architecture} has no attribution to cells; "
        "expected topk, relu, batch_topk, jumprelu, matryoshka or matching_pursuit."
    )


def _pulls_of_pursuit(
    dictionary: MatchingPursuitDictionary, latents: torch.Tensor, units: torch.Tensor
) -> torch.Tensor:
    """Back through the steps: each took from the residual its part along a row."""
    rows = dictionary.W_dec
    (values, taken), _ = pursue((latents - dictionary.b_dec).flatten(0, 1), rows, dictionary.k)
    own = units.repeat_interleave(latents.shape[1])
    pull = torch.zeros_like(latents.flatten(0, 1))
    for step in reversed(range(taken.shape[1])):
        row = rows[taken[:, step]] / rows[taken[:, step]].norm(dim=1, keepdim=True)
        length = rows[taken[:, step]].norm(dim=1, keepdim=True)
        fires = (values[:, step, None] > 0).to(pull.dtype)
        counts = (taken[:, step] == own)[:, None] / length
        pull = pull + fires * row * (counts - (pull * row).sum(1, keepdim=True))
    return pull.view_as(latents) / latents.shape[1]


@cache
def path(nodes: int) -> tuple[tuple[float, float], ...]:
    """Places on the way from 0 to 1 and their weights (Gauss-Legendre); no place is an end."""
    place, weight = np.polynomial.legendre.leggauss(nodes)
    return tuple(zip(((place + 1) / 2).tolist(), (weight / 2).tolist(), strict=True))


def attributions(
    decoder: FittedDecoder,
    session: str,
    windows: torch.Tensor,
    trial: torch.Tensor,
    pull: torch.Tensor,
    nodes: int,
) -> torch.Tensor:
    """What each cell adds in each pair of trial and unit, (pairs, cells) f4.

    Args:
        decoder: whose hook `latents` the units read.
        session: of the windows.
        windows: raw dF/F of the trials, (trials, cells, samples).
        trial: place of each pair's trial among the windows, (pairs,), i8.
        pull: as `pulls` gives it, (pairs, latents, dim).
        nodes: of the quadrature.
    """
    windows = windows.to(decoder.model.device)
    if isinstance(decoder.model, IdentityKeyedDecoder):
        fields = decoder.receptive_fields(session, decoder.stimulus)
        of_kind = partial(_behind_encoder, decoder, session, fields)
    else:
        of_kind = partial(_through_decoder, decoder, session)
    parts = [
        of_kind(windows, trial[some], pull[some], nodes)
        for some in torch.arange(len(trial)).split(PAIRS_AT_ONCE)
    ]
    return torch.cat(parts) if parts else windows.new_zeros(0, windows.shape[1])


def _behind_encoder(
    decoder: FittedDecoder,
    session: str,
    fields: torch.Tensor,
    windows: torch.Tensor,
    trial: torch.Tensor,
    pull: torch.Tensor,
    nodes: int,
) -> torch.Tensor:
    model, stimulus, scaling = decoder.model, decoder.stimulus, decoder.model.scaling(session)
    at_mean = scaling.mean.expand(*windows.shape[1:])[None]
    with torch.no_grad():
        end, inverse = trial.unique(return_inverse=True)
        start = model.entering(session, stimulus, at_mean)
        way = model.entering(session, stimulus, windows[end])[inverse] - start
    gradient = _mean_gradient(model.process, start, way, pull, nodes)
    with torch.no_grad():
        of_samples = (fields.flatten(2) @ gradient.flatten(1).T).permute(2, 0, 1)
        return (of_samples * scaling.scaled(windows, None)[trial]).sum(2)


def _through_decoder(
    decoder: FittedDecoder,
    session: str,
    windows: torch.Tensor,
    trial: torch.Tensor,
    pull: torch.Tensor,
    nodes: int,
) -> torch.Tensor:
    model, scaling = decoder.model, decoder.model.scaling(session)
    way = scaling.scaled(windows, None)[trial] * scaling.deviation
    encode = partial(model.encode, session, decoder.stimulus)
    return (_mean_gradient(encode, scaling.mean, way, pull, nodes) * way).sum(2)


def _mean_gradient(
    of: Callable[[torch.Tensor], torch.Tensor],
    start: torch.Tensor,
    way: torch.Tensor,
    pull: torch.Tensor,
    nodes: int,
) -> torch.Tensor:
    """Mean over the straight path of the gradient of pull · of(place), of the shape of `way`."""
    gradient = torch.zeros_like(way)
    for place, weight in path(nodes):
        at = (start + place * way).requires_grad_()
        (found,) = torch.autograd.grad(of(at), at, pull)
        gradient += weight * found
    return gradient
