#!/bin/sh
# Sets up .venv with what the tests need, then checks style, types and behaviour.
set -eu
cd "$(dirname "$0")"
extras='[test]'
. ./setup.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile
