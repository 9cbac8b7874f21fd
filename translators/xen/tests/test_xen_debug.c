/* What a guest says to the hypervisor: console_io, and the debug port. */
#include "xen_test.h"

enum { TEXT_GPA = 0x5000, DEBUG_PORT = 0xe9, CALL_BYTES = 12 };

static void start_allowed(struct mock *mock)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};

    mock_config(mock, list, 1);
    mock->config.caps |= HVS_CAP_RETRY;
    mock->config.slot[0].features_on = 1ull << hvs_feature_find(&hvs_xen_personality, "console-io");
    assert_int_equal(mock_start(mock), HVS_OK);
}

/* Appends what the last exit said. */
static void listen(const struct mock *mock, char *heard)
{
    size_t used = strlen(heard);

    for (uint32_t i = 0; i < mock->out.nr_effects; i++) {
        assert_int_equal(mock->out.effect[i].kind, HVS_EFFECT_LOG);
        heard[used++] = (char)mock->out.effect[i].byte;
    }
    heard[used] = '\0';
}

/* The arguments as the registers have them when the guest executes the instruction again. */
static bool is_again(struct mock *mock, uint64_t count, uint64_t gva)
{
    bool is_wide = mock->regs.code_bits == 64;

    return (is_wide ? mock->regs.rsi : mock->regs.rcx) == count && mock->regs.rdx == gva &&
           (is_wide ? mock->regs.rdi : mock->regs.rbx) == CONSOLEIO_write && mock->regs.rax == __HYPERVISOR_console_io;
}

static void test_long_text_takes_several_exits(void **state)
{
    static const char text[] = "the first sixteen bytes\tand\rthe\033 rest \x80\n";
    static const char wanted[] = "the first sixteen bytes\tandthe rest \n";

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct mock mock;
        char heard[128] = "";
        uint64_t left = sizeof(text) - 1, at = TEXT_GPA;

        start_allowed(&mock);
        memcpy(mock.ram + TEXT_GPA, text, left);
        mock.regs = (struct hvs_regs){.code_bits = bits, .rax = __HYPERVISOR_console_io, .rdx = at};
        *(bits == 64 ? &mock.regs.rdi : &mock.regs.rbx) = CONSOLEIO_write;
        *(bits == 64 ? &mock.regs.rsi : &mock.regs.rcx) = left;
        while (left > CALL_BYTES) {
            assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_RETRY);
            listen(&mock, heard);
            left -= CALL_BYTES;
            at += CALL_BYTES;
            assert_true(is_again(&mock, left, at));
        }
        assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_HANDLED);
        assert_int_equal(mock.regs.rax, 0);
        listen(&mock, heard);
        assert_string_equal(heard, wanted);
        mock_stop(&mock);
    }
}

static void test_rights_and_errors(void **state)
{
    static const struct {
        bool is_allowed;
        uint64_t cmd, count, gva;
        int64_t result;
    } t[] = {
        {false, CONSOLEIO_write, 1, TEXT_GPA, -XEN_EPERM},
        {false, CONSOLEIO_read, 1, TEXT_GPA, -XEN_EPERM},
        {false, 2, 1, TEXT_GPA, -XEN_EPERM},
        {true, CONSOLEIO_write, 1, TEXT_GPA, 0},
        {true, CONSOLEIO_write, 0, BAD_GPA, 0},
        {true, CONSOLEIO_write, 1, BAD_GPA, -XEN_EFAULT},
        {true, CONSOLEIO_write, UINT32_MAX, MOCK_RAM_BYTES - 1, -XEN_EFAULT},
        {true, CONSOLEIO_read, 1, TEXT_GPA, -XEN_EPERM},
        {true, 2, 1, TEXT_GPA, -XEN_EPERM},
        {true, 1ull << 32 | CONSOLEIO_write, 1ull << 32, BAD_GPA, 0},
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct mock mock;

        if (t[i].is_allowed)
            start_allowed(&mock);
        else
            start(&mock, 1);
        mock.ram[TEXT_GPA] = 'a';
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_console_io, t[i].cmd, t[i].count, t[i].gva), t[i].result);
        assert_int_equal(mock.out.nr_effects, t[i].result == 0 && (uint32_t)t[i].count);
        mock_stop(&mock);
    }
}

