package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// scriptRule runs a script of the simulator on the host that a label names, and
// opens a ticket whose solution tells of it.
func scriptRule() string {
	return fmt.Sprintf(`  - name: nginx
    matchers: ['alertname="NginxDown"']
    incident:
      creator: oncall
      assignee: oncall
      solve: {after: %ds}
    script:
      uuid: SC1
      dry_run: false
      parameters: {service: {value: '{{ .Labels.unit }}', allow: '^[a-z]{1,20}$'}}
      targets: {lookup: {label: host, by: name, within: {application_id: demo}}}
`, solveAfter)
}

const runsSucceeded = `cocbridge_runs_total{outcome="succeeded",rule="nginx"}`

// script is a remedy: NginxDown fires, its script runs once on the host that is
// looked up, also if the bridge is killed in the middle, and the ticket's solution
// tells how it went.
func (s *story) script(ctx context.Context) error {
	down := newAlerts("NginxDown", 1)
	down[0].Labels["host"], down[0].Labels["unit"] = "web-1", "nginx"
	if err := s.step(ctx, step{title: "10a. NginxDown fires: a script runs on its host", post: down}); err != nil {
		return err
	}
	if err := stage.Until(ctx, "the order of the script", func(ctx context.Context) (bool, error) {
		orders, err := s.orders(ctx)
		return len(orders) > 0, err
	}); err != nil {
		return err
	}
	if s.kills != nil {
		if err := s.killOnce(ctx, 0); err != nil {
			return err
		}
	}
	if err := stage.Until(ctx, "the run's end", func(ctx context.Context) (bool, error) {
		n, err := s.bridge.metric(ctx, runsSucceeded)
		return n == 1, err
	}); err != nil {
		return err
	}
	if err := s.step(ctx, step{title: "10b. it recovers: the ticket's solution tells of the script", post: resolved(down)}); err != nil {
		return err
	}
	var solution string
	late := stage.Until(ctx, "the ticket's solution", func(ctx context.Context) (told bool, err error) {
		solution, err = s.solution(ctx, "NginxDown")
		return solution != "", err
	})
	s.check(late == nil && strings.Contains(solution, "FINISHED") && strings.Contains(solution, "web-1"), "solution: %q", solution)
	orders, err := s.orders(ctx)
	s.check(err == nil && fmt.Sprint(orders) == "[FINISHED on web-1]", "orders: %v", orders)
	return err
}

// orders are "status on host" of all orders.
func (s *story) orders(ctx context.Context) (all []string, err error) {
	text, err := stage.Call(ctx, http.MethodGet, s.sim.Base+"/orders", nil)
	if err != nil {
		return nil, err
	}
	var known []struct {
		Status  string `json:"status"`
		Batches []struct {
			Hosts []struct {
				ResourceID string `json:"resource_id"`
			} `json:"hosts"`
		} `json:"batches"`
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("read the simulator's orders: %w", err)
	}
	for _, k := range known {
		for _, b := range k.Batches {
			for _, h := range b.Hosts {
				all = append(all, k.Status+" on "+h.ResourceID)
			}
		}
	}
	return all, nil
}

// solution is that of the ticket with the title, empty while there is none.
func (s *story) solution(ctx context.Context, title string) (string, error) {
	text, err := stage.Call(ctx, http.MethodGet, s.sim.Base+"/incidents", nil)
	if err != nil {
		return "", err
	}
	var known []struct{ Title, Solution string }
	if err := json.Unmarshal(text, &known); err != nil {
		return "", fmt.Errorf("read the simulator's incidents: %w", err)
	}
	for _, k := range known {
		if strings.HasPrefix(k.Title, title) && k.Solution != "" {
			return k.Solution, nil
		}
	}
	return "", nil
}
