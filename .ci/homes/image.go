package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

const (
	maxImage = 25 << 20 // bytes
	imageUID = 65532
	volume   = "/var/lib/cocbridge"
	bearer   = "a-bearer-token-for-the-image" //nolint:gosec // of this run
)

// image is what the engine would read from the image.
type image struct {
	Config struct {
		User        string
		Env         []string
		Entrypoint  []string
		Cmd         []string
		Volumes     map[string]struct{}
		Labels      map[string]string
		Healthcheck struct{ Test []string }
	} `json:"config"`
	root string // where its files are, read-only
	data string // its volume
}

// imageHome runs the image as a sidecar, by environment alone. An engine is stood in
// for by this: its files read-only, the volume writable, the user without
// capabilities; without /proc, /dev and /etc, which an engine would add.
func imageHome(ctx context.Context, st *station) error {
	stop, err := st.simulate(ctx)
	if err != nil {
		return err
	}
	defer stop()
	img, err := unpack(ctx, st)
	if err != nil {
		return err
	}
	defer img.discard()
	if err := errors.Join(img.checkConfig(), img.checkFiles(), img.mountVolume()); err != nil {
		return err
	}
	if err := img.knowsZones(ctx); err != nil {
		return err
	}
	return img.serves(ctx)
}

// unpack loads the archive, which checks its hashes, and binds its files read-only.
func unpack(ctx context.Context, st *station) (*image, error) {
	archive, err := st.artifact("cocbridge-image-" + runtime.GOARCH + ".tar")
	if err != nil {
		return nil, err
	}
	base := filepath.Join(st.folder, "image")
	img := &image{root: filepath.Join(base, "root"), data: filepath.Join(base, "data")}
	if err := errors.Join(os.MkdirAll(img.root, 0o755), os.Mkdir(img.data, 0o700), os.Chown(img.data, imageUID, imageUID)); err != nil { //nolint:gosec // the image's user must get through
		return nil, err
	}
	buildah := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "buildah", append([]string{"--root", base + "/storage", "--runroot", base + "/run", "--storage-driver", "vfs"}, args...)...).Output() //nolint:gosec // a harness
		return strings.TrimSpace(string(out)), err
	}
	container, err := buildah("from", "--quiet", "docker-archive:"+archive)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", archive, err)
	}
	about, err := buildah("inspect", "--format", "{{.Config}}", "--type", "image", "cocbridge")
	if err != nil {
		about, err = buildah("inspect", "--format", "{{.Config}}", container)
	}
	if err != nil {
		return nil, fmt.Errorf("inspect the image: %w", err)
	}
	if err := json.Unmarshal([]byte(about), img); err != nil {
		return nil, err
	}
	files, err := buildah("mount", container)
	if err != nil {
		return nil, fmt.Errorf("mount the image: %w", err)
	}
	_, err = command(ctx, "mount", "--bind", "-o", "ro", files, img.root)
	return img, err
}

func (img *image) discard() {
	_ = syscall.Unmount(img.root+volume, syscall.MNT_DETACH)
	_ = syscall.Unmount(img.root, syscall.MNT_DETACH)
}

func (img *image) checkConfig() error {
	c := img.Config
	var errs []error
	if c.User != fmt.Sprintf("%d:%d", imageUID, imageUID) {
		errs = append(errs, fmt.Errorf("the image's user is %q", c.User))
	}
	if _, ok := c.Volumes[volume]; !ok || len(c.Volumes) != 1 {
		errs = append(errs, fmt.Errorf("the image's volumes are %v", c.Volumes))
	}
	if !slices.Equal(c.Healthcheck.Test, []string{"CMD", "/bin/cocbridge", "healthcheck"}) {
		errs = append(errs, fmt.Errorf("the image's health check is %q", c.Healthcheck.Test))
	}
	for _, label := range []string{"title", "description", "source", "licenses", "version", "revision"} {
		if c.Labels["org.opencontainers.image."+label] == "" {
			errs = append(errs, fmt.Errorf("the image has no label %s", label))
		}
	}
	return errors.Join(errs...)
}

