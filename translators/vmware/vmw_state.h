/*
 * Private to the VMware translator: its features, its state, the convention of its commands, and their handlers.
 *
 * A command is a hypercall row. Its handler finds the guest's EBX ECX EDX ESI EDI EBP in call->arg by enum vmw_arg,
 * 32 bits each, writes its results there, and returns EAX. Results that do not fit 32 bits cannot be: the upper
 * halves of the guest's registers stay as they are, whatever the width of the guest.
 */
#ifndef VMW_STATE_H
#define VMW_STATE_H

#include <hvshim/personality.h>
#include <hvshim/vmware.h>

#include "vmw_abi.h"

enum vmw_feature {
    VMW_FEATURE_VMPORT,
    VMW_FEATURE_FREQ,
    VMW_FEATURE_VMCALL,
    VMW_FEATURE_GUESTRPC,
    VMW_FEATURE_GUESTRPC_HB,
    VMW_FEATURE_STEALCLOCK,
    VMW_FEATURE_BALLOON,
    VMW_FEATURE_VMMOUSE,
    VMW_NR_FEATURES,
};

enum vmw_arg { VMW_EBX, VMW_ECX, VMW_EDX, VMW_ESI, VMW_EDI, VMW_EBP, VMW_NR_ARGS };

/* hvs_hcall_row.flags, above those of the core: from other CPLs the command is as if it did not exist. */
#define VMW_ROW_CPL0 (1u << 7)

/* --- GuestRPC ----------------------------------------------------------------------------------------------------- */

/* VMware's limit is GUESTMSG_MAX_CHANNEL; each of ours has memory for a whole message, and idle ones are reclaimed. */
enum { VMW_NR_CHANNELS = 16 };

/* A message goes one way at a time, so it has one buffer. */
enum vmw_flow {
    VMW_FLOW_IDLE,
    VMW_FLOW_SENDING,           /* the guest sends: SENDPAYLOAD goes on */
    VMW_FLOW_WAITING,           /* a message waits for the guest to ask for its size */
    VMW_FLOW_RECEIVING,         /* the guest receives: RECVPAYLOAD goes on, RECVSTATUS ends it */
};

/* What became of the message that the guest was about to go on with. */
enum vmw_interrupted { VMW_NOT_INTERRUPTED, VMW_BY_CHECKPOINT, VMW_BY_HOST };

struct vmw_channel {
    uint32_t protocol;          /* RPCI_PROTOCOL_NUM, TCLO_PROTOCOL_NUM; 0: not open */
    uint32_t cookie_high, cookie_low;
    bool has_cookie;
    bool has_expired;           /* not open any more, and its owner does not know yet */
    uint8_t flow;               /* enum vmw_flow */
    uint8_t interrupted;        /* enum vmw_interrupted */
    uint64_t used_ns;           /* when it was used last */
    uint32_t message_bytes, done_bytes;
    /* TCLO */
    uint32_t untold;            /* bits of vmw_tclo.c's table: what this program is still to be told */
    uint32_t telling;           /* what it is being told, or has been and has not answered */
    bool is_told;               /* it has all of the message and owes an answer */
    uint8_t pad[3];
    char name[HVS_VMW_CHANNEL_NAME_BYTES];      /* as it gave in its answer to "reset"; empty before */
    uint8_t message[GUESTMSG_MAX_IN_SIZE];
};

/* The host's own TCLO command. */
struct vmw_command {
    uint32_t bytes;             /* 0: none */
    char channel[HVS_VMW_CHANNEL_NAME_BYTES];
    char text[HVS_VMW_COMMAND_BYTES];
};

/* --- the VM and a vCPU -------------------------------------------------------------------------------------------- */

enum { VMW_POINTER_WORDS = 256 };

struct vmw_pointer {
    uint32_t nr_words;
    uint8_t mode;               /* enum hvs_vmw_pointer_mode */
    uint8_t restriction;        /* VMMOUSE_RESTRICT_* */
    uint8_t pad[2];
    uint32_t word[VMW_POINTER_WORDS];   /* a queue: the first is the oldest */
};

/* Without the VM lock: the host may be slow to take pages. */
struct vmw_balloon {
    _Atomic uint32_t capabilities;      /* that the guest asked for and has; 0: it has not started */
    _Atomic uint32_t target, nr_locked; /* pages */
};

/* VM-wide; under the VM lock, but for `balloon`. */
struct vmw_vm {
    uint64_t nr_opened;         /* channels, since the reset */
    uint32_t tools_options;     /* by the table in vmw_tclo.c: those that are on */
    uint32_t pad;
    struct vmw_balloon balloon;
    struct vmw_pointer pointer;
    struct vmw_command command;
    struct vmw_channel channel[VMW_NR_CHANNELS];
};

struct vmw_vcpu {
    bool is_steal_on;
    uint8_t pad[3];
    uint32_t steal_period_ms;   /* between two looks */
    uint64_t steal_gpa;
    uint64_t steal_ticks;       /* what the guest reads there */
    uint64_t steal_base_ticks;  /* what is to be added to this host's count */
    uint64_t steal_busy_ns;     /* at the last look */
};

/* vmw_message.c: the channels. */
hvs_hcall_fn vmw_message;
/* For vmw_highband.c: the open channel of this number and cookie, or NULL with the status that says why not. */
struct vmw_channel *vmw_message_channel(struct hvs_ctx *ctx, uint32_t index, uint32_t cookie_high, uint32_t cookie_low,
                                        uint32_t *status);
