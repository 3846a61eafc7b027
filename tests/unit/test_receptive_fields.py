"""Laws of the receptive fields that are exported."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.receptive_fields import (
    CELLS_SHOWN,
    COMPONENTS,
    components_of,
    export_receptive_fields,
)
from glassbox.decoders.train import CohortName, train_cohort
from glassbox.errors import UserError
from glassbox.figures import receptive_fields
from tiny_trials import OPTIONS, tiny_cohort


def some_field(cells: int = 5, samples: int = 4, latents: int = 3, dim: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(cells, samples, latents, dim, generator=generator, dtype=torch.float64)


def test_all_components_add_up_to_the_field():
    field = some_field()
    found = components_of(field, 6)
    whole = np.einsum("klcs,kld->csld", found.weight, found.direction)
    assert np.allclose(whole, field.numpy(), atol=1e-10)
    assert np.allclose(found.share.sum(0), 1)


def test_a_latent_that_hears_one_sum_has_one_component_with_its_share_of_one():
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(5, 4, generator=generator).double()
    direction = torch.nn.functional.normalize(torch.randn(6, generator=generator).double(), dim=0)
    found = components_of((weight[..., None] * direction)[:, :, None], 2)
    assert found.share[0] == pytest.approx([1.0])
    sign = 1.0 if weight.flatten()[weight.abs().argmax()] > 0 else -1.0
    assert np.allclose(found.weight[0, 0], sign * weight.numpy())
    assert np.allclose(found.direction[0, 0], sign * direction.numpy())


def test_the_largest_weight_is_positive_so_that_equal_fields_give_equal_signs():
    found, flipped = components_of(some_field(), 2), components_of(-some_field(), 2)
    flat = found.weight.reshape(2, 3, -1)
    largest = np.take_along_axis(flat, np.abs(flat).argmax(2)[..., None], 2)
    assert (largest > 0).all()
    assert np.allclose(found.weight, flipped.weight)
    assert np.allclose(found.direction, -flipped.direction)


def test_the_store_and_the_table_hold_the_decoders_fields(tmp_path):
    decoders = tmp_path / "decoders"
    train_cohort(CohortName("m", "mouse"), tiny_cohort(("a", "b")), OPTIONS, decoders, None)
    export_receptive_fields(decoders, tmp_path / "fields.zarr", tmp_path / "fields.csv")
    field = FittedDecoder.load(decoders, 0, 0).receptive_fields("b")
    group = "seed0-fold0/b/drifting_gratings"
    with xr.open_zarr(tmp_path / "fields.zarr", group=group, consolidated=False) as data:
        expected = components_of(field, COMPONENTS)
        assert np.allclose(data.weight, expected.weight, atol=1e-5)
        assert data.time.to_numpy()[0] == pytest.approx(0.5 / 8)
        assert data.sizes["cell"] == 7
    table = receptive_fields.read(tmp_path / "fields.csv")
    assert len(table) == 4 * min(6, CELLS_SHOWN) * 8
    assert set(table.session) == {"a"}
    first = table[table.latent == 2].groupby("cell", sort=False).weight.apply(np.linalg.norm)
    assert (np.diff(first) <= 1e-6).all()


def test_a_decoder_without_receptive_fields_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "decoder.json").write_text('{"model": "poyo_plus", "seeds": [0], "folds": [0]}')
    with pytest.raises(UserError, match="of the kind poyo_plus; expected identity_keyed"):
        export_receptive_fields(tmp_path, tmp_path / "out.zarr", tmp_path / "out.csv")


def test_the_figure_says_so_where_there_is_nothing_to_draw(tmp_path):
    from glassbox.figures.options import FiguresOptions
    from glassbox.figures.output import write_figure

    (tmp_path / "fields.csv").write_text(",".join(receptive_fields.NEEDED) + "\n")
    rows = receptive_fields.numbers(receptive_fields.read(tmp_path / "fields.csv"))
    paths = [tmp_path / f"figure.{kind}" for kind in ("pdf", "png", "csv")]
    options = FiguresOptions(dpi=60)
    write_figure("receptive_fields", rows, receptive_fields.draw, *paths, options)
    assert paths[1].stat().st_size > 1000
