package scripts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
)

const (
	// hostsFor is how long an answer about hosts is used again.
	hostsFor = time.Minute
	// maxHostPages bounds one question; a fence with more hosts than that is none.
	maxHostPages = 50
	// maxAnswers bounds the cache.
	maxAnswers = 1000
	// nowhereID is an id that no application or group has.
	nowhereID = "cocbridge-no-such-id"
)

// refusal is why a run cannot be armed: a person must act.
type refusal struct {
	code Reason
	text string
}

func (r *refusal) Error() string { return r.text }

// targets returns the hosts that the rule runs on for this alert, filled in from
// COC, or a *refusal: none is left out silently, and none is guessed.
func (s *Scripts) targets(ctx context.Context, r *rule, a *alert.Alert) ([]Target, error) {
	if r.script == nil {
		return nil, nil
	}
	var hosts []Target
	var err error
	if l := r.script.Targets.Lookup; l != nil {
		hosts, err = s.hosts.lookUp(ctx, *l, a.Labels[l.Label])
	} else {
		hosts, err = s.hosts.fill(ctx, r.script.Targets.Hosts)
	}
	var problem *refusal
	if errors.As(err, &problem) {
		return nil, &refusal{problem.code, fmt.Sprintf("rule %q: targets: %s; nothing runs", r.name, problem.text)}
	}
	if err != nil {
		return nil, err
	}
	most := min(r.script.Targets.Max, coc.MaxBatches*r.script.BatchSize)
	if n := len(hosts); n > most {
		return nil, &refusal{codeTarget, fmt.Sprintf("rule %q: targets: there are %d hosts, at most %d are allowed; nothing runs", r.name, n, most)}
	}
	return hosts, nil
}

// inventory asks COC about hosts, and remembers the answers for a while.
type inventory struct {
	coc COC
	now func() time.Time

	mu      sync.Mutex
	answers map[string]answer
}

type answer struct {
	at    time.Time
	hosts []coc.Resource
}

func newInventory(c COC, now func() time.Time) *inventory {
	return &inventory{coc: c, now: now, answers: map[string]answer{}}
}

// lookUp finds the one host that value names within the fence.
func (v *inventory) lookUp(ctx context.Context, l Lookup, value string) ([]Target, error) {
	q, err := l.question(value)
	if err != nil {
		return nil, err
	}
	if err := v.checkFence(ctx, l.Within); err != nil {
		return nil, err
	}
	near, err := v.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	var hosts []coc.Resource
	for _, h := range near { // COC finds names and addresses by a part of them
		if l.names(h, value) && l.Within.holds(h) {
			hosts = append(hosts, h)
		}
	}
	switch len(hosts) {
	case 1:
		return online(hosts)
	case 0:
		return nil, &refusal{codeTarget, fmt.Sprintf("COC knows no host with %s %.64q (label %s) within %s", l.By, value, l.Label, l.Within)}
	default:
		return nil, &refusal{codeTarget, fmt.Sprintf("%d hosts have %s %.64q (label %s) within %s: it must be exactly one", len(hosts), l.By, value, l.Label, l.Within)}
	}
}

// question: what a label says is only ever compared, but it must look like what
// it is to be compared with.
func (l Lookup) question(value string) (coc.ResourceQuery, error) {
	q := coc.ResourceQuery{Application: l.Within.Application, Group: l.Within.Group}
	bad := func(want string) error {
		return &refusal{codeTarget, fmt.Sprintf("label %s is %.80q, which is not %s", l.Label, value, want)}
	}
	switch l.By {
	case byResource:
		if !anyID.MatchString(value) {
			return q, bad("the id of a host")
		}
		q.IDs = []string{value}
	case byName:
		if !anyID.MatchString(value) {
			return q, bad("the name of a host")
		}
		q.Name = value
	default:
		if !isIP(value) {
			return q, bad("an address")
		}
		q.IP = value
	}
	return q, nil
}

func (l Lookup) names(h coc.Resource, value string) bool {
	switch l.By {
	case byResource:
		return h.ResourceID == value
	case byName:
		return h.Name == value
	default:
		return h.IP == value
	}
}

// holds checks what an answer tells of the fence; the rest COC has applied.
func (f Fence) holds(h coc.Resource) bool {
	if f.Tag == "" {
		return true
	}
	key, value, _ := strings.Cut(f.Tag, "=")
	got, ok := h.Tags[key]
	return ok && got == value
}

