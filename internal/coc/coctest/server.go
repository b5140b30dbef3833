package coctest

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is what Wait returns once the server is closed.
var ErrClosed = errors.New("coctest: server is closed")

// Options say whom the server knows and how strictly it reads the contract.
type Options struct {
	Keys          []string // the integration keys it knows; any other is refused
	AccessKey     string   // may sign; see SetAccessKeys for more than one
	SecretKey     string
	SecurityToken string // when set, every request must carry and sign it
	ProjectID     string // when set, X-Project-Id or the token's project must equal it

	Users     []User        // may log in to IAM
	Projects  []Project     // known to IAM
	TokenLife time.Duration // of IAM's tokens; 0 = 24 h
	Agency    *Agency       // of the ECS whose metadata service this is; nil = it has none

	// Refresh is how soon the sender may tell the same thing again: sooner it
	// is a duplicate. 0 = every repeat is a duplicate.
	Refresh time.Duration
	// Refire is how long after an ok the sender may open the alarm again with
	// a time older than that ok (a source that was lost came back with its old
	// start). 0 = never: every such alarm is a violation.
	Refire time.Duration
	// KeepEvents is how many of the newest events Alarms, Duplicates and the
	// control API show; counts and invariants cover all. 0 = all.
	KeepEvents int

	// IncidentDelay is how long a new incident and each step of it stay unseen.
	// COC takes about 2 s. 0 = they show at once.
	IncidentDelay time.Duration
	// IncidentPause is how long after a step the next one is still refused. COC
	// takes up to 10 s. 0 = never.
	IncidentPause time.Duration
	// Staff are the user ids that may create, own and handle incidents; nil = any.
	Staff []string

	Hosts   []Host   // the cloud servers that scripts and jobs run on
	Scripts []Script // that exist from the start, and after Reset
	// Documents are the jobs that exist from the start, and after Reset.
	Documents []Document
	// OrderStart is how long an order stays READY.
	OrderStart time.Duration
	// OrderDelay is how long a new order or execution stays unseen. 0 = it shows
	// at once.
	OrderDelay time.Duration

	Now      func() time.Time                                 // nil = time.Now; also the Date of replies
	Sleep    func(ctx context.Context, d time.Duration) error // nil = a timer; ends early with the context's error
	Switches Switches
}

// Switches choose the lenient side where the contract contradicts itself
// (coc-api.md 8, of which the numbers are). The zero value is strict.
type Switches struct {
	FreeCharset         bool // 12: alarmId and alarmName may hold any text
	Key32               bool // 12: integration keys are exactly 32 letters and digits (this one is stricter)
	FreeTime            bool // 13: time may be any positive integer, not only milliseconds
	OptionalApplication bool // 3: applicationId, current_cloud_service and incident_description may be absent
	TextBool            bool // 1: is_service_interrupt may be text, and is in answers
	Scenario            bool // 2: assignee_scenario is read instead of assignee_scene
	Seconds             bool // 13: times of incidents are in seconds
	AllKeys             bool // 16: ReOpen is a known operate_key too
	OldExecute          bool // 4: agent_sn, project_id, resourceful and param_order are mandatory
	Error204            bool // 5: a script that cannot run is refused with a 204 that has a body
	ErrorWord           bool // 6: an order that failed is ERROR instead of ABNORMAL
	CostsInSeconds      bool // 7: execute_costs is in seconds
	TextRate            bool // 8: success_rate may be text
	Flat                bool // 9: batches are a bare array, scripts and their list have no field data
	BigScripts          bool // 10: the content of a script may have 100 KiB
	Resources500        bool // 11: a page of resources may have 500
	TagMap              bool // 11: tags are a map
	TextIDs             bool // 14: ids of executions and steps are text
	Lost400             bool // an unknown execution is a 400, not a 200 without data
	HideAttributes      bool // custom_attributes do not come back with the hosts of an order, description and sys_tags not with an execution
	IgnoreFences        bool // application_id and group_id of resources are criteria that it does not know
	GlobalCredentials   bool // 15: X-Domain-Id may stand in for X-Project-Id
	ZeroCode            bool // 17: success is error_code "0"
	GatewayAuth         bool // 1.5: the gateway refuses bad credentials (APIGW.0301, and names a wrong clock), not COC itself
}

