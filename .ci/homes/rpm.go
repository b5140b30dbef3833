package main

import (
	"context"
	"errors"
	"runtime"
)

// rpmArch is what rpm calls an architecture.
var rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// rpmHome does as debHome, with rpm's ways: what it requires is not looked at,
// since nothing else on this machine is an rpm, and there is no purge.
func rpmHome(ctx context.Context, st *station) error {
	rpm, err := st.artifact("cocbridge-*." + rpmArch[runtime.GOARCH] + ".rpm")
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
	if _, err := command(ctx, "cp", rpm, m.path("/tmp/cocbridge.rpm")); err != nil {
		return err
	}
	if _, err := m.run(ctx, "rpm", "--install", "--nodeps", "--force-debian", "/tmp/cocbridge.rpm"); err != nil {
		return err
	}
	if err := configure(ctx, m); err != nil {
		return err
	}
	s, err := startService(ctx, m)
	if err != nil {
		return err
	}
	if err := s.life(ctx, "FromTheRpm"); err != nil {
		return err
	}
	return rpmUpgradeAndRemove(ctx, m)
}

func rpmUpgradeAndRemove(ctx context.Context, m *machine) error {
	if _, err := m.run(ctx, "rpm", "--upgrade", "--force", "--nodeps", "--force-debian", "/tmp/cocbridge.rpm"); err != nil {
		return err
	}
	if err := m.unchanged(); err != nil {
		return err
	}
	if _, err := m.run(ctx, "rpm", "--erase", "--nodeps", "--force-debian", "cocbridge"); err != nil {
		return err
	}
	return errors.Join(m.exists(true, storeFile, secretFile, configFile+".rpmsave"), m.exists(false, unitFile, "/usr/bin/cocbridge"))
}
