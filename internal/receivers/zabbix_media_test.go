package receivers_test

import (
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

// The media type that we ship sends what is read, and nothing that is not. That
// Zabbix takes it is for .ci/zabbix to show.
func TestZabbix_MediaType(t *testing.T) {
	text, err := os.ReadFile("../../deploy/zabbix/media_cocbridge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Export struct {
			MediaTypes []struct {
				Attempts   string `yaml:"attempts"`
				Interval   string `yaml:"attempt_interval"`
				Parameters []struct {
					Name string `yaml:"name"`
				} `yaml:"parameters"`
			} `yaml:"media_types"`
		} `yaml:"zabbix_export"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	media := file.Export.MediaTypes[0]
	sent := map[string]bool{}
	for _, p := range media.Parameters {
		sent[p.Name] = true
	}
	for _, own := range []string{"url", "token", "HTTPProxy"} {
		if !sent[own] {
			t.Errorf("there is no parameter %s", own)
		}
		delete(sent, own)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(receivers.ZabbixParameters)), slices.Sorted(maps.Keys(sent))); diff != "" {
		t.Errorf("parameters (-read +sent):\n%s", diff)
	}
	if media.Attempts != "100" || media.Interval != "30s" {
		t.Errorf("%s attempts, %s apart: too few for a long outage", media.Attempts, media.Interval)
	}
}
