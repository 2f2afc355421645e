/* SPDX-License-Identifier: MIT */
/*
 * Which parts the terminal has. With console=auto: a serial port, and the screen with the keyboard.
 * The port is the one that has the firmware's own console (SPCR), or COM1, or the one for debuggers
 * (DBG2), or one in a PCI function.
 * From: boot/main.c.   To: arch/terminal.c, arch/acpi_serial.c (SPCR, DBG2), pci/serial.c.
 */
#include "boot/console.h"
#include "arch/acpi.h"
#include "arch/acpi_serial.h"
#include "arch/options.h"
#include "arch/paging.h"
#include "arch/terminal.h"
#include "lib/bits.h"
#include "pci/pci.h"
#define LOG "console"
#include "arch/log.h"

#define BOOT_REACH (4 * SIZE_1G) /* boot/header.asm maps as much */

static bool is_low(const struct boot_screen *s)
{
    return s->base.v < BOOT_REACH && (uint64_t)s->pitch * s->height <= BOOT_REACH - s->base.v;
}

static bool wants(enum console what)
{
    return options.console == CONSOLE_AUTO || options.console == what;
}

void boot_console_first(const struct boot_info *info)
{
    terminal_chosen();
    if (wants(CONSOLE_PORT))
        IGNORE(terminal_open_serial((struct uart_place){.base = options.console_port},
                                    options.console_speed));
    if (wants(CONSOLE_SCREEN) && is_low(&info->screen))
        IGNORE(terminal_open_screen(&info->screen));
}

static void open_named(const char *table, struct uart_place at, uint32_t baud)
{
    struct uart_place now = terminal_serial();
    if (now.base == at.base && now.spacing == at.spacing)
        return;
    const char *where = at.spacing ? "memory" : "port";
    if (at.spacing && !mmio_map(hpa(at.base), UART_REGISTERS * (uint64_t)at.spacing))
        return;
    log_info("%s names the console: %s=0x%lx baud=%u", table, where, at.base, baud);
    if (!terminal_open_serial(at, baud))
        log_info("no UART answers at %s 0x%lx", where, at.base);
}

void boot_console_by_tables(const struct boot_info *info)
{
    struct uart_place at;
    uint32_t baud;
    if (wants(CONSOLE_SCREEN) && !terminal_has_screen())
        IGNORE(terminal_open_screen(&info->screen));
    if (options.console != CONSOLE_AUTO)
        return;
    if (acpi_spcr_uart(acpi_find("SPCR"), &at, &baud))
        open_named("SPCR", at, baud);
    else if (!terminal_has_serial() && acpi_dbg2_uart(acpi_find("DBG2"), &at))
        open_named("DBG2", at, options.console_speed);
}

void boot_console_by_pci(void)
{
    if (wants(CONSOLE_PCI) && !terminal_has_serial())
        pci_serial_open(options.console_speed);
}
