package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	unitFile   = "/usr/lib/systemd/system/cocbridge.service"
	configFile = "/etc/cocbridge/config.yaml"
	storeFile  = "/var/lib/cocbridge/cocbridge.db"
	secretFile = "/etc/cocbridge/secret_key" //nolint:gosec // a path
	keyFile    = "/etc/cocbridge/integration_key"
)

// configure is what deploy/docs/install.md asks of the operator; the endpoint is
// that of the simulator.
func configure(ctx context.Context, m *machine) error {
	text, err := os.ReadFile(m.path(configFile))
	if err != nil {
		return err
	}
	for before, after := range map[string]string{
		"region: cn-north-4": "region: cn-north-4\n  endpoint: " + simulator, "YOURACCESSKEY": accessKey, "your-coc-application": "app-1",
	} {
		if strings.Count(string(text), before) != 1 {
			return fmt.Errorf("%s has %q not once", configFile, before)
		}
		text = []byte(strings.Replace(string(text), before, after, 1))
	}
	m.configured = string(text)
	if err := errors.Join(m.write(configFile, m.configured), m.write(secretFile, secretKey), m.write(keyFile, integrationKey)); err != nil {
		return err
	}
	_, err = m.run(ctx, "cocbridge", "check-config", configFile)
	return err
}

// unchanged checks that an upgrade has left alone what the operator wrote.
func (m *machine) unchanged() error {
	for file, want := range map[string]string{configFile: m.configured, secretFile: secretKey, keyFile: integrationKey} {
		if text, err := os.ReadFile(m.path(file)); err != nil || string(text) != want {
			return fmt.Errorf("the upgrade has changed %s: %q, %w", file, text, err)
		}
	}
	return nil
}

// debHome installs the deb, has it deliver, upgrades, removes and purges it. Triggers
// are those of other packages, such as an index of all manual pages.
func debHome(ctx context.Context, st *station) error {
	deb, err := st.artifact("cocbridge_*_" + runtime.GOARCH + ".deb")
	if err != nil {
		return err
	}
	stop, err := st.simulate(ctx)
	if err != nil {
		return err
	}
	defer stop()
	m, err := newMachine(ctx, st.folder)
	if err != nil {
		return err
	}
	defer m.discard()
	for _, step := range []func(context.Context, *machine, string) error{debInstall, debServe, debUpgrade, debRemove, debPurge} {
		if err := step(ctx, m, deb); err != nil {
			return err
		}
	}
	return nil
}

func debInstall(ctx context.Context, m *machine, deb string) error {
	// A folder of the host that the machine's own mounts hide.
	if _, err := command(ctx, "cp", deb, m.path("/tmp/cocbridge.deb")); err != nil {
		return err
	}
	if _, err := m.run(ctx, "dpkg", "--no-triggers", "--install", "/tmp/cocbridge.deb"); err != nil {
		return err
	}
	if err := m.exists(true, secretFile, keyFile, configFile, "/usr/share/man/man1/cocbridge.1.gz", "/usr/share/doc/cocbridge/LICENSES.txt",
		"/usr/share/bash-completion/completions/cocbridge", "/usr/share/zsh/site-functions/_cocbridge"); err != nil {
		return err
	}
	if err := m.exists(false, storeFile); err != nil {
		return fmt.Errorf("it started before it was configured: %w", err)
	}
	if err := analyze(ctx, m); err != nil {
		return err
	}
	return refuses(ctx, m)
}

// analyze asks systemd what it thinks of the unit; 15 is an exposure of 1.5.
func analyze(ctx context.Context, m *machine) error {
	warnings, err := m.run(ctx, "systemd-analyze", "verify", unitFile)
	if err == nil && strings.TrimSpace(warnings) != "" {
		err = fmt.Errorf("systemd-analyze verify: %s", warnings)
	}
	if err != nil {
		return err
	}
	report, err := m.run(ctx, "systemd-analyze", "security", "--offline=true", "--threshold=15", unitFile)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(report), "\n")
	fmt.Println(" ", lines[len(lines)-1])
	return nil
}

func debServe(ctx context.Context, m *machine, _ string) error {
	if err := configure(ctx, m); err != nil {
		return err
	}
	s, err := startService(ctx, m)
	if err != nil {
		return err
	}
	return s.life(ctx, "FromTheDeb")
}

// debUpgrade installs a later version, whose configuration differs too.
func debUpgrade(ctx context.Context, m *machine, _ string) error {
	const later = `set -e
cd /tmp && dpkg-deb --raw-extract cocbridge.deb later
sed -i 's/^Version: .*/Version: 9999.0.0/' later/DEBIAN/control
echo '# a new line' >>later/etc/cocbridge/config.yaml
(cd later && md5sum etc/cocbridge/config.yaml | cat - DEBIAN/md5sums | awk '!seen[$2]++' >/tmp/sums && mv /tmp/sums DEBIAN/md5sums)
dpkg-deb -Zgzip -z1 --build later later.deb
dpkg --no-triggers --force-confold --install later.deb`
	if _, err := m.run(ctx, "sh", "-c", later); err != nil {
		return err
	}
	if err := m.unchanged(); err != nil {
		return err
	}
	s, err := startService(ctx, m)
	if err != nil {
		return err
	}
	return s.life(ctx, "AfterTheUpgrade")
}

func debRemove(ctx context.Context, m *machine, _ string) error {
	if _, err := m.run(ctx, "dpkg", "--no-triggers", "--remove", "cocbridge"); err != nil {
		return err
	}
	return errors.Join(m.exists(true, storeFile, configFile, secretFile), m.exists(false, unitFile, "/usr/bin/cocbridge"))
}

func debPurge(ctx context.Context, m *machine, _ string) error {
	if _, err := m.run(ctx, "dpkg", "--no-triggers", "--purge", "cocbridge"); err != nil {
		return err
	}
	return m.exists(false, filepath.Dir(storeFile), filepath.Dir(configFile))
}
