package bridge

import (
	"fmt"
	"net/http"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/mapping"
	"github.com/cocbridge/cocbridge/internal/receivers"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/secret"
	"github.com/cocbridge/cocbridge/internal/store"
)

// live is everything that follows from the configuration. It is never changed,
// only replaced; who uses it takes it once and keeps it to the end of its work.
type live struct {
	cfg         *config.Config
	mapper      *mapping.Mapper
	ledger      *ledger.Ledger
	client      *coc.Client
	incidents   *incidents.Incidents
	scripts     *scripts.Scripts
	keys        map[string]secret.String // by integration
	sendUnknown map[string]bool          // by receiver
	link        *mapping.Link
	receivers   http.Handler
	removed     map[string]string // "integration x" or "receiver x" that a forced reload removed -> why its tasks end
}

// build makes all that can fail, and changes nothing.
func (b *Bridge) build(cfg *config.Config) (*live, error) {
	l := &live{cfg: cfg, keys: map[string]secret.String{}, sendUnknown: map[string]bool{}, removed: map[string]string{}}
	names := make([]string, len(cfg.Integrations))
	for i, in := range cfg.Integrations {
		names[i] = in.Name
		l.keys[in.Name] = in.Key
	}
	var err error
	l.mapper, err = mapping.New(mapping.Options{Config: cfg.Mapping, Routes: cfg.Routes, Integrations: names, Region: cfg.COC.Region})
	if err != nil {
		return nil, err
	}
	if l.link, err = mapping.NewLink(cfg.COC.ConsoleURL); err != nil {
		return nil, err
	}
	if l.client, err = coc.New(cfg.COC, coc.Options{Version: b.o.Version, Now: b.o.Now}); err != nil {
		return nil, err
	}
	if l.incidents, err = b.newIncidents(cfg, l.client); err != nil {
		return nil, err
	}
	if l.scripts, err = b.newScripts(cfg, l.client); err != nil {
		return nil, err
	}
	l.ledger = b.newLedger(cfg)
	if err := b.buildReceivers(l); err != nil {
		return nil, err
	}
	return l, nil
}

// hasRules: without any, an alert costs nothing more than its report.
func (l *live) hasRules() bool { return len(l.cfg.Rules) > 0 }

func (b *Bridge) newLedger(cfg *config.Config) *ledger.Ledger {
	return ledger.New(ledger.Options{
		Config: cfg.Delivery.Ledger, Book: b.book, History: time.Duration(cfg.Store.History), Open: b.hears.openSince,
		Cancel: func(tx *store.Tx, id uint64) (bool, error) { return b.queue.Cancel(tx, id) }, Now: b.o.Now,
	})
}

func (b *Bridge) buildReceivers(l *live) error {
	mux := http.NewServeMux()
	for _, rc := range l.cfg.Receivers {
		l.sendUnknown[rc.Name] = rc.UnknownResolved == "send"
		h, err := receivers.New(receivers.Options{
			Config: rc, Accept: b.acceptUnder(l), Ready: b.room, Budget: b.budget, Metrics: b.metrics.receivers, Look: b.lookUnder(l), Log: b.o.Log, Now: b.o.Now,
		})
		if err != nil {
			return fmt.Errorf("receiver %s: %w", rc.Name, err)
		}
		mux.Handle(rc.Path, h)
	}
	l.receivers = mux
	return nil
}

// swap makes l the configuration in force. Calls under way end with the old client.
func (b *Bridge) swap(l *live) {
	b.hears.listen(l.cfg.Receivers, b.o.Now())
	if old := b.live.Swap(l); old != nil {
		old.client.Close()
	}
}
