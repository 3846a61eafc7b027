#!/bin/sh
# SLURM for the tests, from Debian's packages: tests/slurm/install.sh, or with `accounts` what its
# accounts need. Nothing is installed where it is there already, nothing is removed, and where it
# cannot be installed the tests that need it are skipped and say so.
set -eu
case "${1:-}" in
"") programs="slurmctld slurmd munged" packages="slurm-wlm munge" ;;
accounts)
    programs="slurmdbd mariadbd my_print_defaults"
    packages="slurmdbd mariadb-server-core mariadb-client-core"
    ;;
*)
    echo "error: $1: there is only \`accounts\`." >&2
    exit 2
    ;;
esac
absent=
for program in $programs; do
    command -v "$program" >/dev/null || absent="$absent $program"
done
[ -n "$absent" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$packages: not installed, and only root on Debian or Ubuntu can: tests will be skipped."
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
bounded="-o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o Acquire::Retries=1 -o DPkg::Lock::Timeout=60"
# shellcheck disable=SC2086
if ! { apt-get $bounded --quiet update &&
    apt-get $bounded --quiet --yes --no-remove --no-install-recommends install $packages; } >/dev/null; then
    echo "apt-get could not install $packages: tests will be skipped."
fi
