package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/match"
	"github.com/cocbridge/cocbridge/internal/render"
)

// Validate reports what is wrong with the section mapping, by paths within it.
func (c Config) Validate(report func(path, problem string)) {
	compiler, err := newCompiler(c)
	for _, err := range unjoin(err) {
		report("templates", err.Error())
	}
	check{compiler, nil, report}.config(c)
}

// ValidateRoutes reports what is wrong with the routes, by paths such as
// [0].matchers[1]. base is the section mapping, which the routes' own mappings
// are laid over; its own problems are not reported again. An empty path means
// that there are no routes and base alone would not do.
func ValidateRoutes(base Config, routes []Route, integrations []string, report func(path, problem string)) {
	compiler, _ := newCompiler(base)
	base = merge(base, Defaults())
	if len(routes) == 0 && base.ApplicationID.Hollow() {
		report("", "mapping.application_id is missing; name the COC application that the alarms belong to")
	}
	catchAll := -1
	for i, r := range routes {
		at := fmt.Sprintf("[%d]", i)
		within := func(path, problem string) { report(at+path, problem) }
		if catchAll >= 0 {
			within("", fmt.Sprintf("it is never reached, because route [%d] has no matchers and takes everything; move this one before it", catchAll))
		} else if len(r.Matchers) == 0 {
			catchAll = i
		}
		r.check(integrations, within)
		if !r.Drop && merge(r.Mapping, base).ApplicationID.Hollow() {
			within(".mapping.application_id", "it is missing here and in mapping; name the COC application that the alarms belong to")
		}
		check{compiler, base.Additional, func(path, problem string) { within(".mapping."+path, problem) }}.config(r.Mapping)
	}
}

// check checks what a route says besides its mapping.
func (r Route) check(integrations []string, report func(path, problem string)) {
	match.Validate(r.Matchers, func(path, problem string) { report(".matchers"+path, problem) })
	if r.Drop && r.Integration != "" {
		report(".integration", "a route that drops sends nothing; remove integration or drop")
	}
	if r.Integration != "" && !slices.Contains(integrations, r.Integration) {
		report(".integration", fmt.Sprintf("there is no integration %q; %s", r.Integration, suggest(r.Integration, integrations)))
	}
	if len(r.Mapping.Templates) > 0 {
		report(".mapping.templates", "files belong into the section mapping, for all routes; move them there")
	}
}

// check checks one Config, of the section or of a route. Without a compiler it
// leaves out what needs the files with defines.
type check struct {
	compiler  *compiler
	inherited map[string]*Field // additional of the Config below
	report    func(path, problem string)
}

func (c check) config(cfg Config) {
	for _, f := range cfg.fields() {
		c.field(f.name, *f.field)
	}
	c.level(cfg.AlarmLevel)
	for _, key := range slices.Sorted(maps.Keys(cfg.Additional)) {
		c.additional(key, cfg.Additional[key])
	}
}

func (c check) field(path string, f *Field) {
	var set *render.Set
	if c.compiler != nil {
		set = c.compiler.set
	}
	f.Check(set, path, c.report)
}

// level checks that only COC's levels can come out.
func (c check) level(f *Field) {
	if f == nil {
		return
	}
	known := []string{string(coc.Critical), string(coc.Major), string(coc.Minor), string(coc.Info)}
	for at, text := range f.PlainTexts(fieldLevel) {
		if !slices.Contains(known, text) {
			c.report(at, fmt.Sprintf("%q is not a level of COC; write Critical, Major, Minor or Info", text))
		}
	}
}

func (c check) additional(key string, f *Field) {
	path := "additional." + key
	if f != nil && f.Value == nil && c.inherited[key] == nil {
		c.report(path, "value is missing; write the template into it")
	}
	if slices.Contains(reservedKeys(), key) {
		c.report(path, "cocbridge writes this key itself; choose another one")
	}
	c.field(path, f)
}

func reservedKeys() []string {
	keys := []string{keyOriginalName, keyDropped}
	for _, f := range new(Config).fields() {
		keys = append(keys, f.name+fullSuffix)
	}
	return keys
}

// unjoin lists the errors that were joined into one.
func unjoin(err error) []error {
	type joined interface {
		error
		Unwrap() []error
	}
	if j, ok := errors.AsType[joined](err); ok {
		return j.Unwrap()
	}
	if err != nil {
		return []error{err}
	}
	return nil
}
