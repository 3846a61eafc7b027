#!/bin/sh
# Build the environment of a peer library, once: tests/peers/make_env.sh allensdk
# makes .venv-allensdk from envs/requirements-allensdk.txt. A later call does nothing until that
# file changes. PYTHON names the interpreter to build with, 3.11 for all of them. A line of that file
# `# without dependencies: NAME==VERSION` names a package that is installed without what it asks for.
set -eu
peer=${1:?which peer library? There are: allensdk, overcomplete, saelens, sparsify, torch_brain}
root=$(cd "$(dirname "$0")/../.." && pwd)
wanted="$root/envs/requirements-$peer.txt"
folder="$root/.venv-$peer"
if [ ! -f "$wanted" ]; then
    echo "error: $wanted: no such file; there is no peer library named $peer." >&2
    exit 2
fi
if cmp -s "$wanted" "$folder/built-from.txt"; then
    exit 0
fi
python=${PYTHON:-$root/.venv/bin/python}
[ -x "$python" ] || python=python3.11
rm -rf "$folder"
"$python" -m venv "$folder"
pip() {
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}
# torch first and alone, from wherever pip is told to look for it: nothing else pulls another one.
torch=$(grep '^torch==' "$wanted" || true)
[ -z "$torch" ] || pip "$torch"
pip -r "$wanted"
alone=$(sed -n 's/^# without dependencies: //p' "$wanted")
[ -z "$alone" ] || pip --no-deps "$alone"
cp "$wanted" "$folder/built-from.txt" # last: an interrupted build is not taken for a whole one
