/* SPDX-License-Identifier: Apache-2.0 */
/* libraft's memory: ours, which cannot fail. Its out-of-memory paths are not trusted.
 */
#ifndef RAFT_HEAP_H
#define RAFT_HEAP_H

/* Before the first call into libraft; again is harmless. */
void heap_install(void);

#endif
