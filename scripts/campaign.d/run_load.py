# SPDX-License-Identifier: Apache-2.0
"""Clients that have tasks run, and change, stop and delete them meanwhile, on any node and
through everything. What they were promised is kept: the runs that were accepted."""
import random
import threading
import uuid

from lib.http import NothingHappened, OutcomeUnknown, request
from lib.wait import wait_until
from witness import ENDLESS, Witness

TRIGGERS = 2
# name: kind, schedule. Few, for each live run is four processes.
TASKS = {"r_short": ("short", "* * * * * * *"), "r_long": ("long", None),
         "r_other": ("away", "*/4 * * * * * *"), "r_stubborn": ("stubborn", None),
         "r_away": ("away", "*/3 * * * * * *"), "r_noisy": ("noisy", None),
         "r_silent": ("silent", None), "r_failing": ("failing", "*/5 * * * * * *")}
SETTINGS = {"run_lease_ms": 2000, "run_grace_ms": 1000, "run_time_limit_ms": 12000,
            "drain_deadline_ms": 1000}
GRACE = SETTINGS["run_grace_ms"] / 1000


def placed(answer):
    """The run that a 504 names."""
    return int(answer.headers["Location"].rsplit("/", 1)[1])


class Client(threading.Thread):
    """Asks until it is told what became of it, or knows that it will not be."""

    def __init__(self, cluster, seed):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.random = random.Random(seed)
        self.over = threading.Event()
        self.wrong = []
        self.leader = None

    def uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128)))

    def ask(self, method, path, body=None, key=None, name=None):
        """The answer of whoever could decide; None: it may have happened, or the end came.
        With a key it is repeated until it is known. `name` is the request's, however often
        it is sent: it has one effect at most."""
        headers = {"X-Request-Id": name or self.uuid()}
        if key:
            headers["Idempotency-Key"] = key
        while not self.over.is_set():
            address = self.leader or self.random.choice(self.cluster.addresses())
            self.leader = None
            try:
                answer = request(address, method, path, body, headers, timeout=4)
            except NothingHappened:
                self.over.wait(0.02)
                continue
            except OutcomeUnknown:
                if key is None and method != "GET":
                    return None
                self.over.wait(0.02)
                continue
            if answer.headers.get("X-Muster-Not-Leader"):
                self.leader = answer.headers.get("X-Muster-Leader-Address")
            elif answer.status == 504 and "Location" not in answer.headers:
                if key is None:
                    return None
            elif answer.status not in (503, 507) and b"key_under_way" not in answer.body:
                self.leader = address
                return answer
            self.over.wait(0.02)
        return None


class Trigger(Client):
    """Has tasks run; `accepted` is what it was promised: number: task and request."""

    def __init__(self, cluster, seed, names):
        super().__init__(cluster, seed)
        self.names = names
        self.accepted = {}
        self.refused = 0
        self.unknown = 0

    def run(self):
        while not self.over.is_set():
            self.once(self.random.choice(self.names))
            self.over.wait(self.random.uniform(0.05, 0.4))

    def once(self, name):
        wait = self.random.choice(["", "", "?wait=500ms", "?wait=2s"])
        key = self.uuid() if self.random.random() < 0.6 else None
        request_id = self.uuid()
        answer = self.ask("POST", f"/v1/tasks/{name}/run{wait}", None, key, request_id)
        if answer is None:
            self.unknown += 1
        elif answer.status in (200, 202):
            run = answer.json.get("run")  # it is not there if its end is not kept any more
            if run is not None:
                self.accepted[run["id"]] = name, request_id
        elif answer.status == 504:
            self.accepted[placed(answer)] = name, request_id
        elif answer.status in (404, 409):
            self.refused += 1
        else:
            self.wrong.append(f"to run {name}: {answer}")


