# SPDX-License-Identifier: Apache-2.0
"""Writers that go on through everything and remember what they were promised."""
import random
import threading

from lib.http import NothingHappened, OutcomeUnknown, request
from lib.wait import wait_until

ABSENT, ENABLED, DISABLED = "absent", "enabled", "disabled"


def task_body(name, note):
    return {"task": {"name": name, "description": note, "condition": {},
                     "module": "./modules/none"}}


def churn(leader, rounds):
    """Log of some 0.9 MB a round, and hardly any state."""
    for number in range(rounds):
        name = f"big{number}"
        assert leader.call("POST", "/v1/tasks", task_body(name, "x" * 900_000)).status == 201
        assert leader.call("DELETE", f"/v1/tasks/{name}").status == 202


class Writer(threading.Thread):
    """Creates, disables, enables and deletes tasks of its own, one request at a time. What
    it knows of each: the set of states that the answers leave possible. A task whose last
    write has no known outcome is left alone: that write may still happen, after others."""

    def __init__(self, cluster, number, seed, most=None, padding=0):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.number = number
        self.note = f"of {number}" + "x" * padding
        self.most = most  # names; with so many, those that are gone are made again
        self.random = random.Random(seed)
        self.known = {}  # name: set of states
        self.retired = set()
        self.acknowledged = 0
        self.unknown = 0
        self.wrong = []
        self.over = threading.Event()
        self.leader = None

    def run(self):
        count = 0
        while not self.over.is_set():
            count += 1
            settled = [name for name in self.known if name not in self.retired]
            enough = self.most is not None and len(settled) >= self.most
            if settled and (enough or self.random.random() < 0.4):
                self.change(self.random.choice(settled))
            else:
                self.create(f"w{self.number}_{count}")

    def create(self, name):
        self.known[name] = {ABSENT}
        self.write("POST", "/v1/tasks", task_body(name, self.note), name, ENABLED)

    def change(self, name):
        if self.most is not None and self.known[name] == {ABSENT}:
            self.create(name)
            return
        path = f"/v1/tasks/{name}"
        wish = self.random.choice([ENABLED, DISABLED, ABSENT])
        if wish == ABSENT:
            self.write("DELETE", path, None, name, ABSENT)
        else:
            self.write("PATCH", path, {"enabled": wish == ENABLED}, name, wish)

    def write(self, method, path, body, name, after):
        """Until the outcome is known, or known to be unknown, or the test is over."""
        while not self.over.is_set():
            address = self.leader or self.random.choice(self.cluster.addresses())
            self.leader = None
            try:
                answer = request(address, method, path, body, timeout=3)
            except NothingHappened:
                self.over.wait(0.01)
                continue
            except OutcomeUnknown:
                answer = None
            if answer is not None and answer.headers.get("X-Muster-Not-Leader"):
                self.leader = answer.headers.get("X-Muster-Leader-Address")
                self.over.wait(0.005)
                continue
            if answer is not None and answer.status in (503, 507):
                self.over.wait(0.01)
                continue
            expected = answer is None or answer.status < 300 or \
                answer.status == 404 and ABSENT in self.known[name]
            self.learn(answer, method, name, after)
            if answer is not None and answer.status < 300:
                self.leader = address
            elif not expected:
                print(f"{method} of {name} at {address}: {answer}")
            return

    def sweep(self):
        """Delete all that is certainly there, after the thread has ended."""
        self.over.clear()
        for name, states in list(self.known.items()):
            if name not in self.retired and ABSENT not in states:
                self.write("DELETE", f"/v1/tasks/{name}", None, name, ABSENT)

    def learn(self, answer, method, name, after):
        known = self.known[name]
        if answer is None or answer.status == 504:
            self.unknown += 1
            self.known[name] = known | ({after} if method != "PATCH" or ABSENT not in known
                                        else set())
            self.retired.add(name)
        elif answer.status in (200, 201, 202):
            self.acknowledged += 1
            if method != "POST" and known == {ABSENT}:
                self.wrong.append(f"{method} of {name}, which was gone: {answer}")
            self.known[name] = {after}
        elif answer.status == 404:
            if ABSENT not in known:
                self.wrong.append(f"{method} of {name}: lost: {answer}")
            self.known[name] = {ABSENT}
        else:
            self.wrong.append(f"{method} of {name}: {answer}")


def broken_promises(writers, tasks):
    """What of the tasks (name: task) is not as the writers were promised: sentences."""
    wrong = [text for writer in writers for text in writer.wrong]
    names = set()
    for writer in writers:
        names |= set(writer.known)
        for name, states in writer.known.items():
            task = tasks.get(name)
            state = ABSENT if task is None else \
                ENABLED if task["enabled"] else DISABLED
            if state not in states:
                wrong.append(f"{name} is {state}, must be {' or '.join(sorted(states))}")
            elif task is not None and task["description"] != writer.note:
                wrong.append(f"{name} has another's content: {str(task)[:300]}")
    return wrong + [f"{name} was never written" for name in set(tasks) - names]


class Load:
    """`with Load(cluster) as load:` writes until the end of the block. Writers are numbered
    from `first` on; loads of one cluster must not share numbers. The tasks of the first one
    are `padding` bytes larger."""

    def __init__(self, cluster, writers=3, seed=1, first=0, most=None, padding=0):
        self.writers = [Writer(cluster, n, seed * 1000 + n, most, padding if n == first else 0)
                        for n in range(first, first + writers)]

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop()

    def stop(self):
        for writer in self.writers:
            writer.over.set()
        for writer in self.writers:
            writer.join(30)

    @property
    def acknowledged(self):
        return sum(writer.acknowledged for writer in self.writers)

    def goes_on(self, more=30):
        """Wait until so many writes more are acknowledged."""
        goal = self.acknowledged + more
        wait_until(f"{more} more writes", lambda: self.acknowledged >= goal)

    def check(self, tasks):
        """Hold the tasks (name: task) to every promise."""
        wrong = broken_promises(self.writers, tasks)
        assert not wrong, "\n".join(wrong[:20])
        assert self.acknowledged > 0
