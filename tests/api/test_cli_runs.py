# SPDX-License-Identifier: Apache-2.0
"""`muster task create|update|enable --run`: changes that are run as well."""
import json
import os
import pty
import subprocess
import threading

import pytest

from lib.cli import DONE, FAILED, NOT_FOUND, USAGE, done, muster, refused
from lib.cluster import BINARY
from lib.module import Module
from lib.wait import wait_until


@pytest.fixture
def web(tmp_path):
    return Module(tmp_path / "web", "echo done", "echo 'would do it'; exit 2")


@pytest.fixture
def broken(tmp_path):
    return Module(tmp_path / "broken", "echo 'no such host' >&2; exit 3", "echo nope; exit 1")


def file(folder, body):
    path = folder / "task.json"
    path.write_text(json.dumps(body))
    return path


def outcomes(node):
    runs = node.call("GET", "/v1/runs?per_page=100").json["runs"]
    return [(run["purpose"], run["outcome"]) for run in runs]


@pytest.mark.sanitized
def test_a_task_is_inspected_created_updated_and_enabled(node, tmp_path, web, broken):
    here = {"address": node.api}
    path = file(tmp_path, web.task("web"))
    assert done("task", "create", path, "--run", "inspect", **here) == (
        "would do it\nplan of task 'web': there are changes\n")
    assert node.tasks() == {}
    assert done("task", "create", path, "--run", "now", **here) == (
        "task 'web' is created, its run has succeeded\n")
    assert done("task", "update", "web", "-", "--merge", "--run=now", "-o", "json",
                stdin=b'{"description":"new"}', **here).count('"description":"new"') == 1
    assert done("task", "update", "web", path, "--run=now", **here) == (
        "task 'web' is updated, its run has succeeded\n")
    done("task", "disable", "web", **here)
    assert done("task", "enable", "web", "--run", "inspect", **here).startswith("would do it\n")
    assert node.tasks()["web"]["enabled"] is False
    assert done("task", "enable", "web", "--run", "now", **here) == (
        "task 'web' is enabled, its run has succeeded\n")
    done("task", "disable", "web", **here)
    assert done("task", "update", "web", path, "--run=now", **here) == (
        "task 'web' is updated, and disabled: nothing was run\n")
    # what fails says what the program said last
    worse = file(tmp_path, broken.task("db"))
    said = refused(FAILED, "task", "create", worse, "--run", "now", **here)
    assert "error tf-apply for 'db': " in said and "no such host" in said
    assert "nope" in refused(FAILED, "task", "create", worse, "--run", "inspect", **here)
    assert list(node.tasks()) == ["web"]
    refused(NOT_FOUND, "task", "enable", "none", "--run", "now", **here)
    said = refused(USAGE, "task", "create", worse, "--run", "later", **here)
    assert "--run is now, inspect or ask, not 'later'" in said


def test_a_long_run_is_waited_for(node, tmp_path):
    """Longer than the client lets one request wait: one run all the same."""
    held = Module(tmp_path / "held", "read word < $GATE\necho went")
    found = []
    waiter = threading.Thread(target=lambda: found.append(muster(
        "task", "create", file(tmp_path, held.task("web")), "--run", "now", address=node.api)))
    waiter.start()
    wait_until("its first request has been answered 504", lambda: "status=504" in node.log())
    held.open()
    waiter.join()
    assert found[0].returncode == DONE, found[0]
    assert found[0].stdout == "task 'web' is created, its run has succeeded\n"
    assert outcomes(node) == [("trial", "success")]


@pytest.mark.parametrize("reply, code", [(b"no\n", FAILED), (b"yes\n", DONE)])
def test_it_asks_at_a_terminal(node, tmp_path, web, reply, code):
    terminal, other = pty.openpty()
    process = subprocess.Popen(
        [BINARY, "task", "create", file(tmp_path, web.task("web")), "--run", "ask",
         "--address", node.api], stdin=other, stderr=other, stdout=subprocess.PIPE)
    os.close(other)
    assert process.stdout.readline() == b"would do it\n"
    said = b""
    while not said.endswith(b"approves: "):
        said += os.read(terminal, 1)
    os.write(terminal, reply)
    assert process.wait() == code
    os.close(terminal)
    process.stdout.close()
    assert ("web" in node.tasks()) == (code == DONE)


def test_without_a_terminal_it_has_to_be_told(node, tmp_path, web):
    path = file(tmp_path, web.task("web"))
    found = muster("task", "create", path, "--run", "ask", address=node.api)
    assert found.returncode == USAGE and "--auto-approve is needed" in found.stderr
    assert node.tasks() == {}
    assert done("task", "create", path, "--run", "ask", "--auto-approve",
                address=node.api).splitlines() == [
        "would do it", "plan of task 'web': there are changes",
        "task 'web' is created, its run has succeeded"]
