# SPDX-License-Identifier: Apache-2.0
"""The programs of a campaign's tasks, which witness that no two of them live at once, and
what they touch. Each holds an exclusive lock of its task for as long as anything of it lives,
writes a journal, and touches a resource that keeps the highest fence number it has seen."""
import socketserver
import threading
import time

# What a run of a task is like.
KINDS = ("short", "long", "stubborn", "away", "noisy", "silent", "failing")
ENDLESS = ("stubborn", "noisy", "silent")
FAILURE = 3  # exit code of those that fail
REFUSED = 99

PROGRAM = f"""#!/usr/bin/python3 -IS
import fcntl, json, os, signal, socket, sys, time

for each in (signal.SIGINT, signal.SIGTERM):
    signal.signal(each, signal.SIG_DFL)
with open(os.environ["MUSTER_INPUT"]) as text:
    variables = json.load(text)["variables"]
folder, kind, task = variables["folder"], variables["kind"], os.environ["MUSTER_TASK"]
fence = int(os.environ["MUSTER_FENCE"])
journal = os.open(folder + "/journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
lock = os.open(folder + "/lock", os.O_RDWR | os.O_CREAT, 0o644)

def note(*words):
    line = " ".join(str(word) for word in (f"{{time.monotonic():.3f}}", fence, *words))
    os.write(journal, line.encode() + b"\\n")

def resource():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(variables["resource"])
    return connection

def touch(connection):
    connection.sendall(f"{{task}} {{fence}}\\n".encode())
    answer = connection.recv(64)
    if answer != b"ok\\n":
        note("refused")
        os._exit({REFUSED})

def go_on(seconds=1e9, pause=0.15):
    connection = resource()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        touch(connection)
        time.sleep(pause)

def deaf():
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)

def leave():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in (0, 1, 2):
                os.close(fd)
            deaf()
            go_on()
        os._exit(0)

try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(fence).encode(), 0)
except BlockingIOError:
    note("overlap", os.pread(lock, 32, 0).decode() or "0")
note("begin", os.getcwd())
code = 0
if kind == "short":
    go_on(0.01)
elif kind == "long":
    print("it goes on", flush=True)
    go_on(0.5 + fence * 7919 % 60 / 10)
elif kind == "stubborn":
    deaf()
    go_on()
elif kind == "away":
    leave()
    go_on(1 + fence % 3)
elif kind == "noisy":
    connection = resource()
    while True:
        touch(connection)
        os.write(1, b"there is no end to what I have to say\\n" * 3000)
        time.sleep(0.02)
elif kind == "silent":
    go_on()
else:
    go_on(0.01)
    print("it cannot be done", flush=True)
    code = {FAILURE}
note("end", code)
os._exit(code)
"""


class Resource(socketserver.ThreadingUnixStreamServer):
    """What runs change: it takes a number only if it has seen none that is higher. One
    moment at a time, so that nothing that was frozen in the middle slips through."""
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path):
        super().__init__(str(path), Touching)
        self.lock = threading.Lock()
        self.highest = {}  # task: number
        self.touches = 0
        self.refused = []  # (when, task, number, the higher one)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, task, number):
        with self.lock:
            highest = self.highest.get(task, 0)
            if number < highest:
                self.refused.append((time.monotonic(), task, number, highest))
                return False
            self.highest[task] = number
            self.touches += 1
            return True

    def handle_error(self, request, client_address):
        """A program was killed in the middle of a line."""

    def close(self):
        self.shutdown()
        self.server_close()


class Touching(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            task, number = line.decode().split()
            self.wfile.write(b"ok\n" if self.server.take(task, int(number)) else b"no\n")


class Witness:
    """One task: its folder, its module, and what its programs have written."""

    def __init__(self, folder, name, kind, resource, cron=None):
        self.name = name
        self.kind = kind
        self.folder = folder / name
        self.module = self.folder / "module"
        self.module.mkdir(parents=True)
        program = self.module / "apply"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        self.resource = str(resource)
        self.cron = cron
        self.read = 0  # bytes of the journal

    def body(self, note=""):
        return {"task": {
            "name": self.name, "description": note, "module": str(self.module),
            "condition": {"schedule": {"cron": self.cron or "0 0 0 1 1 * 2099"}},
            "variables": {"folder": str(self.folder), "kind": self.kind,
                          "resource": self.resource}}}

    def news(self):
        """(when, number, word, the rest) of each line since the last time."""
        path = self.folder / "journal"
        if not path.exists():
            return []
        with open(path, encoding="utf-8") as journal:
            journal.seek(self.read)
            lines = journal.readlines()
            self.read = journal.tell()
        split = [line.split(" ", 3) for line in lines]
        return [(float(each[0]), int(each[1]), each[2].strip(), each[3].strip()
                 if len(each) > 3 else "") for each in split]
