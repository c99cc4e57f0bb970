# SPDX-License-Identifier: Apache-2.0
"""The command line against one real node."""
import json
import os
import pty
import re
import resource
import signal
import subprocess

import pytest

from lib.cli import (CONFIG, DONE, FAILED, NOT_FOUND, UNREACHABLE, USAGE, Followed, done,
                     muster, refused)
from lib.cluster import BINARY
from lib.load import task_body

pytestmark = pytest.mark.sanitized


def created(node, folder, name, **more):
    body = task_body(name, "")
    body["task"].update(more)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(body))
    return done("task", "create", path, address=node.api)


def test_what_this_version_lacks_is_a_warning(node, tmp_path):
    path = tmp_path / "web.json"
    path.write_text(json.dumps({"name": "web", "module": "m",
                                "condition": {"services": {"names": ["web"]}}}))
    found = muster("task", "create", path, address=node.api)
    assert (found.returncode, found.stdout) == (DONE, "task 'web' is created\n")
    said = "this version does not watch 'services': the task runs when it is asked to"
    assert found.stderr == f"warning: {said}\n"
    assert node.call("GET", "/v1/tasks/web").headers["X-Muster-Warning"] == said


def test_a_task_lives_through_the_command_line(node, tmp_path):
    here = {"address": node.api}
    assert created(node, tmp_path, "web") == "task 'web' is created\n"
    assert "enabled" in done("task", "show", "web", **here)
    assert done("task", "disable", "web", **here) == "task 'web' is disabled\n"
    assert node.tasks()["web"]["enabled"] is False
    assert done("task", "enable", "web", **here) == "task 'web' is enabled\n"
    assert node.tasks()["web"]["enabled"] is True
    deleted = done("task", "delete", "web", "--auto-approve", **here)
    assert deleted == "task 'web' is deleted\n" and node.tasks() == {}


def test_a_task_is_updated_whole_or_by_what_changes(node, tmp_path):
    here = {"address": node.api}
    created(node, tmp_path, "web", description="1")
    path = tmp_path / "new.json"
    path.write_text(json.dumps(task_body("web", "2")))
    assert done("task", "update", "web", path, **here) == "task 'web' is updated\n"
    assert node.tasks()["web"]["description"] == "2"
    revision = re.search(r"^revision +(\d+)$", done("task", "show", "web", **here), re.M)[1]
    said = done("task", "update", "web", "-", "--merge", "--if-revision", revision,
                stdin=b'{"description":"3"}', **here)
    assert said == "task 'web' is updated\n" and node.tasks()["web"]["description"] == "3"
    for more in ([], ["--merge"]):
        text = refused(FAILED, "task", "update", "web", path, "--if-revision", revision,
                       *more, **here)
        assert f"which If-Match does not name" in text or "'task'" in text
    assert node.tasks()["web"]["description"] == "3"


def test_an_update_creates_nothing_and_keeps_the_name(node, tmp_path):
    here = {"address": node.api}
    path = tmp_path / "no.json"
    path.write_text(json.dumps(task_body("no", "")))
    for more in ([], ["--merge"]):
        text = refused(NOT_FOUND, "task", "update", "no", "-" if more else path, *more,
                       stdin=b"{}", **here)
        assert "task 'no' does not exist" in text
    created(node, tmp_path, "web")
    assert "the body 'no'" in refused(FAILED, "task", "update", "web", path, **here)
    assert list(node.tasks()) == ["web"]


def test_a_task_may_come_bare_and_from_standard_input(node):
    bare = json.dumps(task_body("bare", "")["task"]).encode()
    done("task", "create", "-", address=node.api, stdin=bare)
    whole = json.dumps(task_body("whole", "")).encode()
    done("task", "create", "-", address=node.api, stdin=whole)
    assert list(node.tasks()) == ["bare", "whole"]


