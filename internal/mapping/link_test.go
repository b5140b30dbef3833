package mapping_test

import (
	"testing"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/mapping"
)

func TestLink(t *testing.T) {
	a := alert.Alert{Receiver: "zabbix", Fingerprint: "31"}
	for template, want := range map[string]string{
		"": "",
		"https://console.example/coc?a={{ .AlarmID }}&r={{ .Receiver }}": "https://console.example/coc?a=" + a.AlarmID() + "&r=zabbix",
		"http://console.example/": "http://console.example/",
	} {
		l, err := mapping.NewLink(template)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Of(a); got != want {
			t.Errorf("%s: %q, want %q", template, got, want)
		}
	}
}

func TestNewLink_Refuses(t *testing.T) {
	const noLink = "it makes no link; write it like https://console.huaweicloud.com/coc/?alarm={{ .AlarmID }}"
	for template, want := range map[string]string{
		"{{ .AlarmID":                            "template:1: unclosed action",
		"https://c.example/{{ .AlarmId }}":       `template:1:21: executing "template" at <.AlarmId>: can't evaluate field AlarmId in type mapping.linkData; the template sees .AlarmID and .Receiver`,
		"{{ .AlarmID }}":                         noLink,
		"javascript:alert('{{ .AlarmID }}')":     noLink,
		"https:///{{ .AlarmID }}":                noLink,
		"https://c.example/{{ .AlarmID }} or so": noLink,
		"https://c.example/{{ .Receiver }}{{ .Receiver }}{{ .Receiver }}{{ .Receiver }}": "it makes a link of 270 characters, but Zabbix keeps only 255; shorten it",
	} {
		_, err := mapping.NewLink(template)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", template, err, want)
		}
	}
}
