/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up: what is there, is it whole, then make it so.
 *
 *   list ─▶ anchors ─▶ segments ─▶ snapshot ─▶ do they fit together? ─▶ repair
 *
 * Nothing is changed before everything was read and judged. The repair (cut the torn
 * end, write the last frame again, both anchors, sync the folder, remove left-overs)
 * may itself be cut off anywhere: done again it comes to the same. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/plant.h"
#include "raft/store/internal.h"

struct opening {
    struct store *store;
    struct err *err;
    bool has_anchor[2];  /* the file exists */
    bool good_anchor[2]; /* and its record is right */
    size_t source;       /* the copy that counts */
    char **snapshots;    /* names there */
    size_t snapshot_count;
    uint64_t *segments; /* numbers there */
    size_t segment_count;
    char *foreign; /* a name like ours that is none */
    struct scan scan;
    struct entry_log log;
    struct snapshot_meta meta; /* index 0 = no snapshot */
};

/* --- what is there -----------------------------------------------------------------
 */

static bool opening_is_temporary(const char *name)
{
    size_t len = strlen(name);
    bool ours = strncmp(name, "spare-", 6) == 0 || strncmp(name, "take-", 5) == 0 ||
                strncmp(name, "receive-", 8) == 0;
    return ours && len > 4 && strcmp(name + len - 4, ".tmp") == 0;
}

static void opening_name(void *ctx, const char *name)
{
    struct opening *opening = ctx;
    uint64_t number = 0;
    uint64_t term = 0;
    if (strcmp(name, files_anchor_names[0]) == 0) {
        opening->has_anchor[0] = true;
    } else if (strcmp(name, files_anchor_names[1]) == 0) {
        opening->has_anchor[1] = true;
    } else if (format_parse_segment_name(name, &number)) {
        opening->segments = mem_realloc(
            opening->segments, (opening->segment_count + 1) * sizeof(uint64_t));
        opening->segments[opening->segment_count++] = number;
    } else if (format_parse_snapshot_name(name, &number, &term)) {
        opening->snapshots = mem_realloc(
            opening->snapshots, (opening->snapshot_count + 1) * sizeof(char *));
        opening->snapshots[opening->snapshot_count++] = mem_strdup(name);
    } else if (opening_is_temporary(name)) {
        store_trash(opening->store, name);
    } else if (strncmp(name, "log-", 4) == 0 || strncmp(name, "anchor-", 7) == 0 ||
               strncmp(name, "snapshot-", 9) == 0) {
        if (opening->foreign == NULL) {
            opening->foreign = mem_strdup(name);
        }
    }
}

static int opening_list(struct opening *opening)
{
    struct store *store = opening->store;
    int result = disk_list(store->disk, opening_name, opening, opening->err);
    if (result == 0 && opening->foreign != NULL) {
        return format_damaged(opening->err, store->ids.path, opening->foreign, 0,
                              "no file of this store has such a name");
    }
    return result;
}

static bool opening_has_segment(const struct opening *opening, uint64_t number)
{
    for (size_t i = 0; i < opening->segment_count; i++) {
        if (opening->segments[i] == number) {
            return true;
        }
    }
    return false;
}

/* --- anchors -----------------------------------------------------------------------
 */

/* ERR_CORRUPT is told in `err` and counts as "not good"; other errors are returned. */
static int opening_read_anchor(struct opening *opening, size_t copy, struct anchor *out,
                               struct err *err)
{
    struct store *store = opening->store;
    const char *name = files_anchor_names[copy];
    struct disk_file *file = NULL;
    uint8_t sector[FORMAT_SECTOR];
    uint64_t size = 0;
    int result = disk_open(store->disk, name, DISK_WRITE, &file, err);
    if (result != 0) {
        return result;
    }
    store->anchors.file[copy] = file;
    result = disk_size(store->disk, file, &size, err);
    if (result == 0 && size != FORMAT_SECTOR) {
        return format_damaged(err, store->ids.path, name, size, "has not 512 bytes");
    }
    if (result == 0) {
        result = disk_read(store->disk, file, 0, sector, sizeof sector, err);
    }
    return result == 0 ? format_get_anchor(sector, &store->ids, name, out, err)
                       : result;
}

