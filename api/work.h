/* SPDX-License-Identifier: Apache-2.0 */
/* Work that is too long for the loop: a body of a megabyte takes 20 ms to parse.
 *
 * One piece at a time goes to the thread pool, the others wait: the pool's threads
 * belong to the disk first. */
#ifndef API_WORK_H
#define API_WORK_H

struct api;

struct work { /* embedded in its owner */
    struct api *api;
    void (*run)(struct work *work);  /* in the pool: touches nothing of the loop's */
    void (*done)(struct work *work); /* on the loop; may free it */
    struct work *next;
};

/* `done` is called exactly once, later. The api does not end before. */
void work_start(struct api *api, struct work *work);

#endif
