package receivers

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cocbridge/cocbridge/internal/alert"
)

// zabbixSource is alert.Alert's Source for everything that comes from Zabbix.
const zabbixSource = "zabbix"

// zabbix is the format of deploy/zabbix/media_cocbridge.yaml: one event of
// Zabbix a request, as one JSON object of texts, which are macros that Zabbix
// has replaced. A macro that does not apply stays as it is written, or becomes
// *UNKNOWN*; both count as absent.
type zabbix struct{ receiver string }

func newZabbix(c Config) (Format, error) {
	return Format{Decode: zabbix{c.Name}.decode, Answer: answerZabbix}, nil
}

// Zabbix's numbers for what an event is about, and how bad it is. Its words for
// severities can be changed, the numbers cannot.
var (
	zabbixSources    = []string{"trigger", "discovery", "autoregistration", "internal", "service"}
	zabbixSeverities = []string{"not_classified", "information", "warning", "average", "high", "disaster"}
)

const (
	discoveryEvent        = 1
	autoregistrationEvent = 2
)

// zabbixEventID is what {EVENT.ID} becomes: a 64-bit number without leading zeros.
var zabbixEventID = regexp.MustCompile(`^[1-9][0-9]{0,19}$`)

// cancelled begins the message with which Zabbix ends an escalation that can no
// longer go on, because its trigger, item, host or action was disabled. It is
// sent as a problem, and no recovery ever follows. Older versions spell it with
// two l.
var cancelled = regexp.MustCompile(`(?s)^NOTE: Escalation cancell?ed: ?(.*)`)

// zabbixEvent is one event as a request told of it.
type zabbixEvent struct {
	id       string
	source   int // index of zabbixSources
	problem  bool
	update   bool
	severity string // one of zabbixSeverities; empty where events have none
	tags     []zabbixTag
	fields   zabbixFields
}

// decode reads one request. It is refused as a whole if anything in it cannot be
// what Zabbix sends; the error is an *Error.
func (z zabbix) decode(m Message) (Batch, error) {
	f, err := readZabbix(m.Body)
	if err != nil {
		return Batch{}, explain(err)
	}
	e, err := f.event()
	if err != nil {
		return Batch{}, explain(err)
	}
	a := e.alert(z.receiver, m.Arrived.UTC().Round(0))
	return Batch{Receiver: z.receiver, Alerts: []alert.Alert{a}, Cut: cutIn(a.Labels) + cutIn(a.Annotations)}, nil
}

func cutIn(texts map[string]string) (n int) {
	for _, text := range texts {
		if strings.HasSuffix(text, cutMark) && len(text) > maxValue-len(cutMark)-utf8.UTFMax {
			n++
		}
	}
	return n
}

// event checks what decides about an alarm.
func (f zabbixFields) event() (zabbixEvent, error) {
	e := zabbixEvent{fields: f}
	id, err := f.eventID()
	if err != nil {
		return e, err
	}
	e.id = id
	if e.source, err = f.number("event_source", len(zabbixSources), 0); err != nil {
		return e, err
	}
	if e.problem, e.update, err = f.state(e.source); err != nil {
		return e, err
	}
	if e.severity, err = f.severity(); err != nil {
		return e, err
	}
	e.tags, err = readZabbixTags(f["event_tagsjson"])
	return e, err
}

func (f zabbixFields) eventID() (string, error) {
	const want = `give the media type the parameter event_id with the value {EVENT.ID}`
	switch id, raw := f["event_id"], f[rawEventID]; {
	case raw == "{EVENT.ID}" && f["event_value"] == "":
		// The Test button of a media type, an operator's first click.
		return "", &Error{Malformed, "", "test received, macros unresolved: working"}
	case raw == "":
		return "", &Error{Malformed, "event_id", "is missing; " + want}
	case !zabbixEventID.MatchString(id):
		return "", &Error{Malformed, "event_id", "is " + strconv.Quote(cut(raw, 64)) + ", want the number of an event; " + want}
	default:
		return id, nil
	}
}

