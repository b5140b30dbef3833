// Package queuetest checks that a queue keeps its contract, whatever lies under it.
package queuetest
