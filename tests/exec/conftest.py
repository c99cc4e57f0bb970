# SPDX-License-Identifier: Apache-2.0
"""The driver of this machine, alone."""
import os
import signal

import pytest

from lib.cgroup import has_cgroup
from lib.driver import Driver, alive

CGROUP, FREEZER, WALK = 1, 2, 3


# Under sanitizers one kind is enough: what differs is files of the kernel's.
KINDS = [pytest.param(WALK, id="walk", marks=pytest.mark.sanitized)]
for kind, controller, name in ((CGROUP, None, "cgroup"), (FREEZER, "freezer", "freezer")):
    KINDS.append(pytest.param(kind, id=name, marks=() if has_cgroup(controller) else
                              pytest.mark.skip("no such cgroup can be made here")))


@pytest.fixture
def drivers(tmp_path):
    """Makes starts of the driver on one data folder; whatever is left ends with the test."""
    made = []

    def make(**options):
        made.append(Driver(tmp_path / "node", **options))
        return made[-1]

    make.data = tmp_path / "node"
    yield make
    for driver in made:
        driver.close()
    for record in (tmp_path / "node" / "runs").glob("*/record"):
        pid = int.from_bytes(record.read_bytes()[8:16], "little")
        if pid and alive(pid):
            os.kill(pid, signal.SIGTERM)  # a supervisor stops its run, and ends


@pytest.fixture
def driver(drivers):
    return drivers().ready()