// Server is one simulated COC. It serves the API, and under /_coctest/ the
// control API of its methods.
type Server struct {
	opts   Options
	keys   map[string]bool
	api    *http.ServeMux
	ctl    *http.ServeMux
	origin string        // first half of request ids
	lastID atomic.Uint64 // second half
	closed chan struct{}
	close  func()

	mu     sync.Mutex // guards all below
	book   *book
	faults []*pending
	news   chan struct{} // closed at the next change; nil while nobody waits
	hangs  chan struct{} // closed when the next request hangs; likewise

	// Who is known to COC and IAM; Reset leaves it.
	signers        map[string]*knownKey // by access key
	users          []User
	projects       []Project
	wrong          map[string][]time.Time // by user: wrong passwords since the last right one
	tokens         map[string]*issuedToken
	agency         *Agency
	hosts          []Host
	documents      []Document
	current        *knownKey            // what the metadata service hands out; nil = it makes a new one
	metadataTokens map[string]time.Time // -> when each expires
}

// New returns a server that is ready to serve.
func New(opts Options) *Server {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.TokenLife == 0 {
		opts.TokenLife = 24 * time.Hour
	}
	if opts.Sleep == nil {
		opts.Sleep = sleep
	}
	s := &Server{opts: opts, keys: map[string]bool{}, origin: newOrigin(), closed: make(chan struct{})}
	s.close = sync.OnceFunc(func() { close(s.closed) })
	s.book = newBook(opts.KeepEvents)
	for _, key := range opts.Keys {
		s.keys[key] = true
	}
	s.know(opts)
	s.seed()
	s.api = s.routes()
	s.ctl = s.controls()
	return s
}

// seed makes what exists from the start.
func (s *Server) seed() {
	s.hosts = append([]Host(nil), s.opts.Hosts...)
	s.documents = append([]Document(nil), s.opts.Documents...)
	for _, script := range s.opts.Scripts {
		s.file(&script)
	}
}

// know takes over who is known at the start.
func (s *Server) know(opts Options) {
	s.signers, s.tokens = map[string]*knownKey{}, map[string]*issuedToken{}
	s.wrong, s.metadataTokens = map[string][]time.Time{}, map[string]time.Time{}
	s.users, s.projects, s.agency = opts.Users, opts.Projects, opts.Agency
	if opts.AccessKey != "" {
		s.SetAccessKeys(AccessKey{opts.AccessKey, opts.SecretKey, opts.SecurityToken})
	}
}

// routes is the table of the API: one line per endpoint, and the gateway's 404
// for every other path and method.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/event/huawei/custom/{key}", s.serve(s.reportEvent))
	mux.HandleFunc("POST /v1/external/incident/create", s.guarded(s.createIncident))
	mux.HandleFunc("POST /v1/external/incident/handle", s.guarded(s.handleIncident))
	mux.HandleFunc("GET /v1/external/incident/{num}", s.guarded(s.getIncident))
	mux.HandleFunc("GET /v1/incident-tickets", s.guarded(s.listTickets))
	mux.HandleFunc("POST /v2/incidents/list", s.guarded(s.listIncidents))
	mux.HandleFunc("GET /v2/incidents/{id}/tasks", s.guarded(s.listTasks))
	mux.HandleFunc("POST /v2/incidents/{id}/actions", s.guarded(s.doAction))
	mux.HandleFunc("POST /v1/job/scripts", s.guarded(s.createScript))
	mux.HandleFunc("GET /v1/job/scripts", s.guarded(s.listScripts))
	mux.HandleFunc("GET /v1/job/scripts/{uuid}", s.guarded(s.getScript))
	mux.HandleFunc("PUT /v1/job/scripts/{uuid}", s.guarded(s.updateScript))
	mux.HandleFunc("DELETE /v1/job/scripts/{uuid}", s.guarded(s.deleteScript))
	mux.HandleFunc("POST /v1/job/scripts/{uuid}", s.guarded(s.executeScript))
	mux.HandleFunc("GET /v1/job/script/orders", s.guarded(s.listOrders))
	mux.HandleFunc("GET /v1/job/script/orders/{order}", s.guarded(s.withOrder(s.orderInfo)))
	mux.HandleFunc("GET /v1/job/script/orders/{order}/batches", s.guarded(s.withOrder(s.orderBatches)))
	mux.HandleFunc("GET /v1/job/script/orders/{order}/statistics", s.guarded(s.withOrder(s.orderStatistics)))
	mux.HandleFunc("GET /v1/job/script/orders/{order}/batches/{batch}", s.guarded(s.withOrder(s.orderBatch)))
	mux.HandleFunc("PUT /v1/job/script/orders/{order}/operation", s.guarded(s.withOrder(s.operateOrder)))
	mux.HandleFunc("GET /v1/resources", s.guarded(s.listResources))
	mux.HandleFunc("GET /v1/documents/{document}", s.guarded(s.getDocument))
	mux.HandleFunc("POST /v1/documents/{document}", s.guarded(s.executeDocument))
	mux.HandleFunc("GET /v1/executions", s.guarded(s.listExecutions))
	mux.HandleFunc("POST /v1/executions", s.guarded(s.operateExecution))
	mux.HandleFunc("GET /v1/executions/{execution}", s.guarded(s.getExecution))
	mux.HandleFunc("GET /v1/executions/{execution}/steps", s.guarded(s.listSteps))
	mux.HandleFunc("POST /v3/auth/tokens", s.besides(s.issueToken, func(n *Counts) { n.LogIns++ }))
	mux.HandleFunc("GET /v3/projects", s.besides(s.listProjects, func(n *Counts) { n.ProjectLists++ }))
	mux.HandleFunc("PUT /meta-data/latest/api/token", s.besides(s.metadataToken, func(n *Counts) { n.MetadataTokens++ }))
	mux.HandleFunc("GET /openstack/latest/securitykey", s.besides(s.securityKey, func(n *Counts) { n.SecurityKeys++ }))
	mux.HandleFunc("/", s.notFound)
	return mux
}

