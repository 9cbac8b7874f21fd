/*
 * Signals of the kernel's own, as a guest raises them by Xen's hypercall page: a send to a port of the host that has an
 * eventfd makes no exit. On this machine's /dev/kvm. Skipped (status 77) where there is none.
 */
#include "backend.h"
#include "testvm.h"

#include <hvshim/translators.h>
#include <hvshim/xen.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <sys/eventfd.h>
#include <unistd.h>

extern const uint8_t guest_xen_page[], guest_xen_events[], guest_xen_event_32[];

enum { NR_SENDS = 1000, CLOSE = 3, SEND = 4, XEN_EINVAL = 22, ARG_GPA = G_MEMORY_BYTES - 4096 };

static struct testvm vm;
static int event_fd;
static uint32_t nr_told;
static struct hvs_xen_channel channel;

static void on_event(void *ctx, uint32_t host_port)
{
    (void)ctx;
    assert_int_equal(host_port, channel.host_port);
    nr_told++;
}

static int ask(uint32_t request, void *data)
{
    return hvs_kvm_request(vm.kvm, &hvs_xen_personality, request, data);
}

static void offer(void)
{
    struct hvs_xen_signal signal = {.signal = event_fd};

    assert_int_equal(ask(HVS_XEN_CHANNEL_OFFER, &channel), HVS_OK);
    signal.host_port = channel.host_port;
    assert_int_equal(ask(HVS_XEN_CHANNEL_SIGNAL, &signal), HVS_OK);
}

static uint64_t nr_signals(void)
{
    uint64_t value;

    return read(event_fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

static uint64_t nr_exits(void)
{
    uint64_t unhandled;

    return hvs_vm_exits(hvs_kvm_vm(vm.kvm), HVS_EXIT_HYPERCALL, &unhandled);
}

/* event_channel_op for the channel's port; returns the guest's last result. */
static int64_t call(uint64_t op, uint64_t nr)
{
    const struct kvm_regs regs = {.rdi = op, .rsi = ARG_GPA, .rbx = nr};

    testvm_set_word(&vm, ARG_GPA, channel.guest_port);
    testvm_enter(&vm, 0, guest_xen_events, &regs);
    testvm_run(&vm, 0);
    return (int64_t)testvm_word(&vm, G_RESULT);
}

static int start(void **state)
{
    static const struct hvs_xen_options options = {.size = sizeof(options), .on_event = on_event};

    *state = NULL;
    testvm_make_with(&vm, &(struct hvs_slot_config){
        .personality = &hvs_xen_personality, .options = &options,
        .features_on = 1ull << hvs_feature_find(&hvs_xen_personality, "send-signal")});
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_xen_page, NULL);
    testvm_run(&vm, 0);
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(event_fd >= 0);
    nr_told = 0;
    offer();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    testvm_free(&vm);
    close(event_fd);
    return 0;
}

static void test_sends_make_no_exit(void **state)
{
    (void)state;
    assert_int_equal(call(SEND, NR_SENDS), 0);
    assert_int_equal(testvm_word(&vm, G_RESULT + 8), 0);
    print_message("%u sends, %u exits\n", NR_SENDS, (unsigned)nr_exits());
    assert_int_equal(nr_exits(), 0);
    assert_int_equal(nr_signals(), NR_SENDS);
    assert_int_equal(nr_told, 0);
}

static void test_send_without_signal_exits(void **state)
{
    struct hvs_xen_signal none = {.host_port = channel.host_port, .signal = HVS_NO_SIGNAL};

    (void)state;
    assert_int_equal(ask(HVS_XEN_CHANNEL_SIGNAL, &none), HVS_OK);
    assert_int_equal(call(SEND, NR_SENDS), 0);
    assert_int_equal(testvm_word(&vm, G_RESULT + 8), 0);
    assert_int_equal(nr_exits(), NR_SENDS);
    assert_int_equal(nr_told, NR_SENDS);
    assert_int_equal(nr_signals(), 0);
}

static void test_closing_ends_it(void **state)
{
    (void)state;
    assert_int_equal(call(SEND, 1), 0);
    assert_int_equal(call(CLOSE, 1), 0);
    assert_int_equal(call(SEND, 1), -XEN_EINVAL);
    assert_int_equal(nr_exits(), 2);
    assert_int_equal(nr_signals(), 1);
    assert_int_equal(nr_told, 0);
}

/* Also when the VMM has closed its eventfd before. */
static void test_reset_and_load_end_it(void **state)
{
    static uint8_t saved[1 << 20];
    int copy = dup(event_fd);
    size_t bytes;

    (void)state;
    close(event_fd);
    event_fd = copy;
    assert_int_equal(vm.kvm->signals.nr_live, 1);
    assert_int_equal(hvs_vm_save(hvs_kvm_vm(vm.kvm), saved, sizeof(saved), &bytes), HVS_OK);
    assert_int_equal(hvs_kvm_load(vm.kvm, saved, bytes), HVS_OK);
    assert_int_equal(vm.kvm->signals.nr_live, 0);
    assert_int_equal(call(SEND, 1), 0);                 /* it is open still */
    assert_int_equal(nr_told, 1);
    offer();
    assert_int_equal(call(SEND, 1), 0);
    assert_int_equal(nr_signals(), 1);
    assert_int_equal(hvs_kvm_reset(vm.kvm), HVS_OK);
    assert_int_equal(vm.kvm->signals.nr_live, 0);
    assert_int_equal(call(SEND, 1), -XEN_EINVAL);
    assert_int_equal(nr_signals(), 0);
    assert_int_equal(nr_told, 1);
}

/* Its arguments are elsewhere, so it makes the call, whatever else is in the registers. */
static void test_32_bit_code_exits(void **state)
{
    const struct kvm_regs regs = {.rbx = SEND, .rcx = ARG_GPA, .rdi = SEND, .rsi = ARG_GPA};
    struct kvm_sregs sregs;

    (void)state;
    testvm_set_word(&vm, ARG_GPA, channel.guest_port);
    testvm_enter(&vm, 0, guest_xen_event_32, &regs);
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_GET_SREGS, &sregs), 0);
    sregs.cs.l = 0;
    sregs.cs.db = 1;
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_SET_SREGS, &sregs), 0);
    testvm_set_word(&vm, G_RESULT, 99);
    testvm_run(&vm, 0);
    assert_int_equal(testvm_word(&vm, G_RESULT), 0);
    assert_int_equal(nr_exits(), 1);
    assert_int_equal(nr_told, 1);
    assert_int_equal(nr_signals(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sends_make_no_exit, start, stop),
        cmocka_unit_test_setup_teardown(test_send_without_signal_exits, start, stop),
        cmocka_unit_test_setup_teardown(test_closing_ends_it, start, stop),
        cmocka_unit_test_setup_teardown(test_reset_and_load_end_it, start, stop),
        cmocka_unit_test_setup_teardown(test_32_bit_code_exits, start, stop),
    };

    if (access("/dev/kvm", R_OK | W_OK))
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