def test_tables_are_aligned(node, tmp_path):
    created(node, tmp_path, "a", condition={"schedule": {"cron": "* * * * *"}})
    body = task_body("a_long_name", "")
    body["task"]["condition"] = {"services": {"names": ["web", "api"]}}
    assert node.call("POST", "/v1/tasks", body).status == 201
    head, first, second = done("task", "list", address=node.api).splitlines()
    at = head.index("CONDITION")
    assert first[at:].startswith("schedule * * * * *")
    assert second[at:].startswith("services api, web")
    assert all(line == line.rstrip() for line in (head, first, second))


def test_no_text_of_a_task_reaches_the_terminal_raw(node, tmp_path):
    created(node, tmp_path, "evil", description="red \x1b[31m\nline \u202e bidi \u00e9")
    shown = done("task", "show", "evil", address=node.api)
    assert "\\x1b[31m\\x0aline" in shown and "\x1b" not in shown and "\u202e" not in shown
    assert "\u00e9" in shown


def test_json_is_what_the_server_said(node, tmp_path):
    created(node, tmp_path, "web")
    here = {"address": node.api}
    for command, path in ((["task", "list"], "/v1/tasks"),
                          (["task", "show", "web"], "/v1/tasks/web"),
                          (["cluster", "status"], "/v1/cluster"),
                          (["events"], "/v1/events")):
        said = json.loads(done(*command, "-o", "json", **here))
        expected = node.call("GET", path).json
        said.pop("request_id"), expected.pop("request_id")
        assert said == expected
    said = json.loads(done("status", "--output=json", **here))
    assert said["status"] == node.call("GET", "/v1/status").json
    assert said["tasks"] == node.call("GET", "/v1/status/tasks").json
    assert said["cluster"]["leader"]["address"] == node.api


def test_status_tells_leader_and_tasks(node, tmp_path):
    created(node, tmp_path, "web", enabled=False)
    said = done("status", address=node.api)
    assert f"at {node.api}" in said and "0 enabled, 1 disabled" in said
    assert said.splitlines()[-1].split() == ["web", "unknown", "no"]


def test_events_are_filtered_and_the_rest_is_named(node, tmp_path):
    for name in ("a", "b"):
        created(node, tmp_path, name)
    here = {"address": node.api}
    said = done("events", "--task", "b", "--type", "task.created", **here)
    assert len(said.splitlines()) == 2 and " b " in said
    found = muster("events", "--limit", 1, **here)
    assert found.returncode == DONE and found.stderr == "there are more: --after 1\n"
    assert "must be a number" in refused(FAILED, "events", "--after", "x", **here)
    assert "no event type" in refused(FAILED, "events", "--type", "a&limit=1", **here)


def test_events_are_followed_until_a_signal(node, tmp_path):
    created(node, tmp_path, "before")
    with Followed(node.api, output="table") as now, \
            Followed(node.api, "--after", 0) as all_of_them, \
            Followed(node.api, "--task", "b", "--type", "task.disabled",
                     output="table") as few:
        now.has(1), few.has(1)  # the heads: they are connected
        for name in ("a", "b"):
            created(node, tmp_path, name)
            done("task", "disable", name, address=node.api)
        now.has(5), all_of_them.has(node.index()), few.has(2)
        assert now.ends(signal.SIGINT) == -signal.SIGINT and now.said == ""
        assert all_of_them.ends(signal.SIGTERM) == -signal.SIGTERM
    expected = node.call("GET", "/v1/events").json["events"]
    assert all_of_them.events() == expected
    assert [line.split()[0] for line in now.lines] == [
        "INDEX", *(str(event["index"]) for event in expected[-4:])]
    head, line = few.lines
    assert head.split() == ["INDEX", "TIME", "TYPE", "TASK", "DATA"]
    assert line.split()[0] == str(expected[-1]["index"]) and " b " in line


def test_the_servers_refusals_have_their_codes(node, tmp_path):
    created(node, tmp_path, "web")
    here = {"address": node.api}
    assert "already exists" in refused(FAILED, "task", "create", tmp_path / "web.json",
                                       **here)
    for verb in ("show", "enable", "disable"):
        assert "'no' does not exist" in refused(NOT_FOUND, "task", verb, "no", **here)
    assert "does not exist" in refused(NOT_FOUND, "task", "delete", "no",
                                       "--auto-approve", **here)
    refused(NOT_FOUND, "cluster", "remove", "nobody", "--auto-approve", **here)
    assert "no other voter" in refused(FAILED, "cluster", "transfer", **here)