// ServeHTTP answers one request. It panics with http.ErrAbortHandler, which
// net/http expects, where an injected fault leaves a request without an answer.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(requestIDHeader, s.newRequestID())
	w.Header().Set("Date", s.opts.Now().UTC().Format(http.TimeFormat))
	switch p := r.URL.Path; {
	case p == "" || path.Clean(p) != p: // ServeMux would redirect; the gateway does not
		s.notFound(w, r)
	case strings.HasPrefix(p, controlPrefix):
		s.ctl.ServeHTTP(w, r)
	default:
		s.api.ServeHTTP(w, r)
	}
}

// Alarms returns the accepted events, oldest first; the newest KeepEvents of
// them when that is set.
func (s *Server) Alarms() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.events.list()
}

// Duplicates returns the accepted events that repeated the event before them
// (same alarmId, status, level and time) sooner than Options.Refresh.
func (s *Server) Duplicates() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.duplicates.list()
}

// Violations returns what the accepted events broke, oldest first, one sentence
// each beginning with its kind: order, reopened, identity or content-type. At
// most a thousand are kept; Counts.Violations has the full number.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.book.violations...)
}

// Refusals returns the newest requests that the checks refused, each with the
// reason that the answer may not tell.
func (s *Server) Refusals() []Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.refusals.list()
}

// Requests returns what has become of the requests so far.
func (s *Server) Requests() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.counts.clone()
}

// Inject adds faults behind those already there. For each request the first
// that matches is performed; one that only delays lets the next ones act too.
func (s *Server) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, pendings(faults)...)
}

// ClearFaults removes all faults. Requests that already hang go on hanging.
func (s *Server) ClearFaults() { s.setFaults(nil) }

func (s *Server) setFaults(faults []Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = pendings(faults)
}

// Wait returns nil as soon as the condition holds. It looks at once, and again
// after every request that was answered or met a fault. It returns the
// context's error when that ends first, and ErrClosed after Close.
func (s *Server) Wait(ctx context.Context, holds func(s *Server) bool) error {
	for {
		news := s.nextNews() // before looking, so that nothing is missed
		if holds(s) {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closed:
			return ErrClosed
		}
	}
}

func (s *Server) nextNews() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return next(&s.news)
}

func next(signal *chan struct{}) <-chan struct{} {
	if *signal == nil {
		*signal = make(chan struct{})
	}
	return *signal
}

func give(signal *chan struct{}) {
	if *signal != nil {
		close(*signal)
		*signal = nil
	}
}

// Impatient returns a context whose deadline has come as soon as a request hangs, and
// that ends by nothing else: who tests what follows need not wait for a real deadline,
// which a slow machine may meet too early.
func (s *Server) Impatient(ctx context.Context) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return impatient{ctx, next(&s.hangs)}
}

type impatient struct {
	context.Context
	over <-chan struct{}
}

// Done implements context.Context.
func (i impatient) Done() <-chan struct{} { return i.over }

// Err implements context.Context.
func (i impatient) Err() error {
	select {
	case <-i.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// changed wakes those who wait. The caller holds mu.
func (s *Server) changed() { give(&s.news) }

// Reset makes the server as new: events, counts, violations and faults are
// gone, numbering starts again. Who is known stays, tokens included.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book = newBook(s.opts.KeepEvents)
	s.faults = nil
	s.seed()
	s.changed()
}

// Close releases requests that hang and ends Wait. Call it before closing the
// HTTP server around it, which waits for its requests. It may be called twice.
func (s *Server) Close() { s.close() }

// sleep is the default of Options.Sleep.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