static void test_within_a_multicall(void **state)
{
    struct multicall_entry entry = {.op = __HYPERVISOR_console_io, .args = {CONSOLEIO_write, 15, TEXT_GPA}};
    char heard[32] = "";
    struct mock mock;

    (void)state;
    start_allowed(&mock);
    memcpy(mock.ram + ARG_GPA, &entry, sizeof(entry));
    memcpy(mock.ram + TEXT_GPA, "fifteen of them", 15);
    mock.regs.rax = __HYPERVISOR_multicall;
    mock.regs.rdi = ARG_GPA;
    mock.regs.rsi = 1;
    assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_RETRY);
    listen(&mock, heard);
    assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_HANDLED);
    listen(&mock, heard);
    assert_string_equal(heard, "fifteen of them");
    assert_int_equal(ram64(&mock, ARG_GPA + offsetof(struct multicall_entry, result)), 0);
    mock_stop(&mock);
}

static enum hvs_verdict outs(struct mock *mock, uint16_t port, uint8_t size_bytes, uint32_t count, uint64_t gva)
{
    const struct hvs_exit exit = {
        .kind = HVS_EXIT_PIO, .pio = {.port = port, .size_bytes = size_bytes, .is_string = true, .count = count}};

    mock->regs.rcx = count;
    mock->regs.rsi = gva;
    return hvs_vcpu_exit(mock_vcpu(mock, 0), &exit, &mock->regs, &mock->out);
}

static void test_port(void **state)
{
    char heard[64] = "";
    struct mock mock;

    (void)state;
    start_allowed(&mock);
    mock.regs.rax = 0x1234500 | 'x';
    assert_int_equal(mock_out(&mock, 0, DEBUG_PORT, 1), HVS_HANDLED);
    listen(&mock, heard);
    mock.regs.rax = '\r';
    assert_int_equal(mock_out(&mock, 0, DEBUG_PORT, 1), HVS_HANDLED);
    listen(&mock, heard);
    assert_int_equal(mock_out(&mock, 0, DEBUG_PORT, 2), HVS_UNHANDLED);
    assert_int_equal(mock_in(&mock, 0, DEBUG_PORT, 1), HVS_UNHANDLED);
    memcpy(mock.ram + TEXT_GPA, "twenty-one bytes of it", 22);
    assert_int_equal(outs(&mock, DEBUG_PORT, 1, 22, TEXT_GPA), HVS_RETRY);
    listen(&mock, heard);
    assert_int_equal(mock.regs.rcx, 6);
    assert_int_equal(mock.regs.rsi, TEXT_GPA + 16);
    assert_int_equal(outs(&mock, DEBUG_PORT, 1, 6, TEXT_GPA + 16), HVS_HANDLED);
    listen(&mock, heard);
    assert_int_equal(mock.regs.rcx, 0);
    assert_int_equal(mock.regs.rsi, TEXT_GPA + 22);
    assert_string_equal(heard, "xtwenty-one bytes of it");
    assert_int_equal(outs(&mock, DEBUG_PORT, 1, 0, TEXT_GPA), HVS_HANDLED);
    assert_int_equal(outs(&mock, DEBUG_PORT, 2, 2, TEXT_GPA), HVS_UNHANDLED);
    mock_stop(&mock);
    start(&mock, 1);                            /* a backend that cannot execute it again loses the rest */
    memset(mock.ram + TEXT_GPA, 'a', 22);
    assert_int_equal(outs(&mock, DEBUG_PORT, 1, 22, TEXT_GPA), HVS_HANDLED);
    assert_int_equal(mock.regs.rcx, 0);
    assert_int_equal(mock.out.nr_effects, HVS_MAX_EFFECTS);
    mock_stop(&mock);
}

static void test_port_and_bad_addresses(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    assert_int_equal(outs(&mock, DEBUG_PORT, 1, 4, MOCK_RAM_BYTES), HVS_HANDLED);      /* no RAM, no paging: no fault */
    assert_int_equal(mock.out.nr_effects, 0);
    mock.regs.rflags |= 1 << 10;
    assert_int_equal(outs(&mock, DEBUG_PORT, 1, 4, TEXT_GPA), HVS_UNHANDLED);
    mock.regs.rflags = 0;
    mock.regs.cr0 = HVS_CR0_PE | HVS_CR0_PG;    /* 32-bit paging by tables at 0, which are empty */
    mock.regs.code_bits = 32;
    assert_int_equal(outs(&mock, DEBUG_PORT, 1, 4, TEXT_GPA), HVS_FAULT);
    assert_int_equal(mock.out.fault_vector, HVS_VECTOR_PF);
    assert_int_equal(mock.out.fault_address, TEXT_GPA);
    assert_int_equal(mock.out.nr_effects, 0);
    assert_int_equal(mock.regs.rcx, 4);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_text_takes_several_exits),
        cmocka_unit_test(test_rights_and_errors),
        cmocka_unit_test(test_within_a_multicall),
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_port_and_bad_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
