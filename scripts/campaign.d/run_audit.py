# SPDX-License-Identifier: Apache-2.0
"""What must be true of runs, held against the event log, the journals of their programs, what
these have touched, and what is left of them on the nodes. All that runs has ended by then."""
import collections
import fcntl
import json

from broken import Broken
from lib.wait import wait_until
from witness import FAILURE, REFUSED

LEFT_OVER = 15  # seconds


class Placed:
    """One run as the events tell it."""

    def __init__(self, data, task, request):
        self.task = task
        self.request = request  # "": nobody's
        self.node = data["node"]
        self.started = 0
        self.end = None  # the data of its run.ended
        self.judged = False


class RunAudit:
    def __init__(self, load, resource, sight, nodes):
        self.load = load
        self.resource = resource
        self.sight = sight
        self.nodes = nodes
        self.tasks = {task.name: task for task in load.tasks}
        self.runs = {}  # number: Placed
        self.requests = {}  # of clients: number
        self.live = {}  # name of a task: number
        self.members = {}  # id: name of the node
        self.last_event = 0
        self.last_refused = 0
        self.begins = collections.Counter()  # of programs, by run
        self.newest = {}  # task: the last number that began
        self.ends = {}  # number: [exit codes its program meant to end with]
        self.outcomes = collections.Counter()
        self.excused = collections.Counter()  # what lies outside of the promise, by what
        self.without_disk = 0  # that failed for it
        self.wrong = []

    def __call__(self, events):
        """`events`: number: text of all that were seen. Raises Broken."""
        self.wrong = list(self.load.look())
        for number in sorted(n for n in events if n > self.last_event):
            self._event(json.loads(events[number]))
            self.last_event = number
        for number, (name, request) in self.load.accepted.items():
            run = self.runs.get(number)
            if run is None or (run.task, run.request) != (name, request):
                self.wrong.append(f"run {number} of {name}, accepted for {request}, is "
                                  f"{self._tell(number)}")
        for number in self.live.values():
            self.wrong.append(f"{self._tell(number)} has no end")
        for task in self.load.tasks:
            for line in task.news():
                self._line(task, *line)
            self._is_free(task)
        for when, _, number, higher in self.resource.refused[self.last_refused:]:
            self._outside(f"touched after {higher}", "refused", number, when)
            self.last_refused += 1
        self._outcomes()
        self._left_over()
        if self.wrong:
            raise Broken("\n".join(self.wrong[:20]))

    def _tell(self, number):
        run = self.runs.get(number)
        if run is None:
            return f"run {number}, which was never placed,"
        end = run.end or {}
        return (f"run {number} of {run.task} on {self.members.get(run.node, run.node)} "
                f"({end.get('outcome', 'no end')}; began {self.begins[number]} times; alone: "
                f"{self.sight.text(number)})")

    def _outside(self, text, what, number, when):
        """That run did what it must not, unless nobody was there to prevent it."""
        if self.sight.excuses(number, when):
            self.excused[what] += 1
        else:
            self.wrong.append(f"{self._tell(number)} {text} at {when:.2f}")

    # --- events -----------------------------------------------------------------------------

    def _event(self, event):
        data = event["data"]
        if event["type"] == "member.joined":
            self.members[data["id"]] = data["name"]
        elif event["type"].startswith("run."):
            getattr(self, "_" + event["type"].split(".")[1], lambda *_: None)(event, data)

    def _placed(self, event, data):
        number, name = data["run"], event["task"]
        if number != event["index"] or number in self.runs:
            self.wrong.append(f"run {number} is placed by event {event['index']}")
        if name in self.live:
            self.wrong.append(f"run {number} is placed while {self._tell(self.live[name])} "
                              "is live")
        request = event["request_id"]
        if request and request in self.requests:
            self.wrong.append(f"run {number} is placed for {request}, as was "
                              f"{self._tell(self.requests[request])}")
        self.requests[request] = number
        self.runs[number] = Placed(data, name, request)
        self.live[name] = number

    def _started(self, event, data):
        run = self.runs.get(data["run"])
        if run is None or run.started or run.end is not None:
            self.wrong.append(f"event {event['index']}: {self._tell(data['run'])} is started")
        else:
            run.started = event["index"]

    def _ended(self, event, data):
        run = self.runs.get(data["run"])
        if run is None or run.end is not None or self.live.get(run.task) != data["run"]:
            self.wrong.append(f"event {event['index']}: {self._tell(data['run'])} is ended")
        else:
            run.end = data
            del self.live[run.task]

    # --- programs ---------------------------------------------------------------------------

    def _line(self, task, when, number, word, rest):
        getattr(self, "_says_" + word)(task, when, number, rest)

    def _says_begin(self, task, when, number, folder):
        run = self.runs.get(number)
        if run is None or run.task != task.name:
            self.wrong.append(f"a program of {task.name} began: {self._tell(number)}")
            return
        node = self.members.get(run.node)
        if f"/{node}/" not in folder:
            self.wrong.append(f"{self._tell(number)} began in {folder}")
        self.begins[number] += 1
        if self.begins[number] > (3 if task.kind == "failing" else 1):
            self.wrong.append(f"{self._tell(number)} began again at {when:.2f}")
        if number < self.newest.get(task.name, 0):
            self._outside(f"began after {self.newest[task.name]}", "late", number, when)
        self.newest[task.name] = max(number, self.newest.get(task.name, 0))

    def _says_overlap(self, task, when, number, holder):
        """A holder that was frozen before it could write its number is nobody's."""
        holder = int(holder) or next((
            other for other, run in self.runs.items() if run.task == task.name and
            other != number and self.sight.excuses(other, when)), 0)
        self._outside(f"was alive when run {number} of {task.name} began", "overlap",
                      holder, when)

    def _says_refused(self, *_):
        """The resource tells it."""

    def _says_end(self, task, when, number, code):
        self.ends.setdefault(number, []).append(int(code))

    def _outcomes(self):
        for number, run in self.runs.items():
            if run.task not in self.tasks or run.judged:
                continue
            run.judged = True
            if run.end is not None:
                self.outcomes[run.end["outcome"]] += 1
                self._outcome(number, run, self.tasks[run.task].kind)

    def _outcome(self, number, run, kind):
        outcome, code = run.end["outcome"], run.end["exit_code"]
        ends = self.ends.get(number, [])
        if outcome == "success" and ends[-1:] != [0]:
            self.wrong.append(f"{self._tell(number)} succeeded, and its program says {ends}")
        elif outcome == "failed" and code not in (FAILURE, REFUSED):
            text = (run.end["error"] or {}).get("message", "")
            if "No space left on device" in text or "Input/output error" in text:
                self.without_disk += 1
            else:
                self.wrong.append(f"{self._tell(number)} failed: {text}")
        elif outcome == "failed" and code == FAILURE and kind != "failing":
            self.wrong.append(f"{self._tell(number)} failed as {kind} ones do not")

    # --- what is left -----------------------------------------------------------------------

    def _is_free(self, task):
        """Whatever of a run lives holds the lock of its task."""
        with open(task.folder / "lock", "a", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = (task.folder / "lock").read_text()
                self.wrong.append(f"all runs have ended, and {self._tell(int(text or 0))} is "
                                  "alive")

    def _left_over(self):
        for node in self.nodes:
            try:
                wait_until(f"{node.name} has no process but its own", lambda node=node: (
                    set(node.machine.group.pids()) == set(node.machine.own())), LEFT_OVER)
                wait_until(f"{node.name} has no cgroup of a run", lambda node=node: (
                    not node.machine.tidy or
                    not node.machine.group.below() and not node.machine.old_groups()),
                    LEFT_OVER)
                wait_until(f"every claim of {node.name} has come to its end",
                           lambda node=node: not self._claims(node), LEFT_OVER)
            except AssertionError as problem:
                runs = {number: vars(run) for number, run in node.machine.runs().items()}
                self.wrong.append(f"{problem}; runs {runs}, claims {self._claims(node)}")

    @staticmethod
    def _claims(node):
        """Runs whose end its registry does not have, as its folders tell."""
        return [folder.name for folder in node.runs_folder.iterdir()
                if (folder / "claim").exists() and not (folder / "reported").exists()]

    def text(self):
        runs = sum(self.outcomes.values())
        outcomes = ", ".join(f"{name} {count}" for name, count in
                             sorted(self.outcomes.items()))
        outside = ", ".join(f"{name} {count}" for name, count in
                            sorted(self.excused.items())) or "nothing"
        return (f"{runs} runs ({outcomes}; {self.without_disk} had no disk), {len(self.load.accepted)} of them accepted from "
                f"clients, {self.load.cancelled} cancelled by them; {self.resource.touches} "
                f"touches; outside of the promise: {outside}")
