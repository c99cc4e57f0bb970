# SPDX-License-Identifier: Apache-2.0
"""What befalls runs, and those who watch over them."""
import os
import re
import signal

from faults import Fault, Full


def send(pid, number):
    """To that very process, or to nobody."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return
    try:
        signal.pidfd_send_signal(descriptor, number)
    except OSError:
        pass
    finally:
        os.close(descriptor)


class RunFault(Fault):
    """Of a node that has runs, if there is one."""
    needs = "machine"
    ALL = False  # or one of its runs, or all
    LINGERS = (0, 0, 0, 5, 7)

    def draw(self, chance, count):
        self.linger = chance.choice(self.LINGERS)
        self.depth = chance.random()
        self.most = chance.choice([100] if self.ALL else [1, 1, 100])  # runs it befalls

    @property
    def kind(self):
        return re.sub("(?<!^)([A-Z])", r"_\1", type(self).__name__).lower()

    def choose(self, world, taken):
        nodes = [world.cluster.nodes[n] for n in self.order]
        free = [node for node in nodes if node not in taken and node.running()]
        if self.wants_leader:
            free.sort(key=lambda node: not node.leads())
        free.sort(key=lambda node: not node.machine.runs())
        if not free:
            return False
        self.node = free[0]
        self.victims = free[:1] if self.takes else []
        self.runs = dict(list(self.node.machine.runs().items())[:self.most])
        world.sight.harm(self.runs)
        return True

    def text(self):
        return f"{self.node.name}{self.more()}"

    def more(self):
        return f", {self.those()}"

    def those(self):
        return f"runs {' '.join(map(str, self.runs))}" if self.runs else "no run"


class KillSupervisor(RunFault):
    """Or its guard, or both."""
    takes = 0

    def whom(self):
        return (["supervisor"] if self.depth < 0.45 else
                ["guard"] if self.depth < 0.6 else ["guard", "supervisor"])

    def more(self):
        return f", {' and '.join(self.whom())} of {self.those()}"

    def kill(self):
        for run in self.runs.values():
            for each in self.whom():
                pid = getattr(run, each)
                if pid is not None:
                    send(pid, signal.SIGKILL)

    def begin(self, world):
        self.kill()

    def end(self, world):
        """They do not come back."""


class FreezeSupervisor(RunFault):

    def draw(self, chance, count):
        super().draw(chance, count)
        # with its guard only the node is left to end the run: nothing may befall that too
        self.takes = 0 if self.depth < 0.6 else 1

    def whom(self):
        return ["supervisor"] if self.depth < 0.6 else ["supervisor", "guard"]

    def more(self):
        return f", {' and '.join(self.whom())} of {self.those()}"

    def pids(self):
        return [pid for run in self.runs.values() for each in self.whom()
                if (pid := getattr(run, each)) is not None]

    def begin(self, world):
        self.handles = []
        for pid in self.pids():
            try:
                self.handles.append(os.pidfd_open(pid))
            except OSError:
                pass
        self.signal(signal.SIGSTOP)

    def signal(self, number):
        for handle in self.handles:
            try:
                signal.pidfd_send_signal(handle, number)
            except OSError:
                pass

    def end(self, world):
        self.signal(signal.SIGCONT)
        for handle in self.handles:
            os.close(handle)


class KillStarter(RunFault):
    """The process of a node that forks supervisors."""
    takes = 0

    def more(self):
        return ""

    def begin(self, world):
        for pid in self.node.machine.own()[1:]:
            send(pid, signal.SIGKILL)

    def end(self, world):
        """The node makes another one."""


class FreezeStarter(FreezeSupervisor):
    LINGERS = (0, 3, 12)  # the node waits for it for 10 s

    def draw(self, chance, count):
        super().draw(chance, count)
        self.takes = 0

    def more(self):
        return ""

    def pids(self):
        return self.node.machine.own()[1:]


class KillBoth(KillSupervisor):
    """Node and supervisors, at once."""
    takes = 1

    def more(self):
        return f" and {' and '.join(self.whom())} of {self.those()}"

    def begin(self, world):
        if self.depth % 0.1 < 0.05:
            self.kill()
            self.node.kill()
        else:
            self.node.kill()
            self.kill()

    def end(self, world):
        self.node.start()


class FreezeBoth(FreezeSupervisor):
    """Node and supervisors. With the guards too nobody is left who could end the runs, which
    go on: outside of the promise, and what they touch has to refuse them."""

    def draw(self, chance, count):
        super().draw(chance, count)
        self.takes = 1

    def more(self):
        return f" and {' and '.join(self.whom())} of {self.those()}"

    def begin(self, world):
        self.node.pause()
        super().begin(world)

    def end(self, world):
        if self.depth % 0.1 < 0.05:
            super().end(world)
            self.node.resume()
        else:
            self.node.resume()
            super().end(world)


class FreezeRun(RunFault):
    """The cgroup of a run, and nothing else."""
    takes = 0

    def begin(self, world):
        self.groups = []
        for run in self.runs.values():
            if run.group is not None:
                try:
                    self.node.machine.freeze(run.group)
                    self.groups.append(run.group)
                except OSError:
                    pass  # the run has just ended

    def end(self, world):
        for group in self.groups:
            self.node.machine.thaw(group)


class FreezeMachine(RunFault):
    """Node, supervisors, guards, programs: all at once, and all awake at once."""
    ALL = True
    LINGERS = (0, 0, 6, 7, 9)

    def begin(self, world):
        self.node.machine.group.freeze()
        world.sight.harm(self.node.machine.runs())

    def end(self, world):
        self.node.machine.group.thaw()


class Reboot(RunFault):
    ALL = True


    def begin(self, world):
        self.node.machine.crash()
        self.node.kill()

    def end(self, world):
        world.boot(self.node)
        self.node.start()


class FullRuns(Full, RunFault):
    """The disk of a node's runs, and not that of its log."""
    ALL = True
    needs = "machine"
    takes = 1

    def draw(self, chance, count):
        RunFault.draw(self, chance, count)

    def choose(self, world, taken):
        return RunFault.choose(self, world, taken)

    def text(self):
        return RunFault.text(self)

    @staticmethod
    def disk(node):
        return node.runs_disk


class Cancel(RunFault):
    """All runs of a node are cancelled."""
    ALL = True
    takes = 0

    def begin(self, world):
        for number in self.runs:
            world.tell_leader("POST", f"/v1/runs/{number}/cancel")

    def end(self, world):
        """That was it."""


class Drain(RunFault):
    ALL = True
    takes = 0

    def begin(self, world):
        world.drained = True
        world.tell_leader("POST", "/v1/cluster/drain", {"node": self.node.name})

    def end(self, world):
        world.undrain()
