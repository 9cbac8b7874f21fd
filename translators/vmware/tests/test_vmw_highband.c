/*
 * The high-bandwidth port: messages as whole instructions through the guest's page tables, and buffers of a hostile
 * guest: unmapped, the kernel's, read-only, no RAM, too long.
 */
#include "vmw_rpc_test.h"

enum {
    PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT = 0x4000,
    PAGE = 0x20000,             /* the page at GVA; those behind it follow each other backwards */
    PRESENT = 1, WRITABLE = 2, USER = 4,
    ALL = PRESENT | WRITABLE | USER,
    NR_PAGES = 18,
};
#define GVA 0x7f0000200000ull   /* the first entry of PT */
#define CR0_WP (1ull << 16)
#define DF (1ull << 10)
#define SUCCESS MESSAGE_STATUS_SUCCESS

static uint64_t gpa_of(uint32_t page)
{
    return PAGE + (NR_PAGES - 1 - page) * 0x1000ull;
}

static void set_entry(struct mock *mock, uint64_t gpa, uint64_t entry)
{
    memcpy(mock->ram + gpa, &entry, sizeof(entry));
}

/* The pages from GVA on lie in the opposite order in RAM. */
static void use_paging(struct mock *mock)
{
    set_entry(mock, PML4 + 254 * 8, PDPT | ALL);
    set_entry(mock, PDPT, PD | ALL);
    set_entry(mock, PD + 8, PT | ALL);
    for (uint32_t i = 0; i < NR_PAGES; i++)
        set_entry(mock, PT + i * 8, gpa_of(i) | ALL);
    mock->regs.cr0 = HVS_CR0_PE | HVS_CR0_PG | CR0_WP;
    mock->regs.cr3 = PML4;
    mock->regs.cr4 = HVS_CR4_PAE;
    mock->regs.efer = HVS_EFER_LMA;
}

static void put(struct mock *mock, uint32_t offset, const char *bytes, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++)
        mock->ram[gpa_of((offset + i) >> 12) + ((offset + i) & 0xfff)] = (uint8_t)bytes[i];
}

static void get(const struct mock *mock, uint32_t offset, char *bytes, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++)
        bytes[i] = (char)mock->ram[gpa_of((offset + i) >> 12) + ((offset + i) & 0xfff)];
}

static void set_block_regs(const struct channel *c, bool is_in, uint64_t gva, uint64_t bytes)
{
    struct hvs_regs *r = &c->mock->regs;

    r->rax = UPPER(0xa) | BDOOR_MAGIC;
    r->rbx = UPPER(0xb) | SUCCESS << 16 | BDOORHB_CMD_MESSAGE;
    r->rcx = bytes;
    r->rdx = UPPER(0xd) | c->id << 16 | BDOORHB_PORT;
    r->rsi = is_in ? UPPER(0x5) | c->cookie_high : gva;
    r->rdi = is_in ? gva : UPPER(0x7) | c->cookie_low;
    r->rbp = UPPER(0x9) | (is_in ? c->cookie_low : c->cookie_high);
}

static enum hvs_verdict string_exit(const struct channel *c, bool is_in, uint32_t count)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_PIO, .pio = {.port = BDOORHB_PORT, .size_bytes = 1, .is_in = is_in,
                                                                .is_string = true, .count = count}};

    return hvs_vcpu_exit(mock_vcpu(c->mock, 0), &exit, &c->mock->regs, &c->mock->out);
}

/* One block. Returns the status; nothing but EBX, RCX and the buffer's register has changed. */
static uint32_t block(const struct channel *c, bool is_in, uint64_t gva, uint32_t bytes)
{
    struct mock *mock = c->mock;
    struct hvs_regs expected;

    set_block_regs(c, is_in, gva, bytes);
    expected = mock->regs;
    assert_int_equal(string_exit(c, is_in, bytes), HVS_HANDLED);
    assert_true(mock->out.regs_changed);
    expected.rcx = 0;
    *(is_in ? &expected.rdi : &expected.rsi) += bytes;
    expected.rbx = mock->regs.rbx;
    assert_regs_equal(&mock->regs, &expected);
    assert_int_equal(mock->regs.rbx >> 32, 0xbbbbbbbb);
    assert_int_equal(mock->regs.rbx & 0xffff, 0);
    return (uint32_t)mock->regs.rbx >> 16;
}

