package stage

import (
	"context"
	"os"
	"path/filepath"
)

// What the bridge, the simulator and the senders must agree on. None of the
// secrets may be logged.
const (
	BearerToken    = "ci-bearer-token-that-must-not-be-logged"
	IntegrationKey = "ciintegrationkeythatmustnotbelog"
	AccessKey      = "CIACCESSKEY"
	SecretKey      = "ci-secret-key-that-must-not-be-logged" //nolint:gosec // of the simulator, which a run starts
)

// BridgeOptions are how a bridge is started.
type BridgeOptions struct {
	Path       string // of the program
	Folder     string // for its configuration and log
	Config     string // a text
	Web, Admin string // where it listens
}

// Bridge is cocbridge serve. It may be ended and started again; it then has the
// same store and addresses.
type Bridge struct {
	Program Program
	*Process
	Base string // of its web address
}

// StartBridge writes the configuration into the folder and starts the program with it.
func StartBridge(ctx context.Context, o BridgeOptions) (*Bridge, error) {
	file := filepath.Join(o.Folder, "config.yaml")
	if err := os.WriteFile(file, []byte(o.Config), 0o600); err != nil {
		return nil, err
	}
	b := &Bridge{Base: "http://" + o.Web, Program: Program{
		Path: o.Path, Log: filepath.Join(o.Folder, "bridge.log"), Args: []string{
			"serve", "--config.file=" + file, "--web.listen-address=" + o.Web, "--admin.listen-address=" + o.Admin,
		}}}
	err := b.Start(ctx)
	return b, err
}

// Start starts it, also again, and returns when it takes alerts.
func (b *Bridge) Start(ctx context.Context) error {
	p, err := b.Program.Start(ctx)
	if err != nil {
		return err
	}
	b.Process = p
	return Ready(ctx, p, b.Base+"/-/ready")
}
