# Sourced by demo.sh and test.sh: makes .venv and installs Dateline into it.
python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Dateline needs Python 3.11 or newer; set PYTHON to one." >&2
    exit 1
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "Installing into .venv (a minute or two the first time) …" >&2
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".${extras:-}"
