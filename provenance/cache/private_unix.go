//go:build unix

package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const othersWrite = 0o022

// private returns an error for a folder into which others may write. Root takes
// everybody's: in a container it works in folders of whoever started that.
func private(info fs.FileInfo) error {
	if info.Mode()&othersWrite != 0 {
		return fmt.Errorf("others may write to it (its mode is %o)", info.Mode().Perm())
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() != 0 && int(stat.Uid) != os.Geteuid() {
		return errors.New("it is somebody else's")
	}
	return nil
}
