# SPDX-License-Identifier: Apache-2.0
"""What programs print, and disks that have no room for it."""
import os
import pathlib
import signal
import subprocess

import pytest

from lib.driver import Driver, alive, module, wait_file, wait_gone
from lib.wait import wait_until


def segments(folder):
    """{offset: bytes} of a log, and where it ends (None: it goes on)."""
    names = [path.name for path in folder.iterdir()]
    ends = [int(name[4:]) for name in names if name.startswith("end-")]
    return ({int(name): (folder / name).read_bytes() for name in names if name.isdigit()},
            ends[0] if ends else None)


@pytest.mark.sanitized
def test_an_endless_printer_keeps_its_beginning_and_its_end(drivers, tmp_path):
    driver = drivers(log_bytes=64 << 10).ready()
    end = driver.run(1, module(tmp_path / "m", "seq 300000; exit 3"))
    assert end["outcome"] == "failed" and end["text"].endswith("\n299999\n300000")
    whole = b"".join(b"%d\n" % n for n in range(1, 300001))
    kept, length = segments(driver.folder(1) / "log")
    assert length == len(whole)
    assert sum(map(len, kept.values())) <= 64 << 10
    for offset, data in kept.items():
        assert whole[offset:offset + len(data)] == data
    assert len(kept[0]) == 32 << 10
    assert max(offset + len(data) for offset, data in kept.items()) == len(whole)


def test_one_that_prints_for_ever_is_stopped_in_time(drivers, tmp_path):
    driver = drivers(log_bytes=64 << 10).ready()
    driver.start(1, module(tmp_path / "m", "trap '' INT TERM PIPE; exec yes"), deadline=500,
                 grace=400)
    end = driver.ended(1)
    assert (end["outcome"], end["signal"]) == ("lost", 9)
    assert end["text"].endswith("\ny\ny")


@pytest.mark.sanitized
def test_one_that_prints_nothing_and_never_ends(driver, tmp_path):
    driver.start(1, module(tmp_path / "m", "exec sleep 100000"), grace=1000)
    driver.next("started", 1)
    assert segments(driver.folder(1) / "log") == ({}, None)
    driver.say("stop", 1)
    assert driver.ended(1)["text"] == "cancelled; ended by signal 2 (SIGINT)"
    assert segments(driver.folder(1) / "log") == ({}, 0)


@pytest.mark.sanitized
def test_the_log_of_a_killed_supervisor_is_ended(driver, tmp_path):
    driver.start(1, module(tmp_path / "m", "echo here; echo $$ > pid; exec sleep 600"))
    wait_file(driver.data / "work/task/pid")
    wait_until("it was written", lambda: driver.log(1) == b"here\n")
    os.kill(driver.supervisor(1), signal.SIGKILL)
    driver.ended(1)
    assert segments(driver.folder(1) / "log") == ({0: b"here\n"}, 5)


# --- a full disk ------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    """A data folder with little room."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
                           capture_output=True, text=True)
    if mount.returncode != 0:
        pytest.skip(f"needs a file system of its own: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


FILL = "echo first; cat /dev/zero > full 2>/dev/null; "


def test_a_full_disk_blocks_nobody_and_the_end_is_known(small, tmp_path):
    folder = module(tmp_path / "m", FILL + "seq 200000; rm full; echo last; exit 3")
    with Driver(small) as driver:
        end = driver.run(1, folder)
        assert (end["outcome"], end["exit_code"]) == ("failed", 3)
        assert end["text"].endswith("200000\nlast")
        kept, length = segments(driver.folder(1) / "log")
        assert kept[0].startswith(b"first\n") and length > 1 << 20
        assert b"".join(data for _, data in sorted(kept.items())).endswith(b"last\n")
    with Driver(small) as again:
        assert [e["outcome"] for e in again.seen if e["event"] == "found"] == ["failed"]


def test_a_result_has_its_room_on_a_full_disk(small, tmp_path):
    with Driver(small) as driver:
        assert driver.run(1, module(tmp_path / "m", FILL + "exit 3"))["outcome"] == "failed"
        assert (driver.folder(1) / "result").exists()


@pytest.mark.parametrize("pages", [0, 1, 2, 3, 4])
def test_what_has_no_room_to_begin_is_lost(small, tmp_path, pages):
    """Not failed: it is the disk's fault, and another node has room."""
    folder = module(tmp_path / "m", "true")
    with Driver(small) as driver:
        with pytest.raises(OSError), open(small / "fill", "wb", buffering=0) as fill:
            while True:
                fill.write(bytes(4096))
        os.truncate(small / "fill", (small / "fill").stat().st_size - pages * 4096)
        end = driver.run(1, folder)
        assert end["outcome"] == "lost" and end["unable"]
        assert "No space left on device" in end["text"]


@pytest.fixture
def unwritable(small, tmp_path):
    """A run that has ended, on a full disk that has not kept its result's room."""
    driver = Driver(small).ready()
    driver.start(1, module(tmp_path / "m", FILL + "echo $$ > /dev/null; touch $MUSTER_TASK; "
                                           "until [ -e go ]; do sleep 0.05; done; exit 3"))
    wait_until("the disk is full", lambda: (driver.data / "work/task/task").exists())
    part = driver.folder(1) / "result.part"
    part.unlink()
    part.mkdir()  # no room, whatever is free
    supervisor = driver.supervisor(1)
    (driver.data / "work/task/go").touch()
    yield driver, supervisor
    driver.close()
    if alive(supervisor):
        os.kill(supervisor, signal.SIGKILL)


def test_a_supervisor_keeps_what_it_cannot_write(unwritable):
    driver, supervisor = unwritable
    assert driver.ended(1)["exit_code"] == 3
    assert alive(supervisor)
    driver.kill()
    with Driver(driver.data) as again:  # whoever comes is told
        assert again.next("ended", 1)["exit_code"] == 3
        assert alive(supervisor)
        again.say("forget", 1)  # now somebody else knows it
        wait_gone(supervisor)


def test_a_supervisor_writes_as_soon_as_it_can(unwritable):
    driver, supervisor = unwritable
    assert driver.ended(1)["exit_code"] == 3
    (pathlib.Path(driver.data) / "work/task/full").unlink()
    (driver.folder(1) / "result.part").rmdir()
    wait_gone(supervisor)
    driver.close()
    with Driver(driver.data) as again:
        assert [e["exit_code"] for e in again.seen if e["event"] == "found"] == [3]
