# What every stage shares: where the library lies, what a rule's code is, the checked configuration.
#
# Priorities of rules follow the longest chain (sessions, decoder, dictionary, units, truth), so that
# no long job is left to run alone at the end; jobs that nothing long waits for fill the gaps.

import atexit
import gc
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

HOUSE = Path(workflow.current_basedir).parent.resolve()
sys.path.insert(0, str(HOUSE))

from snakemake.exceptions import WorkflowError
from snakemake.scheduling.job_scheduler import JobScheduler

from glassbox.cluster_status import keep_unanswered_jobs, loaded_plugin
from glassbox.code import Kept, code_of_script
from glassbox.configuration import checked, read_schema
from glassbox.errors import user_errors
from glassbox.files import sha256_of_folder
from glassbox.latency import await_file
from glassbox.names import file_name
from glassbox.scheduler import keep_one_timer
from glassbox.sections import check_sections
from glassbox.sessions.allen_catalogue import read_allen_catalogue, uncatalogued
from glassbox.sessions.allen_source import asked_of, events_beside, manifest_file
from glassbox.sessions.catalogue import described, read_catalogue
from glassbox.sessions.cohorts import UNCATALOGUED, cohorts_of
from glassbox.sessions.simulated_mice import options_of
from glassbox.sessions.source import (
    list_sessions,
    sessions_folder,
    with_file_names,
    write_excluded,
)
from glassbox.tensors.tasks import stimulus_of_tasks

keep_one_timer(JobScheduler)
keep_unanswered_jobs(loaded_plugin())

# Thousands of jobs are planned and all live to the end: to look through them for garbage again and
# again took a third of the planning.
gc.freeze()
gc.set_threshold(1_000_000)
# At the end that look would take a tenth of it once more, to free what the system takes back anyway.
atexit.register(gc.freeze)

# Each job's shell finds the library and the scripts, whatever its working directory and its
# environment are, and fails when any part of a pipe fails. Its python is Snakemake's own, also where
# that environment is not activated; under --sdm it is the rule's.
_library = shlex.quote(str(HOUSE)).replace("{", "{{").replace("}", "}}")
_scripts = shlex.quote(str(HOUSE / "scripts")).replace("{", "{{").replace("}", "}}")
_python = shlex.quote(str(Path(sys.executable).parent)).replace("{", "{{").replace("}", "}}")
_deployed = workflow.deployment_settings and workflow.deployment_settings.deployment_method
shell.prefix(
    "set -euo pipefail; "
    + ("" if _deployed else f"export PATH={_python}:$PATH; ")
    + f"export PYTHONNOUSERSITE=1 PYTHONPATH={_library} SCRIPTS={_scripts}; "
)


READ_CODE = Kept(Path("results/.cache/code.json"))


def code_of(script):
    """The hash of what a script runs: a parameter, so that an edit of meaning runs its rule again."""
    return code_of_script(HOUSE / "scripts" / f"{script}.py", HOUSE, READ_CODE)


def as_json(section):
    """A section of the configuration as one argument."""
    return json.dumps(section, sort_keys=True)


def gpus_of(section):
    """GPUs that training asks a cluster for; whatever looks into what was trained runs on CPUs."""
    options = config[section]
    return options.get("devices", 1) if options["device"] == "cuda" else 0


# A wrong key ends here, with one sentence that says where it stands.
with user_errors():
    SCHEMA = read_schema(HOUSE / "schemas" / "config.schema.yaml")
    config.update(checked(config, SCHEMA, workflow.configfiles))
    OPTIONS = check_sections(config, workflow.configfiles)

CATALOGUE = "results/sessions/catalogue.tsv"
EXCLUDED = "results/sessions/excluded.csv"
ALLEN_CATALOGUE = "results/sessions/allen.tsv"
EVENTS = OPTIONS["tensors"].signal == "events"
FROM_ALLEN = OPTIONS["sessions"].source == "allen"
# Until it is asked for, one session of unknown name stands for all: every target but `catalogue`
# wants its file, and is told which command comes first.
CATALOGUED = not FROM_ALLEN or not workflow.is_main_process or Path(ALLEN_CATALOGUE).exists()

# Only the main process looks at the sessions: a file that appears midway kills no running job.
with user_errors():
    if not workflow.is_main_process:  # a job on a node of a cluster may see the catalogue late
        await_file(CATALOGUE, longest_s=120)
    elif CATALOGUED:
        _folder = sessions_folder(OPTIONS["sessions"], config["nwb_dir"], workflow.rundir)
        list_sessions(
            OPTIONS["sessions"],
            _folder,
            workflow.rundir,
            CATALOGUE,
            ALLEN_CATALOGUE,
            events=EVENTS,
        )
    _rows = read_catalogue(CATALOGUE) if CATALOGUED else []
    _tasks = stimulus_of_tasks(OPTIONS["decoders"].tasks)
    _cohorts = OPTIONS["cohorts"]
    _found = cohorts_of(with_file_names(_rows), _cohorts, _tasks) if CATALOGUED else UNCATALOGUED
    _allen = read_allen_catalogue(ALLEN_CATALOGUE) if FROM_ALLEN and CATALOGUED else []

ROWS = {file_name(row.session): described(row) for row in _rows if not row.problem}
NWB = {file_name(row.session): row.file for row in _rows if not row.problem}
SESSIONS = list(_found.convertible)
# Of a session that is still to be fetched the size is not known: 400 cells, an hour at 30 Hz.
VALUES = dict.fromkeys(SESSIONS, 43_200_000) | {
    file_name(row.session): row.cells * row.frames for row in _rows if row.cells
}
SIMULATED = SESSIONS if OPTIONS["sessions"].source == "simulated" else []
FETCHED = SESSIONS if FROM_ALLEN and not OPTIONS["sessions"].allen.manifest else []
ALLEN = {file_name(session.session): session for session in _allen}
COHORTS = _found.cohorts
REFUSED = [excluded.reason for excluded in _found.excluded if excluded.fault]

