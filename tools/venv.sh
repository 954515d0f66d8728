# Sourced: makes .venv in the repository root where it is missing or out of date, and activates it. With imcnn_variant=-onedl
# the place is .venv-onedl and the packages are those of requirements-onedl.txt. With -mm, projects/complete_mm.py completes it.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=.venv${imcnn_variant:=} requirements=requirements$imcnn_variant.txt
# The place counts too: a copied or moved environment still points to the old one.
stamp=$( (pwd && cat requirements.txt "$requirements" pyproject.toml) | cksum)
if [ "$(cat "$venv/complete" 2>/dev/null)" != "$stamp" ]; then
    for python in python3.11 python3.12 python3.13 python3 ""; do
        if [ -z "$python" ]; then
            echo "Python 3.11, 3.12 or 3.13 with its venv module is needed, and none was found on the PATH." >&2
            exit 1
        fi
        "$python" -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
    done
    echo "Making $venv with $("$python" --version) and installing the pinned packages (a minute or two)"
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps -r "$requirements"
    # On all cores, where pip would use one, and without the packages' own tests. What is not for this version of Python
    # cannot be compiled.
    "$venv/bin/python" -W ignore -m compileall -q -j 0 -x '/tests?/' "$venv/lib" > /dev/null || true
    [ "$imcnn_variant" != -mm ] || "$venv/bin/python" projects/complete_mm.py
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    echo "$stamp" > "$venv/complete"
fi
. "$venv/bin/activate"
