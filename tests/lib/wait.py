# SPDX-License-Identifier: Apache-2.0
"""Waiting for what is to become true."""
import os
import threading
import time

# Sanitizers and a loaded machine are slow; a deadline only ends what will never be.
PATIENCE = float(os.environ.get("MUSTER_TEST_PATIENCE", "30"))


def wait_until(what, condition, deadline=PATIENCE):
    """The first true answer of condition(); fails with `what` and the last one."""
    end = time.monotonic() + deadline
    pause = threading.Event()
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline} s; last: {answer!r}")
        pause.wait(0.01)
