package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// loading says what a load generator does. It ends after length, or at count.
type loading struct {
	url         string
	connections int
	alerts      int           // per request
	first       int           // number of the first alert
	count       int           // alerts in all; 0 = as many as go in length
	length      time.Duration // 0 = until count is reached
	rate        float64       // alerts per second, whatever comes back; 0 = as fast as the answers come
	same        bool          // the same group again and again
}

// loaded is what came of it. Times are nanoseconds since 1970.
type loaded struct {
	Alerts      int    `json:"alerts"` // that were answered with 200
	Failed      int    `json:"failed"` // requests that were not
	Error       string `json:"error"`  // of one of them
	First, Last int64  // beginning of the first request, end of the last

	work time.Duration // of the generator itself, on a core
}

func (l loaded) perSecond() float64 { return float64(l.Alerts) / seconds(l.First, l.Last) }

func seconds(from, to int64) float64 { return time.Duration(to - from).Seconds() }

// runLoad is the load generator; its last line on standard output is a loaded.
func runLoad(ctx context.Context, args []string) error {
	var l loading
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	flags.StringVar(&l.url, "url", "", "Where to send to.")
	flags.IntVar(&l.connections, "connections", 1, "Requests in flight at most.")
	flags.IntVar(&l.alerts, "alerts", 1, "Alerts per request.")
	flags.IntVar(&l.first, "first", 0, "Number of the first alert.")
	flags.IntVar(&l.count, "count", 0, "End after so many alerts.")
	flags.DurationVar(&l.length, "length", 0, "End after so long.")
	flags.Float64Var(&l.rate, "rate", 0, "Alerts per second.")
	flags.BoolVar(&l.same, "same", false, "Send the same group again and again.")
	_ = flags.Parse(args)
	return json.NewEncoder(os.Stdout).Encode(newGenerator(l).run(ctx))
}

type generator struct {
	loading
	client *http.Client
	writer writer
	next   atomic.Int64 // number of the next alert, counted from 0
	until  time.Time    // zero = for ever
	due    chan time.Time

	mu   sync.Mutex
	done loaded
}

func newGenerator(l loading) *generator {
	now := time.Now()
	g := &generator{loading: l, client: newClient(l.connections), writer: newWriter(now.Truncate(time.Second))}
	if l.length > 0 {
		g.until = now.Add(l.length)
	}
	if l.same { // a group is the same if its alerts began at the same time
		g.writer = newWriter(sameStart)
	}
	return g
}

var sameStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (g *generator) run(ctx context.Context) loaded {
	if g.rate > 0 {
		g.due = make(chan time.Time, int(g.rate*g.length.Seconds())+1) // nobody ever waits for room
		go g.pace(ctx)
	}
	var workers sync.WaitGroup
	for range g.connections {
		workers.Go(func() { g.work(ctx) })
	}
	workers.Wait()
	return g.done
}

// pace says when each request is due, whether or not those before were answered.
func (g *generator) pace(ctx context.Context) {
	defer close(g.due)
	start, gap := time.Now(), float64(g.alerts)/g.rate*float64(time.Second)
	for i := 0; ctx.Err() == nil; i++ {
		at := start.Add(time.Duration(float64(i) * gap))
		if at.After(g.until) {
			return
		}
		time.Sleep(time.Until(at))
		g.due <- at
	}
}

func (g *generator) work(ctx context.Context) {
	var body []byte
	for ctx.Err() == nil {
		due, ok := g.wait()
		if !ok {
			return
		}
		first := int(g.next.Add(int64(g.alerts))) - g.alerts
		if g.count > 0 && first >= g.count {
			return
		}
		if g.same {
			first = 0
		}
		body = g.writer.request(body[:0], g.first+first, g.alerts, due)
		g.send(ctx, body)
	}
}

// wait returns when a request is due, and false when there will be none.
func (g *generator) wait() (time.Time, bool) {
	if g.due != nil {
		due, ok := <-g.due
		return due, ok
	}
	now := time.Now()
	return now, g.until.IsZero() || now.Before(g.until)
}

func (g *generator) send(ctx context.Context, body []byte) {
	began := time.Now()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err == nil {
		r.Header.Set("Content-Type", "application/json")
		err = do(g.client, r)
	}
	g.note(began, err)
}

func (g *generator) note(began time.Time, err error) {
	now := time.Now().UnixNano()
	g.mu.Lock()
	defer g.mu.Unlock()
	d := &g.done
	if d.First == 0 || began.UnixNano() < d.First {
		d.First = began.UnixNano()
	}
	d.Last = max(d.Last, now)
	if err != nil {
		d.Failed++
		d.Error = err.Error()
		return
	}
	d.Alerts += g.alerts
}
