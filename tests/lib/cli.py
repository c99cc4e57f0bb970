# SPDX-License-Identifier: Apache-2.0
"""The command line, as a script would call it: no terminal, output read to the end."""
import os
import subprocess

from lib.cluster import BINARY
from lib.wait import PATIENCE

DONE, FAILED, USAGE, CONFIG, START, NOT_FOUND, UNREACHABLE, UNKNOWN = range(8)


def muster(*arguments, address=None, stdin=b"", **more):
    """Run it to its end; stdout and stderr are text."""
    environment = {key: value for key, value in os.environ.items()
                   if key != "MUSTER_ADDRESS"}
    if address is not None:
        environment["MUSTER_ADDRESS"] = address
    found = subprocess.run([BINARY, *map(str, arguments)], input=stdin, timeout=PATIENCE,
                           env=environment, capture_output=True, check=False, **more)
    found.stdout = found.stdout.decode()
    found.stderr = found.stderr.decode()
    return found


def refused(code, *arguments, **more):
    """It ends with `code`, prints nothing, and says why in one line, which this returns."""
    found = muster(*arguments, **more)
    assert found.returncode == code, (found.returncode, found.stdout, found.stderr)
    assert found.stdout == "" and found.stderr.count("\n") == 1, (found.stdout, found.stderr)
    return found.stderr


def done(*arguments, **more):
    """It ends with 0 and complains of nothing; what it printed."""
    found = muster(*arguments, **more)
    assert (found.returncode, found.stderr) == (DONE, ""), found
    return found.stdout
