#ifndef CEPOLL_SHIM_H
#define CEPOLL_SHIM_H

#include <stdint.h>

// Linux system calls whose headers Swift's Glibc module lacks, or whose types it would not share:
// epoll_create1(2), epoll_ctl(2), epoll_wait(2), eventfd(2), timerfd_create(2),
// timerfd_settime(2), pthread_setname_np(3), accept4(2), connect(2), bind(2) and getsockname(2). The
// names are of this module alone, and structures of other headers go as their addresses: nothing
// here can collide with the real declarations.

// struct epoll_event; packed on x86-64, where the kernel has it so for 32-bit programs' sake.
struct cepoll_event {
  uint32_t events;
  uint64_t data;
#ifdef __x86_64__
} __attribute__((packed));
#else
};
#endif

int cepoll_create(int flags) __asm__("epoll_create1");
int cepoll_ctl(int epoll, int operation, int fd, struct cepoll_event *event) __asm__("epoll_ctl");
int cepoll_wait(int epoll, struct cepoll_event *events, int count, int timeout_ms)
    __asm__("epoll_wait");
int cepoll_eventfd(unsigned int initial, int flags) __asm__("eventfd");
int cepoll_timerfd_create(int clock, int flags) __asm__("timerfd_create");
int cepoll_timerfd_settime(int fd, int flags, const void *value, void *previous)
    __asm__("timerfd_settime");
int cepoll_thread_name(unsigned long thread, const char *name) __asm__("pthread_setname_np");
int cepoll_accept4(int fd, void *address, void *length, int flags) __asm__("accept4");
int cepoll_connect(int fd, const void *address, unsigned int length) __asm__("connect");
int cepoll_bind(int fd, const void *address, unsigned int length) __asm__("bind");
int cepoll_getsockname(int fd, void *address, unsigned int *length) __asm__("getsockname");

#endif