// number reads a number below limit; absent if there is none.
func (f zabbixFields) number(name string, limit, absent int) (int, error) {
	text := f[name]
	if text == "" {
		return absent, nil
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < limit && len(text) == 1 {
		return n, nil
	}
	return 0, &Error{Malformed, name, fmt.Sprintf("is %q, want a number from 0 to %d", cut(text, 64), limit-1)}
}

// state tells what kind of message it is. Events of discovery and
// autoregistration have neither value nor recovery.
func (f zabbixFields) state(source int) (problem, update bool, err error) {
	if source == discoveryEvent || source == autoregistrationEvent {
		return true, false, nil
	}
	if f["event_value"] == "" {
		return false, false, &Error{Malformed, "event_value", "is missing; give the media type the parameter event_value with the value {EVENT.VALUE}"}
	}
	value, err := f.number("event_value", 2, 0)
	if err != nil {
		return false, false, err
	}
	status, err := f.number("event_update_status", 2, 0)
	// Updates of services have no status, but a new severity.
	return value == 1, status == 1 || f["event_update_nseverity"] != "", err
}

func (f zabbixFields) severity() (string, error) {
	for _, name := range []string{"event_update_nseverity", "event_nseverity"} {
		if n, err := f.number(name, len(zabbixSeverities), -1); err != nil || n >= 0 {
			return zabbixSeverities[max(n, 0)], err
		}
	}
	return "", nil
}

// alert makes an alert of an event that was heard of now. Zabbix's own times
// name no zone, so the time of arrival counts.
func (e zabbixEvent) alert(receiver string, now time.Time) alert.Alert {
	a := alert.Alert{
		Receiver: receiver, Source: zabbixSource, Status: alert.Firing, StartsAt: now,
		Fingerprint: e.id, ID: e.id, Once: true,
		Labels: e.labels(), Annotations: e.fields.texts(zabbixAnnotations), URL: e.link(),
	}
	if e.update {
		a.Revision = e.revision()
	}
	reason := cancelled.FindStringSubmatch(e.fields["alert_message"])
	if reason != nil {
		a.Annotations["reason"] = "escalation canceled: " + reason[1]
	}
	if !e.problem || reason != nil {
		a.Status, a.EndsAt = alert.Resolved, now
	}
	return a
}

// revision orders the updates of one event, which can overtake each other. The
// hour in which a clock is set back is the exception.
func (e zabbixEvent) revision() string {
	return strings.TrimSpace("update " + e.fields["event_update_date"] + " " + e.fields["event_update_time"])
}

func (e zabbixEvent) labels() map[string]string {
	labels := e.fields.texts(zabbixLabels)
	labels["event_id"], labels["event_source"] = e.id, zabbixSources[e.source]
	if e.severity != "" {
		labels["severity"] = e.severity
	}
	addZabbixTags(labels, e.tags)
	return labels
}

// link leads to the event in Zabbix, where its address is known, else to the
// URL of the trigger.
func (e zabbixEvent) link() string {
	base, trigger := strings.TrimRight(e.fields["zabbix_url"], "/"), e.fields["trigger_id"]
	switch {
	case !isLink(base):
	case zabbixEventID.MatchString(trigger):
		return base + "/tr_events.php?triggerid=" + trigger + "&eventid=" + e.id
	default:
		return base
	}
	if url := e.fields["trigger_url"]; isLink(url) {
		return url
	}
	return ""
}

func isLink(text string) bool {
	return (strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")) && !strings.ContainsAny(text, " \t\r\n")
}

// zabbixText names a label or annotation, and the parameters it is taken from:
// the first that is there.
type zabbixText struct {
	name string
	from []string
}

var zabbixLabels = []zabbixText{
	{"alertname", []string{"event_name", "alert_subject"}},
	{"host", []string{"host_name", "host_host", "discovery_dns"}},
	{"instance", []string{"host_ip", "discovery_ip"}},
	{"hostgroup", []string{"trigger_hostgroup_name"}},
	{"trigger_id", []string{"trigger_id"}},
	{"service_name", []string{"service_name"}},
}

var zabbixAnnotations = []zabbixText{
	{"summary", []string{"alert_subject"}},
	{"description", []string{"alert_message"}},
	{"opdata", []string{"event_opdata"}},
	{"trigger_description", []string{"trigger_description"}},
	{"trigger_url", []string{"trigger_url"}},
	{"event_date", []string{"event_date"}},
	{"event_time", []string{"event_time"}},
	{"acknowledged", []string{"event_ack_status"}},
	{"update_action", []string{"event_update_action"}},
	{"update_message", []string{"event_update_message"}},
	{"update_user", []string{"user_fullname"}},
}

// texts takes what is there from the parameters.
func (f zabbixFields) texts(table []zabbixText) map[string]string {
	texts := make(map[string]string, len(table))
	for _, t := range table {
		if i := slices.IndexFunc(t.from, func(name string) bool { return f[name] != "" }); i >= 0 {
			texts[t.name] = f[t.from[i]]
		}
	}
	return texts
}

// zabbixAnswer is what the media type gives back to Zabbix, which makes tags of
// the event of it.
type zabbixAnswer struct {
	Status string     `json:"status"`
	Alerts int        `json:"alerts"`
	Tags   zabbixTags `json:"tags"`
}

type zabbixTags struct {
	Alarm    string `json:"__zbx_coc_alarm"`
	Link     string `json:"__zbx_coc_link,omitzero"`
	Incident string `json:"__zbx_coc_incident,omitzero"`
}

func answerZabbix(b Batch, look Look) any {
	a := b.Alerts[0]
	seen := look(a)
	return zabbixAnswer{Status: "ok", Alerts: 1, Tags: zabbixTags{Alarm: a.AlarmID(), Link: seen.Link, Incident: seen.Incident}}
}
