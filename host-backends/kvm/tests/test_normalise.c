#include "normalise.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

enum { DATA_OFFSET = 4096 };

static union {
    struct kvm_run run;
    uint8_t bytes[2 * 4096];
} page;
static struct kvm_run *const run = &page.run;
static struct hvs_range deny[] = {{0x40000000, 0x400001ff}};
static struct hvs_range pio[] = {{0x10, 0x12}, {0x5658, 0x5659}};
static const struct hvs_kvm_claims claims = {
    .nr_slots = 2, .has_raw = true, .nr_deny = 1, .deny = deny, .nr_pio = 2, .pio = pio};
static struct hvs_exit seen;
static struct hvs_regs regs;

/* Ring 0 of 64-bit code, with a number in each register. */
static int setup(void **state)
{
    struct kvm_regs *r = &run->s.regs.regs;

    (void)state;
    memset(&page, 0, sizeof(page));
    *r = (struct kvm_regs){.rax = 1, .rbx = 2, .rcx = 3, .rdx = 4, .rsi = 5, .rdi = 6, .rsp = 7, .rbp = 8, .r8 = 9,
                           .r9 = 10, .r10 = 11, .r11 = 12, .r12 = 13, .r13 = 14, .r14 = 15, .r15 = 16,
                           .rip = 17, .rflags = 2};
    run->s.regs.sregs = (struct kvm_sregs){.cr0 = HVS_CR0_PE | HVS_CR0_PG, .cr3 = 0x1000, .cr4 = HVS_CR4_PAE,
                                           .efer = HVS_EFER_LMA, .cs = {.l = 1}};
    run->io.data_offset = DATA_OFFSET;
    return 0;
}

static bool io(uint16_t port, uint8_t direction, uint8_t size, uint32_t count)
{
    run->exit_reason = KVM_EXIT_IO;
    run->io.port = port;
    run->io.direction = direction;
    run->io.size = size;
    run->io.count = count;
    page.bytes[DATA_OFFSET] = (uint8_t)run->s.regs.regs.rax;
    return hvs_kvm_normalise(run, &claims, &seen, &regs);
}

static bool out(uint16_t port)
{
    return io(port, KVM_EXIT_IO_OUT, 1, 1);
}

static void test_msr(void **state)
{
    (void)state;
    run->exit_reason = KVM_EXIT_X86_WRMSR;
    run->msr.index = 0x400001ff;
    run->msr.data = 0x123456789abcdef0;
    assert_true(hvs_kvm_normalise(run, &claims, &seen, &regs));
    assert_int_equal(seen.kind, HVS_EXIT_MSR_WRITE);
    assert_int_equal(seen.msr.index, 0x400001ff);
    assert_int_equal(seen.msr.value, 0x123456789abcdef0);
    run->exit_reason = KVM_EXIT_X86_RDMSR;
    assert_true(hvs_kvm_normalise(run, &claims, &seen, &regs));
    assert_int_equal(seen.kind, HVS_EXIT_MSR_READ);
    run->msr.index = 0x40000200;
    assert_false(hvs_kvm_normalise(run, &claims, &seen, &regs));
}

static void test_registers(void **state)
{
    (void)state;
    assert_true(out(0xe5));
    assert_int_equal(seen.kind, HVS_EXIT_HYPERCALL);
    assert_int_equal(seen.hypercall.slot, 1);
    assert_int_equal(regs.rax, 1);
    assert_int_equal(regs.rbx, 2);
    assert_int_equal(regs.rsp, 7);
    assert_int_equal(regs.rbp, 8);
    assert_int_equal(regs.r15, 16);
    assert_int_equal(regs.rip, 17);
    assert_int_equal(regs.cr3, 0x1000);
    assert_int_equal(regs.cpl, 0);
    assert_int_equal(regs.code_bits, 64);

    regs = (struct hvs_regs){.rax = 101, .rbx = 102, .rsp = 107, .r8 = 109, .r15 = 116, .rip = 999, .rflags = 999};
    hvs_kvm_put_regs(run, &regs);
    assert_int_equal(run->kvm_dirty_regs, KVM_SYNC_X86_REGS);
    assert_int_equal(run->s.regs.regs.rax, 101);
    assert_int_equal(run->s.regs.regs.rbx, 102);
    assert_int_equal(run->s.regs.regs.rsp, 107);
    assert_int_equal(run->s.regs.regs.r8, 109);
    assert_int_equal(run->s.regs.regs.r15, 116);
    assert_int_equal(run->s.regs.regs.rip, 17);
    assert_int_equal(run->s.regs.regs.rflags, 2);
}

