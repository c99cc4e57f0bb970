# SPDX-License-Identifier: Apache-2.0
"""The commands of the binary."""
import subprocess

from lib.cluster import BINARY
from lib.wait import PATIENCE


def muster(*arguments, **more):
    """Run one to its end: .returncode, .stdout, .stderr."""
    return subprocess.run([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE, **more)
