package coc_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// library has one job with a step that works, one that waits and one that fails.
func library(opts coctest.Options) coctest.Options {
	opts.Documents = []coctest.Document{{
		ID: "DM1", Name: "failover", Content: "meta:\n  name: failover\n", Versions: []string{"v1", "v2"}, Parameters: []string{"db"},
		Steps: []coctest.DocumentStep{
			{Name: "drain", Takes: 10 * time.Second, Output: "drained"}, {Name: "ask", Suspend: true}, {Name: "switch", Takes: time.Second, Fails: true},
		},
	}}
	return opts
}

func job() coc.JobRun {
	return coc.JobRun{
		Document: coc.DocumentRef{ID: "DM1"}, Parameters: []coc.RunParam{{Name: "db", Value: "orders"}}, Description: "[cb:0123456789ab]",
		SysTags: []coc.Attribute{{Key: "by", Value: "cocbridge"}},
	}
}

func TestClient_GetDocument(t *testing.T) {
	for name, sw := range map[string]coctest.Switches{"nested": {}, "flat": {Flat: true}} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, library(coctest.Options{Switches: sw}))
			got, err := s.client.GetDocument(t.Context(), coc.DocumentRef{ID: "DM1", Version: "v1", Type: "PRIVATE"})
			const made = 1751364000000
			want := coc.Document{
				ID: "DM1", Name: "failover", Content: "meta:\n  name: failover\n", Version: "v1", RiskLevel: "LOW", Creator: "coctest", Modifier: "coctest",
				EnterpriseProject: "0", Created: made, Updated: made,
				Versions: []coc.DocumentVersion{{Version: "v2", UUID: "DM1-v2", Created: made}, {Version: "v1", UUID: "DM1-v1", Created: made}},
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			for _, ref := range []coc.DocumentRef{{ID: "DM2"}, {ID: "DM1", Version: "v9"}, {ID: "DM1", Type: "PUBLIC"}} {
				_, err := s.client.GetDocument(t.Context(), ref)
				wantClass(t, err, coc.NotFound, true)
			}
		})
	}
}

func TestClient_execution_throughItsLife(t *testing.T) {
	for name, sw := range map[string]coctest.Switches{"as usual": {}, "with other ids": {TextIDs: true}} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, library(coctest.Options{Switches: sw}))
			id, requestID, err := s.client.ExecuteDocument(t.Context(), job())
			if err != nil || requestID == "" {
				t.Fatal(err, requestID)
			}
			s.wantExecution(t, id, coc.ExecutionRunning)
			s.advance(10 * time.Second)
			s.wantExecution(t, id, coc.ExecutionPending)
			if _, err := s.client.OperateExecution(t.Context(), id, coc.ResumeExecution); err != nil {
				t.Fatal(err)
			}
			s.advance(time.Second)
			want := coc.Execution{
				ID: id, Type: "NORMAL", Document: "DM1", Name: "failover", Version: "v2", Status: coc.ExecutionFailed, Description: "[cb:0123456789ab]",
				Creator: "coctest", Started: epoch.UnixMilli(), Finished: epoch.Add(11 * time.Second).UnixMilli(), SysTags: job().SysTags,
			}
			got := s.wantExecution(t, id, coc.ExecutionFailed)
			if diff := cmp.Diff(want, got); diff != "" || got.Took() != 11*time.Second {
				t.Errorf("took %v (-want +got):\n%s", got.Took(), diff)
			}
			var steps []string
			for step, err := range s.client.EachExecutionStep(t.Context(), coc.StepQuery{Execution: id, Limit: 2}) {
				if err != nil {
					t.Fatal(err)
				}
				steps = append(steps, step.Name+" "+string(step.Status)+" "+step.Took().String())
			}
			if diff := cmp.Diff([]string{"drain Succeed 10s", "ask Succeed 0s", "switch Failed 1s"}, steps); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			_, err = s.client.OperateExecution(t.Context(), id, coc.TerminateExecution)
			wantClass(t, err, coc.Permanent, true)
			if _, err := s.client.OperateExecution(t.Context(), id, coc.RetryExecution); err != nil {
				t.Error(err)
			}
			if _, err := s.client.OperateExecution(t.Context(), id, coc.TerminateExecution); err != nil {
				t.Error(err)
			}
			s.wantExecution(t, id, coc.ExecutionCanceled)
		})
	}
}

func (s *simulated) wantExecution(t testing.TB, id string, status coc.ExecutionStatus) coc.Execution {
	t.Helper()
	e, err := s.client.GetExecution(t.Context(), id)
	if err != nil || e.Status != status {
		t.Errorf("execution %s, %v, want %s", e.Status, err, status)
	}
	return e
}

