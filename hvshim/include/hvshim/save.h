/*
 * The save stream: records {id, version, vcpu, length}, little-endian, each padded to 8 bytes with zeros.
 *
 * An unknown id is skipped; a record shorter than known is extended with zeros. Load replays the guest's own
 * setters with from_host, so a restore cannot drift from what a guest's write does. docs/save-format.md is the
 * format's text.
 */
#ifndef HVSHIM_SAVE_H
#define HVSHIM_SAVE_H

#include <hvshim/base.h>

#define HVS_SAVE_MAGIC 0x6d696873u      /* "shim" */
#define HVS_SAVE_VERSION 1u
/* A record of personality 0 that a host adds behind what hvs_vm_save wrote, and the core skips: docs/save-format.md. */
#define HVS_SAVE_HOST_PAGES 0x100u

struct hvs_save_header {
    uint32_t magic;
    uint32_t version;
    uint32_t nr_vps;
    uint32_t bytes;             /* of the whole stream, this header included */
};

struct hvs_record {
    uint32_t personality;       /* hvs_personality.id, or 0 for the core */
    uint16_t id;                /* the owner's own numbering */
    uint16_t version;
    uint32_t vp;
    uint32_t bytes;             /* of what follows, without padding */
    const void *payload;        /* in memory only; the stream has the bytes here */
};

/* Appends to a caller's buffer; counts on when the buffer is full, so that the needed size is known at the end. */
struct hvs_writer {
    uint8_t *buffer;
    size_t capacity;
    size_t used;                /* may exceed capacity: then nothing past it was written */
    uint32_t personality;
    uint32_t vp;
};

void hvs_writer_put(struct hvs_writer *writer, uint16_t id, uint16_t version, const void *payload, uint32_t bytes);
/* Copies the payload into `into`, zero-extended; returns HVS_EFORMAT when it is longer than `bytes`. */
int hvs_record_get(const struct hvs_record *record, void *into, size_t bytes);

#endif
