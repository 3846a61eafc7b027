"""The part of a POYO+ decoder after the hook `latents`, for many versions of them at once.

The queries of a session are the same for all of its trials, so the projection of the keys is
folded into them, latent by latent, for keys are turned by their times. Values are averaged before
they are projected. So a version of a latent costs a score for each head and task, and an average.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glassbox.decoders.poyo_plus_decoder import PoyoPlusDecoder
from glassbox.decoders.rotary import turned


@dataclass(frozen=True)
class _Queries:
    """What the queries of one session read from latents whose values have mean 0 and variance 1.

    Attributes:
        start: the queries, (tasks, dim).
        score: columns that give the scores, (latents, dim, heads · tasks).
        shift: what the scores have besides, (latents, heads · tasks).
    """

    start: torch.Tensor
    score: torch.Tensor
    shift: torch.Tensor


class PoyoPlusSuffix:
    """Logits from the hook point `latents` of a POYO+ decoder.

    Equal to `PoyoPlusDecoder.readout` up to rounding (a test holds it to that).

    Args:
        model: the decoder.
        tasks: those of its tasks, of classes, that are wanted.
    """

    @torch.no_grad()
    def __init__(self, model: PoyoPlusDecoder, tasks: Sequence[str]):
        self.tasks = tuple(tasks)
        self._model, self._queries = model, {}
        self._places = [model.tasks.index(task) for task in self.tasks]
        attention = model.body.decoder
        norm, dim = attention.norm_context, attention.norm_context.weight.shape[0]
        self._key, value = attention.key_value.weight.view(2, attention.heads, -1, dim)
        output = attention.attended.weight.unflatten(1, (attention.heads, -1))
        project = torch.einsum("ohd,hdi->hoi", output, value)
        # Weights of attention sum to 1, so the shift of the norm adds the same whatever is heard.
        self._bias = attention.attended.bias + torch.einsum("hoi,i->o", project, norm.bias)
        scaled = project * norm.weight
        self._project = scaled - scaled.mean(-1, keepdim=True)

    @torch.no_grad()
    def __call__(
        self,
        latents: torch.Tensor,
        sessions: np.ndarray | Sequence[str],
        beside: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Logits by task, (trials, sets, classes).

        Args:
            latents: versions of the latents of each trial, (trials, latents, sets, dim).
            sessions: of each trial, (trials,).
            beside: nothing is added to the latents.
        """
        sessions = np.asarray(sessions)
        found: dict[str, list[torch.Tensor]] = {task: [] for task in self.tasks}
        order = []
        for session in np.unique(sessions):
            places = np.flatnonzero(sessions == session)
            order.append(places)
            some = latents if len(places) == len(sessions) else latents[torch.from_numpy(places)]
            for task, logits in self._of_session(some, str(session)).items():
                found[task].append(logits)
        back = torch.from_numpy(np.argsort(np.concatenate(order), kind="stable"))
        return {task: torch.cat(parts)[back] for task, parts in found.items()}

    def _of_session(self, latents: torch.Tensor, session: str) -> dict[str, torch.Tensor]:
        body, attention = self._model.body, self._model.body.decoder
        asked = self._asked(session)
        dim = latents.shape[-1]
        spread = torch.linalg.vecdot(latents, latents) / dim - latents.mean(-1).square()
        shrink = (spread.clamp_min(0) + attention.norm_context.eps).rsqrt().unsqueeze(-1)
        score = torch.einsum("blsd,ldk->blsk", latents, asked.score) * shrink
        weight = (score + asked.shift[:, None]).softmax(dim=1) * shrink
        heard = torch.einsum("blsk,blsd->bskd", weight, latents)
        heard = heard.unflatten(2, (attention.heads, -1))
        query = torch.einsum("bshti,hoi->bsto", heard, self._project) + self._bias + asked.start
        query = query + body.decoder_forward(query)
        return {
            task: body.answers[place](query[:, :, i])
            for i, (task, place) in enumerate(zip(self.tasks, self._places, strict=True))
        }

    def _asked(self, session: str) -> _Queries:
        """The queries of a session, made when they are first needed."""
        if session not in self._queries:
            model, attention = self._model, self._model.body.decoder
            start = model.session_embedding(session) + model.body.task[self._places]
            query = attention.query(attention.norm_query(start)).unflatten(
                -1, (attention.heads, -1)
            )
            asked = torch.tensor(model.asked_s, device=model.device)
            # Turned by the query's time, then back by each latent's: (latents, tasks, heads, head).
            by = model.body.rotary(asked) * model.body.rotary(model.grid_time).conj()
            query = query.expand(len(by), *query.shape)
            query = turned(query, by[:, None, None]) / math.sqrt(query.shape[-1])
            norm = attention.norm_context
            folded = torch.einsum("lthe,hei->ilht", query, self._key)
            scaled = folded * norm.weight[:, None, None, None]
            self._queries[session] = _Queries(
                start,
                (scaled - scaled.mean(0)).flatten(2).transpose(0, 1).contiguous(),
                torch.einsum("ilht,i->lht", folded, norm.bias).flatten(1),
            )
        return self._queries[session]
