package scripts

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/render"
)

var (
	scriptID  = regexp.MustCompile(`^[A-Za-z0-9]{1,26}$`)
	anyID     = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	paramName = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	sha256Hex = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
)

type reporter func(path, problem string)

func (r reporter) within(section string) reporter {
	return func(path, problem string) { r(section+"."+path, problem) }
}

// Validate reports what is wrong with what rules run, by paths such as
// [0].script.uuid. templates are the files with defines.
func Validate(rules []Rule, templates []string, report func(path, problem string)) {
	set, _ := render.New(templates...) // its problems are mapping's to report
	for i, r := range rules {
		at := reporter(func(path, problem string) { report(fmt.Sprintf("[%d].%s", i, path), problem) })
		if r.Script != nil {
			r.Script.validate(set, at.within("script"))
		}
		if r.Job != nil {
			r.Job.validate(set, at.within("job"))
		}
	}
}

func (c *ScriptConfig) validate(set *render.Set, report reporter) {
	if !scriptID.MatchString(c.UUID) {
		report("uuid", "must be the script's id, such as SC2023102521413701c4a8a62; see cocbridge coc script list")
	}
	if c.User == "" || len(c.User) > 32 {
		report("execute_user", "must be 1 to 32 characters, such as root")
	}
	if !(c.SuccessRate >= 1 && c.SuccessRate <= 100) {
		report("success_rate", "must be 1 to 100 percent of the hosts")
	}
	if c.BatchSize < 1 || c.BatchSize > coc.MaxHostsPerBatch {
		report("batch_size", fmt.Sprintf("must be 1 to %d hosts", coc.MaxHostsPerBatch))
	}
	checkPin(c.Pin, report)
	checkParams(c.Parameters, set, report)
	c.Targets.validate(c.BatchSize, report.within("targets"))
	c.Limits.validate(report)
	if t := time.Duration(c.Timeout); t < coc.MinRunTimeout || t > coc.MaxRunTimeout {
		report("timeout", fmt.Sprintf("must be %s to %s", coc.MinRunTimeout, coc.MaxRunTimeout))
	}
}

func (c *JobConfig) validate(set *render.Set, report reporter) {
	if !anyID.MatchString(c.Document) {
		report("document_id", "must be the job's id; copy it from the COC console")
	}
	if c.Version != "" && !anyID.MatchString(c.Version) {
		report("version", "must be a version such as v1; leave it out for the latest")
	}
	if c.Type != "PRIVATE" && c.Type != "PUBLIC" {
		report("document_type", fmt.Sprintf("%q is unknown; write PRIVATE or PUBLIC", c.Type))
	}
	if coc.Units(c.Description) > maxDescription {
		report("description", fmt.Sprintf("must be at most %d characters, to leave room for the mark the execution is found by", maxDescription))
	}
	checkPin(c.Pin, report)
	checkParams(c.Parameters, set, report)
	c.Limits.validate(report)
	if c.Timeout <= 0 {
		report("timeout", "must be more than 0, such as 10m")
	}
}

func checkPin(pin string, report reporter) {
	if pin != "" && !sha256Hex.MatchString(pin) {
		report("content_sha256", "must be 64 hex digits, as cocbridge coc script show prints them")
	}
}

func checkParams(params map[string]Param, set *render.Set, report reporter) {
	if len(params) > coc.MaxScriptParams {
		report("parameters", fmt.Sprintf("there are %d, COC takes %d", len(params), coc.MaxScriptParams))
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		p, at := params[name], report.within("parameters."+name)
		if !paramName.MatchString(name) {
			report("parameters."+name, "the name must be 1 to 64 letters, digits and _")
		}
		p.validate(set, at)
	}
}

func (p Param) validate(set *render.Set, report reporter) {
	switch {
	case p.Value == "":
		report("value", "it is missing; write such as '{{ .Labels.unit }}'")
	case strings.Contains(p.Value, "Annotations"):
		report("value", "annotations are free text and must not reach a host; use a label")
	case set != nil:
		if _, err := set.Compile("template", p.Value); err != nil {
			report("value", err.Error())
		}
	}
	switch {
	case p.Allow == "":
		report("allow", "it is missing; write what the whole value must look like, such as '^[a-z][a-z0-9@._-]{0,63}$'")
	default:
		if _, err := compileAllow(p.Allow); err != nil {
			report("allow", fmt.Sprintf("%q: %v", p.Allow, err))
		}
	}
}

func (t Targets) validate(batchSize int, report reporter) {
	if t.Max < 1 || t.Max > coc.MaxHosts {
		report("max", fmt.Sprintf("must be 1 to %d hosts", coc.MaxHosts))
	}
	switch {
	case t.Lookup == nil && len(t.Hosts) == 0:
		report("hosts", "the script would run nowhere; name hosts, or a lookup")
	case t.Lookup != nil && len(t.Hosts) > 0:
		report("hosts", "hosts and lookup exclude each other; keep one")
	case t.Lookup != nil:
		t.Lookup.validate(report.within("lookup"))
	default:
		t.validateHosts(batchSize, report)
	}
}

