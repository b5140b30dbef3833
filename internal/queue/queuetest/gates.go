package queuetest

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/queue"
)

// gates is an Admit that a test controls.
type gates struct {
	mu      sync.Mutex
	answers map[string]time.Duration
	asked   map[string]int
	during  func() // runs while a gate is asked
}

func (g *gates) admit(name string, _ time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked[name]++
	if g.during != nil {
		g.during()
	}
	return g.answers[name]
}

func (g *gates) answer(name string, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answers[name] = wait
}

func (g *gates) questions(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked[name]
}

func gated(lane, gate string) queue.Item {
	it := item(lane, lane)
	it.Gate = gate
	return it
}

func testGates(t *testing.T, open Open) {
	for name, run := range map[string]func(*testing.T, *Bench, *gates){
		"a closed one holds back nothing else": testClosedGate,
		"one that wants time is asked again":   testSlowGate,
		"a yes is followed by a task":          testTokens,
		"even when Take is given up meanwhile": testGivenUp,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gates{answers: map[string]time.Duration{}, asked: map[string]int{}}
				run(t, open(t, queue.Options{Admit: g.admit}), g)
			})
		})
	}
}

func testClosedGate(t *testing.T, b *Bench, g *gates) {
	g.answer("closed", -1)
	b.put(t, gated("a", "closed"), gated("b", "closed"), gated("c", "open"), gated("d", "closed"), gated("e", "open"))
	if diff := cmp.Diff([]string{"c", "e"}, b.all(t, "p")); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	w := b.taker(t, "p")
	time.Sleep(time.Hour)
	if g.questions("closed") != 1 {
		t.Errorf("the closed gate was asked %d times without a Wake", g.questions("closed"))
	}
	b.Queue.Wake()
	synctest.Wait()
	if g.questions("closed") != 2 {
		t.Errorf("Wake has it asked %d times", g.questions("closed")-1)
	}
	g.answer("closed", 0)
	b.Queue.Wake()
	if l := <-w.lease; string(l.Item().Payload) != "a" {
		t.Errorf("taken: %q", l.Item().Payload)
	}
}

func testSlowGate(t *testing.T, b *Bench, g *gates) {
	g.answer("slow", 7*time.Second)
	b.put(t, gated("a", "slow"), gated("b", "slow"), gated("c", "open"))
	b.take(t, "p", "c")
	began := time.Now()
	w := b.taker(t, "p")
	synctest.Wait()
	g.answer("slow", 0)
	l := <-w.lease
	if waited := time.Since(began); waited != 7*time.Second || g.questions("slow") != 2 {
		t.Errorf("took %q after %v and %d questions", l.Item().Payload, waited, g.questions("slow"))
	}
}

// Each yes uses up a token, so there must be as many as tasks taken.
func testTokens(t *testing.T, b *Bench, g *gates) {
	const tasks = 10
	for i := range tasks {
		it := gated(fmt.Sprint(i), "g")
		it.Source = fmt.Sprint(i % 3)
		b.put(t, it)
	}
	for range 3 {
		b.takeNone(t, "other pool")
	}
	if got := len(b.all(t, "p")); got != tasks || g.questions("g") != tasks {
		t.Errorf("%d tasks, %d questions", got, g.questions("g"))
	}
}

// The context of a Take ends while it is handed a lease. The gate has said yes, so
// Take returns the lease; it must not get lost.
func testGivenUp(t *testing.T, b *Bench, g *gates) {
	w := b.taker(t, "p")
	synctest.Wait()
	g.during = w.cancel
	b.put(t, gated("a", "g"))
	if l := <-w.lease; l == nil || string(l.Item().Payload) != "a" {
		t.Errorf("Take = %v", l)
	}
}
