package receivers

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// GenericConfig are the jq expressions that turn a JSON body into alerts. In a
// configuration an empty one stands for the type's own.
type GenericConfig struct {
	Alerts      string `yaml:"alerts"`      // over the body: one value per alert
	Status      string `yaml:"status"`      // this and the rest over each of those values: firing or resolved
	ID          string `yaml:"id"`          // identity over firing and resolved; absent = the labels
	Labels      string `yaml:"labels"`      // an object
	Annotations string `yaml:"annotations"` // an object
	StartsAt    string `yaml:"starts_at"`   // RFC 3339, or seconds or milliseconds since 1970; absent = arrival
	EndsAt      string `yaml:"ends_at"`     // as starts_at
	URL         string `yaml:"url"`
	Notice      string `yaml:"notice"`     // over the body: a text for the operator's log
	FormField   string `yaml:"form_field"` // the field that holds the JSON where the body is a form
}

// DefaultFormField is where senders of forms put their JSON by custom.
const DefaultFormField = "payload"

//go:embed shipped/*.yaml
var shippedFiles embed.FS

// shipped are the expressions of each type that is made of expressions.
var shipped = map[string]GenericConfig{
	"generic":            readShipped("generic"),
	"grafana":            readShipped("grafana"),
	"cloudevents":        readShipped("cloudevents"),
	"aws-sns-cloudwatch": readShipped("aws-sns-cloudwatch"),
}

// readShipped panics, because the files are part of the program.
func readShipped(name string) GenericConfig {
	text, err := shippedFiles.ReadFile("shipped/" + name + ".yaml")
	if err != nil {
		panic(err)
	}
	c := GenericConfig{FormField: DefaultFormField}
	if err := yaml.Unmarshal(text, &c); err != nil {
		panic(err)
	}
	return c
}

// ShippedTypes lists the types that are made of expressions.
func ShippedTypes() []string { return slices.Sorted(maps.Keys(shipped)) }

// Expressions returns the expressions of such a type as a file, with comments.
func Expressions(kind string) (text string, ok bool) {
	if _, ok := shipped[kind]; !ok {
		return "", false
	}
	file, err := shippedFiles.ReadFile("shipped/" + kind + ".yaml")
	return string(file), err == nil
}

// over returns the expressions of the type, replaced where c has its own.
func (c GenericConfig) over(own GenericConfig) GenericConfig {
	to, from := reflect.ValueOf(&own).Elem(), reflect.ValueOf(c)
	for i := range from.NumField() {
		if text := from.Field(i).String(); strings.TrimSpace(text) != "" {
			to.Field(i).SetString(text)
		}
	}
	return own
}

// sources lists the expressions by their keys.
func (c GenericConfig) sources() map[string]string {
	return map[string]string{
		"alerts": c.Alerts, "status": c.Status, "id": c.ID, "labels": c.Labels, "annotations": c.Annotations,
		"starts_at": c.StartsAt, "ends_at": c.EndsAt, "url": c.URL, "notice": c.Notice,
	}
}

var goodField = regexp.MustCompile(`^[A-Za-z0-9_.-]{0,64}$`)

func (c Config) validateGeneric(report func(path, problem string)) {
	if _, ok := shipped[c.Type]; !ok {
		if c.Generic != (GenericConfig{}) {
			report("generic", fmt.Sprintf("a receiver of type %s has no expressions; remove the section, or use one of the types %s",
				c.Type, strings.Join(ShippedTypes(), ", ")))
		}
		return
	}
	for key, source := range c.Generic.sources() {
		if _, err := compile(key, source); err != nil {
			report("generic."+key, errors.Unwrap(err).Error())
		}
	}
	if !goodField.MatchString(c.Generic.FormField) {
		report("generic.form_field", fmt.Sprintf("%q is not a field's name; use up to 64 letters, digits, _ . and -", c.Generic.FormField))
	}
}
