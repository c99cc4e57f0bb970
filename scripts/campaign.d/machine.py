# SPDX-License-Identifier: Apache-2.0
"""A machine of its own for a node, as far as runs can tell: a cgroup that holds the node and
all that it starts, a boot id, and a clock that counts from its boot. What holds its runs
together is one of three: cgroups of v2, the freezer of v1, nothing but their descent."""
import os
import pathlib
import re
import subprocess
import uuid

from lib.cgroup import Group, own_cgroup, remove

BOOT_ID = "/proc/sys/kernel/random/boot_id"
# What it hides are mounts: no cgroup can be made in what then lies there.
ENTER = f"""echo $$ >"$1" && mount --bind "$2" {BOOT_ID} && hidden=$3 && shift 3 &&
for each in $hidden; do mount -t tmpfs none "$each" || exit 1; done && exec "$@" """
CONTAINMENTS = ("cgroup", "freezer", "walk")
FARTHEST = 10**7  # seconds that a boot may lie back


class NoMachine(Exception):
    """No cgroup of v2, or no namespaces, can be had here."""


def hidden(containment):
    """The mount points of what is not to be had, as words."""
    folders = {"cgroup": [], "freezer": [own_cgroup(None)],
               "walk": [own_cgroup(None), own_cgroup("freezer")]}[containment]
    for folder in filter(None, folders):
        while not folder.is_mount():
            folder = folder.parent
        yield str(folder)


class Run:
    """What is alive of one."""

    def __init__(self):
        self.supervisor = None  # pids
        self.guard = None
        self.programs = []
        self.group = None  # the folder of its own cgroup, of v2 or of v1's freezer


class Machine:
    def __init__(self, node, chance, containment):
        self.node = node
        self.chance = chance
        self.containment = containment
        self.network = node.prefix  # so far: how its network is entered
        folder = own_cgroup(None)
        if folder is None:
            raise NoMachine("there is no cgroup of v2")
        try:
            self.group = Group(folder / f"muster-campaign-{os.getpid()}-{node.name}")
        except OSError as error:
            raise NoMachine(f"no cgroup of v2 can be made: {error}") from error
        self.hidden = " ".join(hidden(containment))
        self.old = own_cgroup("freezer") if containment == "freezer" else None
        self.forgotten = set()
        self.tidy = True  # every cgroup of a run is known to the node, and goes
        self.boots = 0
        self.kinds = {}  # (pid, start): what it is
        self.boot()
        tried = subprocess.run([*self.prefix(), "true"], capture_output=True, text=True)
        if tried.returncode != 0:
            self.close()
            raise NoMachine(tried.stderr.strip() or "a machine cannot be entered")

    def boot(self):
        """What is started from now on is of another boot."""
        self.boots += 1
        self.boot_id = self.node.folder / f"boot-{self.boots}"
        self.boot_id.write_text(f"{uuid.UUID(int=self.chance.getrandbits(128))}\n")
        self.offset = self.chance.randrange(FARTHEST)

    def prefix(self):
        """Of a command that runs on it; the process stays the same one."""
        space = ["nsenter", f"--net=/run/netns/{self.network[-1]}"] if self.network else []
        return [*space, "unshare", "--mount", "--time", "--boottime", str(self.offset),
                "sh", "-c", ENTER, "sh", str(self.group.folder / "cgroup.procs"),
                str(self.boot_id), self.hidden]

    def crash(self):
        """Power is lost: nothing of it goes on, and no cgroup is left."""
        groups = self.old_groups()
        for group in groups:
            self.thaw(group)  # v1 kills nothing that is frozen
        self.group.kill()
        for group in groups:
            remove(group)

    def old_groups(self):
        """Those of v1 that its runs have, or had and that are still there."""
        folder = getattr(self.node, "runs_folder", None)
        if self.old is None or folder is None or not folder.exists():
            return []
        names = {name.decode() for record in folder.glob("*/record")
                 for name in re.findall(rb"muster-[0-9a-f]{16}", record.read_bytes())}
        known = {self.old / name for name in names} | self.forgotten
        return [group for group in known if group.exists()]

    def wiped(self):
        """Its disks are about to be empty: nobody will know of the cgroups then."""
        self.forgotten = set(self.old_groups())
        self.tidy = False

    def freeze(self, group):
        """That of a run."""
        if self.old is None:
            self.group.freeze(group)
        else:
            (group / "freezer.state").write_text("FROZEN")

    def thaw(self, group):
        """If it is still there."""
        try:
            if self.old is None:
                self.group.thaw(group)
            else:
                (group / "freezer.state").write_text("THAWED")
        except OSError:
            pass

    def close(self):
        if self.group.folder.exists():
            self.group.thaw()
            self.crash()
            self.group.close()

    # --- what is alive on it --------------------------------------------------------------

    def runs(self):
        """number: Run, of all that has a process."""
        found = {}
        for folder in [self.group.folder, *self.group.below()]:
            try:
                pids = (folder / "cgroup.procs").read_text().split()
            except OSError:
                continue  # it was just removed
            for pid in pids:
                self._sort(found, int(pid), folder)
        return found

    def own(self):
        """Pids of the node and of its starter, which are there without runs too."""
        found = [self.node.process.pid]
        for pid in self.group.pids():
            try:
                if self._kind(pid)[0] == "starter":
                    found.append(pid)
            except (OSError, ValueError, IndexError):
                pass
        return found

    def _sort(self, found, pid, folder):
        try:
            kind, number = self._kind(pid)
        except (OSError, ValueError, IndexError):
            return  # it has just ended
        if number is None:
            return
        run = found.setdefault(number, Run())
        if kind == "program":
            run.programs.append(pid)
            run.group = self._group(pid, folder) or run.group
        elif getattr(run, kind) is None:  # a later one is a program that is being made
            setattr(run, kind, pid)

    def _group(self, pid, folder):
        if folder != self.group.folder:
            return folder
        if self.old is None:
            return None
        try:
            lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii")
        except OSError:
            return None
        path = next((line.split(":", 2)[2] for line in lines.splitlines()
                     if line.split(":", 2)[1] == "freezer"), "")
        name = path.rsplit("/", 1)[-1]
        return self.old / name if name.startswith("muster-") else None

    def _kind(self, pid):
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        rest = stat.rsplit(")", 1)[1].split()
        key = pid, rest[19]
        if key in self.kinds:
            return self.kinds[key]
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if words[:3] == [b"muster", b"supervise", b"--starter"]:
            return "starter", None  # it may yet fork and become something else
        if words[:2] == [b"muster", b"supervise"]:
            guard = stat.split("(", 1)[1].startswith("muster-guard")
            kind = ("guard" if guard else "supervisor",
                    int(words[2].rsplit(b"/", 1)[1]))
            if not guard:
                return kind  # it may yet become the guard
        else:
            kind = "program", self._fence(pid)
            if kind[1] is None:
                return kind  # it may not have become the program yet
        self.kinds[key] = kind
        return kind

    @staticmethod
    def _fence(pid):
        for word in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if word.startswith(b"MUSTER_FENCE="):
                return int(word[13:])
        return None
