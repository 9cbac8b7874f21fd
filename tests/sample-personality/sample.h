/* The sample personality: its numbers, and the one symbol that a VM's configuration names. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <hvshim/personality.h>

enum {
    SAMPLE_MSR_STEP = 0x53616d70,
    SAMPLE_CALL_ADD = 1,
    SAMPLE_PORT = 0x5361,
};

extern const struct hvs_personality sample_personality;

#endif
