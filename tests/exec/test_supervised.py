# SPDX-License-Identifier: Apache-2.0
"""What a run is: its program, its surroundings, its end."""
import json
import os
import pathlib
import stat

import pytest

from lib.driver import module
from lib.wait import wait_until

pytestmark = pytest.mark.sanitized


def test_a_program_runs_and_its_output_is_kept(driver, tmp_path):
    end = driver.run(1, module(tmp_path / "m", "echo out; echo err >&2"), task="web")
    assert (end["outcome"], end["exit_code"], end["signal"], end["text"]) == (
        "success", 0, 0, "")
    assert 0 < end["started_ms"] <= end["ended_ms"]
    assert driver.log(1) == b"out\nerr\n"
    assert [e["event"] for e in driver.seen] == ["ready", "started", "ended"]


def test_nothing_of_the_node_leaks(drivers, tmp_path, monkeypatch):
    """Neither its environment, its descriptors, its signals' state nor its session."""
    monkeypatch.setenv("SECRET", "of the node")
    driver = drivers().ready()
    driver.run(1, module(tmp_path / "m", """#!/usr/bin/python3
import json, os, signal, sys
json.dump({
    "environment": dict(os.environ),
    "descriptors": {fd: os.readlink(f"/proc/self/fd/{fd}")
                    for fd in os.listdir("/proc/self/fd")
                    if os.path.exists(f"/proc/self/fd/{fd}")},
    "folder": os.getcwd(),
    "input": json.load(open(os.environ["MUSTER_INPUT"])),
    "mode": os.stat(os.environ["MUSTER_INPUT"]).st_mode,
    "leads": os.getsid(0) == os.getpid(),
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "ignored": [n for n in (1, 2, 3, 10, 12, 15) if
                signal.getsignal(n) == signal.SIG_IGN],
    "umask": os.umask(0),
}, sys.stdout)
"""), task="web", input='{"variables":{"a":"b"}}')
    seen = json.loads(driver.log(1))
    environment = seen["environment"]
    work = str(driver.data / "work" / "web")
    assert environment.pop("MUSTER_MARK")
    assert environment.pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8"  # Python's own
    assert environment == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8", "HOME": work, "MUSTER_RUN": "1", "MUSTER_FENCE": "1",
        "MUSTER_TASK": "web", "MUSTER_MODULE": str(tmp_path / "m"),
        "MUSTER_INPUT": str(driver.folder(1) / "input.json")}
    descriptors = seen["descriptors"]
    assert descriptors.pop("0") == "/dev/null"
    output = descriptors.pop("1")
    assert output.startswith("pipe:") and descriptors.pop("2") == output
    assert not descriptors
    assert seen["folder"] == work
    assert seen["input"] == {"variables": {"a": "b"}}
    assert stat.S_IMODE(seen["mode"]) == 0o600
    assert seen["leads"] and seen["umask"] == 0o22
    assert seen["blocked"] == [] and seen["ignored"] == []


def test_a_failure_says_what_the_program_said_last(driver, tmp_path):
    end = driver.run(1, module(tmp_path / "m", "echo working\necho 'no route' >&2\n\nexit 3"))
    assert (end["outcome"], end["exit_code"]) == ("failed", 3)
    assert end["text"] == "exit code 3: working\nno route"
    end = driver.run(2, module(tmp_path / "n", "echo so; kill -SEGV $$"))
    assert (end["outcome"], end["signal"]) == ("failed", 11)
    assert end["text"] == "ended by signal 11 (SIGSEGV): so"


