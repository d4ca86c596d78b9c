/* SPDX-License-Identifier: MIT */
/* The wrappers' way to the kernel once libc's own leads back to us. */
#ifndef SHIM_PROGRAM_NATIVE_H
#define SHIM_PROGRAM_NATIVE_H

void native_install(void);

#endif
