/* Packets through a published port, over UDP.
 *   flows echo FIRST LAST              answers on ports FIRST to LAST, until killed
 *   flows new ADDRESS PORT COUNT       a question from a new socket each time: what the first packet of a flow costs
 *   flows same ADDRESS PORT COUNT      questions from one socket: what every further packet costs
 * Prints round trips per second. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int bound(int port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (bind(fd, (struct sockaddr *)&a, sizeof a)) exit(2);
  return fd;
}

static void echo(int first, int last) {
  int count = last - first + 1;
  struct pollfd *fds = calloc(count, sizeof *fds);
  for (int i = 0; i < count; i++) fds[i] = (struct pollfd){.fd = bound(first + i), .events = POLLIN};
  puts("ready");
  fflush(stdout);
  for (;;) {
    poll(fds, count, -1);
    for (int i = 0; i < count; i++) {
      if (!(fds[i].revents & POLLIN)) continue;
      char byte;
      struct sockaddr_in from;
      socklen_t size = sizeof from;
      while (recvfrom(fds[i].fd, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &size) >= 0)
        sendto(fds[i].fd, &byte, 1, 0, (struct sockaddr *)&from, size);
    }
  }
}

static int opened(struct sockaddr_in *to) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct timeval patience = {.tv_sec = 2};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *)to, sizeof *to)) exit(3);
  return fd;
}

static void question(int fd) {
  char byte = 'x';
  if (send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1) {
    fputs("no answer\n", stderr);
    exit(4);
  }
}

int main(int argc, char **argv) {
  if (argc == 4 && !strcmp(argv[1], "echo")) echo(atoi(argv[2]), atoi(argv[3]));
  if (argc != 5) return 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))};
  inet_pton(AF_INET, argv[2], &to.sin_addr);
  int count = atoi(argv[4]), fresh = !strcmp(argv[1], "new"), fd = -1;
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int i = 0; i < count; i++) {
    if (fresh || i == 0) fd = opened(&to);
    question(fd);
    if (fresh) close(fd);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%.0f\n", count / ((end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9));
}