def test_it_tries_again_as_often_as_it_may(driver, tmp_path):
    """It is begun once; the text of a failure is of the retries only."""
    better = module(tmp_path / "m", "echo x >> tries; n=$(wc -l < tries); echo try $n; "
                                    "[ $n -ge 3 ] || exit $n")
    worse = module(tmp_path / "n", "echo x >> tries; n=$(wc -l < tries); echo E$n; exit $n")
    driver.start(1, better, tries=3, task="a")
    driver.start(2, worse, tries=3, task="b")
    ends = {}
    while len(ends) < 2:
        end = driver.next("ended")
        ends[end["run"]] = end
    assert (ends[1]["outcome"], ends[1]["text"]) == ("success", "")
    said = driver.log(1).decode().splitlines()
    assert said[0::2] == ["try 1", "try 2", "try 3"]
    assert said[1].startswith("muster: try 1 of 3 failed; the next one in 1")
    assert said[3].startswith("muster: try 2 of 3 failed; the next one in 2")
    assert len([e for e in driver.seen if e["event"] == "started" and e["run"] == 1]) == 1
    assert (ends[2]["outcome"], ends[2]["exit_code"]) == ("failed", 3)
    assert ends[2]["text"] == ("retry attempt #2 failed 'exit code 3: E3': "
                               "retry attempt #1 failed 'exit code 2: E2'")


def test_what_is_not_tried_again(driver, tmp_path):
    folder = module(tmp_path / "m", "echo x >> tries; exit 127")
    end = driver.run(1, folder, tries=3, task="a")
    assert (end["outcome"], end["text"]) == ("failed", "exit code 127")
    assert (driver.data / "work/a/tries").read_text() == "x\n"
    folder = module(tmp_path / "n", "#!/nowhere/to/be/found\n")
    end = driver.run(2, folder, tries=3)
    assert end["outcome"] == "failed" and end["started_ms"] == 0
    assert end["text"].startswith(f"{folder}/apply cannot be executed: No such file")


@pytest.mark.parametrize("code, outcome, changes", [(0, "success", False),
                                                    (2, "success", True), (1, "failed", False)])
def test_a_plan_says_whether_there_are_changes(driver, tmp_path, code, outcome, changes):
    folder = module(tmp_path / "m", "exit 9", f"echo '+ one'; echo; echo '- two'; exit {code}")
    end = driver.run(1, folder, inspect=1, tries=3)
    assert (end["outcome"], end["changes"], end["exit_code"]) == (outcome, changes, code)
    assert end["text"] == ("exit code 1: + one\n- two" if code == 1 else
                           "+ one\n\n- two\n")


def test_a_long_plan_is_in_the_log_alone(driver, tmp_path):
    end = driver.run(1, module(tmp_path / "m", "", "seq 2000; exit 2"), inspect=1)
    assert (end["outcome"], end["changes"], end["text"]) == ("success", True, "")
    assert driver.log(1).split()[-1] == b"2000"


def test_what_is_no_module(driver, tmp_path):
    """The text says what is missing and what would be right."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "tf").mkdir()
    (tmp_path / "tf" / "main.tf").write_text("")
    module(tmp_path / "tf", "exit 0")
    plain = module(tmp_path / "plain", "exit 0")
    (plain / "apply").chmod(0o644)
    wanted = {
        tmp_path / "none": "there is no module",
        tmp_path / "empty": "has no apply: a module is a folder with an executable file",
        tmp_path / "tf": "this muster has no terraform driver",
        plain: "is not an executable file: chmod +x makes it one",
    }
    for run, (folder, text) in enumerate(wanted.items(), 1):
        end = driver.run(run, folder)
        assert end["outcome"] == "failed" and text in end["text"], end
    end = driver.run(9, module(tmp_path / "m", "exit 0"), inspect=1)
    assert "has no plan: only a module with an executable file of that name" in end["text"]


def test_without_a_supervisor_there_is_no_run(drivers, tmp_path):
    folder = module(tmp_path / "m", "touch began")
    driver = drivers(program=tmp_path / "none").ready()
    end = driver.run(1, folder)
    assert (end["outcome"], end["text"]) == ("lost",
                                             "no supervisor: No such file or directory")
    assert end["unable"]
    driver.close()
    driver = drivers(program="/bin/cat").ready()  # it does not know what to do
    end = driver.run(2, folder)
    assert end["outcome"] == "lost" and end["unable"]
    assert end["text"] == "its supervisor did not start"
    assert not (driver.data / "work/task/began").exists()


def test_a_task_cannot_lead_out_of_the_work_folder(driver, tmp_path):
    for run, name in enumerate(("..", "a/../../b", "/etc"), 1):
        end = driver.run(run, module(tmp_path / "m", "exit 0"), task=name)
        assert end["outcome"] == "failed" and "is not a task's name" in end["text"]


def test_a_relative_module_is_in_the_working_folder_of_the_node(
        drivers, tmp_path, monkeypatch):
    module(tmp_path / "here" / "m", "pwd")
    monkeypatch.chdir(tmp_path / "here")
    driver = drivers().ready()
    assert driver.run(1, "./m", task="web")["outcome"] == "success"
    assert driver.log(1).decode().strip() == str(driver.data / "work/web")


def test_a_long_path_is_no_matter(tmp_path):
    """A socket's name has 108 bytes."""
    from lib.driver import Driver
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    with Driver(deep) as driver:
        assert driver.run(1, module(tmp_path / "m", "exit 0"))["outcome"] == "success"


