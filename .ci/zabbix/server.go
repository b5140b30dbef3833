package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

const serverConfig = `LogType=console
ListenIP=127.0.0.1
ListenPort=%s
DBHost=%s
DBName=zabbix
DBUser=zabbix
PidFile=%[3]s/zabbix_server.pid
SocketDir=%[3]s
AlertScriptsPath=%[3]s
CacheUpdateFrequency=1
StartPollers=1
StartPingers=0
StartTrappers=2
StartDiscoverers=0
StartHTTPPollers=0
StartEscalators=1
StartAlerters=3
`

// server is a Zabbix server.
type server struct {
	*stage.Process
	port string
}

func startServer(ctx context.Context, folder, address string, pg *postgres) (*server, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	own := filepath.Join(folder, "zabbix")
	if err := os.Mkdir(own, 0o700); err != nil {
		return nil, err
	}
	config := filepath.Join(own, "zabbix_server.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, serverConfig, port, pg.folder, own), 0o600); err != nil {
		return nil, err
	}
	if err := give(own, pg.user); err != nil {
		return nil, err
	}
	p, err := stage.Program{
		Path: "/usr/sbin/zabbix_server", Args: []string{"-f", "-c", config}, User: pg.user, Log: filepath.Join(folder, "zabbix.log"),
	}.Start(ctx)
	return &server{Process: p, port: port}, err
}

// send gives the server a value, as an agent would. Until the server has read
// the configuration that was just made, it takes none.
func (s *server) send(ctx context.Context, host, value string) error {
	return stage.Until(ctx, "Zabbix to take a value of "+host, func(ctx context.Context) (bool, error) {
		cmd := exec.CommandContext(ctx, "zabbix_sender", "-z", "127.0.0.1", "-p", s.port, "-s", host, "-k", itemKey, "-o", value) //nolint:gosec // all of it is ours
		text, err := cmd.CombinedOutput()
		return err == nil && strings.Contains(string(text), "processed: 1;"), s.Alive()
	})
}

const frontendConfig = `<?php
$DB['TYPE'] = 'POSTGRESQL';
$DB['SERVER'] = '%s';
$DB['PORT'] = '0';
$DB['DATABASE'] = 'zabbix';
$DB['USER'] = 'zabbix';
$DB['PASSWORD'] = '';
$DB['SCHEMA'] = '';
$DB['ENCRYPTION'] = false;
$DB['DOUBLE_IEEE754'] = true;
$ZBX_SERVER_NAME = 'CI';
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
`

// debianConfig is where Debian's frontend looks for its configuration; the file
// that says so is configFile.
const (
	debianConfig = "/etc/zabbix/zabbix.conf.php"
	configFile   = "include/classes/core/CConfigFile.php"
)

// startFrontend serves a copy of Zabbix's PHP frontend, for its API. The copy has
// a configuration of its own, so that the machine's is left alone.
func startFrontend(ctx context.Context, folder, address string, pg *postgres) (*stage.Process, error) {
	own := filepath.Join(folder, "frontend")
	if err := os.CopyFS(own, os.DirFS("/usr/share/zabbix")); err != nil {
		return nil, err
	}
	config := filepath.Join(own, "conf", "zabbix.conf.php")
	if err := replace(filepath.Join(own, configFile), debianConfig, config); err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, frontendConfig, pg.folder), 0o600); err != nil {
		return nil, err
	}
	if err := give(own, pg.user); err != nil {
		return nil, err
	}
	p, err := stage.Program{
		Path: "php", Args: []string{"-S", address, "-t", own}, User: pg.user, Log: filepath.Join(folder, "frontend.log"),
	}.Start(ctx)
	if err != nil {
		return nil, err
	}
	return p, stage.Ready(ctx, p, "http://"+address+"/robots.txt")
}

// replace puts a text in place of the only one in a file.
func replace(path, old, text string) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := strings.Count(string(before), old); n != 1 {
		return fmt.Errorf("%s: %s is there %d times, want once", path, old, n)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(before), old, text, 1)), 0o600) //nolint:gosec // a file of our copy
}
