package report

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrSymlink means that an output path is a symbolic link.
var ErrSymlink = errors.New("is a symbolic link")

// WriteFile writes a file whole or not at all: a reader, or the next run after a
// crash, sees what was there before or all of what write wrote, never a part. A new
// file may be read by everybody whom the umask allows; the permissions of an existing
// one stay.
//
// It does not write through a symbolic link, which the project under test could have
// planted to reach a file elsewhere, nor does it replace one ([ErrSymlink]). Into a
// device or pipe (/dev/null, process substitution) it writes directly, once write
// has succeeded.
func WriteFile(path string, write func(io.Writer) error) error {
	var content bytes.Buffer
	if err := write(&content); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	permissions := fs.FileMode(0)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return &fs.PathError{Op: "write", Path: path, Err: ErrSymlink}
	case info.IsDir():
		return &fs.PathError{Op: "write", Path: path, Err: errors.New("is a directory")}
	case !info.Mode().IsRegular():
		return writeDevice(path, content.Bytes())
	default:
		permissions = info.Mode().Perm()
	}
	return replace(path, content.Bytes(), permissions)
}

func writeDevice(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// replace writes beside the file, on the same volume, and renames.
func replace(path string, content []byte, permissions fs.FileMode) error {
	f, err := createBeside(path)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && permissions != 0 {
		err = f.Chmod(permissions)
	}
	if err == nil {
		err = f.Sync()
	}
	// Windows renames no open file.
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		// The first error is the one to know; a left-over file is the lesser evil.
		_ = os.Remove(f.Name())
	}
	return err
}

// createBeside creates a file of a name that nobody can know beforehand. Unlike
// os.CreateTemp it leaves the permissions to the umask.
func createBeside(path string) (*os.File, error) {
	name := "." + filepath.Base(path) + "." + rand.Text() + ".tmp"
	return os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}
