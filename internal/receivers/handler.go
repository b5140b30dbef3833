package receivers

import (
	"math"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/cocbridge/cocbridge/internal/alert"
)

// Options are what a receiver is made of. Config has been validated and Accept
// is mandatory; a nil elsewhere stands for always ready, a budget of its own, metrics
// that nobody reads, no links to COC, no log, and time.Now.
type Options struct {
	Config  Config
	Accept  Accept
	Ready   func() error // why Accept would fail; asked before a body is read
	Budget  *Budget
	Metrics *Metrics
	Look    Look
	Log     *zap.Logger
	Now     func() time.Time
}

// New returns the receiver as a handler for its path.
//
// It answers 200 with {"status":"ok","alerts":n} after Accept has returned nil,
// and otherwise the status of the reason with {"error":"one plain sentence"}.
//
// The error is the format's: an expression of the configuration that does not compile.
func New(o Options) (http.Handler, error) {
	format, err := NewFormat(o.Config)
	if err != nil {
		return nil, err
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.Budget == nil {
		o.Budget = NewBudget(DefaultBudget)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Look == nil {
		o.Look = func(alert.Alert) Seen { return Seen{} }
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Metrics.init(o.Config.Name)
	return &handler{
		Options:     o,
		format:      format,
		credentials: newCredentials(o.Config.Auth),
		portion:     o.Budget.portion(int64(o.Config.MaxBody)),
		turns:       make(chan struct{}, maxAtOnce),
		decoders:    make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
		limiter:     newLimiter(o.Config.RateLimit),
		warnings:    warnings{log: o.Log.With(zap.String("receiver", o.Config.Name)), now: o.Now},
		notices:     rate.NewLimiter(rate.Every(time.Minute), 10),
	}, nil
}

// maxAtOnce is how many requests of one receiver are decoded and stored at once.
// Those whose body is still on its way do not count: slow senders would shut out the others.
const maxAtOnce = 256

// newLimiter returns a limiter of so many requests per second; 0 = no limit.
func newLimiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond)))
}

type handler struct {
	Options
	format      Format
	credentials credentials
	portion     *Budget
	turns       chan struct{} // one place for each request whose body has arrived
	decoders    chan struct{} // a decoded body takes many times its bytes
	limiter     *rate.Limiter
	warnings    warnings
	notices     *rate.Limiter
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := share{budget: h.Budget, portion: h.portion}
	defer s.release()
	batch, err := h.receive(w, r, &s)
	if err != nil {
		h.refuse(w, r, explain(err))
		return
	}
	h.count(r, batch)
	reply(w, http.StatusOK, h.answer(batch))
}

// receive takes a request through everything, cheap checks first.
func (h *handler) receive(w http.ResponseWriter, r *http.Request, s *share) (Batch, error) {
	sender, err := h.admit(r)
	if err != nil {
		return Batch{}, err
	}
	body, err := readBody(w, r, int64(h.Config.MaxBody), s)
	if err != nil {
		return Batch{}, err
	}
	if sender == signed {
		if err := h.verify(r, body); err != nil {
			return Batch{}, err
		}
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	default:
		return Batch{}, &Error{Overload, "", "too many requests of this receiver are under way at once, send it again"}
	}
	batch, err := h.decode(r, body)
	if err != nil {
		return Batch{}, err
	}
	if err := h.Accept(r.Context(), batch); err != nil {
		return Batch{}, &Error{NotStored, "", err.Error()}
	}
	return batch, nil
}

// decode waits for its turn only as long as the sender does.
func (h *handler) decode(r *http.Request, body []byte) (Batch, error) {
	select {
	case h.decoders <- struct{}{}:
		defer func() { <-h.decoders }()
	case <-r.Context().Done():
		return Batch{}, &Error{Overload, "", "the sender did not wait until others were decoded, send it again"}
	}
	return h.format.Decode(Message{Body: body, ContentType: r.Header.Get("Content-Type"), Arrived: h.Now()})
}

// errUnauthorized tells nothing of what was wrong.
var errUnauthorized = &Error{Unauthorized, "", "not authorized"}

