/*
 * What the probe library asks of its front, from CPL 3 under Windows, or under Wine [env.h].
 *
 * Windows lets no program read an MSR or use a port. Left out: the pages of the hypervisor that Windows itself maps
 * into programs, which it does not document.
 */
#include "env.h"

#include <windows.h>

#include "clock.h"
#include "cpu.h"
#include "program.h"
#include "text.h"

enum {
    VECTOR_UD = 6,
    VECTOR_GP = 13,
    RATE_INTERVAL_MS = 20,
    NS_PER_MS = 1000000,
    FACT_BYTES = 160,
    STACK_ALIGNMENT = 16,
    RETURN_ADDRESS_BYTES = 8,
};

/* __builtin_longjmp unwinds nothing: the one of the C library asks for tables of frames that a fault may not have. */
static void *recovery[5];
static volatile bool is_trying;
static volatile int vector;
static HANDLE must_end;
static LARGE_INTEGER counter_hz;

static void recover(void)
{
    __builtin_longjmp(recovery, 1);
}

/* Goes on in recover() as if the instruction that faulted had called it. */
static LONG CALLBACK on_fault(EXCEPTION_POINTERS *fault)
{
    DWORD code = fault->ExceptionRecord->ExceptionCode;
    bool is_ud = code == EXCEPTION_ILLEGAL_INSTRUCTION;

    if (!is_trying || (!is_ud && code != EXCEPTION_PRIV_INSTRUCTION && code != EXCEPTION_ACCESS_VIOLATION))
        return EXCEPTION_CONTINUE_SEARCH;
    vector = is_ud ? VECTOR_UD : VECTOR_GP;
    fault->ContextRecord->Rip = (DWORD64)(uintptr_t)recover;
    fault->ContextRecord->Rsp = fault->ContextRecord->Rsp / STACK_ALIGNMENT * STACK_ALIGNMENT - RETURN_ADDRESS_BYTES;
    return EXCEPTION_CONTINUE_EXECUTION;
}

/* Runs in a thread of its own. */
static BOOL WINAPI on_end(DWORD event)
{
    (void)event;
    SetEvent(must_end);
    return TRUE;
}

void program_init(void)
{
    SetThreadAffinityMask(GetCurrentThread(), 1);
    QueryPerformanceFrequency(&counter_hz);
    AddVectoredExceptionHandler(1, on_fault);
    must_end = CreateEventA(NULL, TRUE, FALSE, NULL);
    SetConsoleCtrlHandler(on_end, TRUE);
}

bool env_is_cpl0(void)
{
    return false;
}

int env_try(void (*fn)(void *arg), void *arg)
{
    vector = ENV_NO_FAULT;
    if (__builtin_setjmp(recovery) == 0) {
        is_trying = true;
        fn(arg);
    }
    is_trying = false;
    return vector;
}

void env_cpuid(uint32_t leaf, uint32_t subleaf, struct env_cpuid *regs)
{
    cpu_cpuid(leaf, subleaf, regs);
}

enum env_answer env_rdmsr(uint32_t index, uint64_t *value)
{
    (void)index;
    (void)value;
    return ENV_CANNOT;
}

enum env_answer env_wrmsr(uint32_t index, uint64_t value)
{
    (void)index;
    (void)value;
    return ENV_CANNOT;
}

static void do_in32(void *arg)
{
    cpu_in32(arg);
}

/* VMware itself lets every program at its port; elsewhere the fault says nothing. */
enum env_answer env_in32(struct env_regs *regs)
{
    return env_try(do_in32, regs) == ENV_NO_FAULT ? ENV_DONE : ENV_CANNOT;
}

void *env_page(void)
{
    return NULL;
}

const void *env_map(uint64_t gpa, uint32_t bytes)
{
    (void)gpa;
    (void)bytes;
    return NULL;
}

uint8_t env_vector(void)
{
    return 0;
}

bool env_interrupt_send(void)
{
    return false;
}

void env_interrupt_arm(void)
{
}

bool env_interrupt_wait(uint64_t timeout_ns)
{
    (void)timeout_ns;
    return false;
}

static uint64_t read_counter(void)
{
    LARGE_INTEGER count;
    QueryPerformanceCounter(&count);
    return (uint64_t)count.QuadPart;
}

uint64_t env_tsc_khz(const char **source)
{
    static uint64_t khz;

    *source = env_fact(ENV_FACT_CLOCKSOURCE);
    if (khz != 0)
        return khz;
    struct clock_reading begin = clock_read(read_counter);
    Sleep(RATE_INTERVAL_MS);
    struct clock_reading end = clock_read(read_counter);
    if (end.count > begin.count)
        khz = (end.tsc - begin.tsc) * ((uint64_t)counter_hz.QuadPart / 1000) / (end.count - begin.count);
    return khz;
}

uint64_t env_apic_khz(void)
{
    return 0;
}

/* The version that is there, not the one that the program is made for, which GetVersionEx tells. */
static void add_version(HMODULE ntdll, struct text *text)
{
    RTL_OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof(version)};
    LONG(WINAPI * get)(RTL_OSVERSIONINFOW *) = (void *)GetProcAddress(ntdll, "RtlGetVersion");
    if (get != NULL && get(&version) == 0)
        text_add(text, "Windows %lu.%lu.%lu, ", version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber);
}

static void add_wine(HMODULE ntdll, struct text *text)
{
    const char *(CDECL * get)(void) = (void *)GetProcAddress(ntdll, "wine_get_version");
    if (get != NULL)
        text_add(text, "by Wine %s, ", get());
}

const char *env_fact(enum env_fact fact)
{
    static char said[FACT_BYTES];
    struct text text = TEXT_IN(said);
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");

    if (fact == ENV_FACT_CLOCKSOURCE)
        return "QueryPerformanceCounter";
    if (ntdll != NULL) {
        add_version(ntdll, &text);
        add_wine(ntdll, &text);
    }
    text_add(&text, "QueryPerformanceCounter at %llu Hz", (unsigned long long)counter_hz.QuadPart);
    return said;
}

void env_kernel_clock(void)
{
    read_counter();
}

bool env_rest(uint64_t ns)
{
    DWORD ms = (DWORD)((ns + NS_PER_MS - 1) / NS_PER_MS);
    return WaitForSingleObject(must_end, ms) == WAIT_TIMEOUT;
}

void env_print(const char *text, size_t bytes)
{
    HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
    while (bytes > 0) {
        DWORD written;
        if (!WriteFile(out, text, (DWORD)bytes, &written, NULL) || written == 0)
            return;
        text += written;
        bytes -= written;
    }
}