class Operator(Client):
    """Stops runs, and changes, deletes and makes tasks again. It may be refused: a task
    with a live run is not disabled, and one that is being deleted not made again."""

    def __init__(self, cluster, seed, tasks):
        super().__init__(cluster, seed)
        self.tasks = tasks
        self.cancelled = 0
        self.accepted = {}

    def run(self):
        while not self.over.wait(self.random.uniform(0.2, 1)):
            task = self.random.choice(self.tasks)
            self.random.choice([self.cancel, self.cancel, self.remake, self.change,
                                self.switch, self.order])(task)

    def told(self, answer, *expected):
        if answer is not None and answer.status not in expected:
            self.wrong.append(f"an operator was told {answer}")
        return answer

    def live(self):
        answer = self.ask("GET", "/v1/runs?state=live&per_page=100")
        return answer.json["runs"] if answer is not None and answer.status == 200 else []

    def stop(self, run):
        answer = self.told(self.ask("POST", f"/v1/runs/{run['id']}/cancel"), 202, 404, 409)
        self.cancelled += answer is not None and answer.status == 202

    def cancel(self, _):
        """Those that would not end by themselves, above all."""
        runs = self.live()
        endless = [run for run in runs for task in self.tasks
                   if task.name == run["task"] and task.kind in ENDLESS]
        runs = endless if endless and self.random.random() < 0.7 else runs
        if runs:
            self.stop(self.random.choice(runs))

    def remake(self, task):
        self.told(self.ask("DELETE", f"/v1/tasks/{task.name}"), 202, 404)
        self.over.wait(self.random.uniform(0, 0.3))
        self.put(task)

    def put(self, task, note="again"):
        """409 while it is marked for deletion, or others changed it."""
        while not self.over.is_set():
            answer = self.told(self.ask("PUT", f"/v1/tasks/{task.name}", task.body(note)),
                               200, 201, 409)
            if answer is not None and answer.status != 409:
                return
            self.over.wait(0.2)

    def change(self, task):
        self.put(task, f"as of {self.random.randrange(1000)}")

    def order(self, task):
        """Put it and have it run, in one step; of one that is gone it is a trial."""
        if self.random.random() < 0.5:
            self.told(self.ask("DELETE", f"/v1/tasks/{task.name}"), 202, 404)
        request_id = self.uuid()
        answer = self.told(self.ask("PUT", f"/v1/tasks/{task.name}?run=now&wait=1s",
                                    task.body("ordered"), None, request_id),
                           200, 201, 409, 500, 504)
        if answer is not None and answer.status == 504:
            self.accepted[placed(answer)] = task.name, request_id
        elif answer is not None and answer.status == 500 and b"error tf-apply" not in answer.body:
            self.wrong.append(f"PUT with run=now of {task.name}: {answer}")
        self.put(task)

    def switch(self, task):
        path = f"/v1/tasks/{task.name}"
        answer = self.told(self.ask("PATCH", path, {"enabled": False}), 200, 404, 409, 500)
        if answer is not None and answer.status == 500 and b"active" not in answer.body:
            self.wrong.append(f"PATCH of {task.name}: {answer}")
        self.over.wait(self.random.uniform(0, 0.5))
        self.told(self.ask("PATCH", path, {"enabled": True}), 200, 404, 409, 500)


class RunLoad:
    """`start()` and `rest()` in turn; afterwards no task of it is there, and nothing runs."""

    def __init__(self, cluster, folder, resource):
        self.cluster = cluster
        self.tasks = [Witness(folder, name, kind, resource, cron)
                      for name, (kind, cron) in TASKS.items()]
        self.rounds = 0
        self.triggers = []
        self.operator = None
        self.accepted = {}  # number: (name of the task, request)
        self.wrong = []
        self.refused = self.unknown = self.cancelled = 0

    def start(self):
        names = [task.name for task in self.tasks]
        self.rounds += 1
        self.triggers = [Trigger(self.cluster, self.rounds * 100 + n, names)
                         for n in range(TRIGGERS)]
        self.operator = Operator(self.cluster, self.rounds * 100 + 99, self.tasks)
        for task in self.tasks:
            self.operator.put(task)
        for client in (self.operator, *self.triggers):
            client.start()

    def look(self):
        """What was found wrong so far."""
        return self.wrong + [text for client in (self.operator, *self.triggers)
                             if client is not None for text in client.wrong]

    def stop(self):
        """No client asks any more; what runs goes on."""
        clients = [each for each in (self.operator, *self.triggers) if each is not None]
        for client in clients:
            client.over.set()
        for client in clients:
            client.join(30)
            self.wrong += client.wrong
        for client in clients:
            self.accepted.update(client.accepted)
        for trigger in self.triggers:
            self.refused += trigger.refused
            self.unknown += trigger.unknown
        self.cancelled += self.operator.cancelled if self.operator is not None else 0
        self.triggers, self.operator = [], None

    def rest(self):
        """Without faults: no run is left, by itself, by its limit or because it is stopped."""
        self.stop()
        last = Operator(self.cluster, self.rounds, self.tasks)
        names = {task.name for task in self.tasks}

        def all_ended():
            """A trial may make a task as it ends."""
            for name in names & set(self.cluster.leader().tasks()):
                last.told(last.ask("DELETE", f"/v1/tasks/{name}"), 202, 404)
            for run in last.live():
                if run["state"] != "stopping":
                    last.stop(run)
            leader = self.cluster.leader()
            return not leader.call("GET", "/v1/runs?state=live").json["runs"] and \
                not names & set(leader.tasks())
        wait_until("all runs have ended, and their tasks are gone", all_ended)
        self.wrong += last.wrong
