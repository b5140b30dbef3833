package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	matchers "github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// What the rules and the dashboard ask for must be there.

const runbook = "https://github.com/cocbridge/cocbridge/blob/main/deploy/docs/runbook.md#"

// foreign series come from Prometheus, Alertmanager and the operating system.
var foreign = []string{"up", "process_start_time_seconds", "alertmanager_notifications_failed_total"}

type rule struct {
	Alert       string
	Expr        string
	Labels      struct{ Severity string }
	Annotations struct {
		Summary, Description string
		Runbook              string `yaml:"runbook_url"`
	}
}

func rules(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile("../../deploy/prometheus/cocbridge.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Groups[0].Rules
}

func dashboardQueries(t *testing.T) (found []string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/cocbridge.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			found = append(found, target.Expr)
		}
	}
	return found
}

// exposition is what a running bridge with a rule shows: the labels of each series, by name.
func exposition(t *testing.T) map[string][]model.LabelSet {
	t.Helper()
	d := startDaemon(t, runsNothing, true)
	page := send(t, http.MethodGet, "http://"+d.web+"/metrics", "")
	d.run.stop()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]model.LabelSet{}
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			labels := model.LabelSet{}
			for _, pair := range metric.GetLabel() {
				labels[model.LabelName(pair.GetName())] = model.LabelValue(pair.GetValue())
			}
			all[name] = append(all[name], labels)
			if metric.GetHistogram() != nil {
				all[name+"_bucket"] = append(all[name+"_bucket"], labels)
			}
		}
	}
	return all
}

// selector is one of our metrics with its matchers; theirs is another one.
var (
	selector = regexp.MustCompile(`\b(cocbridge_[a-z_]+)(\{[^}]*\})?`)
	theirs   = regexp.MustCompile(`\b([a-z]+(?:_[a-z]+)+)[{[]`)
)

// selects says whether one of the series fits; Prometheus adds job and instance.
func selects(t *testing.T, series []model.LabelSet, text string) bool {
	t.Helper()
	text = regexp.MustCompile(`(job|instance)=~"\$[a-z]+",?`).ReplaceAllString(text, "")
	if strings.Trim(text, "{}") == "" {
		return len(series) > 0
	}
	all, err := matchers.Matchers(text)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(series, func(labels model.LabelSet) bool { return all.Matches(labels) })
}

func TestDeploy_rulesAndDashboardAskForWhatThereIs(t *testing.T) {
	queries := dashboardQueries(t)
	for _, r := range rules(t) {
		queries = append(queries, r.Expr)
	}
	series, seen := exposition(t), map[string]bool{}
	for _, query := range queries {
		for _, m := range selector.FindAllStringSubmatch(query, -1) {
			seen[m[1]] = true
			if !selects(t, series[m[1]], m[2]) {
				t.Errorf("no series is %s%s, in\n%s", m[1], m[2], query)
			}
		}
		for _, name := range all(theirs.String(), query) {
			if !strings.HasPrefix(name, "cocbridge_") && !slices.Contains(foreign, name) {
				t.Errorf("%s is neither ours nor known, in\n%s", name, query)
			}
		}
	}
	if len(queries) < 30 || len(seen) < 15 {
		t.Errorf("%d queries for %d metrics: this looks at the wrong thing", len(queries), len(seen))
	}
}

// A release begins with an empty folder, but not by emptying somebody else's.
func TestRelease_deletesNothingButARelease(t *testing.T) {
	folder := t.TempDir()
	precious := filepath.Join(folder, "precious")
	for _, file := range []string{precious, filepath.Join(folder, "SHA256SUMS")} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{folder, precious} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		out, err := exec.CommandContext(ctx, "../../deploy/release", name).CombinedOutput()
		cancel()
		if err == nil || !strings.Contains(string(out), precious+" is not of a release") {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		if _, err := os.Stat(precious); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeploy_everyAlertHasItsSectionInTheRunbook(t *testing.T) {
	text, err := os.ReadFile("../../deploy/docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	var alerts []string
	for _, r := range rules(t) {
		alerts = append(alerts, r.Alert)
		if want := runbook + strings.ToLower(r.Alert); r.Annotations.Runbook != want {
			t.Errorf("%s: its runbook is %q, want %q", r.Alert, r.Annotations.Runbook, want)
		}
		if r.Annotations.Summary == "" || r.Annotations.Description == "" || !slices.Contains([]string{"critical", "warning"}, r.Labels.Severity) {
			t.Errorf("%s lacks a summary, a description or a severity: %+v", r.Alert, r)
		}
	}
	if diff := cmp.Diff(alerts, all(`(?m)^## (Cocbridge\w+)$`, string(text))); diff != "" {
		t.Errorf("alerts and sections (-alert +section):\n%s", diff)
	}
}
