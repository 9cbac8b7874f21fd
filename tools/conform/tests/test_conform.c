/* `hvshim conform`: its reading of lines, what becomes of machines that die or hang, comparison, and each format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libxml/parser.h>

#include "expected.h"
#include "formats.h"
#include "job.h"
#include "result.h"

static struct json_object *point_of(struct json_object *run, size_t i)
{
    return json_object_array_get_idx(result_array(run, "points"), i);
}

static void assert_point(struct json_object *run, size_t i, const char *verdict, const char *name, const char *evidence)
{
    char got[600];

    result_name(point_of(run, i), got, sizeof(got));
    assert_string_equal(result_text(point_of(run, i), "verdict"), verdict);
    assert_string_equal(got, name);
    assert_string_equal(result_text(point_of(run, i), "evidence"), evidence);
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static struct json_object *read_lines(struct lines *lines, const char *text)
{
    struct json_object *run = result_new("test", "none");

    lines_init(lines, result_array(run, "points"), 0);
    lines_feed(lines, text, strlen(text));
    lines_end(lines);
    return run;
}

static void test_lines(void **state)
{
    struct lines lines;
    struct json_object *run = read_lines(&lines,
        "noise: SUCCESS of nobody\nSUCCESS alone\nCHAPTER One\nPOINT 7 a: b\nSUCCESS a: b [ref [2]]\r\n"
        "FAILURE c: d: e | why | so, at 0x1, got 0x2 [x]\nSKIP f: g | no\nconform: 3 points on 4 CPUs: 1 SUCCESS\n");

    (void)state;
    assert_int_equal(result_length(run, "points"), 3);
    assert_point(run, 0, "SUCCESS", "a: b", "");
    assert_string_equal(result_text(point_of(run, 0), "chapter"), "One");
    assert_string_equal(result_text(point_of(run, 0), "number"), "7");
    assert_point(run, 1, "FAILURE", "c: d: e", "why | so, at 0x1, got 0x2");
    assert_string_equal(result_text(point_of(run, 1), "subject"), "c");
    assert_string_equal(result_text(point_of(run, 1), "ref"), "x");
    assert_point(run, 2, "SKIP", "f: g", "no");
    assert_true(lines.has_ended);
    assert_int_equal(lines.cpus, 4);
    json_object_put(run);
}

static void test_lines_of_a_hostile_guest(void **state)
{
    struct lines lines;
    char text[4 * LINES_MAX_BYTES];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    memcpy(text, "SUCCESS \x1b[2J: ", 14);
    struct json_object *run = read_lines(&lines, text);
    assert_int_equal(result_length(run, "points"), 1);
    assert_string_equal(result_text(point_of(run, 0), "subject"), "?[2J");
    assert_true(strlen(result_text(point_of(run, 0), "check")) < LINES_MAX_BYTES);
    assert_false(lines.has_ended);
    json_object_put(run);
    json_object_put(read_lines(&lines, "POINT\nPOINT 1\nCHAPTER\nSKIP : \nFAILURE a: []\nERROR : | \nconform: 1"));
    assert_false(lines.has_ended);
}

/* --- machines that die and hang ----------------------------------------------------------------------------------- */

static const char *how;

static void fake_command(const struct target_request *request, struct words *argv)
{
    words_add(argv, "%s", FAKE_IMAGE);
    words_add(argv, "%s", how);
    words_add(argv, "%s", request->words);
    words_add(argv, "%s", request->stats ? request->stats : "no stats");
}

static struct json_object *run_job(struct job *job, const char *as)
{
    static const struct target fake = {.name = "fake", .about = "", .personas = "none", .command = fake_command};
    static const struct places places = {.hvshim = ""};

    how = as;
    job->target = job->target ? job->target : &fake;
    job->name = "fake";
    job->request.places = &places;
    job->request.image = "image";
    job->request.persona = job->request.persona ? job->request.persona : "none";
    job->request.limits = (struct child_limits){2, 2, 20};
    job_run(job);
    return json_object_array_get_idx(job->runs, 0);
}