static void send_size(const struct channel *c, uint32_t bytes)
{
    assert_int_equal(message(c, MESSAGE_TYPE_SENDSIZE, bytes), SUCCESS | MESSAGE_STATUS_HB);
}

static uint32_t receive_size(const struct channel *c)
{
    assert_int_equal(message(c, MESSAGE_TYPE_RECVSIZE, 0), SUCCESS | MESSAGE_STATUS_DORECV | MESSAGE_STATUS_HB);
    return ebx_of(c);
}

static void send_by_block(const struct channel *c, uint32_t offset, const char *text)
{
    uint32_t bytes = (uint32_t)strlen(text);

    put(c->mock, offset, text, bytes);
    send_size(c, bytes);
    assert_int_equal(block(c, false, GVA + offset, bytes), SUCCESS);
}

static int setup(void **state)
{
    static struct mock mock;

    mock_start_one(&mock, &hvs_vmw_personality, 1);
    use_paging(&mock);
    *state = &mock;
    return 0;
}

static void test_request_and_reply(void **state)
{
    static const uint32_t offset[] = {0, 1, 0xffa, 0xfff, 0x1000, 0x1ff0};
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    char reply[64];

    set_guestinfo(*state, "key", text_of("a value that straddles pages"));
    for (size_t i = 0; i < HVS_ARRAY_SIZE(offset); i++) {
        uint32_t bytes;

        send_by_block(&c, offset[i], "info-get guestinfo.key");
        bytes = receive_size(&c);
        assert_int_equal(block(&c, true, GVA + offset[i], bytes), SUCCESS);
        assert_int_equal(message(&c, MESSAGE_TYPE_RECVSTATUS, SUCCESS), SUCCESS);
        get(*state, offset[i], reply, bytes);
        assert_memory_equal(reply, "1 a value that straddles pages", bytes);
    }
}

/* 64 KiB, not aligned: 17 pages. */
static void test_largest_messages(void **state)
{
    static char text[HVS_STORE_VALUE_BYTES + 1], back[GUESTMSG_MAX_IN_SIZE];
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    for (size_t i = 0; i < HVS_STORE_VALUE_BYTES; i++)
        text[i] = (char)('a' + i % 23);
    set_guestinfo(*state, "big", text_of(text));
    send_by_block(&c, 0, "info-get guestinfo.big");
    assert_int_equal(receive_size(&c), GUESTMSG_MAX_IN_SIZE);
    assert_int_equal(block(&c, true, GVA + 5, GUESTMSG_MAX_IN_SIZE), SUCCESS);
    get(*state, 5, back, GUESTMSG_MAX_IN_SIZE);
    assert_memory_equal(back, "1 ", 2);
    assert_memory_equal(back + 2, text, HVS_STORE_VALUE_BYTES);
    memcpy(back, "info-set guestinfo.other ", 25);
    put(*state, 0xfff, back, GUESTMSG_MAX_IN_SIZE);
    send_size(&c, GUESTMSG_MAX_IN_SIZE);
    assert_int_equal(block(&c, false, GVA + 0xfff, GUESTMSG_MAX_IN_SIZE), SUCCESS);
    assert_string_equal(receive_text(&c), "1 ");
}

static void test_blocks_and_words_mix(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    char reply[8];

    put(*state, 0, "nonsense", 8);
    send_size(&c, 8);
    assert_int_equal(block(&c, false, GVA, 3), SUCCESS);
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 0x736e6573), SUCCESS);
    assert_int_equal(block(&c, false, GVA + 7, 1), SUCCESS);
    assert_int_equal(receive_size(&c), 17);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), SUCCESS);
    assert_int_equal(block(&c, true, GVA + 100, 7), SUCCESS);
    get(*state, 100, reply, 7);
    assert_memory_equal(reply, "known c", 7);
}

static void test_more_than_is_left(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    put(*state, 0, "log x", 5);
    send_size(&c, 5);
    assert_int_equal(block(&c, false, GVA, 6), 0);
    assert_int_equal(block(&c, false, GVA, UINT32_MAX), 0);
    assert_int_equal(block(&c, false, GVA, 5), SUCCESS);
    assert_int_equal(receive_size(&c), 2);
    assert_int_equal(block(&c, true, GVA, 3), 0);
    assert_int_equal(block(&c, true, GVA, 2), SUCCESS);
    assert_int_equal(block(&c, true, GVA, 1), 0);
}

