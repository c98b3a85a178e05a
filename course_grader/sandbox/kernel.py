"""System calls that Python's `os` lacks, by name, on x86_64 and aarch64."""

from __future__ import annotations

import ctypes
import os
import sys

MACHINES = ("x86_64", "aarch64")
MACHINE = os.uname().machine if sys.platform == "linux" else ""

# name, number on x86_64, number on aarch64 (- where that machine has none).
# Source: Linux 6.18, arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl
TABLE = """
acct 163 89                         add_key 248 217
adjtimex 159 171                    bpf 321 280
capset 126 91                       chmod 90 -
chown 92 -                          chroot 161 51
clock_adjtime 305 266               clock_settime 227 112
clone 56 220                        clone3 435 435
connect 42 203                      delete_module 176 106
fanotify_init 300 262               fchmod 91 52
fchmodat 268 53                     fchmodat2 452 452
fchown 93 55                        fchownat 260 54
fcntl 72 25                         file_setattr 469 469
finit_module 313 273                fremovexattr 199 16
fsconfig 431 431                    fsetxattr 190 7
fsmount 432 432                     fsopen 430 430
fspick 433 433                      futimesat 261 -
init_module 175 105                 inotify_add_watch 254 27
io_uring_enter 426 426              io_uring_register 427 427
io_uring_setup 425 425              ioperm 173 -
iopl 172 -                          ioprio_set 251 30
kcmp 312 272                        kexec_file_load 320 294
kexec_load 246 104                  keyctl 250 219
kill 62 129                         landlock_add_rule 445 445
landlock_create_ruleset 444 444     landlock_restrict_self 446 446
lchown 94 -                         lremovexattr 198 15
lsetxattr 189 6                     memfd_create 319 279
memfd_secret 447 447                migrate_pages 256 238
modify_ldt 154 -                    mount 165 40
mount_setattr 442 442               move_mount 429 429
move_pages 279 239                  mq_open 240 180
mq_unlink 241 181                   msgctl 71 187
msgget 68 186                       msgrcv 70 188
msgsnd 69 189                       name_to_handle_at 303 264
open_by_handle_at 304 265           open_tree 428 428
open_tree_attr 467 467              perf_event_open 298 241
personality 135 92                  pidfd_getfd 438 438
pidfd_send_signal 424 424           pivot_root 155 41
prctl 157 167                       prlimit64 302 261
process_madvise 440 440             process_mrelease 448 448
process_vm_readv 310 270            process_vm_writev 311 271
ptrace 101 117                      quotactl 179 60
quotactl_fd 443 443                 reboot 169 142
removexattr 197 14                  removexattrat 466 466
request_key 249 218                 rt_sigqueueinfo 129 138
rt_tgsigqueueinfo 297 240           sched_setaffinity 203 122
sched_setattr 314 274               sched_setparam 142 118
sched_setscheduler 144 119          seccomp 317 277
semctl 66 191                       semget 64 190
semop 65 193                        semtimedop 220 192
setdomainname 171 162               sethostname 170 161
setns 308 268                       setpgid 109 154
setpriority 141 140                 setsid 112 157
settimeofday 164 170                setxattr 188 5
setxattrat 463 463                  shmat 30 196
shmctl 31 195                       shmget 29 194
socket 41 198                       socketpair 53 199
swapoff 168 225                     swapon 167 224
syslog 103 116                      tgkill 234 131
tkill 200 130                       umount2 166 39
unshare 272 97                      uselib 134 -
userfaultfd 323 282                 utime 132 -
utimensat 280 88                    utimes 235 -
vhangup 153 58
"""
WORDS = TABLE.split()
NUMBERS = {
    machine: {
        name: int(row[column])
        for name, *row in zip(WORDS[::3], WORDS[1::3], WORDS[2::3], strict=True)
        if row[column] != "-"
    }
    for column, machine in enumerate(MACHINES)
}

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS = 24, 38, 40
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAPABILITIES_VERSION = 0x20080522  # two words of 32 capabilities each

# The interpreter's lock is kept over a call: none waits, and a clone must not let go.
libc = ctypes.PyDLL(None, use_errno=True) if sys.platform == "linux" else None


def call(name: str, *arguments: int | bytes | ctypes.Array | None) -> int:
    """Make a system call; OSError, which names the call, when the kernel refuses."""
    number = NUMBERS.get(MACHINE, {}).get(name)
    if number is None:
        raise OSError(f"{name} is not known on {MACHINE or sys.platform}")
    plain = (ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
    libc.syscall.restype = ctypes.c_long
    result = libc.syscall(ctypes.c_long(number), *plain)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def prctl(option: int, *arguments: int | ctypes.Array) -> int:
    """Call prctl with the arguments that are not given as zeros."""
    return call("prctl", option, *arguments, *[0] * (4 - len(arguments)))


def words(*values: int) -> ctypes.Array:
    """Return 64-bit numbers side by side, as the kernel's structures are."""
    return (ctypes.c_uint64 * len(values))(*values)


def drop_capabilities(kept: int = 0) -> None:
    """Give up all capabilities for good, but those in the bit mask `kept`.

    What is kept is inherited by programs that the process starts.
    """
    for capability in range(64):
        if not kept >> capability & 1:
            try:
                prctl(PR_CAPBSET_DROP, capability)
            except OSError:  # past the last, or we may not: then capset must do
                break
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    call("capset", header, (ctypes.c_uint32 * 6)(*[low] * 3, *[high] * 3))
    for capability in range(64):
        if kept >> capability & 1:
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)