func (f Fence) String() string {
	var parts []string
	for _, of := range []struct{ name, value string }{{"application_id", f.Application}, {"group_id", f.Group}, {"tag", f.Tag}} {
		if of.value != "" {
			parts = append(parts, of.name+" "+of.value)
		}
	}
	return strings.Join(parts, ", ")
}

// checkFence makes sure that COC applies the fence: answers do not tell the
// application or group of a host, and a service that ignores a criterion it does
// not know would let every host in. So it is asked for one that cannot exist.
func (v *inventory) checkFence(ctx context.Context, f Fence) error {
	for _, of := range []struct {
		name, value string
		question    coc.ResourceQuery
	}{
		{"application_id", f.Application, coc.ResourceQuery{Application: nowhereID, Limit: 1}},
		{"group_id", f.Group, coc.ResourceQuery{Group: nowhereID, Limit: 1}},
	} {
		if of.value == "" {
			continue
		}
		hosts, err := v.ask(ctx, of.question)
		var e *coc.Error
		if errors.As(err, &e) && (e.Class == coc.Permanent || e.Class == coc.NotFound) {
			continue // it does look at it
		}
		if err != nil {
			return err
		}
		if len(hosts) > 0 {
			return &refusal{codeTarget, fmt.Sprintf("COC ignores the criterion %s, so it would be no fence; use within.tag", of.name)}
		}
	}
	return nil
}

// fill takes what is left out from COC. A host that COC does not know, or knows to
// be elsewhere, is refused.
func (v *inventory) fill(ctx context.Context, fixed []Host) ([]Target, error) {
	known := map[string]coc.Resource{}
	for part := range slices.Chunk(fixed, coc.MaxResourceIDs) {
		var ids []string
		for _, h := range part {
			ids = append(ids, h.ResourceID)
		}
		hosts, err := v.ask(ctx, coc.ResourceQuery{IDs: ids})
		if err != nil {
			return nil, err
		}
		for _, h := range hosts {
			known[h.ResourceID] = h
		}
	}
	var hosts []coc.Resource
	for _, want := range fixed {
		h, ok := known[want.ResourceID]
		if !ok {
			return nil, &refusal{codeTarget, fmt.Sprintf("COC knows no host %s", want.ResourceID)}
		}
		if want.RegionID != "" && want.RegionID != h.RegionID || want.ProjectID != "" && want.ProjectID != h.ProjectID {
			return nil, &refusal{codeTarget, fmt.Sprintf("host %s is in region %s and project %s, not where the rule says", want.ResourceID, h.RegionID, h.ProjectID)}
		}
		if want.AgentSN != "" {
			h.AgentSN = want.AgentSN
		}
		hosts = append(hosts, h)
	}
	return online(hosts)
}

// online turns hosts into targets, if a script can run on all of them.
func online(hosts []coc.Resource) (all []Target, err error) {
	for _, h := range hosts {
		switch {
		case h.AgentState != coc.AgentOnline:
			state := h.AgentState
			if state == "" {
				state = "not installed"
			}
			return nil, &refusal{codeTarget, fmt.Sprintf("the UniAgent of host %s (%s) is %s, not %s", h.ResourceID, h.Name, state, coc.AgentOnline)}
		case h.RegionID == "":
			return nil, &refusal{codeTarget, fmt.Sprintf("COC tells no region of host %s", h.ResourceID)}
		}
		all = append(all, Target{ResourceID: h.ResourceID, RegionID: h.RegionID, ProjectID: h.ProjectID, AgentSN: h.AgentSN, Name: h.Name})
	}
	return all, nil
}

// ask reads all pages, or takes what was answered a short time ago.
func (v *inventory) ask(ctx context.Context, q coc.ResourceQuery) ([]coc.Resource, error) {
	key := fmt.Sprintf("%q", []any{q.IDs, q.Name, q.IP, q.Application, q.Group})
	v.mu.Lock()
	old, ok := v.answers[key]
	v.mu.Unlock()
	if ok && v.now().Sub(old.at) < hostsFor {
		return old.hosts, nil
	}
	fresh := answer{at: v.now()}
	for range maxHostPages {
		page, err := v.coc.ListResources(ctx, q)
		if err != nil {
			return nil, err
		}
		fresh.hosts = append(fresh.hosts, page.Resources...)
		if page.Next == "" || page.Next == q.After {
			v.remember(key, fresh)
			return fresh.hosts, nil
		}
		q.After = page.Next
	}
	return nil, &refusal{codeTarget, fmt.Sprintf("COC lists more than %d pages of hosts", maxHostPages)}
}

func (v *inventory) remember(key string, a answer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.answers) >= maxAnswers {
		clear(v.answers)
	}
	v.answers[key] = a
}
