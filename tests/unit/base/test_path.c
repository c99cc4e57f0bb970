/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/path.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* A folder with mods/web, mods/out -> /etc, mods/in -> web, mods/gone -> nowhere,
 * mods/loop -> loop, other, and same -> mods. It is the working folder. */
static char folder[] = "/tmp/muster-path-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0 || mkdir("mods", 0700) != 0 ||
           mkdir("mods/web", 0700) != 0 || mkdir("other", 0700) != 0 ||
           symlink("/etc", "mods/out") != 0 || symlink("web", "mods/in") != 0 ||
           symlink("nowhere", "mods/gone") != 0 || symlink("loop", "mods/loop") != 0 ||
           symlink("mods", "same") != 0;
}

static int drop_folder(void **state)
{
    (void)state;
    static const char *const files[] = {"mods/out", "mods/in", "mods/gone", "mods/loop",
                                        "same"};
    for (size_t i = 0; i < COUNT(files); i++) {
        unlink(files[i]);
    }
    return rmdir("mods/web") != 0 || rmdir("mods") != 0 || rmdir("other") != 0 ||
           chdir("/") != 0 || rmdir(folder) != 0;
}

static int inside(const char *path, const char *in, struct err *err)
{
    struct path_folders folders = {&in, 1};
    char whole[256];
    /* "@" stands for the folder. */
    snprintf(whole, sizeof whole, "%s%s", path[0] == '@' ? folder : "",
             path[0] == '@' ? path + 1 : path);
    return path_inside(whole, &folders, err);
}

static void what_lies_inside_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *folder;
    } rows[] = {
        {"./mods/web", "mods"},
        {"./mods/web/", "./mods/"},
        {"./mods", "mods"},
        {"@/mods/web", "mods"},
        {"@//mods/.//web", "mods"},
        {"./mods/web/../in", "mods"},
        {"./other/../mods/web", "mods"},
        {"./mods/not/there", "mods"},
        {"./mods/not/there/../yet", "mods"},
        {"./mods/in/deeper", "mods"},
        {"./later/web", "later"}, /* nor is the folder */
        {"./mods/web", "same"},   /* the folder by another name */
        {"./same/web", "same"},
        {"./other", "."},
        {".", "."},
        {"/etc/passwd", "/"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = {0};
        if (inside(rows[i].path, rows[i].folder, &err) != 0) {
            fail_msg("%s in %s: %s", rows[i].path, rows[i].folder, err.text);
        }
    }
}

static void what_leads_outside_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *folder;
    } rows[] = {
        {"/etc", "mods"},
        {"/", "mods"},
        {"./other", "mods"},
        {"./modsx", "mods"}, /* only begins like it */
        {"..", "mods"},
        {"./mods/..", "mods"},
        {"./mods/web/../../other", "mods"},
        {"./mods/not/../../other", "mods"},
        {"./mods/out", "mods"}, /* by a link */
        {"./mods/out/passwd", "mods"},
        {"./mods/out/not-there", "mods"},
        {"./mods/in/../../other", "mods"},
        {"./mods/out/..", "mods"},
        {"./mods/gone", "mods"}, /* a link to what may come */
        {"./mods/gone/deeper", "mods"},
        {"./mods/loop", "mods"},
        {"./same/web", "mods"}, /* goes in, through what is outside */
        {"mods/web", "mods"},   /* no path: */
        {"", "mods"},
        {".mods/web", "."},
        {"...", "."},
        {"git::https://example.com/x", "."},
        {"hashicorp/consul/aws", "."},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = {0};
        if (inside(rows[i].path, rows[i].folder, &err) != ERR_INVALID) {
            fail_msg("%s in %s was taken", rows[i].path, rows[i].folder);
        }
    }
    struct path_folders none = {NULL, 0};
    assert_int_equal(path_inside("/etc", &none, NULL), ERR_INVALID);
}

static void paths_may_be_long(void **state)
{
    (void)state;
    static char path[20000];
    memset(path, 'x', sizeof path - 1);
    memcpy(path, "./mods/", 7);
    struct err err;
    assert_int_equal(inside("./mods", "mods", &err), 0);
    const char *in = "mods";
    struct path_folders folders = {&in, 1};
    assert_int_equal(path_inside(path, &folders, &err), ERR_INVALID);
    for (size_t len = 3900; len < 4200; len++) { /* around what a path may have */
        path[len] = '\0';
        int rc = path_inside(path, &folders, &err);
        assert_true(rc == 0 || rc == ERR_INVALID);
        path[len] = 'x';
    }
    for (size_t i = 1; i < sizeof path - 1; i++) {
        path[i] = "./"[i % 2 == 0 ? 0 : 1];
    }
    path[4000] = '\0';
    assert_int_equal(path_inside(path, &folders, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_inside_is_taken),
        cmocka_unit_test(what_leads_outside_is_refused),
        cmocka_unit_test(paths_may_be_long),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
