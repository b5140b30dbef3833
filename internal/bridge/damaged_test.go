package bridge_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// spoil changes one character wherever the text stands in the file of the store.
func (r *rig) spoil(text string) {
	r.t.Helper()
	file := filepath.Join(r.data, "cocbridge.db")
	content, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	if !bytes.Contains(content, []byte(text)) {
		r.t.Fatalf("%q is not in the store", text)
	}
	content = bytes.ReplaceAll(content, []byte(text), []byte("#"+text[1:]))
	if err := os.WriteFile(file, content, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func TestStart_aDamagedTaskIsPutAsideAndCounted(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 401})
	r.send(r.firing("Disk", time.Hour), r.firing("Net", time.Hour))
	r.closed("default", "auth", 2)
	r.stop()
	r.sim.ClearFaults()
	r.spoil(`"alarmName":"Disk"`)
	r.start()
	r.arrived(0, "Net alarm Minor")
	r.until("the damaged record is counted", func() bool { return r.metric("cocbridge_damaged_records") == 1 })
}

func TestAccept_whatCannotBeMappedIsLoggedWithinBounds(t *testing.T) {
	core, lines := observer.New(zap.ErrorLevel)
	r := makeRig(t, "\nmapping: {application_id: '{{ .Labels.app }}'}\n", coctest.Options{})
	r.log = zap.New(core)
	r.start()
	var alerts []msg
	for i := range 25 {
		alerts = append(alerts, r.firing(fmt.Sprintf("Disk%d", i), time.Hour))
	}
	r.send(alerts...)
	r.idle(0)
	told := lines.FilterMessage("dead letter").Len()
	more := lines.FilterMessage("more dead letters of the same request").All()
	if told != 10 || len(more) != 1 || more[0].ContextMap()["count"] != int64(15) {
		t.Errorf("%d dead letters are logged, and %v", told, more)
	}
}
