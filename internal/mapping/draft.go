package mapping

import (
	"cmp"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/render"
)

// draft is an alarm in the making. The first error stays; what is read after it
// does not matter.
type draft struct {
	plan    *plan
	alert   *alert.Alert
	data    *render.Alert
	entries entries
	cut     []string
	unknown bool // the level is in no table
	err     *Error
}

func newDraft(p *plan, a *alert.Alert) *draft {
	return &draft{plan: p, alert: a, data: render.NewAlert(a), entries: make(entries, len(a.Labels)+len(a.Annotations))}
}

// alarm makes the alarm. Mandatory texts that are empty fall back on what every
// alert has, but for the application, which nobody can guess.
func (d *draft) alarm(region string) coc.Alarm {
	name := cmp.Or(d.line("alarm_name"), render.Clean(d.alert.Labels["alertname"], ""), "unnamed")
	return coc.Alarm{
		AlarmID:       d.alert.AlarmID(),
		AlarmName:     d.name(name),
		AlarmLevel:    d.level(),
		Time:          d.time(),
		NameSpace:     d.identity("name_space", cmp.Or(d.line("name_space"), "default")),
		RegionID:      d.identity("region_id", cmp.Or(d.line("region_id"), render.Clean(region, ""))),
		ApplicationID: d.application(),
		ResourceName:  d.identity("resource_name", d.line("resource_name")),
		ResourceID:    d.identity("resource_id", d.line("resource_id")),
		AlarmDesc:     d.description(name),
		URL:           d.url(),
		AlarmStatus:   d.status(),
		AlarmSource:   d.identity("source", cmp.Or(d.line("source"), render.Clean(d.alert.Source, ""), render.Clean(d.alert.Receiver, ""), "cocbridge")),
		Additional:    d.additional(),
	}
}

// render gives the text of a field, with the control characters in keep.
func (d *draft) render(name string, f *render.Text, keep string) (text string, known bool) {
	text, known, err := f.Execute(d.data, keep)
	if err != nil {
		d.fail(&Error{name, err.Error() + "; correct the template"})
	}
	return text, known
}

func (d *draft) fail(err *Error) {
	if d.err == nil {
		d.err = err
	}
}

// line renders a field of one line.
func (d *draft) line(name string) string {
	text, _ := d.render(name, d.plan.fields[name], "")
	return text
}

func (d *draft) name(name string) string {
	sent := name
	if d.plan.strict {
		sent = strictName(name)
	}
	if sent != name {
		d.entries.put(ofField, keyOriginalName, name)
	}
	return d.identity("alarm_name", sent)
}

func (d *draft) level() coc.Level {
	level, known := d.render(fieldLevel, d.plan.fields[fieldLevel], "")
	d.unknown = !known
	return coc.Level(level)
}

func (d *draft) application() string {
	id := d.line("application_id")
	if id == "" {
		d.fail(&Error{"application_id", "it is empty; name the COC application in mapping.application_id, or in the mapping of the route"})
	}
	return d.identity("application_id", id)
}

func (d *draft) description(name string) string {
	text, _ := d.render("description", d.plan.fields["description"], render.Lines)
	text = cmp.Or(text, name)
	short, cut := coc.Shorten(text, coc.MaxText)
	return d.note("description", text, short, cut)
}

// url is dropped when it is too long: half a link leads nowhere.
func (d *draft) url() string {
	url := d.line("url")
	if coc.Units(url) > coc.MaxText {
		return d.note("url", url, "", true)
	}
	return url
}

func (d *draft) identity(name, text string) string {
	short, cut := identify(text)
	return d.note(name, text, short, cut)
}

// note keeps the full text of a field that was cut, and returns the short one.
func (d *draft) note(name, full, short string, cut bool) string {
	if cut {
		d.cut = append(d.cut, name)
		d.entries.put(ofField, name+fullSuffix, full)
	}
	return short
}

func (d *draft) status() coc.AlarmStatus {
	status, err := alarmStatus(d.alert)
	if err != nil {
		d.fail(err)
	}
	return status
}

func (d *draft) time() int64 {
	ms, err := alarmTime(d.alert)
	if err != nil {
		d.fail(err)
	}
	return ms
}

// additional goes last: it takes the texts that were cut before.
func (d *draft) additional() map[string]string {
	d.entries.putNamed(ofAnnotation, "annotation_", d.alert.Annotations, d.plan.include.Annotations)
	d.entries.putNamed(ofLabel, "label_", d.alert.Labels, d.plan.include.Labels)
	for _, a := range d.plan.additional {
		text, _ := d.render("additional."+a.key, a.Text, render.Lines)
		d.entries.put(ofUser, a.key, text)
	}
	fitted, dropped := d.entries.fit()
	if dropped > 0 {
		d.cut = append(d.cut, "additional")
	}
	return fitted
}
