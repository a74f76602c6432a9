// Timed runs a command some times and prints the median of its seconds on the clock,
// that of its processor seconds (user and system), and the most memory that one run
// needed, in MiB:
//
//	timed RUNS COMMAND [ARGUMENT…]
//
// The command's output is dropped. One that fails ends it with 1 and the first line of
// its that speaks of an error, else the last.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"
)

func main() {
	runs, err := strconv.Atoi(os.Args[1])
	if err != nil || runs < 1 || len(os.Args) < 3 {
		fail("usage: timed RUNS COMMAND [ARGUMENT…]")
	}
	var clock, processor []time.Duration
	memory := int64(0)
	for range runs {
		var words bytes.Buffer
		cmd := exec.Command(os.Args[2], os.Args[3:]...)
		cmd.Stderr = &words
		start := time.Now()
		err := cmd.Run()
		clock = append(clock, time.Since(start))
		if err != nil {
			lines := bytes.Split(bytes.TrimSpace(words.Bytes()), []byte("\n"))
			why := slices.IndexFunc(lines, func(line []byte) bool { return bytes.Contains(line, []byte("error")) })
			if why < 0 {
				why = len(lines) - 1
			}
			fail(err, string(lines[why]))
		}
		processor = append(processor, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			memory = max(memory, usage.Maxrss>>10) // KiB on Linux
		}
	}
	fmt.Printf("%.3f %.3f %d\n", median(clock).Seconds(), median(processor).Seconds(), memory)
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func fail(words ...any) {
	fmt.Fprintln(os.Stderr, words...)
	os.Exit(1)
}
