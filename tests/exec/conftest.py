# SPDX-License-Identifier: Apache-2.0
"""The driver of this machine, alone."""
import os
import pathlib
import signal

import pytest

from lib.driver import Driver, alive

CGROUP, FREEZER, WALK = 1, 2, 3


def own_cgroup(controller):
    """The folder of this process' cgroup of v2 (None) or of a controller of v1."""
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if names != (controller or ""):
            continue
        for mount in mounts:
            left, right = mount.split(" - ")
            kind, _, options = right.split(" ", 2)
            if kind == ("cgroup" if controller else "cgroup2") and (
                    not controller or controller in options.split(",")):
                return pathlib.Path(left.split()[4] + path)
    return None


def has_cgroup(controller):
    folder = own_cgroup(controller)
    return folder is not None and os.access(folder, os.W_OK) and os.access(
        folder / "cgroup.procs", os.W_OK)


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