// checkFiles sees to it that there is one program, and nothing else to run.
func (img *image) checkFiles() error {
	var size int64
	var programs []string
	err := filepath.WalkDir(img.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		if info.Mode()&(0o111|fs.ModeSetuid|fs.ModeSetgid) != 0 {
			programs = append(programs, strings.TrimPrefix(path, img.root))
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case size > maxImage:
		return fmt.Errorf("the image has %d bytes, more than %d", size, maxImage)
	case !slices.Equal(programs, []string{"/bin/cocbridge"}):
		return fmt.Errorf("the image has the programs %v", programs)
	}
	fmt.Printf("  %.1f MiB, one program\n", float64(size)/(1<<20))
	return nil
}

func (img *image) mountVolume() error {
	if err := syscall.Mount(img.data, img.root+volume, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind the volume: %w", err)
	}
	return nil
}

// command is a program of the image, run as the image's user.
func (img *image) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	line := []string{"--no-new-privs", "--inh-caps=-all", "chroot", fmt.Sprintf("--userspec=%d:%d", imageUID, imageUID), "--groups=", img.root}
	cmd := exec.CommandContext(ctx, "setpriv", append(line, args...)...) //nolint:gosec // the image under test
	cmd.Env = append(append([]string{}, img.Config.Env...), env...)
	cmd.Env = append(cmd.Env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin") // for setpriv and chroot
	return cmd
}

// secret puts a file for the image's user into the volume.
func (img *image) secret(name, text string) (string, error) {
	file := filepath.Join(img.data, name)
	return volume + "/" + name, errors.Join(os.WriteFile(file, []byte(text), 0o400), os.Chown(file, imageUID, imageUID))
}

// environment is how a sidecar is configured.
func (img *image) environment() ([]string, error) {
	env := []string{"COCBRIDGE_ENDPOINT=" + simulator, "COCBRIDGE_ACCESS_KEY=" + accessKey, "COCBRIDGE_APPLICATION_ID=app-1"}
	for name, text := range map[string]string{"SECRET_KEY": secretKey, "INTEGRATION_KEY": integrationKey, "BEARER_TOKEN": bearer} {
		file, err := img.secret(strings.ToLower(name), text)
		if err != nil {
			return nil, err
		}
		env = append(env, "COCBRIDGE_"+name+"_FILE="+file)
	}
	return env, nil
}

// serves runs the entry point until it has delivered an alarm, then asks the image's
// health check before and after its end.
func (img *image) serves(ctx context.Context) error {
	env, err := img.environment()
	if err != nil {
		return err
	}
	cmd := img.command(ctx, env, append(slices.Clone(img.Config.Entrypoint), img.Config.Cmd...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Kill() }()
	if err := until(ctx, "the image is ready", func() error { _, err := get(ctx, web+"/-/ready"); return err }); err != nil {
		return err
	}
	if err := delivers(ctx, "FromTheImage", bearer); err != nil {
		return err
	}
	if err := until(ctx, "why is answered", func() error { // as by "docker exec"
		out, err := img.command(ctx, env, "/bin/cocbridge", "why", "alertname=FromTheImage").CombinedOutput()
		return wasSent(string(out), err)
	}); err != nil {
		return err
	}
	check := img.Config.Healthcheck.Test[1:]
	if out, err := img.command(ctx, env, check...).CombinedOutput(); err != nil {
		return fmt.Errorf("the health check of a healthy bridge: %w: %s", err, out)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("the image's end: %w", err)
	}
	var exit *exec.ExitError
	if err := img.command(ctx, env, check...).Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		return fmt.Errorf("the health check without a bridge: %w, want exit code 1", err)
	}
	return nil
}

// knowsZones has the image name a time zone, of which it has no files.
func (img *image) knowsZones(ctx context.Context) error {
	config, err := img.secret("zones.yaml", `coc: {region: cn-north-4, auth: {access_key: x, secret_key: y}}
integrations: [{name: default, key: abcdefgh}]
mapping: {application_id: app-1, description: '{{ .StartsAt | tz "Asia/Shanghai" }}'}
`)
	if err != nil {
		return err
	}
	cmd := img.command(ctx, nil, "/bin/cocbridge", "map", "--config.file="+config)
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "COCBRIDGE_WEB") })
	cmd.Stdin = strings.NewReader(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Zone"},"startsAt":"2026-11-21T12:00:00Z"}]}`)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "20:00:00 +0800") {
		return fmt.Errorf("noon in UTC is not eight in the evening in Shanghai: %w\n%s", err, out)
	}
	return nil
}
