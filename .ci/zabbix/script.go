package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cocbridge/cocbridge/.ci/stage"

	"go.yaml.in/yaml/v3"
)

// media is what is read of the media type.
type media struct {
	Export struct {
		MediaTypes []struct {
			Script     string `yaml:"script"`
			Parameters []struct {
				Name  string `yaml:"name"`
				Value string `yaml:"value"`
			} `yaml:"parameters"`
		} `yaml:"media_types"`
	} `yaml:"zabbix_export"`
}

// script runs the media type's script in Zabbix's engine on what an operator can
// do wrong, and compares what he is told.
func (s *story) script(ctx context.Context) error {
	fmt.Println("\n3. The script in Zabbix's own engine")
	text, err := os.ReadFile(s.media)
	if err != nil {
		return err
	}
	var file media
	if err := yaml.Unmarshal(text, &file); err != nil {
		return err
	}
	path := filepath.Join(s.folder, "script.js")
	if err := os.WriteFile(path, []byte(file.Export.MediaTypes[0].Script), 0o600); err != nil {
		return err
	}
	asWritten := map[string]string{}
	for _, p := range file.Export.MediaTypes[0].Parameters {
		asWritten[p.Name] = p.Value
	}
	reach := map[string]string{"url": s.webhook(), "token": stage.BearerToken}
	event := map[string]string{"event_id": "4711", "event_source": "0", "event_value": "0", "event_update_status": "0", "event_nseverity": "4", "event_name": "x", "event_tagsjson": "[]"}
	for _, c := range []struct {
		name   string
		change []map[string]string
		fails  bool
		want   string
	}{
		{"Test button, nothing typed", nil, true, `Parameter "url" is the unresolved macro {$COCBRIDGE.URL}: create it under`},
		{"Test button, address and token typed", []map[string]string{reach}, false, "cocbridge: test received, macros unresolved: working"},
		{"an event", []map[string]string{reach, event}, false, `{"tags":{"__zbx_coc_alarm":"`},
		{"a wrong token", []map[string]string{reach, event, {"token": "wrong"}}, true, "Sending failed: Request failed with status code 401: not authorized. Check the macro {$COCBRIDGE.TOKEN}."},
		{"no token", []map[string]string{reach, event, {"token": ""}}, true, "status code 401"},
		{"no address", []map[string]string{reach, event, {"url": " "}}, true, `Parameter "url" is "", it must be the address of the receiver`},
		{"another server there", []map[string]string{reach, event, {"url": "http://" + s.at.frontend + "/robots.txt"}}, true, "The answer with status code 200 is not from cocbridge"},
		{"nobody there", []map[string]string{reach, event, {"url": "http://127.0.0.1:1/webhook/zabbix"}}, true, "Couldn't connect to server"},
		{"a parameter without its macro", []map[string]string{reach, event, {"event_value": "PROBLEM"}}, true, `Parameter "event_value" is "PROBLEM", it must be one of 0, 1`},
		{"an empty parameter", []map[string]string{reach, event, {"event_id": ""}}, true, `Parameter "event_id" is missing`},
		{"what the bridge refuses", []map[string]string{reach, event, {"event_nseverity": "7"}}, true, `status code 400: event_nseverity: is "7", want a number from 0 to 5`},
	} {
		params := maps.Clone(asWritten)
		for _, change := range c.change {
			maps.Copy(params, change)
		}
		said, err := runScript(ctx, path, params)
		s.check((err != nil) == c.fails && strings.Contains(said, c.want), "%s: %s", c.name, said)
	}
	return nil
}

// runScript returns what the script returned, or what it threw.
func runScript(ctx context.Context, path string, params map[string]string) (string, error) {
	input, err := json.Marshal(params)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "zabbix_js", "-s", path, "-p", string(input)) //nolint:gosec // our script, our input
	text, err := cmd.CombinedOutput()
	said := strings.Join(strings.Fields(string(text)), " ")
	// Before it stand the script's own lines for the log, which say the same.
	if at := strings.LastIndex(said, "Sending failed: "); at >= 0 {
		said = said[at:]
	}
	return said, err
}
