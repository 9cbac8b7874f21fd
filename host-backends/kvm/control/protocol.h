/*
 * What is spoken on a process's control socket: one request and one reply for each connection, in the host's own byte
 * order, since both ends are on one machine.
 *
 * The socket is a file of mode 0600, CONTROL_NAME_FORMAT with the process's id, in the first of these directories that
 * takes it: $HVSHIM_CONTROL (which may be "off"), $XDG_RUNTIME_DIR, /run/user/UID, /run/hvshim (for root), $HOME. Who
 * looks for it finds it in /proc/net/unix, and must ask the kernel whose it is (SO_PEERCRED): anybody may make a file
 * of that name.
 */
#ifndef HVSHIM_CONTROL_PROTOCOL_H
#define HVSHIM_CONTROL_PROTOCOL_H

#include <hvshim/store.h>

#define CONTROL_NAME_FORMAT "hvshim-%d.sock"
#define CONTROL_MAGIC 0x31737668u       /* "hvs1" */

enum control_op {
    CONTROL_STATS,              /* replies with a line of JSON for each VM of the process: <hvshim/kvm_stats.h> */
    CONTROL_STRING_GET,         /* key; replies with the value */
    CONTROL_STRING_SET,         /* key, value */
    CONTROL_STRING_LIST,        /* replies with the keys, each terminated */
    CONTROL_SAVE,               /* replies with the state of the VM, which is stopped: docs/save-format.md */
    CONTROL_LOAD,               /* value: such a state */
    CONTROL_NR_OPS,
};

struct control_request {
    uint32_t magic;
    uint32_t op;
    uint32_t key_bytes;         /* at most HVS_STORE_KEY_BYTES */
    uint32_t value_bytes;       /* at most HVS_STORE_VALUE_BYTES; of CONTROL_LOAD CONTROL_MAX_STATE_BYTES */
};                              /* key and value follow */

struct control_reply {
    uint32_t magic;
    int32_t status;             /* enum hvs_err; HVS_ENOTSUP: no VM of the process shows strings */
    uint32_t bytes;             /* at most CONTROL_MAX_REPLY_BYTES follow; of a failed save or load: a line of why */
    uint32_t pad;
};

enum { CONTROL_MAX_STATE_BYTES = 64 << 20, CONTROL_MAX_REPLY_BYTES = CONTROL_MAX_STATE_BYTES };

#endif
