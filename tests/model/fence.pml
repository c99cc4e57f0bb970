// SPDX-License-Identifier: Apache-2.0
// Leases and the fence: is a run's program dead before the run is called ended?
//
// If so, no two programs of one task are ever alive at once, for a run is placed only after
// the one before it has ended, wherever each of them is. So one node is enough to look at:
// all runs of this task are placed on it; other nodes and other tasks change nothing here.
//
// What is committed is one number: 2r+1 while run r is live, 2r+2 once it has ended, as the
// node reported or as a leader declared it lost. The node applies it as late as it likes.
// Leaders follow one another; an old one may go on believing that it leads.
//
// Time is a number of ticks, each timer what is left of it. The node's clock may be slower
// than the leader's by DRIFT over one lease and its grace; a supervisor that has to act
// does so within MARGIN. Any step may take any time, so any message any way and be lost.
//
// Taken as given: a program dies with its supervisor, and a reboot ends all of them; votes
// and logs are Raft's: a leader confirms and commits only while no newer one is elected.
//
// Each of the mistakes START_WITHOUT_INDEX, NO_WAIT_AFTER_ELECTION, LEASE_FROM_ANSWER and
// GRANT_WHILE_LOST_IS_PROPOSED breaks it: tests/model/check shows that, and that no other
// schedule does.

#ifndef TERMS
#define TERMS 2
#endif
#ifndef RUNS
#define RUNS 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#define LEASE 2
#define GRACE 1
#define DRIFT 1
#define MARGIN 1
#ifndef WAIT
#define WAIT (LEASE + GRACE + DRIFT + MARGIN + 1) // 1: what one tick holds has no order
#endif

#define LIVE(index) ((index) % 2 == 1)
#define RUN(index) ((index) / 2)
#define FALLS(timer) if :: timer > 0 -> timer-- :: else fi

byte committed;
byte term = 1; // of the newest leader

// The node: its view, its lease, the question it waits for the answer of.
bool up = true;
byte applied;
byte lease;
byte lease_index;
byte question;  // what a grant would be worth, had it come now
bool asked;     // on its way to a leader
bool granted;   // on its way back
byte grant_index;
byte crashes;
byte step;

// On the same machine, whatever becomes of the node's process.
bool claimed[RUNS];
bool alive;     // a supervisor and its program
byte which;     // its run
byte deadline;
byte overdue;   // ticks since then

// The leaders: how long until each may declare the node's run lost; what it has proposed.
byte silence[TERMS];
bool losing[TERMS];
bool at_hand[TERMS]; // it works on the question the node waits for, not on an older one

#define WELL assert(!alive || committed == 2 * which + 1)

// ---- The node

inline ask_anew()
{
    granted = false;
    grant_index = 0;
    d_step {
        step = 0;
        do
        :: step < TERMS -> at_hand[step] = false; step++
        :: else -> break
        od;
        step = 0
    }
}

inline ask()
{
    // With a slow clock the lease, and all that follows from it, ends DRIFT later.
    if :: question = LEASE :: question = LEASE + DRIFT fi;
    asked = true;
    ask_anew()
}

inline take_grant()
{
#ifdef LEASE_FROM_ANSWER
    lease = LEASE;
#else
    if :: question > lease -> lease = question :: else fi;
#endif
    lease_index = grant_index;
    granted = false;
    grant_index = 0;
    question = 0;
    if :: alive && overdue == 0 -> deadline = lease :: else fi
}

inline restart()
{
    up = true;
    applied = 0; // it reads its log again
    lease = 0;
    lease_index = 0;
    question = 0;
    asked = false;
    ask_anew()
}

#ifdef START_WITHOUT_INDEX
#define MAY_START (lease > 0)
#else
#define MAY_START (lease > 0 && applied >= lease_index)
#endif
#define DUE (LIVE(applied) && !claimed[RUN(applied)])
// A claim that no supervisor answers for is lost; the run is never started again.
#define TO_REPORT (LIVE(applied) && claimed[RUN(applied)] && !alive)

proctype node()
{
    do
    :: atomic { up -> ask() }
    :: atomic { up && granted -> take_grant() }
    :: atomic { up && applied < committed -> applied++ }
    :: atomic { up && MAY_START && DUE && !alive ->
                which = RUN(applied);
                claimed[which] = true };
       if
       :: atomic { lease > 0 -> alive = true; deadline = lease; WELL }
       :: lease == 0 // a supervisor refuses a deadline that is over
       :: atomic { crashes < CRASHES -> crashes++; up = false }
       fi
    :: atomic { up && TO_REPORT && applied == committed -> committed++ }
    :: atomic { up && crashes < CRASHES -> crashes++; up = false }
    :: atomic { !up -> restart() }
    od
}

// It stops its program on time; any program may also end by itself.
proctype supervisor()
{
    do
    :: atomic { alive -> alive = false; deadline = 0; overdue = 0 }
    od
}

// ---- The leaders

inline answer(index)
{
    silence[me - 1] = WAIT;
    if
    :: at_hand[me - 1] -> granted = true; grant_index = index
    :: else
    fi
}

inline elect_next()
{
    // What this one proposed is in the next one's log, and so decided before that one
    // confirms anything, or it is not and never will be. This one does not know: it goes
    // on holding the node, and has no leadership in which it would let go.
    if
    :: losing[term - 1] && LIVE(committed) -> committed++; WELL
    :: true
    fi;
#ifndef NO_WAIT_AFTER_ELECTION
    silence[term] = WAIT;
#endif
    term++;
    run leader(term)
}

proctype leader(byte me)
{
    byte index;
    do
    // A question: the voters are asked after it came; the answer goes out later still.
    :: atomic { asked -> asked = false; at_hand[me - 1] = true };
       if
       :: atomic { term == me -> index = committed };
          if
#ifdef GRANT_WHILE_LOST_IS_PROPOSED
          :: atomic { answer(index) }
#else
          :: atomic { !losing[me - 1] -> answer(index) }
#endif
          :: true // it never goes out
          fi;
          index = 0
       :: true // not confirmed
       fi;
       at_hand[me - 1] = false
    :: atomic { term == me && !LIVE(committed) && RUN(committed) < RUNS -> committed++ }
    :: atomic { term == me && LIVE(committed) && silence[me - 1] == 0 -> losing[me - 1] = true }
    :: atomic { term == me && losing[me - 1] ->
                losing[me - 1] = false;
                if :: LIVE(committed) -> committed++; WELL :: else fi }
    od
}

// At any moment, also between a leader's word that it is confirmed and its answer.
proctype voters()
{
    do
    :: atomic { term < TERMS -> elect_next() }
    od
}

// ---- Time: no tick passes by a supervisor that has to have acted.

proctype ticks()
{
    byte i;
    do
    :: d_step { !alive || overdue < GRACE + MARGIN ->
                FALLS(lease);
                FALLS(question);
                if
                :: alive && deadline > 0 -> deadline--
                :: alive && deadline == 0 -> overdue++
                :: else
                fi;
                do
                :: i < TERMS -> FALLS(silence[i]); i++
                :: else -> break
                od;
                i = 0 }
    od
}

init
{
    atomic {
        silence[0] = WAIT;
        run ticks();
        run node();
        run supervisor();
        run voters();
        run leader(1)
    }
}
