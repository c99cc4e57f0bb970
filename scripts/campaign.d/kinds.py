# SPDX-License-Identifier: Apache-2.0
"""Every fault: its word, and how often it is chosen beside the others."""
from faults import (Eio, Freeze, Full, Isolate, Jump, Kill, KillAll, OneWay, Partial, Restart,
                    Rolling, Slow, Transfer, Wipe)
from run_faults import (Cancel, Drain, FreezeBoth, FreezeMachine, FreezeRun, FreezeStarter,
                        FreezeSupervisor, FullRuns, KillBoth, KillStarter, KillSupervisor, Reboot)

ROWS = (
    ("kill", Kill, 5), ("kill_all", KillAll, 1), ("freeze", Freeze, 4),
    ("restart", Restart, 2), ("rolling", Rolling, 1), ("transfer", Transfer, 2),
    ("wipe", Wipe, 2), ("isolate", Isolate, 3), ("one_way", OneWay, 3),
    ("partial", Partial, 2), ("full", Full, 2), ("eio", Eio, 4), ("slow", Slow, 2),
    ("jump", Jump, 2),
    ("kill_supervisor", KillSupervisor, 4), ("freeze_supervisor", FreezeSupervisor, 4),
    ("kill_starter", KillStarter, 2), ("freeze_starter", FreezeStarter, 2),
    ("kill_both", KillBoth, 3), ("freeze_both", FreezeBoth, 4), ("freeze_run", FreezeRun, 3),
    ("freeze_machine", FreezeMachine, 4), ("reboot", Reboot, 3), ("full_runs", FullRuns, 2),
    ("cancel", Cancel, 2), ("drain", Drain, 2),
)
KINDS = [kind for kind, _, _ in ROWS]
CLASSES = {kind: each for kind, each, _ in ROWS}
WEIGHTS = {each: weight for _, each, weight in ROWS}
