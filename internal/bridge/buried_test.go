package bridge_test

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/queue"
)

// inFlight leaves the note of a process that has crashed with the task in
// flight; its form is drawn in queue/crash.go.
func (r *rig) inFlight(id uint64) {
	r.t.Helper()
	slot := binary.BigEndian.AppendUint64(nil, id)
	slot = binary.BigEndian.AppendUint32(slot, crc32.Checksum(slot, crc32.MakeTable(crc32.Castagnoli)))
	if err := os.WriteFile(filepath.Join(r.data, "cocbridge.inflight"), append(slot, 0, 0, 0, 0), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func TestNews_anAlarmThatCrashedTheProcessIsToldAtItsNextRepeat(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 401})
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.closed("default", "auth", 1)
	for range 2 {
		r.stop()
		r.inFlight(r.tasks(1)[0].ID)
		r.start()
		r.closed("default", "auth", 1)
	}
	r.stop()
	if it := r.tasks(1)[0]; it.Crashes != 2 || it.Attempts != 0 {
		t.Errorf("%d crashes and %d attempts are counted", it.Crashes, it.Attempts)
	} else {
		r.inFlight(it.ID)
	}
	r.start()
	r.idle(0)
	r.stop()
	if dead := r.dead(); len(dead) != 1 || dead[0].Cause.Code != queue.CodeCrash {
		t.Errorf("dead letters: %+v", dead)
	}
	r.sim.ClearFaults()
	r.start()
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	if n := r.metric("cocbridge_dead_letters"); n != 0 {
		t.Errorf("success leaves %v dead letters", n)
	}
	r.clean()
}
