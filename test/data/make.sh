#!/usr/bin/env bash
# test/data/make.sh [VMFOX]: makes the recordings here again, and the summaries beside them.
# Needs pypy3, and a CPython with venv to install vmprof into. It records in /var/tmp/vmfox-data, so
# that no path of yours is in the files; the machine's name and kind are taken out as well.
set -euo pipefail

data=$(cd "$(dirname "$0")" && pwd)
vmfox=$(realpath "${1:-$data/../../build/vmfox}")
work=/var/tmp/vmfox-data
python=$work/venv/bin/python

mkdir -p $work
"$python" -c 'import vmprof' 2>/dev/null || {
    /usr/bin/python3 -m venv --clear $work/venv
    "$python" -m pip install -q --disable-pip-version-check vmprof==0.6.0
}
cp "$data/demo.py" $work
cd $work

# neutral IN OUT: the same recording without the machine's facts, packed tightly.
neutral() {
    /usr/bin/python3 - "$1" "$2" <<'END'
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as old, zipfile.ZipFile(sys.argv[2], "w") as new:
    for name in old.namelist():
        content = old.read(name)
        if name == "capture.json":
            info = json.loads(content)
            info.update(host="demo", cpu="some CPU", os="Debian GNU/Linux 12 (bookworm)",
                        memory_bytes=8 << 30)
            content = json.dumps(info, ensure_ascii=False)
        new.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content,
                     zipfile.ZIP_DEFLATED, 9)
END
}

# make NAME OPTION... -- INTERPRETER: tried again where the vmprof package crashed CPython or wrote
# something that could not be read.
make() {
    local name=$1 options=()
    shift
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    for _ in 1 2 3 4 5 6; do
        if "$vmfox" record -o raw.vmfox "${options[@]}" "$2" demo.py 2>said &&
            ! grep warning said; then
            neutral raw.vmfox "$data/$name.vmfox"
            VMFOX=$vmfox /usr/bin/python3 "$data/../cli/summary.py" "$data/$name.vmfox" \
                >"$data/$name.golden.json"
            rm raw.vmfox said
            return
        fi
    done
    return 1
}

make pypy -- pypy3
make pypy-no-native --no-native --no-jitlog -- pypy3
make pypy-real-time --real-time --period 0.005 --no-jitlog --no-pypylog -- pypy3
make cpython -- venv/bin/python
make cpython-plain --no-native --no-lines --no-memory -- venv/bin/python
make cpython-real-time --real-time --period 0.005 -- venv/bin/python
ls -l "$data"/*.vmfox
