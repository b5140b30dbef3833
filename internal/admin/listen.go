package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"
)

// socketMode lets the owner and the group connect.
const socketMode = 0o660

// Listen opens the admin listener: host:port, or unix:/path. A socket that a
// crashed daemon left behind is replaced; one that answers is not.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		return new(net.ListenConfig).Listen(ctx, "tcp", address)
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(fmt.Errorf("admin: listen: %w", err), l.Close())
	}
	return l, nil
}

func removeStale(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("admin: listen: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("admin: listen: %s exists and is no socket: choose another --admin.listen-address", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	if c, err := dialer.DialContext(ctx, "unix", path); err == nil {
		return errors.Join(fmt.Errorf("admin: listen: another daemon answers on %s", path), c.Close())
	}
	return os.Remove(path)
}

// IsUnix says whether an admin address is a Unix socket.
func IsUnix(address string) bool { return strings.HasPrefix(address, "unix:") }
