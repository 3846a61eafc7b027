#!/bin/sh
# SLURM for the tests, from Debian's packages. Nothing is installed where it is there already, and
# where it cannot be installed the tests that need it are skipped and say so.
set -eu
if command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "SLURM is not installed, and only root on Debian or Ubuntu can: its tests will be skipped."
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends slurm-wlm munge; } >/dev/null; then
    echo "apt-get could not install slurm-wlm and munge: the tests of SLURM will be skipped."
fi
