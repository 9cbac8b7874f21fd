/*
 * COM1: a 16550A UART on the console. [National Semiconductor PC16550D]
 *
 * Sending takes no time, so the transmitter is always empty; a receive buffer larger than the chip's stands between
 * console and guest. Left out: baud rate, line errors, modem status changes, the FIFO's trigger levels.
 */
#include "machine.h"

enum { DATA, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };
enum { IER_RX = 1, IER_THRE = 2 };
enum { IIR_NONE = 1, IIR_THRE = 2, IIR_RX = 4, IIR_FIFO = 0xc0 };
enum { FCR_FIFO = 1, FCR_CLEAR_RX = 2 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16 };
enum { LSR_DATA = 1, LSR_THR_EMPTY = 0x20, LSR_IDLE = 0x40 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };

static uint8_t interrupt_cause(const struct serial *s)
{
    if (s->ier & IER_RX && s->rx_count)
        return IIR_RX;
    return s->ier & IER_THRE && s->is_thre_pending ? IIR_THRE : IIR_NONE;
}

/* OUT2 connects the chip to its interrupt line; loopback cuts it. */
static void update_line(struct machine *m)
{
    struct serial *s = &m->serial;
    bool is_high = (s->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2 && interrupt_cause(s) != IIR_NONE;
    if (is_high == s->is_line_high)
        return;
    s->is_line_high = is_high;
    struct kvm_irq_level line = {.irq = VMM_SERIAL_IRQ, .level = is_high};
    vmm_ioctl(m->vm_fd, KVM_IRQ_LINE, "KVM_IRQ_LINE", &line);
}

/* Loopback shows the modem outputs as modem inputs; outside, a ready modem is always there. */
static uint8_t modem_status(const struct serial *s)
{
    if (!(s->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) | (s->mcr & MCR_OUT1 ? MSR_RI : 0) |
           (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void push(struct serial *s, uint8_t byte)
{
    if (s->rx_count < sizeof(s->rx))
        s->rx[(s->rx_first + s->rx_count++) % sizeof(s->rx)] = byte;
}

static uint8_t pop(struct machine *m)
{
    struct serial *s = &m->serial;
    if (!s->rx_count)
        return 0;
    if (s->rx_count == sizeof(s->rx))
        vmm_wake(m);            /* it stopped reading the console */
    uint8_t byte = s->rx[s->rx_first];
    s->rx_first = (s->rx_first + 1) % sizeof(s->rx);
    s->rx_count--;
    return byte;
}

static uint8_t read_iir(struct serial *s)
{
    uint8_t cause = interrupt_cause(s);
    if (cause == IIR_THRE)
        s->is_thre_pending = false;
    return cause | (s->has_fifo ? IIR_FIFO : 0);
}

static uint8_t read_register(struct machine *m, uint32_t index)
{
    struct serial *s = &m->serial;
    switch (index) {
    case DATA:
        return s->lcr & LCR_DLAB ? s->dll : pop(m);
    case IER:
        return s->lcr & LCR_DLAB ? s->dlm : s->ier;
    case IIR_FCR:
        return read_iir(s);
    case LCR:
        return s->lcr;
    case MCR:
        return s->mcr;
    case LSR:
        return LSR_THR_EMPTY | LSR_IDLE | (s->rx_count ? LSR_DATA : 0);
    case MSR:
        return modem_status(s);
    default:
        return s->scr;
    }
}

/* Returns whether the byte leaves for the console. */
static bool write_register(struct serial *s, uint32_t index, uint8_t value)
{
    switch (index) {
    case DATA:
        if (s->lcr & LCR_DLAB) {
            s->dll = value;
            return false;
        }
        s->is_thre_pending = true;
        s->is_used = true;
        if (s->mcr & MCR_LOOP)
            push(s, value);
        return !(s->mcr & MCR_LOOP);
    case IER:
        if (s->lcr & LCR_DLAB) {
            s->dlm = value;
            return false;
        }
        if (value & ~s->ier & IER_THRE)
            s->is_thre_pending = true;
        s->ier = value & 0xf;
        return false;
    case IIR_FCR:
        s->has_fifo = value & FCR_FIFO;
        if (value & FCR_CLEAR_RX)
            s->rx_count = 0;
        return false;
    case LCR:
        s->lcr = value;
        return false;
    case MCR:
        s->mcr = value & 0x1f;
        return false;
    case SCR:
        s->scr = value;
        return false;
    default:
        return false;
    }
}

uint32_t vmm_serial_in(struct machine *m, uint16_t port, uint32_t size)
{
    (void)size;
    pthread_mutex_lock(&m->serial.lock);
    uint8_t value = read_register(m, port - VMM_SERIAL_PORT);
    update_line(m);
    pthread_mutex_unlock(&m->serial.lock);
    return 0xffffff00u | value;
}

void vmm_serial_out(struct machine *m, uint16_t port, uint32_t size, uint32_t value)
{
    (void)size;
    pthread_mutex_lock(&m->serial.lock);
    bool leaves = write_register(&m->serial, port - VMM_SERIAL_PORT, (uint8_t)value);
    update_line(m);
    pthread_mutex_unlock(&m->serial.lock);
    if (leaves)
        vmm_console_write(m, (uint8_t)value);   /* without the lock: it may wait for who reads our output */
}

bool vmm_serial_has_room(struct machine *m)
{
    pthread_mutex_lock(&m->serial.lock);
    bool is_for_us = m->serial.is_used || !m->xen_pages;        /* else the guest may still take to hvc0 */
    bool has_room = is_for_us && m->serial.rx_count < sizeof(m->serial.rx);
    pthread_mutex_unlock(&m->serial.lock);
    return has_room;
}

void vmm_serial_receive(struct machine *m, uint8_t byte)
{
    pthread_mutex_lock(&m->serial.lock);
    push(&m->serial, byte);
    update_line(m);
    pthread_mutex_unlock(&m->serial.lock);
}
