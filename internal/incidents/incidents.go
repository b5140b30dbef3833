package incidents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/render"
	"github.com/cocbridge/cocbridge/internal/store"
)

var (
	// ErrIdle says that there was nothing to do, or nothing yet.
	ErrIdle = errors.New("nothing to do yet")
	// ErrRead says that the ticket was read, and there was nothing to do yet.
	ErrRead = errors.New("read, nothing to do yet")
	// ErrDryRun says that a step was due and not taken, because of coc.dry_run.
	ErrDryRun = errors.New("dry run: not done")
)

// Refused is the error of a step that cannot be taken until a person acts.
type Refused struct{ Code, Text string }

func (r *Refused) Error() string { return r.Text }

// StoreError is the error of a step that our own store has kept from being taken
// or from being noted. It can be tried again.
type StoreError struct{ Err error }

func (e *StoreError) Error() string { return e.Err.Error() }

// Unwrap gives the store's error.
func (e *StoreError) Unwrap() error { return e.Err }

// Store is what records are kept in. Nil of Update means synced.
type Store interface {
	Update(context.Context, func(*store.Tx) error) error
	View(func(*store.Tx) error) error
}

// COC is what the steps call. Errors are *coc.Error.
type COC interface {
	CreateIncident(context.Context, coc.NewIncident) (num, requestID string, err error)
	HandleIncident(context.Context, coc.IncidentAction) (requestID string, err error)
	RemarkIncident(ctx context.Context, num, note string) (requestID string, err error)
	GetIncident(ctx context.Context, num string) (coc.Incident, error)
	ListIncidents(context.Context, coc.IncidentQuery) (coc.IncidentPage, error)
}

// Options are what Incidents work with.
type Options struct {
	Rules       []Rule
	Templates   []string      // files with defines
	Application *render.Field // for tickets whose rule names none
	Fence       time.Duration // see ledger.Config
	History     time.Duration // how long an episode that is over is remembered
	GiveUpAfter time.Duration // of creates whose outcome stays unknown
	DryRun      bool

	Store Store
	COC   COC
	// Put adds the group's task to the queue; Cancel takes a waiting one out, and
	// says false when it is in flight or gone.
	Put    func(tx *store.Tx, group, rule string, due time.Time) (id uint64, err error)
	Cancel func(tx *store.Tx, id uint64) (bool, error)

	// Summary tells what scripts have done for these alarms; nil = none ever do.
	Summary func(tx *store.Tx, alarmIDs []string, since time.Time) string

	Metrics *Metrics
	Log     *zap.Logger
	Now     func() time.Time // nil = time.Now
}

// Incidents follow the rules of one configuration; all state is in the store.
// All methods may be called from any goroutine, Do for one group at a time.
type Incidents struct {
	o      Options
	rules  []*rule
	byName map[string]*rule
}

// New compiles the rules. The error lists all that Validate has to say.
func New(o Options) (*Incidents, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := problems(o.Rules, o.Templates); err != nil {
		return nil, err
	}
	set, err := render.New(o.Templates...)
	if err != nil {
		return nil, err
	}
	in := &Incidents{o: o, byName: map[string]*rule{}}
	for i, from := range o.Rules {
		if from.Incident == nil {
			continue
		}
		r, err := compile(set, from, o.Application)
		if err != nil {
			return nil, fmt.Errorf("rules[%d].incident.%w", i, err)
		}
		in.rules, in.byName[r.name] = append(in.rules, r), r
	}
	return in, nil
}

// Match is a rule that an alert matches.
type Match struct{ rule *rule }

// Match lists the rules that are for the alert. It needs no transaction.
func (in *Incidents) Match(a *alert.Alert) (all []Match) {
	for _, r := range in.rules {
		if r.matchers.Match(a) {
			all = append(all, Match{r})
		}
	}
	return all
}
