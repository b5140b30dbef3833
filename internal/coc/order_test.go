package coc_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

func TestClient_order_throughItsLife(t *testing.T) {
	for name, sw := range map[string]coctest.Switches{"as usual": {}, "in other words": {Flat: true, ErrorWord: true, CostsInSeconds: true}} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, farm(coctest.Options{OrderStart: time.Second, Switches: sw}))
			uuid := s.execute(t, run("h1", "h2"))
			s.wantOrder(t, uuid, coc.OrderReady, 2, 0, 0)
			s.advance(time.Second)
			s.wantOrder(t, uuid, coc.OrderProcessing, 2, 0, 0)
			s.advance(10 * time.Second)
			s.wantOrder(t, uuid, coc.OrderProcessing, 2, 1, 0)
			s.advance(20 * time.Second)
			got := s.wantOrder(t, uuid, coc.OrderAbnormal, 2, 2, 1)
			want := coc.Order{
				UUID: uuid, Status: coc.OrderAbnormal, Creator: "coctest", Created: epoch.UnixMilli(), Finished: epoch.Add(31 * time.Second).UnixMilli(),
				ScriptUUID: "SC1", ScriptName: "restart", CurrentBatch: 2,
			}
			if diff := cmp.Diff(want, got); diff != "" || got.Took() != 31*time.Second {
				t.Errorf("took %v (-want +got):\n%s", got.Took(), diff)
			}
			batches, err := s.client.OrderBatches(t.Context(), uuid)
			if diff := cmp.Diff([]coc.OrderBatch{{Index: 1, Hosts: 1}, {Index: 2, Hosts: 1}}, batches); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			page, err := s.client.ListHostRuns(t.Context(), coc.HostRunQuery{Order: uuid, Batch: 2})
			host := coc.HostRun{
				ID: 2, ResourceID: "h2", Name: "web-2", IP: "10.0.0.2", RegionID: "cn-north-4", Attributes: []coc.Attribute{{Key: "brid", Value: "0123456789abcdef"}},
				Status: coc.OrderAbnormal, Created: epoch.Add(11 * time.Second).UnixMilli(), Finished: epoch.Add(31 * time.Second).UnixMilli(), Output: "no such unit",
			}
			if diff := cmp.Diff(coc.HostRunPage{Hosts: []coc.HostRun{host}, Total: 1, Next: 2}, page); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// wantOrder checks status and statistics, and returns the order.
func (s *simulated) wantOrder(t testing.TB, uuid string, status coc.OrderStatus, hosts, done, failed int) coc.Order {
	t.Helper()
	o, err := s.client.GetOrder(t.Context(), uuid)
	if err != nil || o.Status != status {
		t.Errorf("order %s, %v, want %s", o.Status, err, status)
	}
	st, err := s.client.OrderStatistics(t.Context(), uuid)
	if d, f := st.Done(); err != nil || st.Hosts != hosts || d != done || f != failed {
		t.Errorf("statistics %+v, %v, want %d hosts, %d done, %d failed", st, err, hosts, done, failed)
	}
	return o
}