func (t Targets) validateHosts(batchSize int, report reporter) {
	if n := len(t.Hosts); n > t.Max {
		report("hosts", fmt.Sprintf("there are %d, but max is %d: none is left out silently, so name fewer or raise max", n, t.Max))
	} else if batchSize > 0 && (n+batchSize-1)/batchSize > coc.MaxBatches {
		report("hosts", fmt.Sprintf("%d hosts in batches of %d are more than the %d batches COC takes; raise batch_size", n, batchSize, coc.MaxBatches))
	}
	seen := map[string]bool{}
	for i, h := range t.Hosts {
		at := report.within(fmt.Sprintf("hosts[%d]", i))
		if !anyID.MatchString(h.ResourceID) {
			at("resource_id", "must be the id of a cloud server; see cocbridge coc resource list")
		} else if seen[h.ResourceID] {
			at("resource_id", fmt.Sprintf("%s is named twice", h.ResourceID))
		}
		seen[h.ResourceID] = true
		for key, value := range map[string]string{"region_id": h.RegionID, "project_id": h.ProjectID, "agent_sn": h.AgentSN} {
			if value != "" && (len(value) > 32 || !anyID.MatchString(value)) {
				at(key, "must be at most 32 letters, digits, _, . and -; leave it out to take it from COC")
			}
		}
	}
}

func (l Lookup) validate(report reporter) {
	if !labelName.MatchString(l.Label) {
		report("label", "must be the name of a label, such as instance_id")
	}
	if !slices.Contains([]string{byResource, byName, byIP}, l.By) {
		report("by", fmt.Sprintf("%q is unknown; write resource_id, name or ip", l.By))
	}
	if l.Within == (Fence{}) {
		report("within", "it is missing: whoever sets the label would choose among all hosts; write {application_id: ...}, {group_id: ...} or {tag: key=value}")
	}
	for key, value := range map[string]string{"application_id": l.Within.Application, "group_id": l.Within.Group} {
		if value != "" && !anyID.MatchString(value) {
			report("within."+key, "must be an id of COC: at most 64 letters, digits, _, . and -")
		}
	}
	if key, _, ok := strings.Cut(l.Within.Tag, "="); l.Within.Tag != "" && (!ok || key == "") {
		report("within.tag", "must be key=value")
	}
}

func (l Limits) validate(report reporter) {
	if l.Cooldown < 0 {
		report("cooldown", "is negative: use a duration such as 30m, or 0 for none")
	}
	if l.MaxPerHour < 1 || l.MaxPerHour > 1000 {
		report("max_per_hour", "must be 1 to 1000 calls")
	}
	if l.Parallel < 1 || l.Parallel > 100 {
		report("parallel", "must be 1 to 100 runs")
	}
	if l.NotAfter <= 0 || time.Duration(l.NotAfter) > 24*time.Hour {
		report("not_after", "must be more than 0 and at most 1d: what is late is not a remedy any more")
	}
	if l.OnResolve != leave && l.OnResolve != cancel {
		report("on_resolve", fmt.Sprintf("%q is unknown; write leave or cancel", l.OnResolve))
	}
}

// Validate reports what is wrong in the section automation.
func (a Automation) Validate(report func(path, problem string)) {
	if a.MaxPerHour < 1 || a.MaxPerHour > 10000 {
		report("max_per_hour", "must be 1 to 10000 calls")
	}
	if a.KillSwitch != "" && !filepath.IsAbs(a.KillSwitch) {
		report("kill_switch_file", "must be an absolute path, such as /etc/cocbridge/stop")
	}
	if a.Storm.Episodes < 1 || a.Storm.Episodes > 1000 {
		report("storm.episodes", "must be 1 to 1000")
	}
	if a.Storm.Within <= 0 || time.Duration(a.Storm.Within) > 24*time.Hour {
		report("storm.within", "must be more than 0 and at most 1d, such as 5m")
	}
}

// hostile is what an allow should not let through without a reason.
const hostile = `-o "x y" *`

// Warnings are about what may be right all the same. authenticated says whether
// any receiver asks for credentials.
func Warnings(rules []Rule, authenticated bool) (texts []string) {
	runs := false
	for i, r := range rules {
		section, params := "script", map[string]Param(nil)
		switch {
		case r.Script != nil:
			params, runs = r.Script.Parameters, runs || !r.Script.DryRun
		case r.Job != nil:
			section, params, runs = "job", r.Job.Parameters, runs || !r.Job.DryRun
		}
		for _, name := range slices.Sorted(maps.Keys(params)) {
			if allow, err := compileAllow(params[name].Allow); err == nil && allow.MatchString(hostile) {
				texts = append(texts, fmt.Sprintf("rules[%d].%s.parameters.%s.allow: it lets through blanks, quotes, * and a leading -: a shell may take them for more than a value", i, section, name))
			}
		}
	}
	if runs && !authenticated {
		texts = append(texts, "rules: no receiver asks for credentials, so no script and no job will ever run: set auth of a receiver")
	}
	return texts
}

// compileAllow anchors the pattern at both ends.
func compileAllow(pattern string) (*regexp.Regexp, error) {
	if err := render.CheckPattern(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

func isIP(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}
