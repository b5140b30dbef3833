package forwarder_test

import (
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/forwarder"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestGate_Admit(t *testing.T) {
	t.Run("an open gate keeps to its rate, after a second's worth at once", func(t *testing.T) {
		g := forwarder.NewGate(20)
		for i := range 20 {
			if wait := g.Admit(noon); wait != 0 {
				t.Fatalf("alarm %d waits %s", i, wait)
			}
		}
		if wait := g.Admit(noon); wait != 50*time.Millisecond {
			t.Errorf("the 21st waits %s, want 50ms", wait)
		}
		if wait := g.Admit(noon.Add(50 * time.Millisecond)); wait != 0 {
			t.Errorf("50 ms later it waits %s", wait)
		}
	})
	t.Run("no limit", func(t *testing.T) {
		g := forwarder.NewGate(0)
		for range 10000 {
			if g.Admit(noon) != 0 {
				t.Fatal("an alarm waits")
			}
		}
	})
	t.Run("a closed gate lets one probe through at a time, up to once a minute", func(t *testing.T) {
		g, now := forwarder.NewGate(0), noon
		g.Shut("down", now)
		var pauses []time.Duration
		for range 10 {
			wait := g.Admit(now)
			if wait <= 0 || wait > time.Minute {
				t.Fatalf("the next probe is %s away", wait)
			}
			pauses = append(pauses, wait)
			now = now.Add(wait)
			if wait := g.Admit(now); wait != 0 {
				t.Fatalf("the probe waits %s more", wait)
			}
			g.InFlight(1)
			if wait := g.Admit(now.Add(time.Hour)); wait >= 0 {
				t.Fatal("a second probe goes while the first is under way")
			}
			g.InFlight(-1)
		}
		if first, last := pauses[0], pauses[9]; first > time.Second || last < 30*time.Second {
			t.Errorf("probes come after %v: want from below 1s to about a minute", pauses)
		}
	})
	t.Run("an opened gate lets everything through at once", func(t *testing.T) {
		g := forwarder.NewGate(0)
		g.Shut("auth", noon)
		if !g.Open() || g.Open() {
			t.Error("opening is news once")
		}
		if wait := g.Admit(noon); wait != 0 {
			t.Errorf("it waits %s", wait)
		}
	})
}

func TestGate_Throttled(t *testing.T) {
	t.Run("pauses for at least a second, doubling, or for Retry-After", func(t *testing.T) {
		g, now := forwarder.NewGate(20), noon
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			g.Throttled(0, now)
			if wait := g.Admit(now); wait != want*time.Second {
				t.Errorf("pause = %s, want %d s", wait, want)
			}
			now = now.Add(want * time.Second)
		}
		g.Throttled(3*time.Minute, now)
		if wait := g.Admit(now); wait != 3*time.Minute {
			t.Errorf("pause = %s, want Retry-After", wait)
		}
	})
	t.Run("answers to calls that left before the pause do not count again", func(t *testing.T) {
		g := forwarder.NewGate(20)
		for range 16 {
			g.Throttled(0, noon)
		}
		if g.Rate() != 10 {
			t.Errorf("rate = %v, want it halved once", g.Rate())
		}
	})
	t.Run("recovers step by step", func(t *testing.T) {
		for _, configured := range []float64{20, 0} {
			g := forwarder.NewGate(configured)
			full := g.Rate()
			g.Throttled(0, noon)
			now, steps := noon.Add(time.Second), 0
			for ; g.Rate() < full && steps < 100; steps++ {
				now = now.Add(time.Second)
				g.Recover(now)
				g.Recover(now)
			}
			if steps != 10 {
				t.Errorf("with rate_limit %v: recovered in %d s, want 10", configured, steps)
			}
		}
	})
}

func TestGate_Failed(t *testing.T) {
	g := forwarder.NewGate(0)
	steps := []struct {
		kind string
		id   uint64
		want int
	}{
		{"a", 1, 1}, {"a", 1, 1}, {"a", 2, 2}, {"b", 3, 1}, {"a", 4, 1}, {"a", 5, 2}, {"a", 6, 3}, {"a", 7, 3},
	}
	for i, s := range steps {
		if got := g.Failed(s.kind, s.id); got != s.want {
			t.Errorf("step %d: %d different tasks alike, want %d", i, got, s.want)
		}
	}
	g.Open()
	if got := g.Failed("a", 8); got != 1 {
		t.Errorf("a success between does not count: %d", got)
	}
}

// Among many tasks that are refused alike the next good one must be found soon.
func TestGate_probesOftenWhereTasksAreRefusedAlike(t *testing.T) {
	g, now := forwarder.NewGate(0), noon
	for id := range uint64(3) {
		g.Failed("refused alike", id)
	}
	g.Shut("config", now)
	for range 20 {
		wait := g.Admit(now)
		if wait > time.Second {
			t.Fatalf("the next probe is %s away", wait)
		}
		now = now.Add(wait)
		if g.Admit(now) != 0 {
			t.Fatal("the probe does not go")
		}
	}
}
