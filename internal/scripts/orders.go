package scripts

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

// scriptOrders reads the orders since shortly before the call. Those that are known
// to be other runs' are left out. One run looks at a time: what it has read serves
// those that wait, so that many in doubt do not use up the reads that COC allows.
func (w *work) scriptOrders(ctx context.Context) (all []candidate, asOf time.Time, err error) {
	w.s.orders.looking.Lock()
	defer w.s.orders.looking.Unlock()
	list, err := w.listed(ctx)
	if err != nil {
		return nil, asOf, err
	}
	for _, order := range list.orders {
		c, possible, err := w.examine(ctx, order)
		if err != nil {
			return nil, asOf, err
		}
		if possible {
			all = append(all, c)
		}
	}
	return all, list.begun, nil
}

// listed takes the last list if that was begun when this look was due already, or
// reads another one to its end. Whatever the clock does, no two looks of a run see
// the same list.
func (w *work) listed(ctx context.Context) (orderList, error) {
	from, last := w.r.Called.Add(-clockSkew), w.s.orders.last
	if age := w.s.o.Now().Sub(last.begun); age >= 0 && age < lookPause && last.serves(from, w.r.Since, w.r.Next) {
		return last, nil
	}
	fresh, total := orderList{from: from, begun: w.s.o.Now()}, 0
	for q := (coc.OrderQuery{From: from}); ; {
		page, err := w.s.o.COC.ListOrders(ctx, q)
		if err != nil {
			return orderList{}, err
		}
		for _, o := range page.Orders {
			fresh.orders = append(fresh.orders, o.UUID)
		}
		if q.After == 0 {
			total = page.Total // later pages may count what has come since
		}
		seen := len(fresh.orders)
		switch more := page.Next != 0 && page.Next != q.After && len(page.Orders) > 0; {
		case seen > maxRows:
			return orderList{}, tooMany("list orders")
		case !more && seen < total:
			return orderList{}, cutShort("list orders", seen, total)
		case !more:
			w.s.orders.last = fresh
			return fresh, nil
		}
		q.After = page.Next
	}
}

// orderList is COC's list of orders, read to its end.
type orderList struct {
	from   time.Time // created at or after
	begun  time.Time // to be read
	orders []string
}

// serves says whether the list shows all since from, as it was at or after all of
// the times.
func (l orderList) serves(from time.Time, times ...time.Time) bool {
	older := slices.ContainsFunc(times, l.begun.Before)
	return !older && !l.from.After(from)
}

// examine reads what tells an order from others; possible is false for one that is
// certainly not ours.
func (w *work) examine(ctx context.Context, order string) (c candidate, possible bool, err error) {
	others, err := w.isOthers(order)
	if others || err != nil {
		return c, false, err
	}
	facts, err := w.s.facts(ctx, order)
	if err != nil {
		return c, false, err
	}
	c = candidate{order: order, mark: facts.mark, bare: len(facts.hosts) == 0}
	var hosts []string
	for _, h := range w.r.Request.Hosts[:min(len(w.r.Request.Hosts), w.r.Request.BatchSize)] {
		hosts = append(hosts, h.ResourceID)
	}
	slices.Sort(hosts)
	c.alike = (facts.script == "" || facts.script == w.r.Request.What) && (len(facts.hosts) == 0 || slices.Equal(facts.hosts, hosts))
	return c, true, nil
}

// isOthers says that an order is known to be another run's: it was read and did not
// turn out to be of anything else. That COC has named it in an answer is not enough.
func (w *work) isOthers(order string) (yes bool, _ error) {
	err := w.s.o.Store.View(func(tx *store.Tx) error {
		owner, err := tx.Get(orderRuns, []byte(order))
		if owner == nil || err != nil || string(owner) == w.r.ID {
			return undamaged(err)
		}
		r, err := Get(tx, string(owner))
		yes = r != nil && r.Outcome != Wrong && r.Verified
		return undamaged(err)
	})
	if err != nil {
		return false, &StoreError{err}
	}
	return yes, nil
}

// facts of an order never change.
type facts struct {
	script string
	hosts  []string // of the first batch, sorted
	mark   string
}

func (s *Scripts) facts(ctx context.Context, order string) (f facts, err error) {
	f, ok := s.orders.get(order)
	if ok {
		return f, nil
	}
	if f, err = s.read(ctx, order); err == nil {
		s.orders.put(order, f)
	}
	return f, err
}

// read asks for the first batch, where each host carries the mark, and for the
// script only where no mark is shown. An order that shows no hosts yet is read again.
func (s *Scripts) read(ctx context.Context, order string) (f facts, err error) {
	page, err := s.o.COC.ListHostRuns(ctx, coc.HostRunQuery{Order: order, Batch: 1})
	if err != nil {
		return f, err
	}
	for _, h := range page.Hosts {
		f.hosts = append(f.hosts, h.ResourceID)
		for _, a := range h.Attributes {
			if a.Key == attributeKey {
				f.mark = a.Value
			}
		}
	}
	slices.Sort(f.hosts)
	if f.mark != "" {
		return f, nil
	}
	o, err := s.o.COC.GetOrder(ctx, order)
	f.script = o.ScriptUUID
	return f, err
}

// orderBook remembers what many runs in doubt look at.
type orderBook struct {
	looking sync.Mutex // guards last, also while COC is asked
	last    orderList

	mu  sync.Mutex
	all map[string]facts
}

func newOrderBook() *orderBook { return &orderBook{all: map[string]facts{}} }

func (b *orderBook) get(order string) (facts, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, ok := b.all[order]
	return f, ok
}

func (b *orderBook) put(order string, f facts) {
	if len(f.hosts) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) >= maxRows {
		clear(b.all)
	}
	b.all[order] = f
}