static int opening_no_anchor(struct opening *opening)
{
    struct store *store = opening->store;
    if (opening->segment_count == 0 && opening->snapshot_count == 0) {
        return err_set(opening->err, ERR_NOT_FOUND, "%s: no store here",
                       store->ids.path);
    }
    return format_damaged(opening->err, store->ids.path, files_anchor_names[0], 0,
                          "is missing, and so is the other copy");
}

static int opening_anchors(struct opening *opening)
{
    struct store *store = opening->store;
    struct anchor anchor[2];
    struct err err[2];
    for (size_t i = 0; i < 2; i++) {
        if (!opening->has_anchor[i]) {
            format_damaged(&err[i], store->ids.path, files_anchor_names[i], 0,
                           "is missing");
            continue;
        }
        int result = opening_read_anchor(opening, i, &anchor[i], &err[i]);
        if (result != 0 && result != ERR_CORRUPT) {
            *opening->err = err[i];
            return result;
        }
        opening->good_anchor[i] = result == 0;
    }
    if (!opening->has_anchor[0] && !opening->has_anchor[1]) {
        return opening_no_anchor(opening);
    }
    if (!opening->good_anchor[0] && !opening->good_anchor[1]) {
        *opening->err = opening->has_anchor[0] ? err[0] : err[1];
        return ERR_CORRUPT;
    }
    opening->source =
        !opening->good_anchor[0] ||
        (opening->good_anchor[1] && anchor[1].sequence > anchor[0].sequence);
    size_t other = 1 - opening->source;
    if (!opening->good_anchor[other]) {
        log_warn("%s; the other copy is good and replaces it", err[other].text);
    } else if (anchor[0].sequence == anchor[1].sequence &&
               memcmp(&anchor[0], &anchor[1], sizeof anchor[0]) != 0) {
        return format_damaged(opening->err, store->ids.path, files_anchor_names[1], 40,
                              "differs from the other copy of the same sequence");
    }
    store->anchor = anchor[opening->source];
    return 0;
}

/* --- segments ----------------------------------------------------------------------
 */

/* The file's bytes (owned by the caller), its header checked. */
static int opening_read_segment(struct opening *opening, uint64_t number,
                                struct disk_file **file, uint8_t **data, uint64_t *size)
{
    struct store *store = opening->store;
    struct err *err = opening->err;
    char name[FORMAT_NAME_MAX];
    format_segment_name(name, number);
    int result = disk_open(store->disk, name, DISK_WRITE, file, err);
    if (result == 0) {
        result = disk_size(store->disk, *file, size, err);
    }
    if (result != 0) {
        return result;
    }
    if (*size < 2 * FORMAT_SECTOR || *size > FORMAT_SEGMENT_MAX + 2 * FORMAT_SECTOR) {
        return format_damaged(err, store->ids.path, name, *size,
                              "a segment cannot have this length");
    }
    *data = mem_alloc((size_t)*size);
    result = disk_read(store->disk, *file, 0, *data, (size_t)*size, err);
    if (result == 0) {
        result = format_get_segment(*data, &store->ids, name, number, *size, err);
    }
    return result;
}

static int opening_scan_segment(struct opening *opening, uint64_t number)
{
    struct store *store = opening->store;
    if (!opening_has_segment(opening, number)) {
        char name[FORMAT_NAME_MAX];
        format_segment_name(name, number);
        return format_damaged(opening->err, store->ids.path, name, 0, "is missing");
    }
    struct disk_file *file = NULL;
    uint8_t *data = NULL;
    uint64_t size = 0;
    int result = opening_read_segment(opening, number, &file, &data, &size);
    if (result == 0) {
        result = scan_segment(&opening->scan, number, data, (size_t)size, opening->err);
    }
    mem_free(data);
    if (result != 0) {
        disk_close(store->disk, file);
        return result;
    }
    store->segments.item[store->segments.count - 1].file = file;
    return 0;
}

