/* The channel between the profiled program and the recorder.
 *
 * A pair of AF_UNIX SOCK_SEQPACKET sockets: VMProf writes each sample and each block of names with
 * one write(), which becomes one packet, whole or not at all.  The program's end does not block:
 * while the recorder is late VMProf keeps what it could not write in its own buffers, and the
 * program never waits.  The kernel stamps every packet as it is sent (SO_TIMESTAMPNS), so a
 * sample's time is that of the sample and not of the moment the recorder woke up; the stamps are
 * of CLOCK_REALTIME and are put on CLOCK_MONOTONIC with both clocks read after each batch. */
#ifndef VF_RECORD_CHANNEL_H
#define VF_RECORD_CHANNEL_H

#include "base/buf.h"
#include "base/error.h"

#include <time.h>

enum {
    VF_CHANNEL_BUFFER = 16 << 20, /* asked for; the system's limit is taken where it is lower */
    VF_PACKET_MAX = 65536,        /* VMProf's are at most 8 KiB */
    VF_BATCH = 64,
};

/* First bytes of a packet that is a message of the bootstrap and not VMProf's. */
#define VF_CONTROL_PREFIX "\xffvmfox"

struct vf_packet {
    struct vf_str bytes;
    int64_t monotonic_ns; /* when it was sent */
};

struct vf_channel {
    int ours, theirs; /* descriptors; `theirs` is the program's end, -1 once it is closed here */
    char *buffers;    /* VF_BATCH packets */
    struct vf_packet packets[VF_BATCH];
    int64_t last_ns; /* stamps never go back */
};

enum vf_status vf_channel_open(struct vf_channel *channel, struct vf_error *error);
/* Reads what is there, at most VF_BATCH packets, without waiting: how many are in
 * channel->packets, good until the next call.  0: nothing there now; -1: the other end is closed
 * and all has been read. */
int vf_channel_receive(struct vf_channel *channel);
/* Sends a packet to the program; false when it is gone. */
bool vf_channel_send(struct vf_channel *channel, const void *bytes, size_t len);
void vf_channel_close(struct vf_channel *channel);

/* Moves a descriptor to a high number, close-on-exec: a program that opens files should get the
 * numbers it would get without us.  Returns the new one, or `fd` where there is no room. */
int vf_fd_move_up(int fd);

/* Nanoseconds of a clock (CLOCK_MONOTONIC, CLOCK_REALTIME). */
int64_t vf_clock_now_ns(int clock);

#endif
