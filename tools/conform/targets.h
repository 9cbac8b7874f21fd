/*
 * Where hvshim-conform can be run: a line in the table for each.
 */
#ifndef HVSHIM_CONFORM_TARGETS_H
#define HVSHIM_CONFORM_TARGETS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "child.h"

/* The parts of hvshim, installed or in the build tree; empty: not there. */
struct places {
    char hvshim[PATH_MAX];
    char image[PATH_MAX];       /* hvshim-conform.elf */
    char expected[PATH_MAX];    /* the folder */
    char metal[PATH_MAX];       /* the image hvshim-metal */
    char conformance[PATH_MAX]; /* the folder in the source tree, with the rig */
    char build[PATH_MAX];       /* the build tree */
};

struct target_request {
    const struct places *places;
    const char *image;
    const char *persona;
    const char *words;          /* of the image's command line */
    const char *host;           /* of ssh: */
    const char *filter;         /* of ssh: */
    const char *stats;          /* where it shall write what its exits were, as JSON; NULL: nowhere */
    unsigned cpus;
    bool is_bench;              /* it measures: what some operations need is there, too */
    bool in_rig;
    struct child_limits limits;
};

/* A NULL-terminated list that grows. */
struct words {
    char *word[64];
    size_t nr;
};
__attribute__((format(printf, 2, 3))) void words_add(struct words *words, const char *format, ...);
void words_free(struct words *words);

enum target_kind { TARGET_LINES, TARGET_JSON, TARGET_LOG };

struct target {
    const char *name;           /* one that ends in : takes a host */
    const char *about;
    const char *personas;       /* by commas */
    const char *words;          /* more for the image, besides what all get */
    enum target_kind kind;
    bool needs_kvm;
    bool needs_hardware;        /* a KVM with hardware behind it: this machine's, or the rig's */
    bool needs_qemu;
    bool has_stats;             /* it is ours and counts its exits */
    const char *script;         /* of the source tree, below conformance/ */
    unsigned cpus;              /* by default */
    struct child_limits limits;
    void (*command)(const struct target_request *request, struct words *argv);
};

extern const struct target targets[];
extern const size_t nr_targets;

/* `host` is set where the name has one. NULL: not known. */
const struct target *target_find(const char *name, const char **host);
void target_find_places(struct places *places);
/* More words for the image: the target's, and where KVM's own calls come back, that. */
const char *target_words(const struct target *target, const struct target_request *request);
/* Says why it cannot run here, in words; NULL where it can. Sets request->in_rig. */
const char *target_refuses(const struct target *target, struct target_request *request);
/* The whole command line, with the rig around it where it is needed. */
void target_command(const struct target *target, const struct target_request *request, struct words *argv);

#endif
