package main

import (
	"runtime"
	"testing"
)

func TestUseAllCores_leavesRoomForTheCommitter(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	runtime.SetDefaultGOMAXPROCS()
	cores := runtime.GOMAXPROCS(0)
	for range 2 { // the second start of a process adds no more
		useAllCores([]string{"HOME=/root"})
		if n := runtime.GOMAXPROCS(0); n != cores+1 {
			t.Errorf("%d at once on %d cores", n, cores)
		}
	}
	runtime.GOMAXPROCS(cores)
	useAllCores([]string{"GOMAXPROCS=1"}) // the runtime has seen to that
	if n := runtime.GOMAXPROCS(0); n != cores {
		t.Errorf("%d at once although the environment says how many", n)
	}
}
