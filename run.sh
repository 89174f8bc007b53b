#!/usr/bin/env bash
# Opens the web app; the first start makes the environment in .venv. Arguments go to gradio_app.py (try --help).
# Other scripts source this file for prepare_environment.
set -euo pipefail

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
venv="$root/.venv"

# The newest Python from 3.10 to 3.13 that works; $PYTHON, if set, is the only one considered.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} $([ -n "${PYTHON:-}" ] || echo python3.13 python3.12 python3.11 python3.10 python3 python); do
        # Run it: a name on the path may be a shim with no Python behind it. Without ensurepip no environment can be made.
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
            >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    echo "No usable Python 3.10 to 3.13 was found; install one with its venv module" \
        "(Debian, Ubuntu: sudo apt install python3 python3-venv; macOS: brew install python@3.13) and start again." >&2
    return 1
}

# prepare_environment [EXTRA]: makes or repairs .venv and installs the requirements, or this project with an extra,
# only when the files that list them have changed since the last complete installation.
prepare_environment() {
    local extra="${1:-}" stamp="$venv/.installed${1:+-$1}" wanted python
    if ! "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; then
        python="$(find_python)"
        echo "Making the environment in $venv with $("$python" --version) ..." >&2
        rm -rf -- "$venv"
        "$python" -m venv "$venv"
    fi
    # The folder is part of the fingerprint because the extra's installation points to it.
    wanted="$(cd -- "$root" && { pwd -P; cat requirements.txt ${extra:+pyproject.toml}; } | "$venv/bin/python" -c \
        'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')"
    if [ "$(cat -- "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
        echo "Installing the requirements (once; the first time takes some minutes) ..." >&2
        rm -f -- "$stamp"
        # Python compiles what it loads, once; pip would spend a minute on all that might be.
        (
            cd -- "$root"
            if [ -n "$extra" ]; then
                "$venv/bin/python" -m pip install --no-compile --editable ".[$extra]"
            else
                "$venv/bin/python" -m pip install --no-compile --requirement requirements.txt
            fi
            # Pillow 13 mends holes, but gradio still asks for an older one; without it, CMYK JPEGs are refused.
            "$venv/bin/python" -m pip install --no-compile --no-deps "pillow>=13,<14" || echo "Going on with the older Pillow."
        ) >&2
        echo "$wanted" >"$stamp"
    fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    prepare_environment
    exec "$venv/bin/python" "$root/gradio_app.py" "$@"
fi