static void test_out_of_step(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM), wrong = c;

    assert_int_equal(block(&c, false, GVA, 4), 0);
    assert_int_equal(block(&c, true, GVA, 4), 0);
    send_size(&c, 4);
    assert_int_equal(block(&c, true, GVA, 4), 0);
    wrong.cookie_low ^= 1;
    assert_int_equal(block(&wrong, false, GVA, 4), 0);
    wrong = c;
    wrong.cookie_high ^= 1;
    assert_int_equal(block(&wrong, false, GVA, 4), 0);
    wrong = (struct channel){.mock = *state, .id = 5};
    assert_int_equal(block(&wrong, false, GVA, 4), MESSAGE_STATUS_CLOSED);
    wrong.id = 0xffff;
    assert_int_equal(block(&wrong, true, GVA, 4), MESSAGE_STATUS_CLOSED);
    assert_int_equal(block(&c, false, GVA, 4), SUCCESS);
}

/* The guest says that it failed before: nothing is to go on. */
static void test_without_success(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    struct mock *mock = *state;

    send_size(&c, 4);
    set_block_regs(&c, false, GVA, 4);
    mock->regs.rbx = 0xfffe0000 | BDOORHB_CMD_MESSAGE;
    assert_int_equal(string_exit(&c, false, 4), HVS_HANDLED);
    assert_int_equal(mock->regs.rbx, 0);
    assert_int_equal(block(&c, false, GVA, 4), SUCCESS);
}

static void test_other_commands_change_nothing(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    struct mock *mock = *state;

    send_size(&c, 4);
    set_block_regs(&c, false, GVA, 4);
    mock->regs.rbx = 0x10000 | BDOORHB_CMD_VASSERT;
    assert_int_equal(string_exit(&c, false, 4), HVS_HANDLED);
    assert_int_equal(mock->regs.rbx, 0x10001);
    assert_int_equal(mock->regs.rcx, 0);
    assert_int_equal(block(&c, false, GVA, 4), SUCCESS);
}

static void test_what_is_not_ours(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    struct mock *mock = *state;

    send_size(&c, 4);
    set_block_regs(&c, false, GVA, 4);
    mock->regs.rax++;
    assert_int_equal(string_exit(&c, false, 4), HVS_UNHANDLED);
    set_block_regs(&c, false, GVA, 4);
    mock->regs.rflags = DF;
    assert_int_equal(string_exit(&c, false, 4), HVS_UNHANDLED);
    mock->regs.rflags = 2;
    assert_int_equal(mock_in(mock, 0, BDOORHB_PORT, 1), HVS_UNHANDLED);
    assert_int_equal(mock_out(mock, 0, BDOORHB_PORT, 4), HVS_UNHANDLED);
    assert_int_equal(block(&c, false, GVA, 4), SUCCESS);
}

/* --- the buffer --------------------------------------------------------------------------------------------------- */

static void assert_fault(const struct channel *c, bool is_in, uint64_t gva, uint32_t bytes, uint64_t at, uint32_t code)
{
    struct mock *mock = c->mock;
    struct hvs_regs before;

    set_block_regs(c, is_in, gva, bytes);
    before = mock->regs;
    assert_int_equal(string_exit(c, is_in, bytes), HVS_FAULT);
    assert_int_equal(mock->out.fault_vector, HVS_VECTOR_PF);
    assert_int_equal(mock->out.fault_address, at);
    assert_int_equal(mock->out.fault_code, code);
    assert_regs_equal(&mock->regs, &before);
}

/* As a program's fresh memory is: the fault lets its kernel put a page there, and the instruction is executed again. */
static void test_pages_that_are_not_there_yet(void **state)
{
    static char text[0x2000];
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    struct mock *mock = *state;

    memset(text, 'x', sizeof(text) - 1);
    mock->regs.cpl = 3;
    send_size(&c, 0x2000);
    set_entry(mock, PT, 0);
    set_entry(mock, PT + 16, 0);
    put(mock, 0x7ff, text, sizeof(text));
    assert_fault(&c, false, GVA + 0x7ff, 0x2000, GVA + 0x7ff, 4);
    set_entry(mock, PT, gpa_of(0) | ALL);
    assert_fault(&c, false, GVA + 0x7ff, 0x2000, GVA + 0x2000, 4);
    set_entry(mock, PT + 16, gpa_of(2) | ALL);
    assert_int_equal(block(&c, false, GVA + 0x7ff, 0x2000), SUCCESS);
    assert_int_equal(receive_size(&c), 17);
    set_entry(mock, PT, 0);
    assert_fault(&c, true, GVA, 17, GVA, 6);
    set_entry(mock, PT, gpa_of(0) | ALL);
    assert_int_equal(block(&c, true, GVA, 17), SUCCESS);
}

