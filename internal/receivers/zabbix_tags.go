package receivers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// zabbixTag is one tag of an event. A name may stand more than once.
type zabbixTag struct {
	Tag   string `json:"tag"`
	Value string `json:"value"`
}

// readZabbixTags reads the text of {EVENT.TAGSJSON}; empty means none.
func readZabbixTags(text string) ([]zabbixTag, error) {
	if text == "" {
		return nil, nil
	}
	if _, err := scan([]byte(text)); err != nil {
		return nil, inTags(err)
	}
	var tags []zabbixTag
	if err := json.Unmarshal([]byte(text), &tags); err != nil {
		return nil, &Error{Malformed, "event_tagsjson", "is not a list of tags; give the media type the parameter event_tagsjson with the value {EVENT.TAGSJSON}"}
	}
	return tags, nil
}

// inTags moves the place of an error from the inner text to its parameter.
func inTags(err error) error {
	e := *explain(err)
	e.Field = "event_tagsjson"
	return &e
}

const (
	// ownZabbixTags begins the tags that media types write, ours among them.
	ownZabbixTags = "__zbx"
	// clashingTag is put before a tag that is named like one of our labels.
	clashingTag = "tag_"
	// emptyTag is the value of a tag without one: labels are never empty.
	emptyTag = "true"
	// leftOut counts the tags that cannot be labels.
	leftOut = "tags_left_out"
)

// reservedLabel says which names tags do not get: ours, even where they are
// absent, and the virtual one that matchers have.
func reservedLabel(name string) bool {
	return slices.Contains([]string{"receiver", "event_id", "event_source", "severity", leftOut}, name) ||
		slices.ContainsFunc(zabbixLabels, func(t zabbixText) bool { return t.name == name })
}

// addZabbixTags adds tags as labels: the values of one name are joined with
// commas, each once, in the order in which they came. What cannot be a label, or
// is one too many, is counted in a label of its own.
func addZabbixTags(labels map[string]string, tags []zabbixTag) {
	values, left := map[string][]string{}, 0
	for _, t := range tags {
		name, value := t.Tag, t.Value
		if strings.HasPrefix(name, ownZabbixTags) {
			continue
		}
		if reservedLabel(name) {
			name = clashingTag + name
		}
		if value == "" || unresolved.MatchString(value) {
			value = emptyTag
		}
		_, known := values[name]
		switch room := len(labels)+len(values) < maxNames-1; {
		case nameProblem([]byte(name)) != "" || !known && !room:
			left++
		case !slices.Contains(values[name], value):
			values[name] = append(values[name], value)
		}
	}
	for name, all := range values {
		labels[name] = cut(strings.Join(all, ","), maxValue)
	}
	if left > 0 {
		labels[leftOut] = strconv.Itoa(left)
	}
}