static void test_whole(void **state)
{
    struct job job = {.log = NULL};
    struct json_object *run = run_job(&job, "whole");

    (void)state;
    assert_string_equal(result_text(run, "state"), STATE_WHOLE);
    assert_int_equal(result_length(run, "points"), 5);
    assert_string_equal(result_text(run, "cpus"), "2");
    assert_false(result_is_good(run));
    json_object_put(job.runs);
}

static void test_crash(void **state)
{
    struct job job = {.log = NULL};
    struct json_object *run = run_job(&job, "dies");

    (void)state;
    assert_string_equal(result_text(run, "state"), STATE_WHOLE);
    assert_int_equal(result_length(run, "points"), 5);
    assert_point(run, 1, "CRASH", "register B: reads", "ended by signal 6: the VMM's last words");
    assert_string_equal(result_text(point_of(run, 1), "chapter"), "First things");
    assert_point(run, 4, "SKIP", "register D: is there", "not advertised");
    assert_int_equal(result_length(run, "unrepeated"), 0);
    json_object_put(job.runs);
}

static void test_hang(void **state)
{
    struct job job = {.log = NULL};
    struct json_object *run = run_job(&job, "hangs");

    (void)state;
    assert_string_equal(result_text(run, "state"), STATE_WHOLE);
    assert_int_equal(result_length(run, "points"), 5);
    assert_point(run, 3, "HANG", "register C: <writes> & \"more\" # here",
                 "no output for 2 s; it said: one moment");
    json_object_put(job.runs);
}

static void test_reset(void **state)
{
    struct job job = {.log = NULL};
    struct json_object *run = run_job(&job, "resets");

    (void)state;
    assert_string_equal(result_text(run, "state"), STATE_WHOLE);
    assert_int_equal(result_length(run, "points"), 5);
    assert_point(run, 0, "SUCCESS", "register A: reads", "");
    assert_point(run, 1, "CRASH", "register B: reads", "the machine was reset");
    json_object_put(job.runs);
}

/* The rig boots its host anew, and the image begins again: nothing is there twice. */
static void test_rig_begins_again(void **state)
{
    struct lines lines;
    struct json_object *run = result_new("test", "none");

    (void)state;
    json_object_array_add(result_array(run, "points"), json_object_new_object());       /* of an earlier boot */
    lines_init(&lines, result_array(run, "points"), 0);
    lines.may_restart = true;
    static const char text[] = "POINT 1 a: b\nSUCCESS a: b\nPOINT 2 c: d\nPOINT 1 a: b\nSUCCESS a: b\nPOINT 2 c: d\n"
                               "SKIP c: d\nconform: 2 points on 1 CPUs\n";
    lines_feed(&lines, text, strlen(text));
    assert_int_equal(result_length(run, "points"), 3);
    assert_true(lines.has_ended);
    json_object_put(run);
}

/* It begins where it likes, so it is not booted for ever; the rest was not reached. */
static void test_stubborn(void **state)
{
    struct job job = {.log = NULL};
    struct json_object *run = run_job(&job, "stubborn");

    (void)state;
    assert_string_equal(result_text(run, "state"), STATE_CUT);
    assert_string_equal(result_text(run, "note"), "the image does not know its word from=2");
    assert_int_equal(result_length(run, "points"), 1);
    assert_false(result_is_good(run));
    json_object_put(job.runs);
}

/* --- deaths that do not happen again ------------------------------------------------------------------------------ */

static char deaths[] = "/tmp/conform-deaths-XXXXXX";

static void dying_command(const struct target_request *request, struct words *argv)
{
    fake_command(request, argv);
    words_add(argv, "%s", deaths);
}

static struct json_object *run_dying(struct job *job, const char *as)
{
    static const struct target dying = {.name = "dying", .about = "", .personas = "none", .command = dying_command};

    strcpy(strrchr(deaths, '-'), "-XXXXXX");
    close(mkstemp(deaths));
    job->target = &dying;
    struct json_object *run = run_job(job, as);
    remove(deaths);
    return run;
}

static void assert_death(struct json_object *run, size_t i, const char *expected)
{
    char text[1600];

    result_death(json_object_array_get_idx(result_array(run, "unrepeated"), i), text, sizeof(text));
    assert_string_equal(text, expected);
}

