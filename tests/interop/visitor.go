// Sends and receives with the ways of Go: x/sys/unix, net.InterfaceByName, os.File on the runtime's poller.
package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func open(index int) int {
	fd, err := unix.Socket(unix.AF_CAN, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.CAN_RAW)
	check(err)
	check(unix.Bind(fd, &unix.SockaddrCAN{Ifindex: index}))
	return fd
}

func main() {
	link, err := net.InterfaceByName("vcan0")
	check(err)
	fmt.Println(link.Name, link.MTU, link.Flags&net.FlagUp != 0)
	in := os.NewFile(uintptr(open(link.Index)), "in")
	out := os.NewFile(uintptr(open(link.Index)), "out")
	done := make(chan int)
	go func() {
		frame := make([]byte, 16)
		for i := 0; i < 1000; i++ {
			n, err := in.Read(frame)
			check(err)
			if n != 16 || binary.LittleEndian.Uint32(frame) != uint32(i) {
				fmt.Println("frame", i, "is", n, frame)
				os.Exit(1)
			}
		}
		done <- 1
	}()
	frame := make([]byte, 16)
	for i := 0; i < 1000; i++ {
		binary.LittleEndian.PutUint32(frame, uint32(i))
		_, err := out.Write(frame)
		check(err)
	}
	<-done
	check(in.SetReadDeadline(time.Now().Add(50 * time.Millisecond)))
	_, err = in.Read(frame)
	fmt.Println("received 1000,", os.IsTimeout(err))
}
