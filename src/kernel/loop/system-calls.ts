import koffi from 'koffi'

/**
 * The system calls of the resolver's loop. Memory is passed by address ({@link Arena}), which costs 0.2 us a call where
 * converting buffers costs more. Unlike elsewhere a failure is a negative result, `-errno`: here most are expected.
 */
const libc = koffi.load(null)

type Native = (...args: unknown[]) => number

function bind(signature: string): (...args: number[]) => number {
  const native = libc.func(signature) as Native
  return (...args) => {
    const result = native(...args)
    return result === -1 ? -koffi.errno() : result
  }
}

const copy = libc.func('uintptr_t memcpy(_Inout_ uint8_t *target, const uint8_t *source, size_t length)') as Native

/** Address of a buffer's memory. Good for buffers that V8 does not move: those larger than some hundred bytes. */
export const addressOf = (bytes: Uint8Array): number => copy(bytes, bytes, 0)

export const EPERM = 1
export const EINTR = 4
export const EAGAIN = 11
export const EMFILE = 24
export const ENFILE = 23
export const ENOBUFS = 105
export const ENOMEM = 12
export const EINPROGRESS = 115

export const EPOLLIN = 1
export const EPOLLOUT = 4
export const EPOLLERR = 8
export const EPOLLHUP = 0x10
export const EPOLLRDHUP = 0x2000
export const EPOLL_CTL_ADD = 1
export const EPOLL_CTL_DEL = 2
export const EPOLL_CTL_MOD = 3

export const AF_INET = 2
export const AF_INET6 = 10
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000
export const MSG_TRUNC = 0x20
export const SOL_SOCKET = 1
export const SO_RCVBUF = 8
export const SO_RCVBUFFORCE = 33
export const CLONE_NEWNET = 0x40000000

export const epollCreate = bind('int epoll_create1(int flags)')
export const epollControl = bind('int epoll_ctl(int epoll, int operation, int fd, uintptr_t event)')
export const epollWait = bind('int epoll_wait(int epoll, uintptr_t events, int count, int timeout)')
export const eventFd = bind('int eventfd(unsigned int value, int flags)')
export const socket = bind('int socket(int domain, int type, int protocol)')
export const bindSocket = bind('int bind(int fd, uintptr_t address, uint32_t length)')
export const connect = bind('int connect(int fd, uintptr_t address, uint32_t length)')
export const accept = bind('int accept4(int fd, uintptr_t address, uintptr_t length, int flags)')
export const receive = bind('intptr_t recv(int fd, uintptr_t buffer, size_t length, int flags)')
export const send = bind('intptr_t send(int fd, uintptr_t buffer, size_t length, int flags)')
export const sendTo = bind('intptr_t sendto(int fd, uintptr_t buffer, size_t length, int flags, uintptr_t address, uint32_t addressLength)')
export const receiveMany = bind('int recvmmsg(int fd, uintptr_t messages, unsigned int count, int flags, uintptr_t timeout)')
export const sendMany = bind('int sendmmsg(int fd, uintptr_t messages, unsigned int count, int flags)')
export const close = bind('int close(int fd)')
export const read = bind('intptr_t read(int fd, uintptr_t buffer, size_t length)')
export const setNamespace = bind('int setns(int fd, int type)')
export const setSocketOption = bind('int setsockopt(int fd, int level, int name, uintptr_t value, uint32_t length)')

const nameToIndex = libc.func('unsigned int if_nametoindex(const char *name)') as Native
/** Of the calling thread's network namespace; 0: there is no such interface. */
export const interfaceIndex = (name: string): number => nameToIndex(name)
