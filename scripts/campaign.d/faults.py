# SPDX-License-Identifier: Apache-2.0
"""What befalls nodes. A fault draws from the seed all that it will ever draw when it is
made; begin() and end() only carry it out."""
import itertools
import os
import subprocess

from broken import Broken
from lib.wait import PATIENCE, wait_until

MIB = 2**20
EIO_SECONDS = 2  # who writes nothing meanwhile is left alone


class Fault:
    needs = None   # a key of World.missing
    alone = False  # nothing else happens meanwhile
    takes = 1      # nodes that no other fault may touch meanwhile
    linger = 0     # seconds that it lasts at least

    def __init__(self, chance, count):
        self.order = chance.sample(range(count), count)
        self.wants_leader = chance.random() < 0.5
        self.victims = []
        self.draw(chance, count)

    def draw(self, chance, count):
        """Whatever else the fault leaves to chance."""

    @property
    def kind(self):
        return type(self).__name__.lower()

    @property
    def victim(self):
        return self.victims[0]

    def choose(self, world, taken):
        """Whom it befalls; False: nobody is left."""
        nodes = [world.cluster.nodes[n] for n in self.order]
        free = [node for node in nodes if node not in taken]
        if self.wants_leader and self.takes:
            free.sort(key=lambda node: not node.leads())
        self.victims = free[:self.takes]
        return len(self.victims) == self.takes

    def text(self):
        return " ".join(node.name for node in self.victims)

    def begin(self, world):
        raise NotImplementedError

    def end(self, world):
        """Nothing is left of it after this."""


class Kill(Fault):
    def begin(self, world):
        self.victim.kill()

    def end(self, world):
        self.victim.start()


class KillAll(Fault):
    alone = True
    takes = 0

    @property
    def kind(self):
        return "kill_all"

    def draw(self, chance, count):
        self.back = chance.sample(range(count), count)

    def text(self):
        return "all nodes"

    def begin(self, world):
        for n in self.order:
            world.cluster.nodes[n].kill()

    def end(self, world):
        for n in self.back:
            world.cluster.nodes[n].start()


class Freeze(Fault):
    def begin(self, world):
        self.victim.pause()

    def end(self, world):
        self.victim.resume()


class Restart(Fault):
    def begin(self, world):
        self.victim.stop()

    def end(self, world):
        self.victim.start()


class Rolling(Fault):
    alone = True
    takes = 0

    def text(self):
        return "all nodes, one after the other"

    def begin(self, world):
        for n in self.order:
            world.cluster.nodes[n].restart()
            world.cluster.wait_ready()


class Transfer(Fault):
    takes = 0

    def text(self):
        return f"to n{self.order[0] + 1}"

    def begin(self, world):
        world.tell_leader("POST", "/v1/cluster/transfer", {"to": f"n{self.order[0] + 1}"})


class Wipe(Fault):
    """One at a time, until it votes again: two wiped nodes of three may lose what these two
    had acknowledged, and must."""

    def begin(self, world):
        self.victim.kill()
        self.victim.wipe()

    def end(self, world):
        self.victim.start()


# --- links ---------------------------------------------------------------------------------


class Links(Fault):
    needs = "network"
    takes = 0

    def cuts(self):
        """(sender, receiver) by number."""
        raise NotImplementedError

    def text(self):
        return " ".join(f"n{one}>n{other}" for one, other in sorted(self.cuts()))

    def begin(self, world):
        for cut in self.cuts():
            world.network.cut(*cut)

    def end(self, world):
        world.network.heal()


class Isolate(Links):
    """A node hears and reaches clients alone; its runs go on, as long as they may."""

    def draw(self, chance, count):
        self.linger = chance.choice([0, 0, 0, 6])

    def choose(self, world, taken):
        nodes = [world.cluster.nodes[n] for n in self.order]
        if self.wants_leader:
            free = [node for node in nodes if node not in taken]
            nodes = sorted(free, key=lambda node: not node.leads()) or nodes
        self.number = nodes[0].number
        return True

    def cuts(self):
        rest = [n + 1 for n in self.order if n + 1 != self.number]
        return [pair for other in rest
                for pair in ((self.number, other), (other, self.number))]


