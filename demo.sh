#!/bin/sh
# Sets up .venv, builds an index of seeds/, asks it a question and says how to open the search box.
set -eu
cd "$(dirname "$0")"
. ./setup.sh
.venv/bin/dateline rebuild seeds
.venv/bin/dateline search "Canada peacekeeping logistics" --size 5
echo "Open the search box:  .venv/bin/dateline serve   and then http://127.0.0.1:8000"