/* All points have the verdicts of a machine that does not die, and the one death is told. */
static void check_one_death(const char *as, const char *death)
{
    struct job job = {.log = NULL}, whole = {.log = NULL};
    struct json_object *run = run_dying(&job, as), *other = run_job(&whole, "whole");

    assert_string_equal(result_text(run, "state"), STATE_WHOLE);
    assert_string_equal(result_text(run, "note"), "");
    assert_int_equal(result_length(run, "unrepeated"), 1);
    assert_death(run, 0, death);
    assert_true(json_object_equal(result_array(run, "points"), result_array(other, "points")));
    json_object_put(job.runs);
    json_object_put(whole.runs);
}

static void test_once(void **state)
{
    (void)state;
    check_one_death("once", "did not repeat: CRASH at register B: reads | ended by signal 6: once at 2");
    check_one_death("late", "did not repeat: HANG at call: twice: again | no output for 2 s");
    check_one_death("early", "did not repeat: CRASH before point 1 | ended by signal 6: once early; it said: SeaBIOS "
                             "(version 1): Booting from ROM..");
    check_one_death("between", "did not repeat: CRASH before point 3 | ended by signal 6: once after 2");
    check_one_death("after", "did not repeat: CRASH before point 6 | ended by signal 6: once the end");
}

/* In the boot that was to tell, it dies of something else. */
static void test_two_deaths(void **state)
{
    struct job job = {.log = NULL};
    struct json_object *run = run_dying(&job, "twice");

    (void)state;
    assert_string_equal(result_text(run, "state"), STATE_WHOLE);
    assert_int_equal(result_length(run, "points"), 5);
    assert_point(run, 1, "SUCCESS", "register B: reads", "");
    assert_int_equal(result_length(run, "unrepeated"), 2);
    json_object_put(job.runs);
}

/* One too many is no accident. */
static void test_too_many_deaths(void **state)
{
    struct job job = {.log = NULL};
    struct json_object *run = run_dying(&job, "weak");

    (void)state;
    assert_string_equal(result_text(run, "state"), STATE_CUT);
    assert_non_null(strstr(result_text(run, "note"), "it died more than 8 times"));
    assert_int_equal(result_length(run, "points"), 9);
    assert_point(run, 8, "CRASH", "register E: bit 9", "ended by signal 6: once at 9");
    assert_false(result_is_good(run));
    json_object_put(job.runs);
}

/* What comes again where no point runs cannot be left out. */
static void test_dies_at_the_end(void **state)
{
    struct job job = {.log = NULL};
    struct json_object *run = run_job(&job, "ends");

    (void)state;
    assert_string_equal(result_text(run, "state"), STATE_CUT);
    assert_int_equal(result_length(run, "points"), 5);
    assert_int_equal(result_length(run, "unrepeated"), 0);
    assert_non_null(strstr(result_text(run, "note"), "the end"));
    json_object_put(job.runs);
}

/* Each format tells of it, and what reads it counts it for nothing. */
static void test_deaths_are_told(void **state)
{
    bool (*const write[])(struct json_object *, FILE *) = {format_summary, format_tap, format_junit};
    static const char *const line[] = {"\n  did not repeat: CRASH at register B: reads | ",
                                       "\n# did not repeat: CRASH at register B: reads | ",
                                       "<system-out>did not repeat: CRASH at register B: reads | "};
    struct job job = {.log = NULL};
    struct json_object *all = json_object_new_object();

    (void)state;
    run_dying(&job, "once");
    json_object_object_add(all, "runs", job.runs);
    for (int i = 0; i < 3; i++) {
        char *text = NULL;
        size_t bytes;
        FILE *out = open_memstream(&text, &bytes);

        assert_true(write[i](all, out));
        fclose(out);
        assert_non_null(strstr(text, line[i]));
        free(text);
    }
    json_object_put(all);
}

static void test_mute(void **state)
{
    struct job job = {.log = NULL};
    struct json_object *run = run_job(&job, "mute");

    (void)state;
    assert_string_equal(result_text(run, "state"), STATE_CUT);
    assert_string_equal(result_text(run, "note"), "no output for 2 s");
    json_object_put(job.runs);
}

