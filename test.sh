#!/usr/bin/env bash
# Runs the tests; the first time it makes the environment in .venv. Arguments go to pytest (try -k pictures); without any,
# all tests run, in two processes more than there are cores, because many of them wait.
set -euo pipefail

. "$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)/run.sh"

# What some tests need beyond Python: a Chromium that they can drive, the graphics libraries that skia is linked to, and
# programs of others that open what we export.
missing_packages() {
    command -v chromium || command -v chromium-browser || command -v google-chrome || command -v google-chrome-stable ||
        missing+=(chromium fonts-liberation)
    [ "$(uname)" != Linux ] || "$venv/bin/python" -c 'import skia' || missing+=(libegl1 libgl1)
    command -v pdftotext && command -v pdftoppm || missing+=(poppler-utils poppler-data)
    command -v qpdf || missing+=(qpdf)
    command -v exiftool || missing+=(libimage-exiftool-perl)
}

# On Debian and its kin, and where no password has to be asked for.
install_packages() {
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    command -v apt-get >/dev/null || return 1
    echo "Installing $* for the tests ..." >&2
    local apt_get=(${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet)
    # The package lists are only fetched when they are missing or too old to be of use.
    "${apt_get[@]}" install --no-install-recommends "$@" >/dev/null 2>&1 ||
        { "${apt_get[@]}" update >/dev/null && "${apt_get[@]}" install --no-install-recommends "$@" >/dev/null; }
}

prepare_environment dev
missing=()
missing_packages >/dev/null 2>&1
if [ "${#missing[@]}" -gt 0 ] && ! install_packages "${missing[@]}"; then
    echo "These could not be installed: ${missing[*]}. The tests that need them will be skipped." >&2
fi
cd -- "$root"
if [ "$#" -eq 0 ]; then
    set -- -n "$("$venv/bin/python" -c 'import os; print(min(os.cpu_count() or 1, 6) + 2)')" --dist worksteal
fi
exec "$venv/bin/python" -m pytest "$@"
