package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/secret"
)

// packagedSocket is where the packages let the admin API listen.
const packagedSocket = "/run/cocbridge/admin.sock"

// remote says which daemon a command talks to, and how it shows the answer.
type remote struct {
	settings
	output string
}

func (r *remote) add(cmd *kingpin.CmdClause) {
	r.addAddress(cmd)
	cmd.Flag("output", "table or json.").Short('o').Default("table").EnumVar(&r.output, "table", "json")
}

func (r *remote) addAddress(cmd *kingpin.CmdClause) {
	r.addConfig(cmd)
	cmd.Flag("storage.path", "The daemon's store folder, where its admin token lies; not needed for a Unix socket.").StringVar(&r.storage)
	cmd.Flag("admin.listen-address", "Where the daemon's admin API listens; default: the packages' socket if it is there, else 127.0.0.1:9877.").StringVar(&r.admin)
}

func (r *remote) client(c console) *admin.Client {
	return admin.NewClient(admin.ClientOptions{
		Address: r.address(c),
		Token:   func() (secret.String, error) { return r.token(c) },
		Actor:   me(),
	})
}

// address is where to connect to. Nothing more is said about one that makes no
// sense: connecting to it will.
func (r *remote) address(c console) string {
	listen := r.listens(c)
	if address, err := reachable(listen); err == nil && !admin.IsUnix(listen) {
		return address
	}
	return listen
}

// listens follows the order flag, environment, default, as serve does.
func (r *remote) listens(c console) string {
	if address := firstOf(r.admin, variable(c, "COCBRIDGE_ADMIN_LISTEN_ADDRESS")); address != "" {
		return address
	}
	if isThere(packagedSocket) {
		return "unix:" + packagedSocket
	}
	return config.Default().AdminListenAddress
}

// isThere counts a socket that this user may not see as one: connecting to it says so.
func isThere(socket string) bool {
	info, err := os.Stat(socket)
	return errors.Is(err, fs.ErrPermission) || err == nil && info.Mode().Type() == fs.ModeSocket
}

func (r *remote) token(c console) (secret.String, error) {
	folder, err := r.folder(c)
	if err != nil {
		return "", err
	}
	token, err := admin.ReadToken(folder)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", fmt.Errorf("%w; a change needs the token of the running daemon: name its folder with --storage.path, on its host and as its user", err)
	}
	return token, err
}

// folder is the store's. The configuration is read only where it must say so.
func (r *remote) folder(c console) (string, error) {
	if folder := variable(c, "COCBRIDGE_STORAGE_PATH"); r.storage == "" && folder != "" {
		return folder, nil
	}
	if r.storage != "" || r.file == "" {
		return firstOf(r.storage, config.Default().Store.Path), nil
	}
	cfg, err := r.load(c)
	if err != nil {
		return "", err
	}
	return cfg.Store.Path, nil
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func variable(c console, name string) string {
	for _, pair := range c.environ() {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// me names who runs the command.
func me() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// printJSON writes one value, for people who read JSON and programs alike.
func printJSON(c console, value any) error {
	out := json.NewEncoder(c.stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(value)
}
