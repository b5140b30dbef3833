package mapping_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/mapping"
)

func TestField_UnmarshalYAML(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       mapping.Field
	}{
		{"a template", `'{{ .Labels.x }}'`, mapping.Field{Value: new("{{ .Labels.x }}")}},
		{"a number stays as it is written", `0010`, mapping.Field{Value: new("0010")}},
		{"an empty text", `''`, mapping.Field{Value: new("")}},
		{"a table", `{value: x, map: {P1: a, 2: b, yes: c}, default: d}`, mapping.Field{Value: new("x"), Map: map[string]string{"p1": "a", "2": "b", "yes": "c"}, Default: new("d")}},
		{"a table alone", `{map: {a: b}}`, mapping.Field{Map: map[string]string{"a": "b"}}},
		{"through an anchor", "&x {value: y}", mapping.Field{Value: new("y")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got mapping.Field
			if err := yaml.Unmarshal([]byte(c.text), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestField_UnmarshalYAML_ExtendsTheDefaults(t *testing.T) {
	got := mapping.Defaults()
	const text = `
alarm_level: {map: {Critical: Major, p1: Critical}}
name_space: fixed
additional: {a: b}
include: {labels: [team]}
`
	if err := yaml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := mapping.Defaults()
	want.AlarmLevel.Map["critical"], want.AlarmLevel.Map["p1"] = "Major", "Critical"
	want.NameSpace.Value = new("fixed")
	want.Additional = map[string]*mapping.Field{"a": {Value: new("b")}}
	want.Include.Labels = &mapping.Names{List: []string{"team"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if mapping.Defaults().AlarmLevel.Map["critical"] != "Critical" {
		t.Error("the defaults themselves were changed")
	}
}

func TestNames_UnmarshalYAML(t *testing.T) {
	for text, want := range map[string]mapping.Names{
		"all":     {All: true},
		"[]":      {List: []string{}},
		"[a, 1]":  {List: []string{"a", "1"}},
		"['all']": {List: []string{"all"}},
	} {
		var got mapping.Names
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestConfig_UnmarshalYAML_Refuses(t *testing.T) {
	const text = `
alarm_name: [a]
description: {map: {A: x, a: y}}
source: {map: [x]}
include: {labels: some, annotations: [[a]]}
region_id: fine
`
	var c mapping.Config
	err := yaml.Unmarshal([]byte(text), &c)
	for _, want := range []string{
		"line 2: want a template, or a mapping with value, map and default",
		`line 3: map has "a" twice, the case of letters is ignored; remove one`,
		"line 4: cannot unmarshal !!seq into map[string]string",
		"line 5: want the word all, or a list of names; [] is none",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if c.RegionID == nil || *c.RegionID.Value != "fine" {
		t.Error("what follows an error is not read")
	}
}
