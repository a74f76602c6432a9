//go:build !race

package node

const moreMemory = 1
