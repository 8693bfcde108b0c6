/* raw_send.c - sends one frame, id 0x123 data 11 22, on vcan0: the first program of every SocketCAN introduction.
 *
 * Nothing here knows of pocketcan. Inside `pocketcan run`:  cc -o raw_send raw_send.c && ./raw_send */
#include <linux/can.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    int fd = socket(PF_CAN, SOCK_RAW, CAN_RAW);
    if (fd < 0) {
        perror("socket");
        return 1;
    }

    struct ifreq ifr;
    memset(&ifr, 0, sizeof(ifr));
    strcpy(ifr.ifr_name, "vcan0");
    if (ioctl(fd, SIOCGIFINDEX, &ifr) < 0) {
        perror("vcan0");
        return 1;
    }

    struct sockaddr_can address;
    memset(&address, 0, sizeof(address));
    address.can_family = AF_CAN;
    address.can_ifindex = ifr.ifr_ifindex;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        perror("bind");
        return 1;
    }

    struct can_frame frame;
    memset(&frame, 0, sizeof(frame));
    frame.can_id = 0x123;
    frame.can_dlc = 2;
    frame.data[0] = 0x11;
    frame.data[1] = 0x22;
    ssize_t size = write(fd, &frame, sizeof(frame));
    if (size < 0) {
        perror("write");
        return 1;
    }
    printf("Wrote %zd bytes\n", size);

    close(fd);
    return 0;
}
