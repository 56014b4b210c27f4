"""Turns files into C arrays: embed.py OUT.c FILE..."""

import os
import sys


def main(out, files):
    with open(out, "w") as to:
        to.write('#include "record/bootstrap_files.h"\n')
        for path in files:
            with open(path, "rb") as file:
                data = file.read()
            name = "vf_" + os.path.basename(path).replace(".", "_")
            to.write("\nconst unsigned char %s[%d] = {" % (name, max(len(data), 1)))
            for at in range(0, len(data), 20):
                to.write("\n    " + ", ".join(str(byte) for byte in data[at:at + 20]) + ",")
            to.write("\n};\nconst size_t %s_size = %d;\n" % (name, len(data)))


main(sys.argv[1], sys.argv[2:])
