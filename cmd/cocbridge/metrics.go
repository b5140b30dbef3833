package main

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// registry holds the process's own metrics and takes the bridge's.
func registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	return reg
}

func buildInfo() prometheus.Collector {
	v := version()
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cocbridge_build_info", Help: "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"version": v.number, "revision": v.revision, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}
