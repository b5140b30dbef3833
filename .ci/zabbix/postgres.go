package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// schemas are what Debian's package brings for an empty database, in order.
var schemas = []string{"schema", "images", "data"}

// postgres is a server of our own, on a socket in its folder only. Nothing in it
// is worth a sync.
type postgres struct {
	*stage.Process
	folder string // with the socket
	user   *syscall.Credential
}

func startPostgres(ctx context.Context, folder string, as *syscall.Credential) (*postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	pg := &postgres{folder: filepath.Join(folder, "postgres"), user: as}
	if err := os.Mkdir(pg.folder, 0o700); err != nil {
		return nil, err
	}
	if err := give(pg.folder, as); err != nil {
		return nil, err
	}
	data := filepath.Join(pg.folder, "data")
	if err := pg.once(ctx, nil, filepath.Join(bin, "initdb"), "-D", data, "-U", "zabbix", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return nil, err
	}
	pg.Process, err = stage.Program{
		Path: filepath.Join(bin, "postgres"), User: as, End: syscall.SIGINT, Log: filepath.Join(folder, "postgres.log"),
		Args: []string{"-D", data, "-k", pg.folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off"},
	}.Start(ctx)
	if err != nil {
		return nil, err
	}
	err = stage.Until(ctx, "PostgreSQL", func(ctx context.Context) (bool, error) {
		return pg.sql(ctx, "postgres", nil, "-c", "select 1") == nil, pg.Alive()
	})
	if err == nil {
		err = pg.fill(ctx)
	}
	return pg, err
}

func postgresPrograms() (string, error) {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(all) == 0 {
		return "", fmt.Errorf("there is no /usr/lib/postgresql/*/bin/initdb; install postgresql")
	}
	return filepath.Dir(all[len(all)-1]), nil
}

// fill makes the database with Zabbix's tables and first data.
func (pg *postgres) fill(ctx context.Context) error {
	if err := pg.sql(ctx, "postgres", nil, "-c", "create database zabbix"); err != nil {
		return err
	}
	for _, name := range schemas {
		if err := pg.load(ctx, "/usr/share/zabbix-server-pgsql/"+name+".sql.gz"); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (pg *postgres) load(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	text, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	return pg.sql(ctx, "zabbix", text)
}

func (pg *postgres) sql(ctx context.Context, database string, input io.Reader, args ...string) error {
	args = append([]string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", pg.folder, "-U", "zabbix", "-d", database}, args...)
	return pg.once(ctx, input, "psql", args...)
}

// once runs a program to its end.
func (pg *postgres) once(ctx context.Context, input io.Reader, path string, args ...string) error {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // programs and arguments are this file's
	cmd.Stdin, cmd.Dir = input, pg.folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: pg.user}
	// The first data refers to itself a hundred thousand times, and need not be checked.
	cmd.Env = append(os.Environ(), "PGOPTIONS=-c session_replication_role=replica")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(path), err, text)
	}
	return nil
}
