"""The record of a results folder: a Workflow Run RO-Crate, written with the library `rocrate`.

Its root is the results folder. Everything that the tables, figures and tensors were made from is
an entity with its SHA-256: files by their bytes, Zarr stores by `sha256_of_folder`, sources outside
the folder by the hash that the manifest of their tensor holds. Each job is a CreateAction: its
rule, what it was given, what it made, when, how long, how much memory.

Profiles: https://w3id.org/ro/wfrun/workflow/0.5 on https://w3id.org/ro/crate/1.1.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rocrate.model import ContextEntity
from rocrate.rocrate import ROCrate

import glassbox
from glassbox.code import Kept, code_of_script
from glassbox.errors import UserError
from glassbox.files import replacing_file, replacing_folder, sha256_of_file, sha256_of_folder
from glassbox.provenance import circumstances
from glassbox.provenance.jobs import Job, Lineage, lineage
from glassbox.provenance.notes import FOLDER, name_of_environment, write_notes
from glassbox.provenance.records import Records

CRATE = "ro-crate-metadata.json"
KEPT_CODE = "results/.cache/code.json"  # written when Snakemake read the rules
RESULTS, TENSORS, FIGURES = "results/", "results/tensors/", "results/figures/"
PROFILES = (
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
)
TERMS = "https://w3id.org/ro/terms/workflow-run/context"  # sha256, resourceUsage
UNITS = {
    "seconds": "http://qudt.org/vocab/unit/SEC",
    "megabytes": "http://qudt.org/vocab/unit/MegaBYTE",
}
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".nwb": "application/x-hdf5",
    ".gz": "application/gzip",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}


def record_provenance(
    directory: str | Path, targets: Iterable[str], config: Mapping[str, Any], house: str | Path
) -> int:
    """Write the record of `directory / "results"` and the folder of what it refers to.

    Args:
        directory: the working directory, with Snakemake's records in it.
        targets: the tables, figures and manifests of the present configuration, as Snakemake names
            them: paths below `results/`.
        config: the configuration that was checked, defaults filled in.
        house: the folder of the library and the scripts.

    Returns:
        the number of jobs behind the targets.

    Raises:
        UserError: a target is not there.
    """
    directory, targets = Path(directory), sorted(targets)
    for path in targets:
        if not Path(directory, path).exists():
            raise UserError(f"{path}: no such file; run the rule that makes it first.")
    behind = lineage(targets, Records(directory), directory)
    results = directory / RESULTS
    with replacing_folder(results / FOLDER) as folder:
        write_notes(folder, behind, config, Path(house))
        writer = _Writer(directory, behind, targets, config, Path(house), folder)
        crate = writer.crate()
    with replacing_file(results / CRATE) as partial:
        content = crate.metadata.generate()
        partial.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return len(behind.jobs)


class _Writer:
    """Puts one entity after the other into a crate."""

    def __init__(
        self,
        directory: Path,
        behind: Lineage,
        targets: list[str],
        config: Mapping[str, Any],
        house: Path,
        folder: Path,
    ):
        self.directory, self.behind, self.targets = directory, behind, targets
        self.config, self.house, self.folder = config, house, folder
        self.known = known_hashes(behind.jobs, directory)
        kept = directory / KEPT_CODE
        self.kept = Kept(kept) if kept.exists() else None
        self.made = ROCrate(version="1.1")
        self.entities: dict[str, Any] = {}

    def crate(self) -> ROCrate:
        made = self.made
        made.metadata.extra_contexts.append(TERMS)
        made.name = "Results of Glassbox"
        made.description = (
            "Tables and figures of transformers trained on neural data, what they were made from, "
            "and every job that made them."
        )
        made.root_dataset["conformsTo"] = [self._profile(url) for url in PROFILES]
        made.root_dataset["license"] = self._context(
            "#terms",
            "CreativeWork",
            name="terms of use",
            description="The code is under the MIT licence (https://spdx.org/licenses/MIT), "
            "results are under the terms of the sessions that they were made from.",
        )
        workflow = self._workflow()
        notes = [self._note(path) for path in sorted(self._notes())]
        rules = dict(self._rules())
        actions = [self._action(job, rules[job.record.rule]) for job in self.behind.jobs]
        run = self._run(workflow, notes)
        made.root_dataset["mentions"] = [run, *actions]
        return made

    def _profile(self, url: str) -> ContextEntity:
        version = url.rsplit("/", 1)[1]
        return self._context(url, "CreativeWork", name=url.split("/ro/")[-1], version=version)

    def _workflow(self) -> Any:
        code = circumstances.version_of_code(self.house.parent)
        about = {
            "name": "Glassbox",
            "softwareVersion": glassbox.__version__,
            "sha256": sha256_of_file(self.folder / "Snakefile"),
            "description": "The Snakefile; all that it includes and runs is in code.tar.gz.",
        }
        if code["commit"]:
            changed = {True: "with changes since", False: "unchanged", None: "state unknown"}
            about["version"] = code["commit"]
            about["creativeWorkStatus"] = f"git commit {code['commit']}, {changed[code['changed']]}"
        else:
            about["creativeWorkStatus"] = "not a git checkout"
        return self.made.add_workflow(
            dest_path=f"{FOLDER}/Snakefile", main=True, lang="snakemake", properties=about
        )

    def _notes(self) -> Iterator[str]:
        for file in self.folder.rglob("*"):
            if file.is_file() and file.name != "Snakefile":
                yield file.relative_to(self.folder).as_posix()

    def _note(self, name: str) -> Any:
        file = self.folder / name
        meaning = {
            "config.json": "the configuration, defaults filled in",
            "packages.txt": "the packages of the environment in which this record was written",
            "code.tar.gz": "the workflow's code when this record was written",
        }.get(name, "environment of rules, for conda")
        about = {"description": meaning, **_described(file), "sha256": sha256_of_file(file)}
        return self.made.add_file(dest_path=f"{FOLDER}/{name}", properties=about)

    def _rules(self) -> Iterator[tuple[str, ContextEntity]]:
        jobs_of: dict[str, list[Job]] = defaultdict(list)
        for job in self.behind.jobs:
            jobs_of[job.record.rule].append(job)
        for rule, jobs in jobs_of.items():
            about: dict[str, Any] = {"name": rule} | self._code(jobs)
            contents = {job.record.environment for job in jobs} - {None}
            names = sorted(name_of_environment(content, self.house) for content in contents)
            about["softwareRequirements"] = [{"@id": f"{FOLDER}/{name}"} for name in names]
            deployed = sum(job.record.deployed for job in jobs)
            about["description"] = (
                f"{len(jobs)} jobs, {deployed} of them in the conda environment that is named "
                "here, the others in Snakemake's own (packages.txt)."
            )
            walls = [job.wall_s for job in jobs if job.wall_s is not None]
            wall = sum(walls) if walls else None
            peak = max((job.memory_mb for job in jobs if job.memory_mb is not None), default=None)
            about["resourceUsage"] = [
                *self._usage(f"#rule/{rule}", "wall time of all jobs", wall, "seconds"),
                *self._usage(f"#rule/{rule}", "peak memory of the largest job", peak, "megabytes"),
            ]
            yield rule, self._context(f"#rule/{rule}", "SoftwareApplication", **about)

    def _code(self, jobs: list[Job]) -> dict[str, Any]:
        """The hash of a rule's code, where its jobs ran with the code that is here now."""
        script = jobs[0].record.script
        file = self.house / "scripts" / f"{script}.py"
        if not script or not file.exists():
            return {}
        code = code_of_script(file, self.house, self.kept)
        if all(repr(code) in job.record.params for job in jobs):
            return {"softwareVersion": code, "alternateName": f"workflow/scripts/{script}.py"}
        return {"softwareVersion": "made by other code than is here", "alternateName": script}

    def _action(self, job: Job, rule: ContextEntity) -> ContextEntity:
        about = {
            "name": job.name,
            "instrument": rule,
            "object": [self._entity(path) for path in job.inputs],
            "result": [self._entity(path) for path in job.outputs],
            "startTime": _moment(job.record.started),
            "endTime": _moment(job.record.ended),
            "actionStatus": "http://schema.org/CompletedActionStatus",
        }
        name = f"#job/{job.name}"
        about["resourceUsage"] = [
            *self._usage(name, "wall time", job.wall_s, "seconds"),
            *self._usage(name, "peak memory", job.memory_mb, "megabytes"),
        ]
        return self._context(name, "CreateAction", **about)

    def _run(self, workflow: Any, notes: list[Any]) -> ContextEntity:
        config = [note for note in notes if note.id.endswith("config.json")]
        sources = [self._entity(path) for path in self.behind.given]
        seeds = [
            self._context(f"#seed/{name}", "PropertyValue", name=name, value=value)
            for name, value in circumstances.seeds(self.config).items()
        ]
        facts = [
            self._context(f"#machine/{name}", "PropertyValue", name=name, value=value)
            for name, value in circumstances.machine().items()
        ]
        about: dict[str, Any] = {
            "name": "the run of the workflow",
            "instrument": workflow,
            "object": [*sources, *config, *seeds],
            "result": [self._entity(path) for path in self.targets],
            "additionalProperty": facts,
            "actionStatus": "http://schema.org/CompletedActionStatus",
        }
        if self.behind.jobs:
            about["startTime"] = _moment(min(job.record.started for job in self.behind.jobs))
            about["endTime"] = _moment(max(job.record.ended for job in self.behind.jobs))
        return self._context("#run", "CreateAction", **about)

    def _entity(self, path: str) -> Any:
        """The entity of a file or folder, made when it is first asked for."""
        if path not in self.entities:
            self.entities[path] = self._new_entity(path)
        return self.entities[path]

    def _new_entity(self, path: str) -> Any:
        place = self.directory / path
        about = {"name": Path(path).name, **_described(place)}
        if digest := self.known.get(path) or _hashed(place):
            about["sha256"] = digest
        else:
            about["description"] = "was not kept"
        if path.startswith(FIGURES):
            about["isBasedOn"] = _single(
                [{"@id": self._entity(one).id} for job in self._jobs_of(path) for one in job.inputs]
            )
        if not path.startswith(RESULTS):
            uri = place.resolve().as_uri()
            return self.made.add_file(uri, properties={**about, "alternateName": path})
        inside = path.removeprefix(RESULTS)
        if place.is_dir():
            return self.made.add_dataset(dest_path=inside, properties=about)
        return self.made.add_file(dest_path=inside, properties=about)

    def _jobs_of(self, path: str) -> Iterator[Job]:
        return (job for job in self.behind.jobs if path in job.outputs)

    def _usage(self, of: str, name: str, value: float | None, unit: str) -> list[ContextEntity]:
        """A measure as an entity, where it was taken."""
        if value is None:
            return []
        about = {"name": name, "value": round(value, 2), "unitText": unit, "unitCode": UNITS[unit]}
        return [self._context(f"{of}/{name.replace(' ', '-')}", "PropertyValue", **about)]

    def _context(self, entity: str, kind: str, **about: Any) -> ContextEntity:
        tidy = {key: _single(value) for key, value in about.items()}
        return self.made.add(ContextEntity(self.made, entity, properties={"@type": kind, **tidy}))


def known_hashes(jobs: Iterable[Job], directory: Path) -> dict[str, str]:
    """The hashes of tensors and of their sources, as the manifests hold them."""
    known: dict[str, str] = {}
    for job in jobs:
        for path in job.outputs:
            if not (path.startswith(TENSORS) and path.endswith(".json")):
                continue
            manifest = json.loads(Path(directory, path).read_text())
            known[f"{path.removesuffix('.json')}.zarr"] = manifest["content_sha256"]
            for source in job.inputs:
                if Path(source).name == manifest["source_file"]:
                    known[source] = manifest["source_sha256"]
    return known


def _described(place: Path) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if place.is_file():
        about["contentSize"] = str(place.stat().st_size)
        if place.suffix in MEDIA_TYPES:
            about["encodingFormat"] = MEDIA_TYPES[place.suffix]
    return about


def _hashed(place: Path) -> str | None:
    if place.is_dir():
        return sha256_of_folder(place)
    return sha256_of_file(place) if place.exists() else None


def _single(value: Any) -> Any:
    """JSON-LD writes a list of one as that one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
