/* Preloaded into Redis: its wall clock is the real one plus the microseconds that the file $SOAK_CLOCK holds. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t none, *offset_us = &none;

__attribute__((constructor)) static void look(void) {
    const char *name = getenv("SOAK_CLOCK");
    int file = name ? open(name, O_RDONLY) : -1;
    if (file < 0) return;
    void *page = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) offset_us = page;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec real;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &real);
    int64_t us = real.tv_sec * 1000000LL + real.tv_nsec / 1000 + *offset_us;
    now->tv_sec = us / 1000000;
    now->tv_usec = us % 1000000;
    return 0;
}

time_t time(time_t *told) {
    struct timeval now;
    gettimeofday(&now, 0);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}
