#!/bin/sh
# A stand-in for conda in .venv-conda/stand-in, where this machine has none: bin/conda, bin/activate
# and a local channel. A later call does nothing until its requirements change.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
if command -v conda >/dev/null; then
    exit 0
fi
case "$(uname -s)-$(uname -m)" in
Linux-x86_64) ;;
*)
    echo "There is no conda here, and its stand-in is for Linux on x86_64: its tests will be skipped."
    exit 0
    ;;
esac
sh "$root/tests/peers/make_env.sh" conda
home="$root/.venv-conda/stand-in"
mkdir -p "$home/bin"
cat >"$home/bin/conda" <<END
#!/bin/sh
STAND_IN_CONDA='$home' PYTHONNOUSERSITE=1 exec env -u PYTHONPATH '$root/.venv-conda/bin/python' '$root/tests/conda/stand_in_conda.py' "\$@"
END
chmod +x "$home/bin/conda"
cat >"$home/bin/activate" <<'END'
# source activate PREFIX
export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"
END
"$root/.venv-conda/bin/python" "$root/tests/conda/build_channel.py" "$home/channel"
