/*
 * The floor that bench/attach is compared with: the same kernel requests as one attachment makes, without anything
 * above them. Usage: floor <bridge>. Reads commands, one per line, and answers each with the microseconds it took:
 *
 *   attach: a new network namespace, held by a bind mount; a veth pair, its host end up and in the bridge, its other
 *     end created in the namespace as eth0; inside, in one send: loopback up, eth0 up, an address, a default route.
 *   plain: the same with a veth pair as ip(8) asks for it, which gets a queue per processor.
 *   drop: everything is removed: the host ends by group, the namespaces by umount and unlink.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "/run/netns"
#define FIRST_INDEX (1 << 20)
#define GROUP 0x4f000001

struct batch {
  char bytes[16384];
  size_t length;
  struct nlmsghdr *message;
  unsigned sequence;
};

static void fail(const char *what) {
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void *reserve(struct batch *b, size_t size) {
  void *at = b->bytes + b->length;
  memset(at, 0, NLMSG_ALIGN(size));
  b->length += NLMSG_ALIGN(size);
  return at;
}

static void *begin(struct batch *b, int type, int flags, size_t header) {
  b->message = reserve(b, sizeof(struct nlmsghdr));
  b->message->nlmsg_type = type;
  b->message->nlmsg_flags = NLM_F_REQUEST | flags;
  b->message->nlmsg_seq = ++b->sequence;
  return reserve(b, header);
}

static void end(struct batch *b) { b->message->nlmsg_len = b->bytes + b->length - (char *)b->message; }

static struct rtattr *attribute(struct batch *b, int type, const void *value, size_t size) {
  struct rtattr *a = reserve(b, RTA_LENGTH(size));
  a->rta_type = type;
  a->rta_len = RTA_LENGTH(size);
  if (size > 0) memcpy(RTA_DATA(a), value, size);
  return a;
}

static void attribute_u32(struct batch *b, int type, uint32_t value) { attribute(b, type, &value, sizeof value); }
static void attribute_text(struct batch *b, int type, const char *text) { attribute(b, type, text, strlen(text) + 1); }
static void close_nest(struct batch *b, struct rtattr *nest) { nest->rta_len = b->bytes + b->length - (char *)nest; }

/* The last message asks for an acknowledgement; refusals are answered in any case. */
static void exchange(int fd, struct batch *b) {
  char answer[8192];
  b->message->nlmsg_flags |= NLM_F_ACK;
  if (send(fd, b->bytes, b->length, 0) < 0) fail("send");
  for (;;) {
    ssize_t length = recv(fd, answer, sizeof answer, 0);
    if (length < 0) fail("recv");
    for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, length); m = NLMSG_NEXT(m, length)) {
      if (m->nlmsg_type != NLMSG_ERROR) continue;
      errno = -((struct nlmsgerr *)NLMSG_DATA(m))->error;
      if (errno != 0) fail("netlink");
      if (m->nlmsg_seq == b->sequence) {
        b->length = 0;
        return;
      }
    }
  }
}

static int route_socket(void) {
  int one = 1, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  if (fd < 0 || bind(fd, (void *)&address, sizeof address) < 0) fail("socket");
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  return fd;
}

static void path_of(char *path, size_t size, int i) { snprintf(path, size, FOLDER "/floor-%d", i); }

static int make_namespace(int home, int i, int *inside) {
  char path[64];
  path_of(path, sizeof path, i);
  if (unshare(CLONE_NEWNET) < 0) fail("unshare");
  int namespace = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  *inside = route_socket();
  int file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
  if (file < 0) fail(path);
  close(file);
  if (mount("/proc/thread-self/ns/net", path, "none", MS_BIND, NULL) < 0) fail("mount");
  if (setns(home, CLONE_NEWNET) < 0) fail("setns");
  return namespace;
}

static void one_queue(struct batch *b) {
  attribute_u32(b, IFLA_NUM_TX_QUEUES, 1);
  attribute_u32(b, IFLA_NUM_RX_QUEUES, 1);
}

