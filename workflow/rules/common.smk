# What every stage shares: where the library lies, what a rule's code is, the checked configuration.

import json
import shlex
import sys
from pathlib import Path

HOUSE = Path(workflow.current_basedir).parent.resolve()
sys.path.insert(0, str(HOUSE))

from glassbox.code import code_of_script
from glassbox.configuration import checked, read_schema
from glassbox.errors import user_errors
from glassbox.sections import check_sections

# Each job's shell finds the library and the scripts, whatever its working directory and its
# environment are, and fails when any part of a pipe fails.
_library = shlex.quote(str(HOUSE)).replace("{", "{{").replace("}", "}}")
_scripts = shlex.quote(str(HOUSE / "scripts")).replace("{", "{{").replace("}", "}}")
shell.prefix(
    "set -euo pipefail; " f"export PYTHONNOUSERSITE=1 PYTHONPATH={_library} SCRIPTS={_scripts}; "
)


def code_of(script):
    """The hash of what a script runs: a parameter, so that an edit of meaning runs its rule again."""
    return code_of_script(HOUSE / "scripts" / f"{script}.py", HOUSE)


def as_json(section):
    """A section of the configuration as one argument."""
    return json.dumps(section, sort_keys=True)


def decoder_device():
    """GPUs that a job of the decoder asks a cluster for."""
    return int(config["decoders"]["device"] == "cuda")


# A wrong key ends here, with one sentence that says where it stands.
with user_errors():
    SCHEMA = read_schema(HOUSE / "schemas" / "config.schema.yaml")
    config.update(checked(config, SCHEMA, workflow.configfiles))
    OPTIONS = check_sections(config, workflow.configfiles)
