# SPDX-License-Identifier: Apache-2.0
"""Modules for `exec`: a folder with programs, which a test may hold at a gate."""
import os
import pathlib


class Module:
    """`Module(folder, "echo hello")`: what `apply` does, and `plan` if there is one. In
    either `$GATE` names a pipe: `read word < $GATE` waits until the test opens it."""

    def __init__(self, folder, apply, plan=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.gate = self.folder / "gate"
        os.mkfifo(self.gate)
        self.put("apply", apply)
        if plan is not None:
            self.put("plan", plan)

    def put(self, name, script):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\nGATE='{self.gate}'\n{script}\n")
        path.chmod(0o755)

    def open(self, word="on"):
        """Let the one program that waits at the gate go on; waits until one does."""
        self.gate.write_text(word + "\n")

    def task(self, name, **more):
        return {"task": {"name": name, "module": str(self.folder), "condition": {}, **more}}
