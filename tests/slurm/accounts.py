"""The cluster of the tests with accounts, as most clusters have: slurmdbd over MariaDB.

Needs Debian's slurmdbd, mariadb-server-core and mariadb-client-core too. The database answers on
loopback alone and is deleted with the cluster.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

import cluster
from cluster import ETC, HOME, MARK, Cluster, run, said, until

PROGRAMS = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacct", "sacctmgr")
ACCOUNT = "visual_cortex"
PARTITION = "long"
CONFIGURATION = """\
DbdHost=localhost
DbdAddr=127.0.0.1
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
SlurmUser=root
PidFile={home}/slurmdbd.pid
LogFile={home}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={port}
StorageUser=glassbox
StoragePass={password}
StorageLoc=glassbox
"""


def why_not() -> str | None:
    """Why no such cluster can be started here, as a sentence; None where one can."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    absent = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if absent:
        return f"SLURM keeps no accounts here ({', '.join(absent)}); make env-slurm-accounts"
    file = ETC / "slurmdbd.conf"
    if file.exists() and not file.read_text(errors="replace").startswith(MARK):
        return f"{file} is not of these tests: this machine has a SLURM of its own"
    return cluster.why_not()


class ClusterWithAccounts(Cluster):
    """Runs no job but of those who have an account, and remembers all jobs."""

    accounting = (
        "AccountingStorageType=accounting_storage/slurmdbd\n"
        "AccountingStorageHost=127.0.0.1\n"
        f"AccountingStoragePass={HOME}/munge.socket\n"
        "AccountingStorageEnforce=associations\n"
    )

    def start_accounts(self) -> None:
        """MariaDB and slurmdbd; the user who runs this gets the one account."""
        port, password = _free_port(), os.urandom(16).hex()
        self._start_database(port, password)
        file = ETC / "slurmdbd.conf"
        file.touch(mode=0o600)
        text = CONFIGURATION.format(home=HOME, port=port, password=password)
        file.write_text(MARK + text)
        run("slurmdbd")
        until(lambda: "Cluster" in said("sacctmgr", "list", "cluster"), "slurmdbd does not answer")
        run("sacctmgr", "--immediate", "add", "cluster", "glassbox")
        run("sacctmgr", "--immediate", "add", "account", ACCOUNT)
        run("sacctmgr", "--immediate", "add", "user", "root", f"account={ACCOUNT}")

    def _start_database(self, port: int, password: str) -> None:
        folder, init = HOME / "database", HOME / "database.sql"
        run("mariadb-install-db", "--user=root", f"--datadir={folder}", "--skip-test-db")
        init.touch(mode=0o600)
        init.write_text(
            f"CREATE USER glassbox@127.0.0.1 IDENTIFIED BY '{password}';\n"
            "GRANT ALL ON glassbox.* TO glassbox@127.0.0.1;\n"
        )
        with (HOME / "mariadbd.log").open("w") as log:
            subprocess.Popen(
                [
                    *("/usr/sbin/mariadbd", "--no-defaults", "--user=root", f"--datadir={folder}"),
                    *("--bind-address=127.0.0.1", f"--port={port}", "--skip-name-resolve"),
                    *(f"--socket={HOME}/mariadbd.socket", f"--pid-file={HOME}/mariadbd.pid"),
                    f"--init-file={init}",
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: _listens(port), "MariaDB does not answer")


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