// admit decides by the header alone; a sender that is signed is known only once
// its body is.
func (h *handler) admit(r *http.Request) (verdict, error) {
	sender := known
	switch open := !h.credentials.any(); {
	case r.Method != http.MethodPost:
		return stranger, &Error{BadMethod, "", "only POST is accepted; after a redirect Alertmanager sends GET, so its url must be the final one"}
	case open && forwarded(r.Header):
		return stranger, &Error{Forwarded, "", "this receiver has no credentials and does not accept requests that a proxy passed on; set its auth"}
	case open && fromBrowser(r.Header):
		return stranger, &Error{Forwarded, "", "this receiver has no credentials and does not accept requests that a web page makes; set its auth"}
	case open:
	default:
		if sender = h.credentials.check(r, h.Now()); sender == stranger {
			return stranger, errUnauthorized
		}
	}
	if sender == known {
		if err := h.allow(); err != nil {
			return stranger, err
		}
	}
	if err := h.Ready(); err != nil {
		return stranger, &Error{NotStored, "", err.Error()}
	}
	return sender, checkEncoding(r.Header, h.Config.Gzip)
}

// verify completes admit for a sender whose body says who it is.
func (h *handler) verify(r *http.Request, body []byte) error {
	if !h.credentials.signature.kept(r.Header, body) {
		return errUnauthorized
	}
	return h.allow()
}

// allow takes a request from rate_limit. Only who is known may: others would
// spend what is the senders'.
func (h *handler) allow() error {
	if !h.limiter.Allow() {
		return &Error{RateLimited, "", "more requests than rate_limit allows, send it again"}
	}
	return nil
}

// refuse is the one place where an error becomes a status, a counter, a line in
// the log and a body.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	h.Metrics.refused(h.Config.Name, e.Reason)
	h.warnings.warn(string(e.Reason), "request refused", zap.String("err", e.Error()), zap.String("remote", r.RemoteAddr))
	status := statuses[e.Reason]
	switch status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		h.credentials.challenge(w.Header())
	case http.StatusUnsupportedMediaType:
		w.Header().Set("Accept-Encoding", h.encodings())
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	reply(w, status, refused{e.Error()})
}

func (h *handler) encodings() string {
	if h.Config.Gzip {
		return "gzip, identity"
	}
	return "identity"
}

// count tells of a stored batch, and of what was wrong with parts of it.
func (h *handler) count(r *http.Request, b Batch) {
	h.Metrics.accepted(b)
	remote := zap.String("remote", r.RemoteAddr)
	for _, bad := range b.Rejected {
		h.warnings.warn(bad.Reason, "alert cannot be used and becomes a dead letter",
			zap.String("err", bad.Field+": "+bad.Problem), remote)
	}
	if b.Notice != "" && h.notices.Allow() {
		h.Log.Warn("the sender asks the operator for something", zap.String("receiver", h.Config.Name), zap.String("notice", b.Notice), remote)
	}
	if b.Truncated > 0 {
		h.warnings.warn("truncated", "the sender left alerts out of its request, their state is unknown",
			zap.Int("alerts", b.Truncated), remote)
	}
}

func (h *handler) answer(b Batch) any {
	if h.format.Answer != nil {
		return h.format.Answer(b, h.Look)
	}
	return accepted{"ok", len(b.Alerts), len(b.Rejected)}
}

type accepted struct {
	Status   string `json:"status"`
	Alerts   int    `json:"alerts"`
	Rejected int    `json:"rejected,omitzero"` // became dead letters
}

type refused struct {
	Error string `json:"error"`
}

func reply(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The sender is gone if this fails, and there is nobody to tell.
	_ = json.MarshalWrite(w, answer, jsontext.AllowInvalidUTF8(true))
}

// warnings logs at most once a minute for each reason: what a sender can cause
// it can cause a thousand times a second. The metrics have the numbers.
type warnings struct {
	log *zap.Logger
	now func() time.Time

	mu   sync.Mutex
	last map[string]time.Time // by reason, of which there are few
}

func (w *warnings) warn(reason, message string, fields ...zap.Field) {
	if w.due(reason) {
		w.log.Warn(message, append(fields, zap.String("reason", reason))...)
	}
}

func (w *warnings) due(reason string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if last, ok := w.last[reason]; ok && now.Sub(last) < time.Minute {
		return false
	}
	if w.last == nil {
		w.last = make(map[string]time.Time)
	}
	w.last[reason] = now
	return true
}