func TestClient_GetExecution_ofNone(t *testing.T) {
	for name, sw := range map[string]coctest.Switches{"200 without data": {}, "400": {Lost400: true}} {
		s := simulate(t, coctest.Options{Switches: sw})
		_, err := s.client.GetExecution(t.Context(), "EX1")
		if e := classified(t, err, coc.NotFound, true); e.RequestID == "" {
			t.Errorf("%s: no request id", name)
		}
	}
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"id":3025,"execution_id":"EX2","status":"SUCCEED","tags":null,"targets":null}}`)
	})
	_, err := client.GetExecution(t.Context(), "EX1")
	wantClass(t, err, coc.Retry, true)
	if e, err := client.GetExecution(t.Context(), "EX2"); err != nil || e.Status != coc.ExecutionSucceeded {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestClient_EachExecution(t *testing.T) {
	s := simulate(t, library(coctest.Options{OrderDelay: time.Second}))
	var ids []string
	for range 3 {
		id, _, err := s.client.ExecuteDocument(t.Context(), job())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		s.advance(time.Minute)
	}
	for name, c := range map[string]struct {
		query coc.ExecutionQuery
		want  []string
	}{
		"all, in pages":       {coc.ExecutionQuery{Limit: 2}, []string{ids[2], ids[1], ids[0]}},
		"of a document":       {coc.ExecutionQuery{Document: "DM1", Name: "fail", Creator: "coc"}, []string{ids[2], ids[1], ids[0]}},
		"of another":          {coc.ExecutionQuery{Document: "DM2"}, nil},
		"of a time, included": {coc.ExecutionQuery{From: epoch.Add(time.Minute), To: epoch.Add(time.Minute)}, []string{ids[1]}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for e, err := range s.client.EachExecution(t.Context(), c.query) {
				if err != nil || e.Description != "[cb:0123456789ab]" {
					t.Fatal(e, err)
				}
				got = append(got, e.ID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestClient_ExecuteDocument_asCOCRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		switches coctest.Switches
		change   func(*coc.JobRun)
		class    coc.Class
	}{
		"an unknown document":       {coctest.Switches{}, func(j *coc.JobRun) { j.Document.ID = "DM9" }, coc.NotFound},
		"an unknown version":        {coctest.Switches{}, func(j *coc.JobRun) { j.Document.Version = "v9" }, coc.Permanent},
		"an undeclared parameter":   {coctest.Switches{}, func(j *coc.JobRun) { j.Parameters[0].Name = "x" }, coc.Permanent},
		"a 204 that has its reason": {coctest.Switches{Error204: true}, func(j *coc.JobRun) { j.Document.ID = "DM9" }, coc.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, library(coctest.Options{Switches: c.switches}))
			j := job()
			c.change(&j)
			_, _, err := s.client.ExecuteDocument(t.Context(), j)
			wantClass(t, err, c.class, true)
			if n := s.Requests().Requests; n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestClient_executions_refuseBeforeSending(t *testing.T) {
	s := simulate(t, coctest.Options{})
	for name, change := range map[string]func(*coc.JobRun){
		"a document that climbs": func(j *coc.JobRun) { j.Document.ID = "../executions" },
		"an unknown type":        func(j *coc.JobRun) { j.Document.Type = "NORMAL" },
		"a long description":     func(j *coc.JobRun) { j.Description = strings.Repeat("x", 256) },
		"a parameter of no name": func(j *coc.JobRun) { j.Parameters[0].Name = "" },
		"targets for nothing":    func(j *coc.JobRun) { j.Targets = []coc.JobTarget{{Key: "InstanceValues"}} },
		"an unknown target":      func(j *coc.JobRun) { j.TargetParameter, j.Targets = "x", []coc.JobTarget{{Key: "x"}} },
	} {
		j := job()
		change(&j)
		_, _, err := s.client.ExecuteDocument(t.Context(), j)
		if e := asError(t, err); e == nil || e.Class != coc.Permanent || e.Sent {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := s.client.OperateExecution(t.Context(), "EX1", "STOP")
	wantClass(t, err, coc.Permanent, false)
	_, err = s.client.ListExecutions(t.Context(), coc.ExecutionQuery{Offset: -1})
	wantClass(t, err, coc.Permanent, false)
	if n := s.Requests().Requests; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestClient_OperateExecution_takesNoBodyForAnAnswer: everywhere else an empty
// 200 says nothing.
func TestClient_OperateExecution_takesNoBodyForAnAnswer(t *testing.T) {
	for status, sent := range map[int]bool{http.StatusOK: false, http.StatusNoContent: true} {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		_, err := client.OperateExecution(t.Context(), "EX1", coc.RetryExecution)
		if sent {
			wantClass(t, err, coc.Retry, true)
		} else if err != nil {
			t.Error(err)
		}
	}
}
