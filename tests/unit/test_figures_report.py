"""Laws of the captions that `snakemake --report` shows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import docutils.core
import jinja2
import pytest
from glassbox.figures.columns import FIGURE_COLUMNS

REPORT = Path(__file__).parents[2] / "report"
CONFIGS = (
    {},
    {
        "sessions": {"source": "local"},
        "decoders": {"split": "poyo", "folds": [0], "seeds": [0, 1, 2]},
        "dictionaries": {"width": 1024, "k": 8},
        "units": {"q": 0.1, "min_effect": 0.02},
        "interventions": {"n_controls": 1000},
    },
)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("path", sorted(REPORT.glob("*.rst")), ids=lambda path: path.stem)
def test_a_caption_is_valid_text_under_any_configuration(path, config):
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    text = environment.from_string(path.read_text()).render(
        snakemake=SimpleNamespace(config=config)
    )
    stop_at_warnings = {"halt_level": 2, "report_level": 5}
    docutils.core.publish_string(text, settings_overrides=stop_at_warnings)
    assert "{{" not in text


def test_every_figure_and_the_claims_have_a_caption():
    names = {path.stem for path in REPORT.glob("*.rst")}
    assert names == {"workflow", "claims", *FIGURE_COLUMNS}
