/* answerer.c - a server as they are written in C. `answerer daemon COUNT` binds to vcan0, becomes a daemon, answers COUNT frames with the
 * id plus one, and ends; `answerer fork COUNT` forks a child for every frame, as inetd would, which answers with what it inherited. */
#include <linux/can.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int answer(int fd, const struct can_frame *question)
{
    struct can_frame frame = *question;

    frame.can_id++;
    return write(fd, &frame, sizeof(frame)) == sizeof(frame) ? 0 : -1;
}

static int answer_in_child(int fd, const struct can_frame *question)
{
    int status;
    pid_t child = fork();

    if (child == 0) _exit(answer(fd, question) == 0 ? 0 : 1);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

int main(int argc, char *argv[])
{
    struct sockaddr_can address = { .can_family = AF_CAN };
    struct can_frame frame;
    int fd = socket(PF_CAN, SOCK_RAW, CAN_RAW);

    address.can_ifindex = (int)if_nametoindex("vcan0");
    if (argc != 3 || fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        perror("answerer");
        return 1;
    }
    int forks = !strcmp(argv[1], "fork");
    if (!forks && daemon(0, 0) < 0) return 1;
    for (int left = atoi(argv[2]); left > 0; left--) {
        if (read(fd, &frame, sizeof(frame)) != sizeof(frame)) return 2;
        if ((forks ? answer_in_child : answer)(fd, &frame) < 0) return 3;
    }
    return 0;
}