if workflow.is_main_process and CATALOGUED:
    write_excluded(EXCLUDED, _found.excluded)
    for _excluded in _found.excluded:
        print(f"excluded: {_excluded.reason}", file=sys.stderr)

# What the stages make of the cohorts.
HOOK = config["dictionaries"]["hook"]
RUNS = expand(
    "seed{seed}-fold{fold}", seed=config["decoders"]["seeds"], fold=config["decoders"]["folds"]
)
DECODED = sorted({session for cohort in COHORTS.values() for session in cohort.sessions})
HELD_OUT = [name for name, cohort in COHORTS.items() if cohort.level == "heldout"]
ABLATED = [name for name in COHORTS if name not in HELD_OUT]
GENOTYPE = ["all-without" for _ in HELD_OUT[:1]]  # all folds of mice together
ABLATIONS = [*ABLATED, *GENOTYPE]
# Units are explained where most is trained together: of all mice, else of each cohort. They are
# traced back to cells from the latents.
EXPLAINED = [name for name in ABLATED if name == "all"] or ABLATED
TRACED = EXPLAINED if HOOK == "latents" else []
# What is asked of every layer is asked of one cohort: that of all mice, else the first.
PROBED = ["all"] if "all" in COHORTS else ABLATED[:1]
SCORED = ABLATED if SIMULATED else []  # against the simulator's truth
RELABELLED = [name for name in COHORTS if name == "all"]  # exists where there are two Cre lines
GROUND_TRUTH = [
    *(f"results/units/{HOOK}/ground_truth.csv" for _ in SCORED[:1]),
    *(f"results/units/{HOOK}/relabelled.csv" for _ in RELABELLED),
]


def each(pattern, **values):
    """`expand`, but only when a job asks: most starts want few of the rules that list everything."""

    def files(wildcards):
        return expand(pattern, **values)

    return files


def ask_for_catalogue():
    """Say which command comes first, and end, where the Allen catalogue is not here yet."""
    if not CATALOGUED:
        with user_errors():
            raise uncatalogued(ALLEN_CATALOGUE)


def nwb_of_session(wildcards):
    ask_for_catalogue()
    path = NWB[wildcards.session]
    if "{" in path or "}" in path:
        raise WorkflowError(
            f"{path}: Snakemake takes braces in the name of a file for wildcards; rename the file or "
            "its folder."
        )
    return path


def simulation_of_session(wildcards):
    """What the file of a session depends on: not on how many mice there are beside this one."""
    return as_json(asdict(options_of(OPTIONS["sessions"].simulate, wildcards.session)))


def manifest_of_allensdk(wildcards):
    """The manifest file that is asked instead of a server, or an empty text."""
    with user_errors():
        return str(manifest_file(OPTIONS["sessions"].allen, workflow.rundir) or "")


def allen_session(wildcards):
    ask_for_catalogue()
    if wildcards.session not in ALLEN:
        raise WorkflowError(f"{wildcards.session}: no such session in {ALLEN_CATALOGUE}.")
    return ALLEN[wildcards.session]


def link_of_session(wildcards):
    """The address of its NWB file. Another one, of a corrected file, fetches it anew."""
    return allen_session(wildcards).link


def events_link_of_session(wildcards):
    return allen_session(wildcards).events_link


def events_of_session(wildcards):
    """The file of its events where they take the place of dF/F."""
    if not EVENTS:
        return []
    nwb = nwb_of_session(wildcards)
    with user_errors():
        return events_beside(nwb, ALLEN.get(wildcards.session), to_come=bool(FETCHED))


def row_of_session(wildcards):
    return as_json(ROWS[wildcards.session])


def cohort_of(wildcards):
    if wildcards.cohort not in COHORTS:
        raise WorkflowError(f"{wildcards.cohort}: no such cohort; known are {', '.join(COHORTS)}.")
    return COHORTS[wildcards.cohort]


def level_of(wildcards):
    return cohort_of(wildcards).level


def tensors_of(sessions):
    return [f"results/tensors/{session}.zarr" for session in sessions]


def body_tensors(wildcards):
    return tensors_of(cohort_of(wildcards).body)


def held_out_tensors(wildcards):
    return tensors_of(cohort_of(wildcards).held_out)


def cohort_tensors(wildcards):
    return tensors_of(cohort_of(wildcards).sessions)


def by_attempt(amount):
    """A resource that grows by its first amount each time a job is tried again (--retries)."""

    def amount_of(wildcards, attempt):
        return amount * attempt

    return amount_of


def memory_of(sessions):
    """MB: the imports, and the sessions' dF/F twice."""
    return 2000 + 8 * sum(VALUES[session] for session in sessions) // 1_000_000


def session_memory(wildcards, attempt):
    """MB: the imports, and the session's dF/F twice for each of its tasks."""
    return attempt * 2 * memory_of([wildcards.session])


def cohort_memory(wildcards, attempt):
    return attempt * memory_of(cohort_of(wildcards).sessions)


def cohort_minutes(wildcards, attempt):
    """Minutes: for each session and run about five times what one core needs (docs/scale.md)."""
    return attempt * (30 + 2 * len(cohort_of(wildcards).sessions) * len(RUNS))


def ablation_options(wildcards):
    """Other bases of the latents are fitted where most is trained together, as units are explained."""
    section = config["interventions"]
    bases = section["baselines"] if wildcards.cohort in EXPLAINED else []
    return as_json(section | {"baselines": bases})
