// Reads /proc and /sys with the ways of Go, which opens files and directories without libc.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	entries, err := os.ReadDir("/sys/class/net")
	for _, entry := range entries {
		kind := "file"
		if entry.Type()&fs.ModeSymlink != 0 {
			kind = "link"
		} else if entry.IsDir() {
			kind = "directory"
		}
		fmt.Println("dir", entry.Name(), kind)
	}
	text, err2 := os.ReadFile("/proc/net/dev")
	for _, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, "vcan") {
			fmt.Println("read", line)
		}
	}
	err3 := filepath.WalkDir("/sys/module/can", func(path string, entry fs.DirEntry, err error) error {
		fmt.Println("walk", path)
		return err
	})
	folder, err4 := os.Stat("/sys/class/net/vcan0")
	link, err5 := os.Lstat("/sys/class/net/vcan0")
	end, err6 := filepath.EvalSymlinks("/sys/class/net/vcan0")
	fmt.Println("stat", folder.IsDir(), link.Mode()&fs.ModeSymlink != 0, end)
	for _, err := range []error{err, err2, err3, err4, err5, err6} {
		if err != nil {
			fmt.Println(err)
		}
	}
}
