"""A real SLURM cluster of one node on this machine, for the tests: started, broken, stopped.

    python tests/slurm/cluster.py start      as root, with Debian's packages slurm-wlm and munge
    python tests/slurm/cluster.py status
    python tests/slurm/cluster.py stop

The daemons are those of the distribution. Only slurm.conf, gres.conf and, with accounts
(accounts.py), slurmdbd.conf in /etc/slurm stand outside `HOME`: the executor plugin takes
SLURM_CONF from its jobs, so every command must find its configuration there. A configuration that
this script did not write is never touched. The node says that it has more CPUs than the machine,
and one GPU that is none, so that any rule can be placed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

HOME = Path("/run/glassbox-test-cluster")
ETC = Path("/etc/slurm")
MARK = "# Written by Glassbox's tests/slurm/cluster.py; stopping that cluster deletes this file.\n"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
CPUS = 16
MEMORY_MB = 64_000
LONGEST_S = 60  # for a daemon to answer or to end

CONFIGURATION = """\
ClusterName=glassbox
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
{accounting}JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=100000,bf_interval=1
MinJobAge=3600
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=2
ReturnToService=2
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:1
PartitionName=short Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=long Nodes={host} MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Why no cluster can be started here, as a sentence; None where one can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"SLURM is not installed ({', '.join(absent)}); as root: sh tests/slurm/install.sh"
    if os.geteuid() != 0:
        return "a SLURM cluster is started by root alone"
    for name in ("slurm.conf", "gres.conf"):
        file = ETC / name
        if file.exists() and not file.read_text(errors="replace").startswith(MARK):
            return f"{file} is not of these tests: this machine has a SLURM of its own"
    try:
        run("unshare", "--mount", "--propagation", "private", "true")
    except (OSError, RuntimeError) as error:
        return f"a node of the tests needs mounts of its own, and here root has none: {error}"
    return None