static void test_ring_3_reaches_only_its_own_pages(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    struct mock *mock = *state;

    mock->regs.cpl = 3;
    set_entry(mock, PT + 8, gpa_of(1) | PRESENT | WRITABLE);
    send_size(&c, 8);
    assert_fault(&c, false, GVA + 0x1000, 8, GVA + 0x1000, 5);
    assert_fault(&c, false, GVA + 0xffc, 8, GVA + 0x1000, 5);
    mock->regs.cpl = 0;
    assert_int_equal(block(&c, false, GVA + 0x1000, 8), SUCCESS);
    mock->regs.cpl = 3;
    assert_int_equal(receive_size(&c), 17);
    assert_fault(&c, true, GVA + 0x1000, 17, GVA + 0x1000, 7);
}

static void test_read_only_pages(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    struct mock *mock = *state;

    set_entry(mock, PT, gpa_of(0) | PRESENT | USER);
    send_by_block(&c, 0, "nonsense");
    assert_int_equal(receive_size(&c), 17);
    assert_fault(&c, true, GVA, 17, GVA, 3);
}

static void test_addresses_that_are_none(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    send_size(&c, 8);
    set_block_regs(&c, false, 1ull << 47, 8);
    assert_int_equal(string_exit(&c, false, 8), HVS_FAULT);
    assert_int_equal(c.mock->out.fault_vector, HVS_VECTOR_GP);
    set_block_regs(&c, false, (1ull << 47) - 4, 8);
    assert_int_equal(string_exit(&c, false, 8), HVS_FAULT);
    assert_int_equal(c.mock->out.fault_vector, HVS_VECTOR_PF);
}

/* The last page is one like any other; behind it nothing is, not even the first page. */
static void test_at_the_end_of_the_address_space(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    set_entry(c.mock, PML4 + 511 * 8, PDPT | ALL);
    set_entry(c.mock, PDPT + 511 * 8, PD | ALL);
    set_entry(c.mock, PD + 511 * 8, PT | ALL);
    set_entry(c.mock, PT + 511 * 8, gpa_of(0) | ALL);
    put(c.mock, 0, "log abc", 7);
    send_size(&c, 7);
    assert_int_equal(block(&c, false, UINT64_MAX - 0xfff, 7), SUCCESS);

    struct channel over = open_channel(*state, RPCI_PROTOCOL_NUM);

    send_size(&over, 8);
    assert_fault(&over, false, UINT64_MAX - 3, 8, 0, 0);
}

/* Mapped to where no RAM is, a fault would come for ever. */
static void test_buffers_that_are_no_ram(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    struct mock *mock = *state;

    set_entry(mock, PT + 8, 0xfee00000 | ALL);
    send_size(&c, 8);
    assert_int_equal(block(&c, false, GVA + 0x1000, 8), 0);
    assert_int_equal(block(&c, false, GVA + 0xffc, 8), 0);
    assert_int_equal(block(&c, false, GVA, 8), SUCCESS);
    assert_int_equal(receive_size(&c), 17);
    assert_int_equal(block(&c, true, GVA + 0x1000, 17), 0);
    assert_int_equal(block(&c, true, GVA, 17), SUCCESS);
}

/* Bad requests do not even look at the buffer. */
static void test_nothing_is_read_for_nothing(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    set_entry(*state, PT, 0);
    assert_int_equal(block(&c, false, GVA, 8), 0);
    assert_int_equal(block(&c, true, GVA, 8), 0);
}