static void assert_cost(struct json_object *run, size_t i, const char *operation, const char *ratio, const char *exits,
                        const char *kicks)
{
    struct json_object *cost = json_object_array_get_idx(result_array(run, "bench"), i);

    assert_string_equal(result_text(cost, "operation"), operation);
    assert_string_equal(result_text(cost, "ratio"), ratio);
    assert_string_equal(result_text(cost, "exits"), exits);
    assert_string_equal(result_text(cost, "kicks"), kicks);
}

/* The third operation cannot be counted. */
static void test_bench(void **state)
{
    static const struct target ours = {.name = "ours", .about = "", .has_stats = true, .command = fake_command};
    struct job job = {.has_bench = true}, counted = {.target = &ours, .has_bench = true};
    struct json_object *run = run_job(&job, "whole");

    (void)state;
    assert_int_equal(result_length(run, "bench"), 3);
    assert_cost(run, 1, "it's done", "2.500", "", "");
    json_object_put(job.runs);
    run = run_job(&counted, "whole");
    assert_int_equal(result_length(run, "bench"), 3);
    assert_cost(run, 0, "bare exit", "1.000", "0.0", "0.0");
    assert_cost(run, 1, "it's done", "2.500", "2.0", "1.0");
    assert_cost(run, 2, "last", "0.010", "", "");
    json_object_put(counted.runs);
}

static void test_log(void **state)
{
    const char *host;
    struct job job = {.target = target_find("image", &host), .log = "no-such-log"};
    struct json_object *run = run_job(&job, "");

    (void)state;
    assert_string_equal(result_text(run, "state"), STATE_CUT);
    assert_non_null(strstr(result_text(run, "note"), "No such file"));
    json_object_put(job.runs);
}

static void test_ssh(void **state)
{
    const char *host;
    struct job job = {.target = target_find("ssh:good", &host),
                      .request = {.persona = "xen", .host = "good", .cpus = 2}};
    struct job bad = {.target = job.target, .request = {.persona = "xen", .host = "bad", .cpus = 2}};

    (void)state;
    setenv("PATH", FAKE_PATH ":/usr/bin:/bin", 1);
    assert_string_equal(result_text(run_job(&job, ""), "target"), "good vm");
    assert_true(result_is_good(json_object_array_get_idx(job.runs, 0)));
    assert_string_equal(result_text(run_job(&bad, ""), "note"), "ended with status 255: ssh: no such machine");
    assert_false(result_is_good(json_object_array_get_idx(bad.runs, 0)));
    assert_null(target_find("ssh:", &host));
    assert_null(target_find("ssh:-oProxyCommand=x", &host));
    json_object_put(job.runs);
    json_object_put(bad.runs);
}

/* Every target in the table has a command, which names its image, persona and words. */
static void test_commands(void **state)
{
    static const struct places places = {.hvshim = "H", .conformance = "C", .metal = "M", .build = "B"};
    struct target_request request = {
        .places = &places, .image = "dir/I", .persona = "xen", .words = "all names", .host = "h", .cpus = 2,
    };

    (void)state;
    for (size_t i = 0; i < nr_targets; i++) {
        struct words argv = {.nr = 0};
        char all[2048] = "";

        if (targets[i].kind == TARGET_LOG)
            continue;
        request.in_rig = targets[i].needs_hardware;
        target_command(&targets[i], &request, &argv);
        for (size_t w = 0; w < argv.nr; w++) {
            strcat(all, argv.word[w]);
            strcat(all, "|");
        }
        assert_null(argv.word[argv.nr]);
        assert_non_null(strstr(all, targets[i].kind == TARGET_JSON ? "|--json|-|" : "|all names|"));
        assert_non_null(strstr(all, targets[i].kind == TARGET_JSON ? "|h|" : "dir/I|"));
        assert_int_equal(request.in_rig, !strncmp(all, "C/rig/rig|run|", 14));
        if (strchr(targets[i].personas, ','))
            assert_non_null(strstr(all, "xen|"));
        words_free(&argv);
    }
}

