/* SPDX-License-Identifier: MIT */
/*
 * A serial port in a PCI function: a card, or serial over LAN of a server or an office PC. Such a
 * function is no guest's from then on (pci_is_console()).
 * From: boot/console.c.   To: arch/terminal.c.
 * Spec: PCI Code and ID Assignment "Base Class 07h".
 */
#include "arch/paging.h"
#include "arch/terminal.h"
#include "pci/pci_private.h"
#define LOG "console"
#include "arch/log.h"

#define CLASS_16550     0x070002 /* later interfaces are 16550s that can do more */
#define CLASS_INTERFACE BITS(7, 0)

static bool is_serial(const struct pci_function *f)
{
    return f->class_code >= CLASS_16550 && f->class_code < (CLASS_16550 | CLASS_INTERFACE) &&
           f->bars[0].kind != PCI_BAR_NONE && f->bars[0].base;
}

void pci_serial_open(uint32_t baud)
{
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *f = pci_get(i);
        if (!is_serial(f))
            continue;
        const struct pci_bar *bar = &f->bars[0];
        struct uart_place at = {bar->base, bar->kind == PCI_BAR_MEM};
        if (at.spacing && !mmio_map(hpa(bar->base), UART_REGISTERS))
            continue;
        pci_command(f->bdf, pci_decode_bits(f), 0);
        log_info(BDF_FMT " is the console", BDF_ARG(f->bdf));
        if (terminal_open_serial(at, baud))
            return;
        log_error(BDF_FMT ": no UART answers there", BDF_ARG(f->bdf));
    }
}
