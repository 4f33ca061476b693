#!/usr/bin/env bash
# Makes the virtual environment with exactly the locked packages and the command `ogis-lra` in it.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${PYTHON:=python3}" "${VENV:=.venv}"

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "ogis-lra needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …" >&2
    exit 2
fi

# Debian and Ubuntu ship Python without the part that makes environments.
if ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
    bash tools/install_packages.sh python3-venv
fi

rm -rf "$VENV"
"$PYTHON" -m venv "$VENV"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
# The lock holds everything, the build backend too: nothing else may be fetched.
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation -e .
