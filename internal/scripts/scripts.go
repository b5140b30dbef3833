package scripts

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

// ErrIdle says that there was nothing to do, or nothing yet.
var ErrIdle = errors.New("nothing to do yet")

// ErrRead is ErrIdle after COC has answered something.
var ErrRead = fmt.Errorf("%w, COC was asked", ErrIdle)

// Trouble is the error of a run that needs a person.
type Trouble struct{ Code, Text string }

func (r *Trouble) Error() string { return r.Text }

// StoreError is the error of a step that our own disk has kept from being taken or
// from being noted. It can be tried again.
type StoreError struct{ Err error }

func (e *StoreError) Error() string { return e.Err.Error() }

// Unwrap gives the disk's error.
func (e *StoreError) Unwrap() error { return e.Err }

// Store is what runs are kept in. Nil of Update means synced.
type Store interface {
	Update(context.Context, func(*store.Tx) error) error
	View(func(*store.Tx) error) error
}

// COC is what runs call. Errors are *coc.Error.
type COC interface {
	GetScript(ctx context.Context, uuid string) (coc.Script, error)
	GetDocument(context.Context, coc.DocumentRef) (coc.Document, error)
	ListResources(context.Context, coc.ResourceQuery) (coc.ResourcePage, error)
	// TurnToExecute returns when one of the next two may be called.
	TurnToExecute(context.Context) error
	ExecuteScript(context.Context, coc.Run) (order, requestID string, err error)
	ExecuteDocument(context.Context, coc.JobRun) (execution, requestID string, err error)
	GetOrder(ctx context.Context, uuid string) (coc.Order, error)
	ListOrders(context.Context, coc.OrderQuery) (coc.OrderPage, error)
	OrderBatches(ctx context.Context, order string) ([]coc.OrderBatch, error)
	ListHostRuns(context.Context, coc.HostRunQuery) (coc.HostRunPage, error)
	OperateOrder(context.Context, coc.OrderOperation) (requestID string, err error)
	GetExecution(ctx context.Context, id string) (coc.Execution, error)
	ListExecutions(context.Context, coc.ExecutionQuery) (coc.ExecutionPage, error)
	ListExecutionSteps(context.Context, coc.StepQuery) (coc.StepPage, error)
	OperateExecution(ctx context.Context, id string, operation coc.ExecutionOperation) (requestID string, err error)
}

// Options are what Scripts work with.
type Options struct {
	Rules      []Rule
	Templates  []string // files with defines
	Automation Automation
	DryRun     bool                       // of all calls to COC: nothing is even planned
	Trusted    func(receiver string) bool // it asks for credentials
	Fence      time.Duration              // see ledger.Config
	History    time.Duration              // how long an ended run is remembered

	// Newest returns the Scripts of the configuration in force at that moment.
	Newest   func() *Scripts
	Stopping func() bool // nothing new may begin

	Store Store
	COC   COC
	// Journal takes the second record of a call; nil means synced.
	Journal func(Entry) error
	// Put adds the run's task to the queue; Cancel takes a waiting one out, and says
	// false when it is in flight or gone.
	Put    func(tx *store.Tx, r *Run, due time.Time) (id uint64, err error)
	Cancel func(tx *store.Tx, id uint64) (bool, error)

	// Doubted is told of each run that has come into doubt, once that is on disk: a
	// person should soon be. It must not block. nil = nobody listens.
	Doubted func()

	Metrics *Metrics // nil where there is only Preview
	Log     *zap.Logger
	Now     func() time.Time // nil = time.Now
}

// Scripts follow the rules of one configuration; all state is in the store. All
// methods may be called from any goroutine, Do for one run at a time.
type Scripts struct {
	o      Options
	rules  []*rule
	byName map[string]*rule
	hosts  *inventory
	orders *orderBook
}

// New compiles the rules. The error lists all that Validate has to say.
func New(o Options) (*Scripts, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	var problems []error
	Validate(o.Rules, o.Templates, func(path, problem string) { problems = append(problems, fmt.Errorf("rules%s: %s", path, problem)) })
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	set, err := render.New(o.Templates...)
	if err != nil {
		return nil, err
	}
	s := &Scripts{o: o, byName: map[string]*rule{}, hosts: newInventory(o.COC, o.Now), orders: newOrderBook()}
	for i, from := range o.Rules {
		r, err := compile(set, from)
		if err != nil {
			return nil, fmt.Errorf("rules[%d].%w", i, err)
		}
		if r != nil {
			s.rules, s.byName[r.name] = append(s.rules, r), r
			o.Metrics.init(r.name)
		}
	}
	return s, nil
}

// Any says whether a rule runs something.
func (s *Scripts) Any() bool { return len(s.rules) > 0 }

func (s *Scripts) newest() *Scripts {
	if s.o.Newest != nil {
		if newest := s.o.Newest(); newest != nil {
			return newest
		}
	}
	return s
}

// Match is a rule that an alert matches.
type Match struct{ rule *rule }

// Match lists the rules that are for the alert. It needs no transaction.
func (s *Scripts) Match(a *alert.Alert) (all []Match) {
	for _, r := range s.rules {
		if r.matchers.Match(a) {
			all = append(all, Match{r})
		}
	}
	return all
}
