"""The part of the decoder after the hook, for many versions of the same latents at once.

Everything that the readout does between the latents and the logits, but for one normalisation
and one softmax, is linear. So all of its matrices are folded into one: each column reads from a
normalised latent either the attention score of one head of one task, or what that head would add
to one class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from glassbox.decoders.identity_keyed import IdentityKeyedDecoder


class Suffix:
    """Logits from the hook point `latents` of an identity-keyed decoder.

    Equal to `IdentityKeyedDecoder.readout` up to rounding (a test holds it to that).

    Args:
        model: the decoder.
        tasks: those of its tasks, of classes, that are wanted.
    """

    @torch.no_grad()
    def __init__(self, model: IdentityKeyedDecoder, tasks: Sequence[str]):
        dim, heads = model.latent.shape[1], model.heads
        head_dim = dim // heads
        self.tasks = tuple(tasks)
        self.heads = heads
        places = [model.tasks.index(task) for task in self.tasks]
        query = model.task_query[places].view(len(self.tasks), heads, head_dim)
        key = model.task_key.weight.view(heads, head_dim, dim)
        score = torch.einsum("thd,hdi->thi", query, key).reshape(-1, dim) / math.sqrt(head_dim)
        value = model.task_value.weight.view(heads, head_dim, dim)
        norm = model.norm_latents
        said, self.bias, self.classes = [], [], []
        for layer in (model.answers[place] for place in places):
            per_head = layer.weight.view(-1, heads, head_dim)
            of_task = torch.einsum("chd,hdi->hci", per_head, value)
            bias = layer.weight @ model.task_value.bias + layer.bias
            # Attention weights sum to 1, so what the shift of the norm adds is constant; to the
            # scores it adds the same for every latent, which the softmax does not see.
            self.bias.append(bias + (of_task @ norm.bias).sum(0))
            said.append(of_task.reshape(-1, dim))
            self.classes.append(layer.weight.shape[0])
        scaled = torch.cat([score, *said]) * norm.weight
        self.fold = (scaled - scaled.mean(1, keepdim=True)).T.contiguous()
        self.eps = norm.eps

    @torch.no_grad()
    def __call__(
        self,
        latents: torch.Tensor,
        sessions: Sequence[str] | None = None,
        beside: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Logits by task, (trials, sets, classes).

        Args:
            latents: versions of the latents of each trial, (trials, latents, sets, dim).
            sessions: of each trial; this decoder's readout knows nothing of them.
            beside: nothing is added to the latents.
        """
        spread = torch.linalg.vecdot(latents, latents) / latents.shape[-1]
        spread = (spread - latents.mean(-1).square()).clamp_min(0)
        shrink = (spread + self.eps).rsqrt().unsqueeze(-1)
        read = latents @ self.fold
        n_scores = len(self.tasks) * self.heads
        weight = (read[..., :n_scores] * shrink).softmax(dim=1) * shrink
        logits, at = {}, n_scores
        for i, (task, classes) in enumerate(zip(self.tasks, self.classes, strict=True)):
            of_task = weight[..., i * self.heads : (i + 1) * self.heads]
            said = read[..., at : at + self.heads * classes]
            said = said.unflatten(-1, (self.heads, classes))
            logits[task] = torch.einsum("blsh,blshc->bsc", of_task, said) + self.bias[i]
            at += self.heads * classes
        return logits
