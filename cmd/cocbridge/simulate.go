package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// The simulator's credentials: it is a test tool, so they are public and
// cannot be mistaken for real ones.
const (
	demoKey       = "demointegrationkey00000000000000"
	demoAccessKey = "DEMOACCESSKEY"
	demoSecretKey = "demo-secret-key"
)

type simulation struct {
	listen               string
	keys                 []string
	accessKey, secretKey string
	refresh              time.Duration
	faults               []string
}

func simulateCommand(app *kingpin.Application) (string, command) {
	var s simulation
	cmd := app.Command("simulate", "Serve a strict, simulated COC for trying and testing; see /_coctest/alarms and /_coctest/report. "+
		"It has two scripts, a job, three hosts (one of them offline, one where scripts fail) and the users "+strings.Join(demoStaff, ", ")+
		", to try cocbridge coc with: coc script list, coc resource list, coc job show DM1.")
	cmd.Flag("listen", "Address to listen on.").Default("127.0.0.1:9880").StringVar(&s.listen)
	cmd.Flag("key", "Integration key that is known; repeatable.").Default(demoKey).StringsVar(&s.keys)
	cmd.Flag("access-key", "Access key that is known.").Default(demoAccessKey).StringVar(&s.accessKey)
	cmd.Flag("secret-key", "Its secret key.").Default(demoSecretKey).StringVar(&s.secretKey)
	cmd.Flag("refresh", "How soon the same alarm may be told again without counting as a duplicate.").Default("30m").DurationVar(&s.refresh)
	cmd.Flag("fault", "Fault to begin with, such as status=503,times=3; repeatable.").StringsVar(&s.faults)
	return cmd.FullCommand(), s.run
}

func (s *simulation) run(ctx context.Context, c console) error {
	sim := coctest.New(furnished(coctest.Options{Keys: s.keys, AccessKey: s.accessKey, SecretKey: s.secretKey, Refresh: s.refresh}))
	for _, text := range s.faults {
		fault, err := coctest.ParseFault(text)
		if err != nil {
			return fmt.Errorf("%w: --fault: %w", errUsage, err)
		}
		sim.Inject(fault)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return fmt.Errorf("listen: %w; choose another --listen", err)
	}
	fmt.Fprintf(c.stdout, "simulated COC at http://%s, what arrived at http://%s/_coctest/alarms\n", l.Addr(), l.Addr())
	return serveSimulation(ctx, sim, l)
}

// serveSimulation serves until ctx is done.
func serveSimulation(ctx context.Context, sim *coctest.Server, l net.Listener) error {
	srv := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		sim.Close()
		_ = srv.Close()
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