class OneWay(Links):
    @property
    def kind(self):
        return "one_way"

    def draw(self, chance, count):
        links = list(itertools.permutations(range(1, count + 1), 2))
        self.links = chance.sample(links, chance.randrange(1, len(links)))

    def cuts(self):
        return self.links


class Partial(Links):
    def draw(self, chance, count):
        pairs = list(itertools.combinations(range(1, count + 1), 2))
        self.links = [link for pair in chance.sample(pairs, chance.randrange(1, count))
                      for link in (pair, pair[::-1])]

    def cuts(self):
        return self.links


# --- disks ---------------------------------------------------------------------------------


class Full(Fault):
    needs = "disk"

    def draw(self, chance, count):
        self.takes = count // 2 + 1 if chance.random() < 0.3 else 1

    @staticmethod
    def disk(node):
        return node.disk

    def begin(self, world):
        for node in self.victims:
            with open(self.disk(node) / "ballast", "wb", buffering=0) as ballast:
                try:
                    while ballast.write(bytes(MIB)):
                        pass
                except OSError:
                    pass

    def end(self, world):
        for node in self.victims:
            os.unlink(self.disk(node) / "ballast")


class Traced(Fault):
    """strace, attached to a node."""
    needs = "strace"

    def rules(self):
        raise NotImplementedError

    def begin(self, world):
        self.strace = subprocess.Popen(
            ["strace", "-f", "-q", "-o", "/dev/null", *self.rules(),
             "-p", str(self.victim.process.pid)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        status = f"/proc/{self.victim.process.pid}/status"

        def attached():
            with open(status, encoding="ascii") as lines:
                return "TracerPid:\t0\n" not in lines.read()
        wait_until(f"strace watches {self.victim.name}", attached)

    def end(self, world):
        if self.strace.poll() is None:
            self.strace.terminate()
        self.strace.communicate(timeout=PATIENCE)


class Eio(Traced):
    """The node must end at once and say why; what it had acknowledged is on its disk."""

    def draw(self, chance, count):
        self.call = chance.choice(["fdatasync"] * 3 + ["pwrite64"] * 3 + ["fsync", "renameat"])
        # strace counts for each thread of the pool apart
        self.nth = chance.randrange(1, 15) if self.call in ("fdatasync", "pwrite64") else 1

    def text(self):
        return f"{self.victim.name} {self.call} {self.nth}"

    def rules(self):
        return ["-e", f"trace={self.call}",
                "-e", f"inject={self.call}:error=EIO:when={self.nth}"]

    def end(self, world):
        try:
            self.victim.process.wait(EIO_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        super().end(world)
        if self.victim.running():
            world.say(f"  eio: {self.victim.name} made no such call in time")
            return
        code = self.victim.process.wait(PATIENCE)
        said = self.victim.log()[-1000:]
        if code != 1 or "Input/output error" not in said:
            raise Broken(f"{self.victim.name} ended with {code} after EIO:\n{said}")
        self.victim.kill()  # forgets it
        self.victim.start()


class Slow(Traced):
    def draw(self, chance, count):
        self.delay_ms = chance.choice([5, 20, 50, 200])

    def text(self):
        return f"{self.victim.name}, {self.delay_ms} ms a sync"

    def rules(self):
        return ["-e", "trace=fdatasync,fsync",
                "-e", f"inject=fdatasync,fsync:delay_enter={self.delay_ms}ms"]


# --- clocks --------------------------------------------------------------------------------


class Jump(Fault):
    needs = "clock"
    takes = 0

    def draw(self, chance, count):
        self.offset = chance.choice([-1, 1]) * chance.choice(
            [1, 30, 3600, 86400, 7 * 86400, 400 * 86400]) * chance.randrange(1, 4)

    def text(self):
        return f"n{self.order[0] + 1} {self.offset:+} s"

    def begin(self, world):
        world.cluster.nodes[self.order[0]].wall.write_text(f"{self.offset:+}\n")
