# Sourced by script/server and script/test: makes and renews .venv from the pins in requirements/.
# Needs nothing but Python 3.11 with venv and pip; uses uv where it is there.
# The caller has set `root`. Nothing here changes the working folder: that one is the user's.

venv=$root/.venv
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { echo "${0##*/}: $*" >&2; }

# environment runtime | dev
environment() {
    pins=$root/requirements/$1.txt
    wanted="$(cksum <"$pins") $(cksum <"$root/pyproject.toml") $root"
    # What serves for development serves for running too.
    for stamp in "$venv/.parlance-$1" "$venv/.parlance-$1-within-dev"; do
        if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && "$venv/bin/python" -I -c 'import parlance' 2>/dev/null; then
            return 0
        fi
    done
    say "installing requirements/$1.txt into .venv (the first time this takes up to a minute) ..."
    usable_environment || make_environment
    install --require-hashes --no-deps -r "$pins"
    # The build backend looks for its program on PATH.
    (PATH=$venv/bin:$PATH && install --no-deps --no-build-isolation -e "$root") || exit 1
    rm -f "$venv"/.parlance-*
    echo "$wanted" >"$venv/.parlance-$1"
    if [ "$1" = dev ]; then
        echo "$(cksum <"$root/requirements/runtime.txt") $(cksum <"$root/pyproject.toml") $root" >"$venv/.parlance-runtime-within-dev"
    fi
}

# Not if the interpreter went away, if the folder was copied from elsewhere, or if making it was cut off.
usable_environment() {
    [ -x "$venv/bin/python" ] && "$venv/bin/python" - "$venv" <<'PYTHON' 2>/dev/null
import os, sys, sysconfig
home = os.path.realpath(sys.argv[1])
here = os.path.realpath(sys.prefix) == home and os.path.isdir(sysconfig.get_path("purelib"))
script = os.path.join(home, "bin", "parlance")
moved = os.path.exists(script) and home not in open(script).read(4096)
sys.exit(not here or moved or sys.version_info < (3, 11))
PYTHON
}

make_environment() {
    find_python
    rm -rf "$venv"
    if command -v uv >/dev/null 2>&1 && uv venv --quiet --python "$python" "$venv" 2>/dev/null; then
        return 0
    fi
    # Some systems leave ensurepip out; their own pip can then fill the environment from outside.
    "$python" -m venv "$venv" >/dev/null 2>&1 || "$python" -m venv --clear --without-pip "$venv" || {
        say "$python cannot make a virtual environment; install its venv module (Debian, Ubuntu: python3-venv)."
        exit 1
    }
}

find_python() {
    found=
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2], int(sys.version_info >= (3, 11)))' 2>/dev/null) || continue
        # By its full path: later the environment's own python3 stands before it on PATH.
        [ "${version#* }" = 1 ] && python=$(command -v "$python") && return 0
        found="$found $python is ${version% *},"
    done
    say "Parlance needs Python 3.11 or newer.${found:+ Found:$found and that is too old.} Install one, or name it: PYTHON=/path/to/python3.12 $0"
    exit 1
}

install() {
    if command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --python "$venv/bin/python" "$@" && return 0
        say "uv could not install; trying pip, which may know another package index ..."
    fi
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        [ -n "${python:-}" ] || find_python
        "$python" -m pip --python "$venv/bin/python" install -qq "$@" && return 0
    elif "$venv/bin/python" -m pip install -qq "$@"; then
        return 0
    fi
    say "installing failed; see above. Nothing was started."
    exit 1
}