def test_a_file_that_is_no_task_is_named_with_its_place(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text('{"task":\n  {"name": }}')
    assert f"{path}:2:" in refused(FAILED, "task", "create", path)
    for text in ("[]", "{}", '{"task":1}', '{"task":{"name":1}}', "7", '"x"'):
        path.write_text(text)
        said = refused(FAILED, "task", "create", path)
        assert f"{path}" in said and ("must hold" in said or "no JSON" in said)
    path.write_bytes(b" " * (1024 * 1024 + 1))
    assert "1048576 bytes" in refused(FAILED, "task", "create", path)
    missing = tmp_path / "missing.json"
    assert f"{missing}: cannot be opened: No such file" in refused(
        FAILED, "task", "create", missing)
    assert "cannot be read: Is a directory" in refused(FAILED, "task", "create", tmp_path)
    assert "no JSON" in refused(FAILED, "task", "create", "-", stdin=b"")


@pytest.mark.parametrize("arguments", [
    [], ["bogus"], ["--bogus"], ["task"], ["task", "bogus"], ["cluster"],
    ["task", "list", "x"], ["task", "list", "--bogus"], ["task", "show"],
    ["task", "show", "a", "b"], ["task", "show", ""], ["task", "show", ".."],
    ["task", "show", "a/b"], ["task", "show", "x" * 129], ["task", "delete", "x"],
    ["task", "update", "x"], ["task", "update", "x", "-", "y"],
    ["task", "update", "x", "-", "--if-revision", "0"],
    ["task", "update", "x", "-", "--if-revision", "7x"], ["task", "show", "--merge", "x"],
    ["cluster", "remove", "x"], ["status", "-o", "xml"], ["status", "--output"],
    ["status", "--timeout", "5"], ["status", "--timeout", "0s"],
    ["status", "--timeout", "-1s"], ["status", "--timeout", "9999h"],
    ["status", "--address", "x"], ["status", "--address", ""],
    ["status", "--address", "https://x:1"], ["status", "--address", "a:1,,b:1"],
    ["status", "--address", "a:0"], ["status", "--address", "http://u@h:1"],
    ["status", "--address", ",".join(f"h{n}:1" for n in range(33))],
    ["task", "list", "--force"], ["snapshot", "save"],
], ids=lambda arguments: " ".join(arguments)[:40] or "nothing")
def test_a_wrong_command_line_is_2(arguments):
    found = muster(*arguments)
    assert found.returncode == USAGE and found.stdout == "" and found.stderr
    assert len(arguments) < 1 or found.stderr.count("\n") == 1


def test_the_address_may_come_from_the_environment_and_is_judged():
    said = refused(USAGE, "status", address="nonsense")
    assert said.startswith("muster status: MUSTER_ADDRESS: the address 'nonsense'")


@pytest.mark.parametrize("command", [
    ["--help"], ["help"], ["task", "--help"], ["task", "create", "--help"],
    ["cluster", "remove", "-?"], ["snapshot", "save", "--help"], ["serve", "--help"],
    ["--version"], ["version"],
])
def test_help_is_on_stdout(command):
    assert done(*command)


def test_nobody_there_is_6_and_says_where_it_asked(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps(task_body("t", "")))
    said = refused(UNREACHABLE, "task", "list", "--timeout", "300ms",
                   "--address", "127.0.0.1:1,http://[::1]:1/")
    assert "127.0.0.1:1: cannot connect" in said and "[::1]:1: cannot connect" in said
    refused(UNREACHABLE, "task", "create", tmp_path / "t.json", "--timeout", "300ms",
            "--address", "127.0.0.1:1")
    assert "no host of that name" in refused(
        UNREACHABLE, "status", "--timeout", "2s", "--address", "nowhere.invalid:1")


def test_the_first_address_that_answers_is_enough(node):
    assert node.api in done("cluster", "status", "--address", f"127.0.0.1:1,{node.api}")


def test_a_proxy_of_the_environment_is_not_asked(node, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    done("status", address=node.api)


def test_deleting_asks_at_a_terminal(node, tmp_path):
    created(node, tmp_path, "asked")
    for reply, code in ((b"no\n", FAILED), (b"\n", FAILED), (b"yes\n", DONE)):
        terminal, other = pty.openpty()
        process = subprocess.Popen(
            [BINARY, "task", "delete", "asked", "--address", node.api], stdin=other,
            stderr=other, stdout=subprocess.DEVNULL)
        os.close(other)
        said = b""
        while not said.endswith(b"approves: "):
            said += os.read(terminal, 1)
        os.write(terminal, reply)
        assert process.wait() == code
        os.close(terminal)
        assert ("asked" in node.tasks()) == (code == FAILED)


def test_output_that_cannot_be_written_is_an_error(node):
    with open("/dev/full", "w") as full:
        found = subprocess.run([BINARY, "task", "list", "--address", node.api],
                               stdout=full, stderr=subprocess.PIPE, check=False)
    assert found.returncode == FAILED and b"cannot be written: No space" in found.stderr
    found = subprocess.run(["sh", "-c", '"$0" task list --address "$1" >&-', BINARY,
                            node.api], stderr=subprocess.PIPE, check=False)
    assert found.returncode == FAILED and b"cannot be written" in found.stderr


def test_a_closed_pipe_ends_it_like_any_other_program(node, tmp_path):
    for number in range(100):
        assert node.call("POST", "/v1/tasks",
                         task_body(f"t{number}", "x" * 10000)).status == 201
    process = subprocess.Popen([BINARY, "task", "list", "-o", "json", "--address",
                                node.api], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait() == -signal.SIGPIPE and process.stderr.read() == b""
    process.stderr.close()


# --- snapshot save ----------------------------------------------------------------------

def test_a_snapshot_is_saved_and_verified(node, tmp_path):
    created(node, tmp_path, "web")
    path = tmp_path / "s"
    here = {"address": node.api}
    assert f"up to number {node.index()}" in done("snapshot", "save", path, **here)
    assert "tasks    1" in done("snapshot", "verify", path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "--force replaces it" in refused(FAILED, "snapshot", "save", path, **here)
    created(node, tmp_path, "api")
    done("snapshot", "save", path, "--force", **here)
    assert "tasks    2" in done("snapshot", "verify", path)
    assert not (tmp_path / "s.part").exists()


def test_a_snapshot_replaces_only_ordinary_files(node, tmp_path):
    here = {"address": node.api}
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path, tmp_path / "link", "/dev/null"):
        assert "no ordinary file" in refused(FAILED, "snapshot", "save", path, "--force",
                                             **here)
    refused(FAILED, "snapshot", "save", "-", **here)
    assert "cannot be opened" in refused(FAILED, "snapshot", "save",
                                         tmp_path / "no" / "s", **here)
    (tmp_path / "s.part").symlink_to(tmp_path / "elsewhere")
    refused(FAILED, "snapshot", "save", tmp_path / "s", **here)
    assert not (tmp_path / "elsewhere").exists()


def test_a_snapshot_that_does_not_fit_leaves_nothing(node, tmp_path):
    for number in range(4):
        assert node.call("POST", "/v1/tasks",
                         task_body(f"t{number}", "x" * 100_000)).status == 201
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    found = muster("snapshot", "save", tmp_path / "s", address=node.api,
                   preexec_fn=small_files)
    assert found.returncode == FAILED and "File too large" in found.stderr
    assert list(tmp_path.glob("s*")) == []


def test_exit_codes_of_serve_and_validate_stay(tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    assert muster("serve", "--config", bad).returncode == CONFIG
    assert muster("validate", bad).returncode == CONFIG
