//go:build !unix

package cache

import "io/fs"

// private returns nil: a mode says nothing here of who may write to a folder.
func private(fs.FileInfo) error { return nil }
