//go:build race

package node

// moreMemory is how many times as much the race detector lets the same code allocate.
const moreMemory = 4
