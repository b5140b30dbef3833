package admin

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Public are the paths every monitoring system may read.
type Public struct {
	Healthy func() error // nil while the process can do its work after all
	Ready   func() error // nil while it accepts alerts
	Metrics prometheus.Gatherer
}

// Register adds /-/healthy, /-/ready and /metrics to the mux.
func (p Public) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /-/healthy", check(p.Healthy))
	mux.HandleFunc("GET /-/ready", check(p.Ready))
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 10}))
}

// check answers 200 or 503 with the reason as one line of text.
func check(ok func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := ok(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("OK\n"))
	}
}
