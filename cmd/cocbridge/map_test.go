package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const zabbixProblem = `{"event_id":"31","event_source":"0","event_value":"1","event_update_status":"0","event_nseverity":"5","event_name":"Disk full",
	"host_name":"web-1","alert_message":"Problem started","event_tagsjson":"[{\"tag\":\"team\",\"value\":\"db\"}]"}`

// The receiver decides how the message is read.
func TestMap_zabbix(t *testing.T) {
	good, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, append(good, "\nreceivers: [{name: alertmanager}, {name: zabbix, type: zabbix}]\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	got := execute(t, zabbixProblem, "map", "--config.file="+file, "--receiver=zabbix")
	if got.code != 0 {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	for _, want := range []string{`"fingerprint": "31"`, `"integration": "db"`, `"alarmName": "Disk_full"`, `"alarmLevel": "Critical"`, `"alarmSource": "zabbix"`, `"resourceName": "web-1"`} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %s in\n%s", want, got.stdout)
		}
	}
	test := execute(t, `{"event_id":"{EVENT.ID}"}`, "map", "--config.file="+file, "--receiver=zabbix")
	if test.code != exitUsage || !strings.Contains(test.stderr, "test received, macros unresolved: working") {
		t.Errorf("exit code %d: %s", test.code, test.stderr)
	}
}