class Cluster:
    """munged, slurmctld and slurmd of one node, which keeps no accounts."""

    accounting = "AccountingStorageType=accounting_storage/none\n"

    def start(self) -> None:
        """Start a fresh cluster and wait until its node takes jobs.

        Raises `RuntimeError` with the end of the daemons' logs where it does not.
        """
        refused = why_not()
        if refused:
            raise RuntimeError(refused)
        self.stop()
        for folder in (HOME, HOME / "state", HOME / "spool"):
            folder.mkdir(mode=0o755)
        ETC.mkdir(exist_ok=True)
        host = os.uname().nodename
        text = CONFIGURATION.format(
            home=HOME, host=host, cpus=CPUS, memory=MEMORY_MB, accounting=self.accounting
        )
        (ETC / "slurm.conf").write_text(MARK + text)
        (ETC / "gres.conf").write_text(f"{MARK}NodeName={host} Name=gpu File=/dev/null\n")
        self._start_munge()
        self.start_accounts()
        self.start_controller()
        self.start_node()

    def _start_munge(self) -> None:
        key = HOME / "munge.key"
        key.touch(mode=0o400)
        key.chmod(0o600)
        key.write_bytes(os.urandom(128))
        files = {
            "key-file": key,
            "socket": HOME / "munge.socket",
            "pid-file": HOME / "munged.pid",
            "log-file": HOME / "munged.log",
            "seed-file": HOME / "munge.seed",
        }
        run("munged", *(f"--{name}={file}" for name, file in files.items()))

    def start_accounts(self) -> None:
        """Nothing to start here."""

    def start_controller(self) -> None:
        """slurmctld, with the jobs that it knew when it ended."""
        run("slurmctld")
        until(lambda: _quiet("scontrol", "ping"), "slurmctld does not answer")

    def start_node(self) -> None:
        """slurmd, in mounts of its own: a test can hide a folder from the node alone."""
        run("unshare", "--mount", "--propagation", "private", "slurmd")
        until(self.node_is_up, "the node takes no jobs")

    def node_is_up(self) -> bool:
        states = set(said("sinfo", "--noheader", "--format=%T").split())
        return bool(states) and states <= {"idle", "mixed", "allocated"}

    def kill_controller(self) -> None:
        """slurmctld dies as in a power cut; its jobs go on."""
        kill(self.pid("slurmctld"))

    def kill_node(self) -> None:
        """slurmd and all that runs on the node die as in a power cut."""
        for process in self.jobs_processes():
            kill(process.pid)
        kill(self.pid("slurmd"))

    def jobs_processes(self) -> list[psutil.Process]:
        """The processes of all jobs, their slurmstepd first."""
        steps = [p for p in _of("slurmstepd") if p.pid != self.pid("slurmd")]
        return [*steps, *(c for step in steps for c in step.children(recursive=True))]

    def on_node(self, *command: str | Path) -> None:
        """Run a command in the mounts of the node."""
        run("nsenter", "--mount", "--target", str(self.pid("slurmd")), *map(str, command))

    def pid(self, daemon: str) -> int | None:
        """Of a daemon of this cluster that is alive."""
        file = HOME / f"{daemon}.pid"
        try:
            process = psutil.Process(int(file.read_text()))
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        return process.pid if process.name() == daemon else None

    def stop(self) -> None:
        """End the jobs and the daemons, and delete all that `start` wrote."""
        if self.pid("slurmd"):
            for process in self.jobs_processes():
                kill(process.pid)
        for daemon in ("slurmd", "slurmctld", "slurmdbd", "mariadbd", "munged"):
            kill(self.pid(daemon), signal.SIGTERM)
        for file in (ETC / f"{name}.conf" for name in ("slurm", "gres", "slurmdbd")):
            if file.exists() and file.read_text(errors="replace").startswith(MARK):
                file.unlink()
        shutil.rmtree(HOME, ignore_errors=True)

    def logs(self) -> str:
        """The end of what the daemons wrote."""
        files = [HOME / f"{name}.log" for name in ("munged", "slurmctld", "slurmd")]
        return "\n".join(f"{file}:\n{file.read_text()[-2000:]}" for file in files if file.exists())


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"


def run(*command: str) -> str:
    """What a command says; `RuntimeError` where its status is not 0."""
    done = subprocess.run(
        command,
        env=os.environ | {"PATH": _path()},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)}: status {done.returncode}: {done.stdout}{done.stderr}"
        )
    return done.stdout


def said(*command: str) -> str:
    """What a command says, or nothing."""
    try:
        return run(*command)
    except (RuntimeError, subprocess.TimeoutExpired):
        return ""


def _quiet(*command: str) -> bool:
    return "UP" in said(*command)


def _of(name: str) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["name"]) if p.info["name"] == name]


def until(condition: Callable[[], bool], complaint: str) -> None:
    """Wait until something is so; `RuntimeError` with the end of the logs where it takes long."""
    deadline = time.monotonic() + LONGEST_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{complaint} after {LONGEST_S} s. {Cluster().logs()}")
        time.sleep(0.2)


def kill(pid: int | None, number: int = signal.SIGKILL) -> None:
    """End one process and wait until it is gone; SIGKILL where it will not."""
    if pid is None:
        return
    try:
        process = psutil.Process(pid)
        process.send_signal(number)
        process.wait(LONGEST_S)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.NoSuchProcess:
        pass


def main(argv: list[str]) -> int:
    """Start, stop, or say what runs."""
    cluster = Cluster()
    if argv == ["start"]:
        refused = why_not()
        if refused:
            print(f"error: {refused}.", file=sys.stderr)
            return 2
        cluster.start()
    elif argv == ["stop"]:
        cluster.stop()
    elif argv != ["status"]:
        print(__doc__, file=sys.stderr)
        return 2
    for daemon in ("munged", "slurmctld", "slurmd"):
        print(f"{daemon}: {cluster.pid(daemon) or 'not running'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