/* KVM's own interface is what is left without ours; only hardware lets its hypercalls come back. */
static void test_kvm(void **state)
{
    static const struct places places = {.hvshim = "H"};
    static const char *const name[] = {"vm", "qemu"};
    struct target_request request = {.places = &places, .image = "I", .persona = "kvm", .words = "W", .cpus = 2};
    const char *host;

    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct target *target = target_find(name[i], &host);
        struct words argv = {.nr = 0};

        assert_non_null(strstr(target->personas, ",kvm"));
        target_command(target, &request, &argv);
        assert_string_equal(argv.word[2], "--present");
        assert_string_equal(argv.word[3], "none");
        words_free(&argv);
    }
    assert_string_equal(target_words(target_find("qemu", &host), &request), "vmcall");
    request.persona = "vmware";
    assert_string_equal(target_words(target_find("qemu", &host), &request), "");
    assert_string_equal(target_words(target_find("qemu-vmport", &host), &request), "vmport");
}

/* --- what is expected --------------------------------------------------------------------------------------------- */

static struct json_object *expect(const char *text)
{
    char path[] = "/tmp/conform-expected-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    struct json_object *expected;

    fputs(text, file);
    fclose(file);
    expected = expected_read(path);
    remove(path);
    assert_non_null(expected);
    return expected;
}

static void test_expected(void **state)
{
    struct lines lines;
    struct json_object *run = read_lines(&lines, "FAILURE a: b\nFAILURE a: c\nSUCCESS d: e\nSUCCESS f: g\nHANG x\n");
    struct json_object *expected = expect("# The file.\n#\n# It is so\n# for a reason.\n# Spec: it says\n# this.\n"
                                          "# Right: nobody.\na: *\n? d: e\n# Another.\nf: g\nh: i\n");
    struct json_object *deviation;

    (void)state;
    expected_compare(run, expected, false);
    assert_true(json_object_object_get_ex(point_of(run, 1), "deviation", &deviation));
    assert_string_equal(result_text(deviation, "reason"), "It is so for a reason.");
    assert_string_equal(result_text(deviation, "spec"), "it says this.");
    assert_string_equal(result_text(deviation, "right"), "nobody.");
    assert_int_equal(result_length(run, "missing"), 2);
    assert_int_equal(result_count(run).expected, 2);
    assert_int_equal(result_count(run).unexpected, 2);
    json_object_object_add(run, "missing", json_object_new_array());
    expected_compare(run, expected, true);
    assert_int_equal(result_length(run, "missing"), 1);     /* h: i was not asked */
    json_object_put(expected);
    json_object_put(run);
}

static void test_unexpected(void **state)
{
    struct lines lines;
    struct json_object *run = read_lines(&lines, "FAILURE a: bc\nconform: 1 points on 1 CPUs\n");
    struct json_object *expected = expect("? a: b\n? a: bcd\n? A: bc\n? *: c\n");

    (void)state;
    result_set(run, "state", STATE_WHOLE);
    expected_compare(run, expected, false);
    assert_int_equal(result_count(run).unexpected, 1);
    assert_false(result_is_good(run));
    json_object_put(expected);
    json_object_put(run);
}

/* Entries of another file, and a name that is none, which does not go unnoticed. */
static void test_included(void **state)
{
    char path[] = "/tmp/conform-included-XXXXXX", text[128];
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, "# Why.\na: b\n", 12), 12);
    close(fd);
    snprintf(text, sizeof(text), "@%s\nc: d\n@no-such-file\n", strrchr(path, '/') + 1);
    struct json_object *expected = expect(text);
    remove(path);
    assert_int_equal(json_object_array_length(expected), 3);
    assert_string_equal(result_text(json_object_array_get_idx(expected, 0), "reason"), "Why.");
    assert_string_equal(result_text(json_object_array_get_idx(expected, 1), "point"), "c: d");
    assert_string_equal(result_text(json_object_array_get_idx(expected, 2), "point"), "no-such-file");
    json_object_put(expected);
}

/* The files of conformance/expected, which the command line names: each entry has all three. */
static int nr_files;
static char **files;

