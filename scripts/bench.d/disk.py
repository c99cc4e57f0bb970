# SPDX-License-Identifier: Apache-2.0
"""What the disk takes by itself: write + fdatasync, block after block, into a file that is
there and full of zeros, while two other processes do the same."""
import multiprocessing
import os
import statistics
import time

BLOCK = 1024  # about what one small write is in the log
FILE_BYTES = 16 << 20


def _writer(path, seconds, result):
    block = b"\x5a" * BLOCK
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(fd, bytes(FILE_BYTES), 0)
        os.fsync(fd)
        took = []
        end = time.monotonic() + seconds
        offset = 0
        while time.monotonic() < end:
            before = time.monotonic()
            os.pwrite(fd, block, offset)
            os.fdatasync(fd)
            took.append(time.monotonic() - before)
            offset = (offset + BLOCK) % FILE_BYTES
        result.put(statistics.median(took) * 1e6)
    finally:
        os.close(fd)
        os.unlink(path)


def bare_sync_us(folder, seconds):
    """The median of three writers at once."""
    result = multiprocessing.Queue()
    writers = [multiprocessing.Process(target=_writer,
                                       args=(str(folder / f"bare{n}"), seconds, result))
               for n in range(3)]
    for writer in writers:
        writer.start()
    took = [result.get(timeout=seconds + 60) for _ in writers]
    for writer in writers:
        writer.join()
    return statistics.median(took)