/* A segment above the anchor's last: made, but the anchor was not written any more. */
static int opening_unanchored_segment(struct opening *opening, uint64_t number)
{
    struct store *store = opening->store;
    struct disk_file *file = NULL;
    uint8_t *data = NULL;
    uint64_t size = 0;
    char name[FORMAT_NAME_MAX];
    format_segment_name(name, number);
    int result = opening_read_segment(opening, number, &file, &data, &size);
    assert(result != 0 || data != NULL);
    for (uint64_t at = FORMAT_SECTOR; result == 0 && at < size; at++) {
        if (data[at] != 0) {
            result = format_damaged(opening->err, store->ids.path, name, at,
                                    "holds frames, but the anchors end with segment "
                                    "%" PRIu64,
                                    store->anchor.last_segment);
        }
    }
    mem_free(data);
    disk_close(store->disk, file);
    if (result == 0) {
        store_trash(store, name);
    }
    return result;
}

static int opening_segments(struct opening *opening)
{
    struct store *store = opening->store;
    const struct anchor *anchor = &store->anchor;
    if (anchor->last_segment - anchor->first_segment >= opening->segment_count) {
        uint64_t number =
            anchor->first_segment; /* before a loop over what is claimed */
        while (opening_has_segment(opening, number)) {
            number++;
        }
        return opening_scan_segment(opening, number); /* says that it is missing */
    }
    entry_log_init(&opening->log, 1);
    opening->scan = (struct scan){
        .path = store->ids.path,
        .log = &opening->log,
        .segments = &store->segments,
    };
    int result = 0;
    for (uint64_t i = anchor->first_segment; result == 0 && i <= anchor->last_segment;
         i++) {
        result = opening_scan_segment(opening, i);
    }
    for (size_t i = 0; result == 0 && i < opening->segment_count; i++) {
        char name[FORMAT_NAME_MAX];
        format_segment_name(name, opening->segments[i]);
        if (opening->segments[i] < anchor->first_segment) {
            store_trash(store, name);
        } else if (opening->segments[i] > anchor->last_segment) {
            result = opening_unanchored_segment(opening, opening->segments[i]);
        }
    }
    return result;
}

/* --- the snapshot, and whether all fits together -------------------------------------
 */

static int opening_snapshot(struct opening *opening)
{
    struct store *store = opening->store;
    uint64_t index = store->anchor.snapshot_index;
    uint64_t term = store->anchor.snapshot_term;
    if (opening->scan.reset_index > index) {
        /* an install whose anchor was not written any more */
        index = opening->scan.reset_index;
        term = opening->scan.reset_term;
    }
    char name[FORMAT_NAME_MAX] = "";
    if (index > 0) {
        format_snapshot_name(name, index, term);
        struct snapshot_reader reader;
        int result = snapshot_reader_open(&reader, store->disk, &store->ids, name,
                                          &opening->meta, opening->err);
        if (result == ERR_NOT_FOUND) {
            return format_damaged(opening->err, store->ids.path, name, 0, "is missing");
        }
        if (result != 0) {
            return result;
        }
        store->snapshot = snapshot_file_new(store, &reader, &opening->meta);
        if (opening->meta.index != index || opening->meta.term != term) {
            return format_damaged(opening->err, store->ids.path, name, 32,
                                  "this is the snapshot of index %" PRIu64
                                  ", term %" PRIu64,
                                  opening->meta.index, opening->meta.term);
        }
    }
    for (size_t i = 0; i < opening->snapshot_count; i++) {
        if (strcmp(opening->snapshots[i], name) != 0) {
            store_trash(store, opening->snapshots[i]);
        }
    }
    return 0;
}