/* The guest has sent all of its message. */
void vmw_message_whole(struct hvs_ctx *ctx, struct vmw_channel *channel);
/* The status that says why the guest cannot go on with its operation. */
uint32_t vmw_message_out_of_step(struct vmw_channel *channel);
/* For vmw_rpci.c and vmw_tclo.c: begins a message to the guest; text that is too long is cut. */
void vmw_message_begin(struct vmw_channel *channel, struct hvs_text text);
void vmw_message_append(struct vmw_channel *channel, struct hvs_text text);

/* vmw_highband.c: by port (VM lock held), and by VMCALL */
enum hvs_verdict vmw_highband_port(struct hvs_ctx *ctx);
enum hvs_verdict vmw_highband_call(struct hvs_ctx *ctx);

/* vmw_rpci.c: the request in the channel's buffer is whole; leaves the reply there. */
void vmw_rpci(struct hvs_ctx *ctx, struct vmw_channel *channel);

/* vmw_guestinfo.c */
void vmw_info_get(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args);
void vmw_info_set(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args);
int vmw_guestinfo_request(struct hvs_ctx *ctx, struct hvs_vmw_guestinfo *info, bool is_set);
int vmw_guestinfo_keys(struct hvs_ctx *ctx, struct hvs_vmw_guestinfo *info);

/* vmw_tclo.c: a program polls. */
void vmw_tclo_opened(struct vmw_channel *channel);
void vmw_tclo_closed(struct hvs_ctx *ctx, struct vmw_channel *channel);
/* The guest's answer (or an empty message) is in the buffer. */
void vmw_tclo_answered(struct hvs_ctx *ctx, struct vmw_channel *channel);
/* The guest asks for a message and there is none: begins one if there is something to tell. */
void vmw_tclo_poll(struct hvs_ctx *ctx, struct vmw_channel *channel);
/* The guest has all of the message, or gives it up. */
void vmw_tclo_received(struct vmw_channel *channel, bool is_whole);
int vmw_tclo_send(struct hvs_ctx *ctx, const struct hvs_vmw_command *command);
int vmw_tclo_cancel(struct hvs_ctx *ctx);
/* Tools options: the guest asks to change one by RPCI; returns false where there is none of this name. */
bool vmw_tools_option_set(struct hvs_ctx *ctx, struct hvs_text name, bool is_on);
hvs_hcall_fn vmw_getguioptions, vmw_setguioptions;
void vmw_tools_options_reset(struct hvs_ctx *ctx);

/* vmw_guestlib.c */
void vmw_guestlib_info_get(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args);

/* --- the rest ----------------------------------------------------------------------------------------------------- */

/* vmw_rows.c: the VMM's options, all defaults where it gave none. */
const struct hvs_vmw_options *vmw_options(const struct hvs_ctx *ctx);

/* vmw_backdoor.c: the transports */
enum hvs_verdict vmw_port(struct hvs_ctx *ctx);
enum hvs_verdict vmw_hypercall(struct hvs_ctx *ctx);
bool vmw_claims_raw(const struct hvs_regs *regs);

/* vmw_cpuid.c */
void vmw_cpuid_signature(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void vmw_cpuid_timing(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);

/* vmw_info.c: what the VM is */
hvs_hcall_fn vmw_getversion, vmw_gethwversion, vmw_getuuid, vmw_getmemsize, vmw_get_vcpu_info;

/* vmw_time.c: frequencies and the time of day */
hvs_hcall_fn vmw_getmhz, vmw_gethz, vmw_gettime, vmw_gettimefull, vmw_gettimefull_with_lag;

/* vmw_steal.c */
hvs_hcall_fn vmw_stealclock;
void vmw_steal_timer(struct hvs_ctx *ctx, uint32_t timer);
/* For vmw_save.c: false where nothing can be published there; and the clock's reading to go on from. */
bool vmw_steal_on(struct hvs_ctx *ctx, uint64_t gpa);
void vmw_steal_go_on(struct hvs_ctx *ctx, uint64_t ticks);

/* vmw_balloon.c */
enum hvs_verdict vmw_balloon_port(struct hvs_ctx *ctx);
int vmw_balloon_request(struct hvs_ctx *ctx, struct hvs_vmw_balloon *request);

/* vmw_pointer.c */
hvs_hcall_fn vmw_abspointer_data, vmw_abspointer_status, vmw_abspointer_command, vmw_abspointer_restrict,
    vmw_ismouseabsolute;
int vmw_pointer_event(struct hvs_ctx *ctx, const struct hvs_vmw_pointer *event);

/* vmw_save.c */
int vmw_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer);
int vmw_load(struct hvs_ctx *ctx, const struct hvs_record *record);

/* vmw_host.c: the host's requests */
void vmw_host(struct hvs_ctx *ctx);

/* vmw_text.c: texts that are not terminated */
struct hvs_text vmw_text(const char *terminated);
bool vmw_text_is(struct hvs_text text, const char *terminated);
bool vmw_text_begins(struct hvs_text text, const char *terminated);
/* Cuts off and returns the first word, with the one space behind it. */
struct hvs_text vmw_text_word(struct hvs_text *text);
/* Without the bytes `byte` at its end. */
struct hvs_text vmw_text_trim(struct hvs_text text, char byte);

#endif