static void test_files(void **state)
{
    (void)state;
    assert_true(nr_files > 5);
    for (int i = 0; i < nr_files; i++) {
        struct json_object *expected = expected_read(files[i]);

        assert_non_null(expected);
        for (size_t e = 0; e < json_object_array_length(expected); e++) {
            struct json_object *entry = json_object_array_get_idx(expected, e);

            if (!*result_text(entry, "reason") || !*result_text(entry, "spec") || !*result_text(entry, "right"))
                fail_msg("%s: %s has no reason, Spec or Right", files[i], result_text(entry, "point"));
        }
        json_object_put(expected);
    }
}

/* --- formats ------------------------------------------------------------------------------------------------------ */

/* Of the fake image: one deviation expected, one not, one missing. */
static struct json_object *results(struct job *job)
{
    struct json_object *all = json_object_new_object();
    struct json_object *expected = expect("# R.\n# Right: #us\ncall: twice: again\nx: y\n");

    expected_compare(run_job(job, "whole"), expected, false);
    json_object_put(expected);
    result_set(all, "format", RESULT_FORMAT);
    json_object_object_add(all, "runs", json_object_get(job->runs));
    return all;
}

static char *format(bool (*write)(struct json_object *results, FILE *out))
{
    struct job job = {.log = NULL};
    struct json_object *all = results(&job);
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    assert_true(write(all, out));
    fclose(out);
    json_object_put(job.runs);
    json_object_put(all);
    return text;
}

static void test_json(void **state)
{
    char *text = format(format_json);
    struct json_object *read = json_tokener_parse(text);

    (void)state;
    assert_string_equal(result_text(read, "format"), RESULT_FORMAT);
    struct json_object *run = json_object_array_get_idx(result_array(read, "runs"), 0);
    assert_int_equal(result_length(run, "points"), 5);
    assert_string_equal(result_text(point_of(run, 3), "check"), "<writes> & \"more\" # here");
    assert_int_equal(result_count(run).unexpected, 2);
    json_object_put(read);
    free(text);
}

/* As a TAP consumer reads it: the plan holds, tests are numbered, a TODO may fail. */
static void test_tap(void **state)
{
    char *text = format(format_tap), *rest = text, *line;
    unsigned planned = 0, nr = 0, failed = 0, todo = 0, skipped = 0;

    (void)state;
    assert_string_equal(strsep(&rest, "\n"), "TAP version 13");
    assert_int_equal(sscanf(strsep(&rest, "\n"), "1..%u", &planned), 1);
    for (bool is_yaml = false; (line = strsep(&rest, "\n"));) {
        bool is_ok = !strncmp(line, "ok ", 3), is_test = is_ok || !strncmp(line, "not ok ", 7);
        const char *directive = strstr(line, " # ");

        if (!strcmp(line, "  ---") || !strcmp(line, "  ..."))
            is_yaml = line[2] == '-';
        assert_true(is_test || is_yaml || !*line || !strcmp(line, "  ..."));
        if (!is_test)
            continue;
        assert_int_equal(atoi(line + (is_ok ? 3 : 7)), ++nr);
        failed += !is_ok && !(directive && !strncmp(directive, " # TODO ", 8));
        todo += directive && !strncmp(directive, " # TODO \\#us", 11);
        skipped += directive && !strncmp(directive, " # SKIP ", 8);
    }
    assert_int_equal(planned, 7);
    assert_int_equal(nr, planned);
    assert_int_equal(failed, 2);        /* the error, and what should have deviated */
    assert_int_equal(todo, 1);
    assert_int_equal(skipped, 1);
    free(text);
}

static int count_elements(const xmlNode *node, const char *name)
{
    int nr = 0;

    for (; node; node = node->next)
        nr += (node->type == XML_ELEMENT_NODE && !strcmp((const char *)node->name, name)) +
              count_elements(node->children, name);
    return nr;
}