/* A message that points at the end of the log. */
static int opening_log_wrong(struct opening *opening, const char *format, uint64_t a,
                             uint64_t b) __attribute__((format(printf, 2, 0)));

static int opening_log_wrong(struct opening *opening, const char *format, uint64_t a,
                             uint64_t b)
{
    const struct store *store = opening->store;
    const struct scan_place *final = &opening->scan.final;
    char name[FORMAT_NAME_MAX];
    format_segment_name(name, final->segment != 0 ? final->segment
                                                  : store->anchor.first_segment);
    return format_damaged(opening->err, store->ids.path, name,
                          final->segment != 0 ? final->end : FORMAT_SECTOR, format, a,
                          b);
}

static int opening_judge(struct opening *opening)
{
    const struct scan *scan = &opening->scan;
    const struct entry_log *log = &opening->log;
    uint64_t last = entry_log_last(log);
    uint64_t index = opening->meta.index;
    if (scan->frame < opening->store->anchor.frame) {
        return opening_log_wrong(opening,
                                 "the log ends with frame %" PRIu64
                                 ", but frame %" PRIu64 " was synced",
                                 scan->frame, opening->store->anchor.frame);
    }
    assert(last >= scan->known); /* no frame reaches below what one knew */
    if (entry_log_first(log) > index + 1) {
        return opening_log_wrong(opening,
                                 "the log begins at index %" PRIu64
                                 ", the snapshot ends at %" PRIu64,
                                 entry_log_first(log), index);
    }
    if (last < index) {
        return opening_log_wrong(
            opening, "the log ends at index %" PRIu64 ", below the snapshot's %" PRIu64,
            last, index);
    }
    const struct entry *entry = index > 0 ? entry_log_get(log, index) : NULL;
    if (entry != NULL && entry->term != opening->meta.term) {
        return opening_log_wrong(opening,
                                 "the log has term %" PRIu64
                                 " at the snapshot's index, the snapshot %" PRIu64,
                                 entry->term, opening->meta.term);
    }
    return 0;
}

/* --- repair ------------------------------------------------------------------------
 */

static struct segment *opening_segment(struct opening *opening, uint64_t number)
{
    struct segment_list *list = &opening->store->segments;
    return &list->item[number - list->item[0].number];
}

static int opening_cut(struct opening *opening)
{
    const struct scan_place *torn = &opening->scan.torn;
    struct disk *disk = opening->store->disk;
    if (torn->segment == 0) {
        return 0;
    }
    log_warn("%s: segment %" PRIu64 ", offset %" PRIu64
             ": the last frame is torn, was never acknowledged, and is cut",
             opening->store->ids.path, torn->segment, torn->offset);
    struct disk_file *file = opening_segment(opening, torn->segment)->file;
    int result = files_write_zeros(disk, file, torn->offset, torn->end, opening->err);
    return result == 0 ? disk_sync(disk, file, opening->err) : result;
}

static int opening_rewrite(struct opening *opening)
{
    const struct scan_place *final = &opening->scan.final;
    struct disk *disk = opening->store->disk;
    if (final->segment == 0 || PLANTED(TRUST_SCAN)) {
        return 0;
    }
    struct disk_file *file = opening_segment(opening, final->segment)->file;
    size_t len = (size_t)(final->end - final->offset);
    uint8_t *data = mem_alloc(len);
    int result = disk_read(disk, file, final->offset, data, len, opening->err);
    if (result == 0) {
        result = disk_write(disk, file, final->offset, data, len, opening->err);
    }
    if (result == 0) {
        result = disk_sync(disk, file, opening->err);
    }
    mem_free(data);
    return result;
}