static void test_32_bit_code(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    struct mock *mock = *state;

    mock->regs.cr0 = HVS_CR0_PE;
    mock->regs.code_bits = 32;
    memcpy(mock->ram + 0x50000, "nonsense", 8);
    send_size(&c, 8);
    set_block_regs(&c, false, UPPER(0x5) | 0x50000, 8);
    assert_int_equal(string_exit(&c, false, 8), HVS_HANDLED);
    assert_int_equal((uint32_t)mock->regs.rbx >> 16, SUCCESS);
    assert_int_equal(mock->regs.rsi, 0x50008);
    assert_string_equal(receive_text(&c), "0 Unknown command");
}

/* --- where it is not there ---------------------------------------------------------------------------------------- */

static void start_with(struct mock *mock, uint32_t without_caps, const char *off)
{
    mock_stop(mock);
    vmw_config(mock, 1);
    mock->config.caps &= ~without_caps;
    if (off)
        mock->config.slot[0].features_off = feature_bit(off);
    assert_int_equal(mock_start(mock), HVS_OK);
}

static void test_without_it_words_are_asked_for(void **state)
{
    struct mock *mock = *state;

    for (uint32_t i = 0; i < 2; i++) {
        struct channel c;

        start_with(mock, i ? HVS_CAP_STRINGS : 0, i ? NULL : "guestrpc-hb");
        c = open_channel(mock, RPCI_PROTOCOL_NUM);
        assert_int_equal(message(&c, MESSAGE_TYPE_SENDSIZE, 4), SUCCESS);
        set_block_regs(&c, false, GVA, 4);
        assert_int_equal(string_exit(&c, false, 4), HVS_UNHANDLED);
        assert_false(hvs_vm_port_takes_strings(mock->vm, BDOORHB_PORT));
    }
}

static void test_by_vmcall(void **state)
{
    struct mock *mock = *state;
    struct channel c;
    char reply[17];

    mock_stop(mock);
    vmw_config(mock, 1);
    mock->config.slot[0].features_on = feature_bit("vmcall");
    assert_int_equal(mock_start(mock), HVS_OK);
    use_paging(mock);
    c = open_channel(mock, RPCI_PROTOCOL_NUM);
    put(mock, 0xffc, "nonsense", 8);
    send_size(&c, 8);
    set_block_regs(&c, false, GVA + 0xffc, 8);
    mock->regs.rdx = c.id << 16 | BDOOR_FLAGS_HB | BDOOR_FLAGS_WRITE;
    set_entry(mock, PT + 8, 0);
    assert_int_equal(mock_hypercall(mock, 0, HVS_SLOT_RAW), HVS_FAULT);
    assert_int_equal(mock->out.fault_address, GVA + 0x1000);
    set_entry(mock, PT + 8, gpa_of(1) | ALL);
    assert_int_equal(mock_hypercall(mock, 0, HVS_SLOT_RAW), HVS_HANDLED);
    assert_int_equal(mock->regs.rbx, UPPER(0xb) | SUCCESS << 16);
    assert_int_equal(mock->regs.rsi, GVA + 0xffc);
    assert_int_equal(mock->regs.rcx, 8);
    assert_int_equal(receive_size(&c), 17);
    set_block_regs(&c, true, GVA, 17);
    mock->regs.rdx = c.id << 16 | BDOOR_FLAGS_HB;
    assert_int_equal(mock_hypercall(mock, 0, HVS_SLOT_RAW), HVS_HANDLED);
    assert_int_equal(mock->regs.rbx, UPPER(0xb) | SUCCESS << 16);
    get(mock, 0, reply, 17);
    assert_memory_equal(reply, "0 Unknown command", 17);
}

#define HB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, vmw_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HB_TEST(test_request_and_reply),
        HB_TEST(test_largest_messages),
        HB_TEST(test_blocks_and_words_mix),
        HB_TEST(test_more_than_is_left),
        HB_TEST(test_out_of_step),
        HB_TEST(test_without_success),
        HB_TEST(test_other_commands_change_nothing),
        HB_TEST(test_what_is_not_ours),
        HB_TEST(test_pages_that_are_not_there_yet),
        HB_TEST(test_ring_3_reaches_only_its_own_pages),
        HB_TEST(test_read_only_pages),
        HB_TEST(test_addresses_that_are_none),
        HB_TEST(test_at_the_end_of_the_address_space),
        HB_TEST(test_buffers_that_are_no_ram),
        HB_TEST(test_nothing_is_read_for_nothing),
        HB_TEST(test_32_bit_code),
        HB_TEST(test_without_it_words_are_asked_for),
        HB_TEST(test_by_vmcall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