static void make_pair(struct batch *b, int host, int namespace, int master, int i, int plain) {
  char name[IFNAMSIZ];
  snprintf(name, sizeof name, "floor%d", i);
  struct ifinfomsg *link = begin(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *link);
  link->ifi_index = FIRST_INDEX + i;
  link->ifi_flags = link->ifi_change = IFF_UP;
  attribute_text(b, IFLA_IFNAME, name);
  if (!plain) one_queue(b);
  attribute_u32(b, IFLA_MASTER, master);
  struct rtattr *info = attribute(b, IFLA_LINKINFO | NLA_F_NESTED, NULL, 0);
  attribute_text(b, IFLA_INFO_KIND, "veth");
  struct rtattr *data = attribute(b, IFLA_INFO_DATA | NLA_F_NESTED, NULL, 0);
  struct rtattr *peer = attribute(b, VETH_INFO_PEER | NLA_F_NESTED, NULL, 0);
  ((struct ifinfomsg *)reserve(b, sizeof(struct ifinfomsg)))->ifi_index = 2;
  attribute_text(b, IFLA_IFNAME, "eth0");
  if (!plain) one_queue(b);
  attribute_u32(b, IFLA_NET_NS_FD, namespace);
  close_nest(b, peer);
  close_nest(b, data);
  close_nest(b, info);
  end(b);
  exchange(host, b);
}

static void set_up(struct batch *b, int index) {
  struct ifinfomsg *link = begin(b, RTM_NEWLINK, 0, sizeof *link);
  link->ifi_index = index;
  link->ifi_flags = link->ifi_change = IFF_UP;
  end(b);
}

static void configure(struct batch *b, int inside, int i) {
  uint32_t address = htonl(0x0a140000 + 2 + i), gateway = htonl(0x0a140001);
  set_up(b, 1);
  set_up(b, 2);
  struct ifaddrmsg *a = begin(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *a);
  a->ifa_family = AF_INET;
  a->ifa_prefixlen = 16;
  a->ifa_index = 2;
  attribute(b, IFA_LOCAL, &address, 4);
  attribute(b, IFA_ADDRESS, &address, 4);
  end(b);
  struct rtmsg *r = begin(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof *r);
  r->rtm_family = AF_INET;
  r->rtm_table = RT_TABLE_MAIN;
  r->rtm_protocol = RTPROT_STATIC;
  r->rtm_type = RTN_UNICAST;
  attribute(b, RTA_GATEWAY, &gateway, 4);
  attribute_u32(b, RTA_OIF, 2);
  end(b);
  exchange(inside, b);
}

static void drop_all(struct batch *b, int host, int count) {
  if (count == 0) return;
  for (int i = 0; i < count; i++) {
    struct ifinfomsg *link = begin(b, RTM_NEWLINK, 0, sizeof *link);
    link->ifi_index = FIRST_INDEX + i;
    attribute_u32(b, IFLA_GROUP, GROUP);
    end(b);
    if (i % 100 == 99 || i == count - 1) exchange(host, b);
  }
  begin(b, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
  attribute_u32(b, IFLA_GROUP, GROUP);
  end(b);
  exchange(host, b);
  for (int i = 0; i < count; i++) {
    char path[64];
    path_of(path, sizeof path, i);
    if (umount2(path, MNT_DETACH) < 0 || unlink(path) < 0) fail(path);
  }
}

int main(int argc, char **argv) {
  static struct batch b;
  char line[16];
  if (argc != 2) return fprintf(stderr, "usage: floor <bridge>\n"), 2;
  int count = 0, master = if_nametoindex(argv[1]);
  if (master == 0) fail(argv[1]);
  int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), host = route_socket();
  while (fgets(line, sizeof line, stdin) != NULL) {
    double before = now_us();
    if (line[0] == 'a' || line[0] == 'p') {
      int inside, namespace = make_namespace(home, count, &inside);
      make_pair(&b, host, namespace, master, count, line[0] == 'p');
      configure(&b, inside, count++);
      close(inside);
      close(namespace);
    } else {
      drop_all(&b, host, count);
      count = 0;
    }
    printf("%.1f\n", now_us() - before);
    fflush(stdout);
  }
  return 0;
}