def test_limits_hold(driver, tmp_path):
    driver.run(1, module(tmp_path / "m", "ulimit -n; ulimit -t"), files=33, cpu_seconds=7)
    assert driver.log(1).split() == [b"33", b"7"]
    end = driver.run(2, module(tmp_path / "n", "#!/usr/bin/python3\nb = bytes(1 << 30)\n"),
                     memory=256 << 20)
    assert end["outcome"] == "failed" and "MemoryError" in end["text"]
    end = driver.run(3, module(tmp_path / "o", "while :; do :; done"), cpu_seconds=1)
    assert (end["outcome"], end["signal"]) == ("failed", 24)  # SIGXCPU


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody")
def test_as_root_it_can_become_somebody_else(driver, tmp_path, monkeypatch):
    for path in (tmp_path, *tmp_path.parents):  # who runs it must get through
        if path != pathlib.Path("/") and path.owner() == "root":
            path.chmod(path.stat().st_mode | 0o011)
    folder = module(tmp_path / "m", "id -u; id -g; id -G; cat $MUSTER_INPUT; touch here")
    folder.chmod(0o755)
    driver.data.chmod(0o711)
    end = driver.run(1, folder, uid=65534, gid=65534)
    assert end["outcome"] == "success", end
    assert driver.log(1).split() == [b"65534", b"65534", b"65534", b"{}"]


def test_logs_are_kept_by_bytes_and_by_age(drivers, tmp_path):
    driver = drivers(keep_bytes=500_000).ready()
    folder = module(tmp_path / "m", "head -c 100000 /dev/urandom")
    runs = driver.data / "runs"

    def kept():
        return sorted(int(path.name) for path in runs.iterdir() if path.name.isdigit())

    for run in range(1, 11):
        assert driver.run(run, folder)["outcome"] == "success"
        driver.say("forget", run)
    wait_until("the newest are left", lambda: (runs / "10" / "reported").exists() and
               len(kept()) <= 4)
    driver.close()
    left = kept()
    assert 1 < len(left) and left == list(range(11 - len(left), 11))
    for run in left[:-1]:
        os.utime(runs / str(run) / "reported", (1, 1))
    drivers(keep_bytes=500_000).ready()
    wait_until("what is too old is removed", lambda: kept() == [10])


def test_a_thousand_tiny_runs_leave_nothing(drivers, tmp_path):
    driver = drivers(keep_count=5).ready()
    folder = module(tmp_path / "m", "#!/bin/true\n")
    count = 100 if os.environ.get("MUSTER_TEST_SHORT") else 1000

    def batch(first, size):
        for run in range(first, first + size):
            driver.start(run, folder)
        for _ in range(size):
            end = driver.next("ended")
            assert end["outcome"] == "success", end
            driver.say("forget", end["run"])

    def descriptors():
        driver.say("descriptors")
        return driver.next("descriptors")["count"]

    batch(1, 20)
    before = descriptors()
    batch(21, count)
    assert descriptors() <= before + 4  # connections that are just being closed
    runs = driver.data / "runs"
    wait_until("what is not kept is removed", lambda: len(list(runs.iterdir())) <= 5 + 64)
    driver.close()
    again = drivers(keep_count=5)
    assert again.found() == {}
    again.close()
