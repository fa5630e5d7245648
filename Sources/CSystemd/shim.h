#ifndef CSYSTEMD_SHIM_H
#define CSYSTEMD_SHIM_H

#include <stddef.h>
#include <stdint.h>

// The functions of <systemd/sd-daemon.h> that are used, declared as sd_notify(3),
// sd_listen_fds(3), sd_is_socket(3) and sd_watchdog_enabled(3) give them. The header itself brings
// <sys/types.h> along, whose types this module would then share with Swift's Glibc module: which of
// the two owns them would depend on the order of compilation.
int sd_notify(int unset_environment, const char *state);
int sd_listen_fds_with_names(int unset_environment, char ***names);
int sd_is_socket_unix(int fd, int type, int listening, const char *path, size_t length);
int sd_watchdog_enabled(int unset_environment, uint64_t *usec);

// timerfd_create(2) and timerfd_settime(2), whose header Swift's Glibc module lacks. The names are
// of this module alone, and a `struct itimerspec` goes as its address: nothing here can collide with
// another module that brings the real declarations.
int hotline_timerfd_create(int clock, int flags) __asm__("timerfd_create");
int hotline_timerfd_settime(int fd, int flags, const void *value, void *previous)
    __asm__("timerfd_settime");

// prctl(2), which Swift cannot call because it takes variable arguments; the system call takes five.
int hotline_prctl(int option, unsigned long second, unsigned long third, unsigned long fourth,
                  unsigned long fifth) __asm__("prctl");

#endif