static int opening_write_anchors(struct opening *opening)
{
    struct store *store = opening->store;
    store->anchor.sequence++;
    store->anchor.frame = opening->scan.frame;
    store->anchor.snapshot_index = opening->meta.index;
    store->anchor.snapshot_term = opening->meta.term;
    int result = 0;
    for (size_t i = 0; i < 2 && result == 0; i++) {
        size_t copy = i == 0 ? 1 - opening->source : opening->source;
        if (store->anchors.file[copy] == NULL) {
            result = disk_open(store->disk, files_anchor_names[copy], DISK_CREATE,
                               &store->anchors.file[copy], opening->err);
        }
        if (result == 0) {
            result = files_write_anchor(store->disk, store->anchors.file[copy],
                                        &store->ids, &store->anchor, opening->err);
        }
    }
    return result;
}

static int opening_repair(struct opening *opening)
{
    struct store *store = opening->store;
    int result = opening_cut(opening);
    if (result == 0) {
        result = opening_rewrite(opening);
    }
    if (result == 0) {
        result = disk_sync_folder(store->disk, opening->err);
    }
    if (result == 0) {
        result = opening_write_anchors(opening);
    }
    if (result == 0) {
        result = disk_sync_folder(store->disk, opening->err);
    }
    for (size_t i = 0; result == 0 && i < store->trash_count; i++) {
        result = disk_remove(store->disk, store->trash[i], opening->err);
    }
    if (result == 0 && store->trash_count > 0) {
        result = disk_sync_folder(store->disk, opening->err);
    }
    for (size_t i = 0; i < store->trash_count; i++) {
        mem_free(store->trash[i]);
    }
    store->trash_count = 0;
    return result;
}

/* --- the doors ---------------------------------------------------------------------
 */

static int opening_look(struct opening *opening)
{
    int result = opening_list(opening);
    if (result == 0) {
        result = opening_anchors(opening);
    }
    if (result == 0) {
        result = opening_segments(opening);
    }
    if (result == 0) {
        result = opening_snapshot(opening);
    }
    return result == 0 ? opening_judge(opening) : result;
}

static void opening_close(struct opening *opening)
{
    for (size_t i = 0; i < opening->snapshot_count; i++) {
        mem_free(opening->snapshots[i]);
    }
    mem_free(opening->snapshots);
    mem_free(opening->segments);
    mem_free(opening->foreign);
}

/* The store goes on behind the last frame. */
static void opening_hand_over(struct opening *opening, struct store_found *found)
{
    struct store *store = opening->store;
    const struct scan *scan = &opening->scan;
    store->frame = scan->frame;
    store->chain = scan->chain;
    store->frame_segment = scan->final.segment;
    store->last = entry_log_last(&opening->log);
    store->last_queued = store->last;
    store->active = scan->final.segment != 0
                        ? (size_t)(scan->final.segment - store->segments.item[0].number)
                        : 0;
    *found = (struct store_found){
        .commit = opening->scan.known > opening->meta.index ? opening->scan.known
                                                            : opening->meta.index,
        .term = store->anchor.term,
        .vote = store->anchor.vote,
        .has_snapshot = opening->meta.index > 0,
        .snapshot = opening->meta,
        .log = opening->log,
    };
}

static int opening_run(struct store **out, const struct store_options *options,
                       bool repair, struct store_found *found, struct err *err)
{
    struct opening opening = {.store = store_new(options), .err = err};
    entry_log_init(&opening.log, 1);
    int result = opening_look(&opening);
    if (result == 0 && repair) {
        result = opening_repair(&opening);
    }
    if (result != 0) {
        bytes_unref(opening.meta.configuration);
        entry_log_close(&opening.log);
        store_free(opening.store);
    } else {
        opening_hand_over(&opening, found);
        *out = opening.store;
    }
    opening_close(&opening);
    return result;
}

int store_open(struct store **out, const struct store_options *options,
               struct store_found *found, struct err *err)
{
    int result = opening_run(out, options, true, found, err);
    if (result == 0) {
        store_upkeep(*out);
    }
    return result;
}

int store_look(struct store **out, const struct store_options *options,
               struct store_found *found, struct err *err)
{
    return opening_run(out, options, false, found, err);
}

void store_look_close(struct store *store)
{
    store_free(store);
}
