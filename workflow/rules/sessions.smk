# 1 · sessions
# needs   the configuration; NWB files of a folder or a catalogue, read in place
# makes   results/sessions/catalogue.tsv, excluded.csv   by the main process, where they changed
#         results/sessions/{session}.nwb, .truth.npz     simulated sessions and what was planted

from glassbox.names import file_name
from glassbox.sessions.catalogue import read_catalogue
from glassbox.sessions.cohorts import cohorts_of
from glassbox.sessions.source import list_sessions, nwb_of, sessions_folder, write_excluded
from glassbox.tensors.tasks import stimulus_of_tasks

CATALOGUE = "results/sessions/catalogue.tsv"
EXCLUDED = "results/sessions/excluded.csv"

# Only the main process looks at the sessions: a file that appears midway kills no running job.
with user_errors():
    _typed_in = workflow.workdir_init
    _folder = sessions_folder(OPTIONS["sessions"], config["nwb_dir"], _typed_in)
    if workflow.is_main_process:
        list_sessions(OPTIONS["sessions"], _folder, _typed_in, CATALOGUE)
    _rows = read_catalogue(CATALOGUE)
    _found = cohorts_of(_rows, OPTIONS["cohorts"], stimulus_of_tasks(OPTIONS["decoders"].tasks))

NWB = {file_name(row.session): nwb_of(row, _folder) for row in _rows if not row.problem}
CELLS_TIMES_FRAMES = {file_name(row.session): row.cells * row.frames for row in _rows}
SESSIONS = list(_found.convertible)
SIMULATED = SESSIONS if OPTIONS["sessions"].source == "simulated" else []
COHORTS = _found.cohorts
REFUSALS = [excluded.reason for excluded in _found.excluded if excluded.fault]

if workflow.is_main_process:
    write_excluded(EXCLUDED, _found.excluded)
    for _excluded in _found.excluded:
        print(f"excluded: {_excluded.reason}", file=sys.stderr)


wildcard_constraints:
    session="[A-Za-z0-9_][A-Za-z0-9._-]*",
    cohort="all|all-without-[0-9]+|(mouse|genotype)-[A-Za-z0-9._-]+",
    hook="[a-z_]+",


rule simulate_session:
    output:
        nwb="results/sessions/{session}.nwb",
        truth="results/sessions/{session}.truth.npz",
    log:
        "results/logs/simulate_session/{session}.log",
    benchmark:
        "results/benchmarks/simulate_session/{session}.tsv"
    conda:
        "../../envs/sessions.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("simulate_session"),
        options=as_json(config["sessions"]["simulate"]),
    shell:
        'python "$SCRIPTS/simulate_session.py" --session {wildcards.session:q}'
        " --options {params.options:q} --out {output.nwb:q} --truth {output.truth:q}"
        " 2>&1 | tee {log:q}"


rule sessions:
    input:
        expand("results/sessions/{session}.nwb", session=SIMULATED),