static void test_junit(void **state)
{
    char *text = format(format_junit);
    xmlDocPtr doc = xmlReadMemory(text, (int)strlen(text), "junit.xml", NULL, XML_PARSE_NONET);
    xmlNodePtr suite;
    char *number;

    (void)state;
    assert_non_null(doc);
    suite = xmlFirstElementChild(xmlDocGetRootElement(doc));
    static const char *const pairs[][2] = {{"tests", "testcase"}, {"failures", "failure"}, {"errors", "error"},
                                           {"skipped", "skipped"}};
    for (int i = 0; i < 4; i++) {
        number = (char *)xmlGetProp(suite, (const xmlChar *)pairs[i][0]);
        assert_non_null(number);
        assert_int_equal(atoi(number), count_elements(suite, pairs[i][1]));
        xmlFree(number);
    }
    assert_int_equal(count_elements(suite, "testcase"), 7);
    assert_int_equal(count_elements(suite, "failure"), 1);
    xmlFreeDoc(doc);
    free(text);
}

/* What is in the page reads back, and names of points cannot end the script that holds them. */
static void test_html(void **state)
{
    static const char begin[] = "<script type=\"application/json\" id=\"results\">";
    char *text = format(format_html), *data = strstr(text, begin), *end;

    (void)state;
    assert_non_null(data);
    data += sizeof(begin) - 1;
    end = strstr(data, "</script>");
    assert_null(memchr(data, '<', (size_t)(end - data)));
    *end = 0;
    struct json_object *read = json_tokener_parse(data);
    assert_int_equal(result_length(json_object_array_get_idx(result_array(read, "runs"), 0), "points"), 5);
    assert_null(strstr(text, "http://") && !strstr(text, "http://www.w3.org/2000/svg") ? text : NULL);
    assert_null(strstr(text, "https://"));
    json_object_put(read);
    free(text);
}

/* What another hvshim found, or a file says that is so: long, with a terminal's commands, with lines of its own. */
static void test_elsewhere(void **state)
{
    struct json_object *all = json_tokener_parse(
        "{\"runs\": [{\"persona\": \"xen\", \"target\": \"t\\nok 9 - \\u001b[2J\", \"points\": ["
        "{\"subject\": \"a\", \"check\": \"b\\rok 8\", \"verdict\": \"FAILURE\", \"evidence\": \"\\u0001\"}, 7, null,"
        " []],"
        "\"missing\": [{\"point\": \"\\u007f\xff\"}]}]}");
    struct json_object *run = json_object_array_get_idx(result_array(all, "runs"), 0);
    bool (*const write[])(struct json_object *, FILE *) = {format_summary, format_tap, format_junit, format_html};
    char chapter[820] = "", subject[580] = "";

    (void)state;
    memset(chapter, 'c', sizeof(chapter) - 1);
    memset(subject, 's', sizeof(subject) - 1);
    result_set(point_of(run, 0), "chapter", chapter);
    result_set(point_of(run, 0), "subject", subject);
    result_clean(all);
    assert_string_equal(result_text(run, "target"), "t?ok 9 - ?[2J");
    assert_string_equal(result_text(json_object_array_get_idx(result_array(run, "missing"), 0), "point"), "??");
    for (size_t i = 0; i < sizeof(write) / sizeof(write[0]); i++) {
        char *text = NULL;
        size_t bytes;
        FILE *out = open_memstream(&text, &bytes);

        assert_true(write[i](all, out));
        fclose(out);
        assert_true(!strpbrk(text, "\x01\x1b\x7f\r") && !strstr(text, "\nok 9") && !strstr(text, "\nok 8"));
        free(text);
    }
    json_object_put(all);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_of_a_hostile_guest),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_hang),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_rig_begins_again),
        cmocka_unit_test(test_stubborn),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_two_deaths),
        cmocka_unit_test(test_too_many_deaths),
        cmocka_unit_test(test_dies_at_the_end),
        cmocka_unit_test(test_deaths_are_told),
        cmocka_unit_test(test_mute),
        cmocka_unit_test(test_bench),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_ssh),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_kvm),
        cmocka_unit_test(test_expected),
        cmocka_unit_test(test_unexpected),
        cmocka_unit_test(test_included),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_tap),
        cmocka_unit_test(test_junit),
        cmocka_unit_test(test_html),
        cmocka_unit_test(test_elsewhere),
    };

    files = argv + 1;
    nr_files = argc - 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
