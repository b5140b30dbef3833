package mapping

import "maps"

// levels are the default for alarm_level: what Alertmanager, Zabbix and others
// call their severities.
var levels = map[string]string{
	"critical": "Critical", "page": "Critical", "disaster": "Critical",
	"error": "Major", "high": "Major", "major": "Major",
	"warning": "Minor", "average": "Minor", "minor": "Minor",
	"info": "Info", "information": "Info", "not_classified": "Info",
}

// Defaults returns what an absent key means. It lacks only application_id,
// which nobody but the user can know.
func Defaults() Config {
	return Config{
		AlarmName:     text(`{{ .Labels.alertname }}`),
		StrictNames:   new(true),
		AlarmLevel:    &Field{Value: new(`{{ .Labels.severity }}`), Map: maps.Clone(levels), Default: new("Major")},
		NameSpace:     text(`{{ or .Labels.namespace .Labels.job "default" }}`),
		RegionID:      text(""),
		ApplicationID: text(""),
		ResourceName:  text(`{{ or .Labels.instance .Labels.host }}`),
		ResourceID:    text(`{{ .Labels.resource_id }}`),
		Description:   text(`{{ or .Annotations.description .Annotations.summary .Labels.alertname }}`),
		URL:           text(`{{ .URL }}`),
		Source:        text(""),
		Include:       &Include{Labels: &Names{All: true}, Annotations: &Names{All: true}},
	}
}

func text(template string) *Field { return &Field{Value: &template} }
