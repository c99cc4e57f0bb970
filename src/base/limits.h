/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit at the door, in one place (DESIGN 12). Settings that decide a result of
 * apply are not here: they are replicated, in registry/settings.h. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* HTTP */
#define LIMIT_HEAD_BYTES          (16 * 1024) /* request line and headers */
#define LIMIT_BODY_BYTES          (1024 * 1024)
#define LIMIT_JSON_DEPTH          16
#define LIMIT_JSON_VALUES         10000 /* strings, numbers, objects … and keys */
#define LIMIT_REQUEST_MS          10000 /* whole request, and idle */
#define LIMIT_CONNECTIONS         2048
#define LIMIT_CONNECTIONS_ADDRESS 1024
#define LIMIT_REQUEST_ID_BYTES    64
#define LIMIT_WRITE_DEADLINE_MS   10000 /* accepted write without an outcome: 504 */
#define LIMIT_ANSWER_MS           30000 /* a client takes an answer, or 64 KiB of it */
#define LIMIT_STREAMS             256   /* event streams of a node */
#define LIMIT_STREAM_EVENTS       16384 /* of a live one that its client has not taken */
#define LIMIT_STREAM_SOCKET_BYTES (128 * 1024) /* the kernel's buffer of one */
#define LIMIT_STREAM_BEAT_MS      15000        /* without a word: a heartbeat */
#define LIMIT_READ_DEADLINE_MS    3000   /* ?consistent, and ?min_index without ?wait */
#define LIMIT_WAIT_MS             600000 /* ?wait */
#define LIMIT_WAIT_DEFAULT_MS     300000 /* ?index without ?wait */
#define LIMIT_LONG_POLLS          1024   /* requests that wait for a change */
#define LIMIT_PAGE_SETS           8      /* listings whose next pages are held */
#define LIMIT_PAGE_MS             30000  /* of one, from its first page on */

/* Tasks */
#define LIMIT_NAME_BYTES 128

/* Proposals waiting for their outcome */
#define LIMIT_PROPOSALS      4096
#define LIMIT_PROPOSAL_BYTES (64u * 1024 * 1024)
#define LIMIT_BATCH_COMMANDS 1024
#define LIMIT_BATCH_BYTES    (2u * 1024 * 1024)

/* Reads that wait for the word of a majority */
#define LIMIT_READS 4096

/* Log and peers */
#define LIMIT_ENTRY_BYTES      (4u * 1024 * 1024) /* one Raft entry */
#define LIMIT_FRAME_BYTES      (8u * 1024 * 1024) /* one peer frame */
#define LIMIT_PEER_QUEUE_BYTES (32u * 1024 * 1024)
#define LIMIT_HANDSHAKE_MS     5000
#define LIMIT_HANDSHAKES       64
#define LIMIT_MEMBERS          16
#define LIMIT_ADDRESS_BYTES    256

#endif