static void test_modes(void **state)
{
    static const struct {
        uint64_t cr0, efer, rflags;
        uint8_t l, db, dpl, bits, cpl;
    } row[] = {
        {HVS_CR0_PE, HVS_EFER_LMA, 0, 1, 0, 0, 64, 0},
        {HVS_CR0_PE, HVS_EFER_LMA, 0, 1, 0, 3, 64, 3},
        {HVS_CR0_PE, HVS_EFER_LMA, 0, 0, 1, 3, 32, 3},  /* compatibility mode */
        {HVS_CR0_PE, HVS_EFER_LMA, 0, 0, 0, 0, 16, 0},
        {HVS_CR0_PE, 0, 0, 0, 1, 0, 32, 0},
        {HVS_CR0_PE, 0, 0, 1, 1, 0, 32, 0},             /* L means nothing outside of long mode */
        {HVS_CR0_PE, 0, 0, 0, 0, 1, 16, 1},
        {HVS_CR0_PE, 0, 1u << 17, 0, 1, 0, 16, 3},      /* virtual-8086 */
        {0, 0, 0, 0, 1, 3, 16, 0},                      /* real mode, whatever the hidden parts hold */
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(row); i++) {
        run->s.regs.sregs.cr0 = row[i].cr0;
        run->s.regs.sregs.efer = row[i].efer;
        run->s.regs.sregs.cs.l = row[i].l;
        run->s.regs.sregs.cs.db = row[i].db;
        run->s.regs.sregs.ss.dpl = row[i].dpl;
        run->s.regs.regs.rflags = 2 | row[i].rflags;
        assert_true(out(0x10));
        assert_int_equal(regs.code_bits, row[i].bits);
        assert_int_equal(regs.cpl, row[i].cpl);
    }
}

static void test_hypercall_ports(void **state)
{
    struct hvs_kvm_claims no_raw = claims;

    (void)state;
    assert_true(out(0xe4));
    assert_int_equal(seen.hypercall.slot, 0);
    assert_true(out(0xe7));
    assert_int_equal(seen.hypercall.slot, HVS_SLOT_RAW);
    assert_false(out(0xe3));
    assert_false(out(0xe6));                            /* there is no third slot */
    assert_false(out(0xe8));
    assert_false(io(0xe4, KVM_EXIT_IO_IN, 1, 1));
    assert_false(seen.hypercall.is_signal);
    assert_true(io(0xe4, KVM_EXIT_IO_OUT, 4, 1));
    assert_int_equal(seen.hypercall.slot, 0);
    assert_true(seen.hypercall.is_signal);
    assert_false(io(0xe4, KVM_EXIT_IO_OUT, 2, 1));
    assert_false(io(0xe7, KVM_EXIT_IO_OUT, 4, 1));
    assert_false(io(0xe4, KVM_EXIT_IO_OUT, 1, 2));
    run->s.regs.sregs.ss.dpl = 3;
    assert_false(out(0xe4));
    assert_false(out(0xe7));
    run->s.regs.sregs.ss.dpl = 0;
    no_raw.has_raw = false;
    run->io.port = 0xe7;
    assert_false(hvs_kvm_normalise(run, &no_raw, &seen, &regs));
}

static void test_pio(void **state)
{
    (void)state;
    assert_true(io(0x5658, KVM_EXIT_IO_IN, 4, 1));
    assert_int_equal(seen.kind, HVS_EXIT_PIO);
    assert_int_equal(seen.pio.port, 0x5658);
    assert_int_equal(seen.pio.size_bytes, 4);
    assert_true(seen.pio.is_in);
    assert_false(seen.pio.is_string);
    assert_int_equal(seen.pio.count, 1);

    assert_true(io(0x5659, KVM_EXIT_IO_IN, 1, 4));
    assert_true(seen.pio.is_string);
    assert_int_equal(seen.pio.count, 4);

    assert_true(out(0x12));
    assert_false(seen.pio.is_in);
    assert_false(seen.pio.is_string);
    page.bytes[DATA_OFFSET] = 0x77;                     /* not from AL: OUTSB, a byte per exit */
    assert_true(hvs_kvm_normalise(run, &claims, &seen, &regs));
    assert_true(seen.pio.is_string);

    assert_false(out(0x13));
    assert_false(out(0x80));
}

static void test_xen_exit(void **state)
{
    struct hvs_kvm_claims no_raw = claims;

    (void)state;
    run->exit_reason = KVM_EXIT_XEN;
    run->xen.type = KVM_EXIT_XEN_HCALL;
    run->s.regs.sregs.ss.dpl = 3;                       /* who may call is the personality's to say */
    assert_true(hvs_kvm_normalise(run, &claims, &seen, &regs));
    assert_int_equal(seen.kind, HVS_EXIT_HYPERCALL);
    assert_int_equal(seen.hypercall.slot, HVS_SLOT_RAW);
    assert_int_equal(regs.cpl, 3);
    no_raw.has_raw = false;
    assert_false(hvs_kvm_normalise(run, &no_raw, &seen, &regs));
}

static void test_other_exits(void **state)
{
    static const uint32_t reason[] = {KVM_EXIT_MMIO, KVM_EXIT_HLT, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_HYPERV, 0, 9999};

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(reason); i++) {
        run->exit_reason = reason[i];
        assert_false(hvs_kvm_normalise(run, &claims, &seen, &regs));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_msr, setup),
        cmocka_unit_test_setup(test_registers, setup),
        cmocka_unit_test_setup(test_modes, setup),
        cmocka_unit_test_setup(test_hypercall_ports, setup),
        cmocka_unit_test_setup(test_pio, setup),
        cmocka_unit_test_setup(test_xen_exit, setup),
        cmocka_unit_test_setup(test_other_exits, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
