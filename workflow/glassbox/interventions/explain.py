"""What the units of a cohort stand for and which cells they hear, and how far both hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glassbox.decoders.fitted import FittedDecoder
from glassbox.dictionaries.activations import open_sessions
from glassbox.errors import UserError
from glassbox.files import replacing_file
from glassbox.interventions.attribution import TUNING, Row, Traces, trace_run
from glassbox.interventions.attribution_options import AttributionOptions
from glassbox.interventions.ranking import read_candidates
from glassbox.interventions.rewriting import Scores, rewriting_rows, rewriting_scores
from glassbox.interventions.runs import DictionaryFacts, open_run
from glassbox.options import to_json
from glassbox.progress import Progress
from glassbox.tables import write_rows, write_table
from glassbox.units.activations import DictionaryFolder
from glassbox.units.describe import description_rows, read_descriptions

TRACED_HOOK = "latents"


def explain_units(
    decoder_folder: str | Path,
    dictionary_folder: str | Path,
    units_csv: str | Path,
    tuning_csv: str | Path,
    tensors: Sequence[str | Path],
    out: str | Path,
    options: AttributionOptions,
) -> None:
    """Write the tables of a cohort's descriptions and attributions into the folder `out`.

    Units at the hook `latents` alone are traced back to cells; of others those tables are empty.
    """
    facts = DictionaryFacts.read(dictionary_folder)
    folder = DictionaryFolder.open(dictionary_folder)
    described = read_descriptions(units_csv, tuning_csv, folder)
    first = FittedDecoder.load(decoder_folder, *facts.runs[0])
    sessions = open_sessions(first, tensors)
    candidates = read_candidates(units_csv, tuple(first.tasks))
    who = {
        "cohort": facts.cohort,
        "level": facts.level,
        "hook": facts.hook,
        "dictionary": facts.dictionary,
    }
    descriptions: list[Row] = []
    folds: dict[int, list[tuple[Scores, np.ndarray]]] = {}
    traces = Traces([], [], [], [])
    progress = Progress(2 * len(facts.runs), f"explain_units {facts.cohort}")
    for seed, fold in facts.runs:
        at = seed, fold
        if at not in described or at not in candidates:
            raise UserError(
                f"{units_csv}: no unit of seed {seed}, fold {fold}; run the rule measure_units "
                "again."
            )
        here = who | {"seed": seed, "fold": fold}
        run = open_run(decoder_folder, dictionary_folder, sessions, *at)
        descriptions += description_rows(here, at, described[at], folder)
        scores = rewriting_scores(run, folder, described[at], options.seed)
        folds.setdefault(seed, []).append(scores)
        progress.step()
        if facts.hook == TRACED_HOOK:
            decoder = FittedDecoder.load(decoder_folder, *at)
            traces += trace_run(here, decoder, run, sessions, candidates[at], options)
        progress.step()
    progress.close()
    rewritten: list[Row] = []
    for seed, parts in folds.items():
        pooled = {key: np.concatenate([scores[key] for scores, _ in parts]) for key in parts[0][0]}
        session = np.concatenate([session for _, session in parts])
        rewritten += rewriting_rows(who | {"seed": seed}, pooled, session, options.seed)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    write_table("descriptions", out / "descriptions.csv", descriptions)
    write_table("rewriting", out / "rewriting.csv", rewritten)
    write_table("attribution", out / "attribution.csv", traces.cells)
    write_table("attribution_check", out / "attribution_check.csv", traces.checks)
    write_rows(out / "tuning.csv", TUNING, traces.tuning)
    about = {"options": json.loads(to_json(options)), "runs": traces.notes}
    with replacing_file(out / "attribution.json") as file:
        file.write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
