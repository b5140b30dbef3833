package mapping

import (
	"errors"
	"fmt"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/match"
)

// Options are what a Mapper needs to know.
type Options struct {
	Config       Config   // laid over Defaults
	Routes       []Route  // none = everything goes to the first integration
	Integrations []string // their names, at least one; the first is the default
	Region       string   // the default of region_id
}

// Mapper maps alerts to alarms. It is safe for concurrent use.
type Mapper struct {
	routes []route
	region string
}

type route struct {
	index       int // in Options.Routes; -1 = there are no routes
	matchers    match.Matchers
	drop        bool
	integration string
	plan        *plan
}

// Result is what is to be done about one alert.
type Result struct {
	Route        int    // index of the route that matched; -1 = none
	Drop         bool   // the route drops it; there is no alarm
	Integration  string // where the alarm goes
	Alarm        coc.Alarm
	LevelUnknown bool     // the rendered level was in no table, so the default was taken
	Cut          []string // keys of the fields that were cut, in the order of Config; url was dropped, additional lacks entries
}

// Error says why an alert cannot be mapped.
type Error struct {
	Field   string // key of the mapping, or field of the alert, or routes
	Problem string // what is wrong and what to do
}

// Error returns field and problem.
func (e *Error) Error() string { return "mapping: " + e.Field + ": " + e.Problem }

// New validates and compiles everything. The error lists all that Validate and
// ValidateRoutes have to say.
func New(o Options) (*Mapper, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	base := merge(o.Config, Defaults())
	c, err := newCompiler(base)
	if err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	m := &Mapper{region: o.Region}
	for i, r := range o.Routes {
		compiled, err := c.route(i, r, o)
		if err != nil {
			return nil, fmt.Errorf("mapping: routes[%d]: %w", i, err)
		}
		m.routes = append(m.routes, compiled)
	}
	if len(o.Routes) == 0 {
		all, err := c.route(-1, Route{}, o)
		if err != nil {
			return nil, fmt.Errorf("mapping: %w", err)
		}
		m.routes = []route{all}
	}
	return m, nil
}

func (o Options) check() error {
	if len(o.Integrations) == 0 {
		return errors.New("mapping: there is no integration; name one under integrations")
	}
	var errs []error
	collect := func(section string) func(path, problem string) {
		return func(path, problem string) { errs = append(errs, fmt.Errorf("%s: %s: %s", section, path, problem)) }
	}
	o.Config.Validate(collect("mapping"))
	ValidateRoutes(o.Config, o.Routes, o.Integrations, collect("routes"))
	return errors.Join(errs...)
}

// route compiles a route that ValidateRoutes has nothing against.
func (c *compiler) route(index int, r Route, o Options) (route, error) {
	out := route{index: index, drop: r.Drop, integration: r.Integration}
	if out.integration == "" && !r.Drop {
		out.integration = o.Integrations[0]
	}
	var err error
	if out.matchers, err = match.ParseAll(r.Matchers); err != nil {
		return route{}, err
	}
	out.plan, err = c.plan(merge(r.Mapping, merge(o.Config, Defaults())))
	return out, err
}

// Map decides what COC is to be told about an alert. The error is an *Error;
// Route and Integration of the result are then still what they would have been.
func (m *Mapper) Map(a alert.Alert) (Result, error) {
	r := m.match(&a)
	if r == nil {
		return Result{Route: -1}, &Error{"routes", "no route matches; add a last route without matchers"}
	}
	result := Result{Route: r.index, Drop: r.drop, Integration: r.integration}
	if r.drop {
		return result, nil
	}
	d := newDraft(r.plan, &a)
	alarm := d.alarm(m.region)
	if d.err != nil {
		return result, d.err
	}
	result.Alarm, result.LevelUnknown, result.Cut = alarm, d.unknown, d.cut
	return result, nil
}

// MapBy maps an alert by the mapping of each route that drops nothing, whatever
// its matchers say, in the order of the routes. Where it cannot be mapped the alarm
// is empty. It is for questions about alerts of which only a part is known.
func (m *Mapper) MapBy(a alert.Alert) (alarms []coc.Alarm) {
	for _, r := range m.routes {
		if r.drop {
			continue
		}
		d := newDraft(r.plan, &a)
		alarm := d.alarm(m.region)
		if d.err != nil {
			alarm = coc.Alarm{}
		}
		alarms = append(alarms, alarm)
	}
	return alarms
}

// match finds the first route whose matchers all match.
func (m *Mapper) match(a *alert.Alert) *route {
	for i := range m.routes {
		if m.routes[i].matchers.Match(a) {
			return &m.routes[i]
		}
	}
	return nil
}
