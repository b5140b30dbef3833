package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

const bridgeConfig = `coc:
  endpoint: http://%s
  region: cn-north-4
  project_id: 0123456789abcdef0123456789abcdef
  auth: {access_key: %s, secret_key: %s}
  console_url: 'https://console.example.com/coc?alarm={{ .AlarmID }}'
receivers:
  - name: zabbix
    type: zabbix
    auth: {bearer_token: %s}
integrations:
  - {name: default, key: %s}
mapping:
  application_id: ci
  resource_name: '{{ .Labels.host }}'
store: {path: %s}
`

// startBridge starts a simulated COC and a bridge that tells it of what Zabbix says.
func (s *story) startBridge(ctx context.Context) (err error) {
	if s.sim, err = stage.StartSimulator(ctx, s.cocbridge, s.folder, s.at.coc); err != nil {
		return err
	}
	config := fmt.Sprintf(bridgeConfig, s.at.coc, stage.AccessKey, stage.SecretKey, stage.BearerToken, stage.IntegrationKey, filepath.Join(s.folder, "data"))
	s.bridge, err = stage.StartBridge(ctx, stage.BridgeOptions{Path: s.cocbridge, Folder: s.folder, Config: config, Web: s.at.web, Admin: s.at.admin})
	return err
}

func (s *story) webhook() string { return s.bridge.Base + "/webhook/zabbix" }
