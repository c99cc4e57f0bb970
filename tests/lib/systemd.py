# SPDX-License-Identifier: Apache-2.0
"""A systemd of the test's own: process 1 of its own namespaces, in a cgroup of its own, with
the units that it is given and no others. The machine's files are read-only to it, but for
the test's folder."""
import os
import pathlib
import shutil
import signal
import subprocess

from lib.wait import PATIENCE, wait_until

SYSTEMD = pathlib.Path("/usr/lib/systemd/systemd")
# What a unit that does nothing special depends on, and here does nothing.
TARGETS = ("basic", "sysinit", "shutdown", "network-online", "multi-user")

BEGIN = """set -e
echo $$ > "$1/cgroup.procs"
exec unshare --pid --fork --mount --cgroup --uts --ipc --kill-child /bin/sh -c "$2" sh "$3"
"""
MOUNTS = """umount -R /sys/fs/cgroup 2>/dev/null || umount -l /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t proc proc /proc"""
# Its own cgroup is the root of what it sees of v2; nothing else of the machine's is there.
INSIDE = """set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro /
%s
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t tmpfs tmpfs /run
mount --bind "$1/console" /dev/console
mkdir -p /run/none
exec env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin container=other \
    SYSTEMD_UNIT_PATH="$1/units" SYSTEMD_GENERATOR_PATH=/run/none \
    /usr/lib/systemd/systemd --system --unit=basic.target --log-target=console \
    --show-status=no
""" % MOUNTS


def v2_root():
    """Where v2 cgroups are mounted, or None."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        if right.split()[0] == "cgroup2":
            return pathlib.Path(left.split()[4])
    return None


def why_not():
    """Why there can be none here; None: there can."""
    if os.geteuid() != 0:
        return "it needs root"
    if not SYSTEMD.exists():
        return "systemd is not installed"
    if v2_root() is None or not os.access(v2_root() / "cgroup.procs", os.W_OK):
        return "no v2 cgroup can be made here"
    tried = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount", "--cgroup", "--uts", "--ipc", "--kill-child",
         "sh", "-ec", "mount --make-rprivate /\n" + MOUNTS], capture_output=True, check=False)
    if tried.returncode != 0:
        return "no namespaces, or no mounts in them: " + tried.stderr.decode().strip()
    return None


class Systemd:
    """`with Systemd(folder) as systemd:`; units are files in `systemd.units`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.units = self.folder / "units"
        self.units.mkdir(parents=True)
        for target in TARGETS:
            (self.units / f"{target}.target").write_text(
                "[Unit]\nDefaultDependencies=no\n")
        (self.folder / "console").touch()
        self.cgroup = v2_root() / f"muster-systemd-{os.getpid()}"
        self.process = None
        self.pid = None

    def __enter__(self):
        self.cgroup.mkdir()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", BEGIN, "sh", self.cgroup, INSIDE, self.folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.folder / "errors", "wb"))
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.pid = int(wait_until("there is a process 1", self.alive_and(children.read_text)))
        wait_until("systemd answers", self.alive_and(
            lambda: self.call("is-system-running", check=False).stdout.strip() in
            (b"running", b"degraded")))
        return self

    def alive_and(self, condition):
        def look():
            assert self.process.poll() is None, self.console()
            return condition()
        return look

    def __exit__(self, *_):
        print(f"--- systemd's console\n{self.console()[-4000:]}")  # seen if it failed
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)  # and with it all that is in its namespace
            self.process.wait(PATIENCE)
        wait_until("its cgroups are empty", lambda: "populated 0" in (
            self.cgroup / "cgroup.events").read_text())
        for path, _, _ in os.walk(self.cgroup, topdown=False):
            os.rmdir(path)

    def console(self):
        return "".join((self.folder / name).read_text(errors="replace")
                       for name in ("errors", "console"))

    def call(self, *words, check=True):
        """systemctl, inside."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--cgroup",
             "systemctl", *map(str, words)], capture_output=True, check=False)
        assert not check or done.returncode == 0, f"{words}: {done.stderr}\n{self.console()}"
        return done

    def show(self, unit, name):
        return self.call("show", "--value", "--property", name, unit).stdout.decode().strip()

    def pids(self, unit):
        """Of all that is in a unit's cgroup, as this test's namespace counts them."""
        found = []
        for path, _, _ in os.walk(self.cgroup / "system.slice" / unit):
            try:
                text = (pathlib.Path(path) / "cgroup.procs").read_text()
            except OSError:
                continue  # a run's, which has just ended
            found += [int(line) for line in text.split()]
        return found

    def add(self, unit, **settings):
        """A copy of that file with more settings of its service; a list begins anew."""
        unit = pathlib.Path(unit)
        shutil.copy(unit, self.units / unit.name)
        self.change(unit.name, **settings)

    def change(self, unit, **settings):
        folder = self.units / f"{unit}.d"
        folder.mkdir(exist_ok=True)
        lines = ["[Service]"]
        for key, value in settings.items():
            lines += [f"{key}=", f"{key}={value}"] if key == "ExecStart" else [f"{key}={value}"]
        (folder / f"{len(list(folder.iterdir()))}.conf").write_text("\n".join(lines) + "\n")
        if self.process is not None:
            self.call("daemon-reload")
