/* Which instructions are strings that come whole. */
#include "strings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_decode(void **state)
{
    static const struct {
        const char *code;
        uint8_t code_bits;
        bool is_string, is_in;
    } t[] = {
        {"\xf3\x6e", 64, true, false},
        {"\xf3\x6c", 64, true, true},
        {"\xf2\x6e", 64, true, false},
        {"\xf3\x48\x6c", 64, true, true},         /* REX.W does nothing here */
        {"\x66\xf3\x6e", 64, true, false},
        {"\xf3\x66\x6e", 16, true, false},
        {"\xf3\x6c", 32, true, true},
        {"\x6e", 64, false, false},                /* no REP */
        {"\x48\x6e", 64, false, false},
        {"\xf3\x6f", 64, false, false},            /* not bytes */
        {"\xf3\x6d", 64, false, false},
        {"\xf3\x48\x6e", 32, false, false},        /* DEC EAX */
        {"\xf3\x67\x6e", 64, false, false},        /* by ESI */
        {"\xf3\x64\x6e", 64, false, false},        /* from FS */
        {"\xf3\x65\x6e", 32, false, false},
        {"\xee", 64, false, false},
        {"\xf3\xec", 64, false, false},
        {"\xf3", 64, false, false},
        {"\xf3\x48", 64, false, false},
        {"", 64, false, false},
        {"\xf3\xf3\xf3\xf3\xf3\xf3\xf3\xf3\xf3\xf3\xf3\xf3\xf3\xf3\xf3", 64, false, false},
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct hvs_kvm_string found =
            hvs_kvm_string_decode((const uint8_t *)t[i].code, (uint32_t)strlen(t[i].code), t[i].code_bits);

        if (found.is_string != t[i].is_string || (found.is_string && found.is_in != t[i].is_in))
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decode)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
