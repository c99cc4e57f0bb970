# SPDX-License-Identifier: Apache-2.0
"""Cgroups: where this process is, and one of v2 that stands for a whole machine."""
import os
import pathlib

from lib.wait import wait_until


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


def remove(folder):
    """Those whose last process ends just now are busy for a moment."""
    def gone():
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return False
        return True
    wait_until(f"{folder} is gone", gone)


class Group:
    """A cgroup of v2 and all that are made in it. OSError where none can be had."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        if not (self.folder / "cgroup.kill").exists():
            self.folder.rmdir()
            raise OSError(f"{folder} has no cgroup.kill")

    def below(self):
        """Folders of the cgroups in it."""
        return [path for path in self.folder.iterdir() if path.is_dir()]

    def pids(self):
        """Of all that is in it, its own first."""
        found = []
        for folder in [self.folder, *self.below()]:
            try:
                found += [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
            except OSError:
                pass  # it is just being removed
        return found

    def frozen(self, folder=None):
        return "frozen 1" in ((folder or self.folder) / "cgroup.events").read_text()

    def freeze(self, folder=None):
        """All of it, or that one cgroup in it; returns when nothing of it runs."""
        ((folder or self.folder) / "cgroup.freeze").write_text("1")
        wait_until("it is frozen", lambda: self.frozen(folder))

    def thaw(self, folder=None):
        ((folder or self.folder) / "cgroup.freeze").write_text("0")

    def kill(self):
        """All that is in it; the folders of those below it are gone afterwards."""
        (self.folder / "cgroup.kill").write_text("1")
        wait_until(f"nothing is left in {self.folder}", lambda: not self.pids())
        for folder in self.below():
            remove(folder)

    def close(self):
        self.kill()
        remove(self.folder)