func TestClient_OperateOrder(t *testing.T) {
	s := simulate(t, farm(coctest.Options{}))
	operate := func(o coc.OrderOperation) error {
		_, err := s.client.OperateOrder(t.Context(), o)
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r := run("h1", "h2")
	paused := s.execute(t, r)
	must(operate(coc.OrderOperation{Order: paused, Operation: coc.PauseOrder}))
	s.advance(time.Minute)
	s.wantOrder(t, paused, coc.OrderPaused, 2, 1, 0)
	wantClass(t, operate(coc.OrderOperation{Order: paused, Operation: coc.PauseOrder}), coc.Permanent, true)
	must(operate(coc.OrderOperation{Order: paused, Operation: coc.ContinueOrder}))
	must(operate(coc.OrderOperation{Order: paused, Operation: coc.CancelOrder}))
	s.wantOrder(t, paused, coc.OrderCanceled, 2, 2, 1)
	wantClass(t, operate(coc.OrderOperation{Order: paused, Operation: coc.CancelOrder}), coc.Permanent, true)

	skipped := s.execute(t, r)
	must(operate(coc.OrderOperation{Order: skipped, Operation: coc.SkipBatch, Batch: 2}))
	s.advance(time.Minute)
	s.wantOrder(t, skipped, coc.OrderFinished, 2, 2, 1)

	hosts := s.execute(t, r)
	page, err := s.client.ListHostRuns(t.Context(), coc.HostRunQuery{Order: hosts, Batch: 2})
	must(err)
	must(operate(coc.OrderOperation{Order: hosts, Operation: coc.CancelHost, Host: page.Hosts[0].ID}))
	s.advance(time.Minute)
	s.wantOrder(t, hosts, coc.OrderFinished, 2, 2, 1)

	r.Batches[0].Pause = true
	parked := s.execute(t, r)
	s.advance(time.Hour)
	s.wantOrder(t, parked, coc.OrderPaused, 2, 1, 0)

	for _, o := range []coc.OrderOperation{
		{Order: parked, Operation: "RETRY_INSTANCE"}, {Order: parked, Operation: coc.SkipBatch}, {Order: parked, Operation: coc.SkipBatch, Batch: 21},
		{Order: parked, Operation: coc.CancelHost}, {Order: parked, Operation: coc.CancelOrder, Host: 1}, {Order: "x/y", Operation: coc.CancelOrder},
	} {
		wantClass(t, operate(o), coc.Permanent, false)
	}
}

func TestClient_order_thatTimesOut(t *testing.T) {
	s := simulate(t, farm(coctest.Options{}))
	r := run("h1")
	r.Timeout = 6 * time.Second
	uuid := s.execute(t, r)
	s.advance(6 * time.Second)
	s.wantOrder(t, uuid, coc.OrderAbnormal, 1, 1, 1)
}

func TestClient_EachOrder(t *testing.T) {
	s := simulate(t, farm(coctest.Options{OrderDelay: time.Second}))
	var uuids []string
	for range 3 {
		uuids = append(uuids, s.execute(t, run("h1")))
		s.advance(time.Minute)
	}
	late := s.execute(t, run("h1"))
	_, err := s.client.GetOrder(t.Context(), late)
	wantClass(t, err, coc.NotFound, true)
	for name, c := range map[string]struct {
		query coc.OrderQuery
		want  []string
	}{
		"all, newest first":  {coc.OrderQuery{Limit: 2}, []string{uuids[2], uuids[1], uuids[0]}},
		"of a time":          {coc.OrderQuery{From: epoch.Add(time.Minute), To: epoch.Add(time.Minute)}, []string{uuids[1]}},
		"of another creator": {coc.OrderQuery{Creator: "nobody"}, nil},
		"of a status":        {coc.OrderQuery{Status: coc.OrderFinished, Limit: 1}, []string{uuids[2], uuids[1], uuids[0]}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for o, err := range s.client.EachOrder(t.Context(), c.query) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, o.UUID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestClient_EachHostRun_pages(t *testing.T) {
	opts := coctest.Options{Scripts: []coctest.Script{{UUID: "SC1", Name: "x"}}, Switches: coctest.Switches{HideAttributes: true}}
	var targets []coc.Target
	for i := range 10 {
		id := fmt.Sprintf("h%d", i)
		opts.Hosts = append(opts.Hosts, coctest.Host{ResourceID: id, RegionID: "cn-north-4", AgentState: "ONLINE"})
		targets = append(targets, target(id))
	}
	s := simulate(t, opts)
	uuid := s.execute(t, coc.Run{Script: "SC1", User: "root", Timeout: time.Minute, SuccessRate: 50.5, Batches: coc.InBatches(targets, 10)})
	n := 0
	for h, err := range s.client.EachHostRun(t.Context(), coc.HostRunQuery{Order: uuid, Batch: 1, Limit: 3}) {
		if err != nil || h.Attributes != nil || h.Status != coc.OrderFinished {
			t.Fatal(h, err)
		}
		n++
	}
	if n != 10 {
		t.Errorf("%d hosts, want 10", n)
	}
}

func TestClient_GetOrder_ofAnother(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"execute_uuid":"SCT2","status":"FINISHED"}}`)
	})
	_, err := client.GetOrder(t.Context(), "SCT1")
	wantClass(t, err, coc.Retry, true)
}

func TestClient_order_readsEveryForm(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want coc.Order
	}{
		"flat, as one table has it": {`{"execute_uuid":"SCT1","status":"ERROR","gmt_created":1772366400000}`,
			coc.Order{UUID: "SCT1", Status: coc.OrderAbnormal, Created: epoch.UnixMilli()}},
		"seconds, lower case, no id": {`{"data":{"status":"finished","gmt_finished":1772366400}}`,
			coc.Order{UUID: "SCT1", Status: coc.OrderFinished, Finished: epoch.UnixMilli()}},
		"ids as numbers": {`{"data":{"properties":{"script_uuid":77,"current_execute_batch_index":"3"}}}`,
			coc.Order{UUID: "SCT1", ScriptUUID: "77", CurrentBatch: 3}},
		"a status of the future": {`{"data":{"status":"DREAMING"}}`, coc.Order{UUID: "SCT1", Status: "DREAMING"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.body) })
			got, err := client.GetOrder(t.Context(), "SCT1")
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil || got.Status == "DREAMING" && got.Status.Ended() {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestClient_EachResource(t *testing.T) {
	for name, sw := range map[string]coctest.Switches{"pairs": {}, "a map": {TagMap: true}} {
		t.Run(name, func(t *testing.T) {
			opts := farm(coctest.Options{Switches: sw})
			opts.Hosts[0].Tags, opts.Hosts[0].EnterpriseProject = map[string]string{"team": "web"}, "0"
			opts.Hosts = append(opts.Hosts, coctest.Host{ResourceID: "h4", Name: "bare", RegionID: "eu"})
			s := simulate(t, opts)
			for name, c := range map[string]struct {
				query coc.ResourceQuery
				want  string
			}{
				"all, in pages":  {coc.ResourceQuery{Limit: 2}, "h1 h2 h3 h4 "},
				"by name":        {coc.ResourceQuery{Name: "web-"}, "h1 h2 h3 "},
				"by address":     {coc.ResourceQuery{IP: "10.0.0.2"}, "h2 "},
				"by id":          {coc.ResourceQuery{IDs: []string{"h1", "h4"}}, "h1 h4 "},
				"by agent state": {coc.ResourceQuery{AgentState: "OFFLINE"}, "h3 "},
				"by region":      {coc.ResourceQuery{RegionID: "eu"}, "h4 "},
			} {
				got := ""
				for r, err := range s.client.EachResource(t.Context(), c.query) {
					if err != nil {
						t.Fatal(err)
					}
					got += r.ResourceID + " "
				}
				if got != c.want {
					t.Errorf("%s: %s, want %s", name, got, c.want)
				}
			}
			page, err := s.client.ListResources(t.Context(), coc.ResourceQuery{IDs: []string{"h1", "h4"}})
			want := []coc.Resource{
				{ID: "r000001", ResourceID: "h1", Name: "web-1", IP: "10.0.0.1", RegionID: "cn-north-4", ProjectID: "p1", EnterpriseProject: "0",
					AgentSN: "agent1", AgentState: coc.AgentOnline, Tags: map[string]string{"team": "web"}},
				{ID: "r000004", ResourceID: "h4", Name: "bare", RegionID: "eu"},
			}
			if diff := cmp.Diff(want, page.Resources); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestClient_ListResources_refusesBeforeSending(t *testing.T) {
	s := simulate(t, coctest.Options{})
	for _, q := range []coc.ResourceQuery{{Limit: 101}, {IDs: make([]string, 101)}, {IDs: []string{""}}} {
		_, err := s.client.ListResources(t.Context(), q)
		wantClass(t, err, coc.Permanent, false)
	}
}

func TestWalk_endsWithAnError(t *testing.T) {
	s := simulate(t, coctest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for _, err := range s.client.EachOrder(ctx, coc.OrderQuery{}) {
		if err == nil {
			t.Error("no error")
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d items, want the error alone", n)
	}
}
