package bridge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// told collects what a service manager hears, without the watchdog's voice.
type told struct {
	states chan string
	fed    chan struct{}
}

// underManager starts a rig whose service manager listens.
func underManager(t *testing.T, watchdog time.Duration) (*rig, told) {
	t.Helper()
	r := makeRig(t, "", coctest.Options{})
	heard := told{states: make(chan string, 16), fed: make(chan struct{}, 1)}
	r.parent = bridge.Manager{Watchdog: watchdog, Notify: func(state string) error {
		if state != "WATCHDOG=1" {
			heard.states <- state
			return nil
		}
		select {
		case heard.fed <- struct{}{}:
		default:
		}
		return nil
	}}
	r.start()
	return r, heard
}

// next is the first line of the next message.
func (h told) next(t *testing.T) string {
	t.Helper()
	select {
	case state := <-h.states:
		line, rest, _ := strings.Cut(state, "\n")
		if line == "RELOADING=1" && !strings.HasPrefix(rest, "MONOTONIC_USEC=") {
			t.Errorf("%q lacks the time that Type=notify-reload needs", state)
		}
		return line
	case <-time.After(patience):
		t.Fatal("the service manager hears nothing")
		return ""
	}
}

func TestManager_hearsOfStartReloadAndStop(t *testing.T) {
	r, heard := underManager(t, 0)
	got := []string{heard.next(t)}
	if err := r.reload("delivery: {workers: 16}\n"); err != nil {
		t.Fatal(err)
	}
	if err := r.reload("nonsense: 1\n"); err == nil {
		t.Error("nonsense was loaded")
	}
	for range 4 {
		got = append(got, heard.next(t))
	}
	r.extra = ""
	r.stop()
	got = append(got, heard.next(t))
	want := []string{"READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManager_watchdogIsFedWhileCommitsEnd(t *testing.T) {
	r, heard := underManager(t, time.Millisecond)
	select {
	case <-heard.fed:
	case <-time.After(patience):
		t.Fatal("the watchdog is never fed")
	}
	r.stop()
}

func TestManager_watchdogStarvesWhileACommitHangs(t *testing.T) {
	r, heard := underManager(t, 0)
	release := r.b.HoldCommit()
	for _, c := range []struct {
		after time.Duration
		fed   int
	}{{0, 1}, {time.Minute, 1}, {time.Second, 0}} {
		r.advance(c.after)
		err := r.b.Feed(t.Context())
		if fed := len(heard.fed); fed != c.fed || (err == nil) != (c.fed == 1) {
			t.Errorf("%v later: fed %d times, %v; want %d", c.after, fed, err, c.fed)
		}
		for len(heard.fed) > 0 {
			<-heard.fed
		}
	}
	release()
	r.stop()
}
