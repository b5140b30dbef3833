package receivers

import (
	"bytes"
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxZabbixFields bounds the parameters of a media type; ours has about 30.
	maxZabbixFields = 256
	// maxZabbixTags is what Zabbix cuts all parameters together at, in bytes.
	maxZabbixTags = 64 << 10
)

// zabbixFields are the parameters that are read, by name, without those that
// are absent. Texts are cut as alert texts are, except for event_tagsjson.
type zabbixFields map[string]string

// rawEventID holds event_id even when it is a macro.
const rawEventID = "event_id, as sent"

// zabbixNames are the parameters that are read.
var zabbixNames = func() map[string]bool {
	names := map[string]bool{}
	for _, table := range [][]zabbixText{zabbixLabels, zabbixAnnotations} {
		for _, t := range table {
			for _, name := range t.from {
				names[name] = true
			}
		}
	}
	for _, name := range []string{
		"event_id", "event_source", "event_value", "event_update_status", "event_nseverity", "event_update_nseverity",
		"event_tagsjson", "event_update_date", "event_update_time", "zabbix_url",
	} {
		names[name] = true
	}
	return names
}()

// unresolved is a text that is nothing but a macro, or what Zabbix puts for one
// it cannot find out. Text around a macro is data and stays.
var unresolved = regexp.MustCompile(`^(\*UNKNOWN\*|\{\$[A-Z0-9_.]+(:[^{}]*)?\}|\{[A-Z][A-Z0-9_]*(\.[^{}]+)*\})$`)

// readZabbix reads the parameters. The error is an *Error, or one for explain.
func readZabbix(body []byte) (zabbixFields, error) {
	s, err := scan(body)
	if err != nil {
		return nil, err
	}
	p := newParser(body, s)
	if kind := p.in.PeekKind(); kind != '{' && kind != jsontext.KindInvalid {
		return nil, &Error{Malformed, "body", "want an object with the parameters of the media type, got " + kindName(kind) + "; import deploy/zabbix/media_cocbridge.yaml"}
	}
	f, err := p.zabbixFields()
	if err != nil {
		return nil, err
	}
	return f, p.end()
}

func (p *parser) zabbixFields() (zabbixFields, error) {
	if err := p.open('{'); err != nil {
		return nil, err
	}
	var seen [maxZabbixFields][]byte
	f := zabbixFields{}
	for n := 0; p.in.PeekKind() != '}'; n++ {
		if n == maxZabbixFields {
			return nil, &Error{Malformed, "body", "has more than " + strconv.Itoa(maxZabbixFields) + " fields"}
		}
		name, err := p.name(seen[:n])
		if err != nil {
			return nil, err
		}
		seen[n] = name
		if err := p.zabbixField(f, name); err != nil {
			return nil, err
		}
	}
	_, err := p.in.ReadToken()
	return f, err
}

func (p *parser) zabbixField(f zabbixFields, name []byte) error {
	if !zabbixNames[string(name)] || p.null() {
		return p.skip()
	}
	text, err := p.zabbixText(string(name) == "event_tagsjson")
	if err != nil {
		return err
	}
	if string(name) == "event_id" {
		f[rawEventID] = text
	}
	if text != "" && !unresolved.MatchString(text) {
		f[string(name)] = text
	}
	return nil
}

// zabbixText reads a text; scripts that count send numbers.
func (p *parser) zabbixText(whole bool) (string, error) {
	v, err := p.in.ReadValue()
	switch {
	case err != nil:
		return "", err
	case v.Kind() == '0':
		return cut(bytes.Clone(v), maxValue), nil
	case v.Kind() != '"':
		return "", p.refuse("want a string, got " + kindName(v.Kind()))
	case !whole:
		return p.keep(p.unquote(v)), nil
	}
	// Each byte of text takes at most six in the body, as in \u0041.
	text, err := jsontext.AppendUnquote(nil, v[:min(len(v), 6*(maxZabbixTags+utf8Slack))])
	if len(text) > maxZabbixTags {
		return "", p.refuse("is longer than the 64 KiB that Zabbix sends; send the value of {EVENT.TAGSJSON}")
	}
	return string(text), err
}
