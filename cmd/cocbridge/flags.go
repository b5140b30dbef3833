package main

import (
	"io"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cocbridge/cocbridge/internal/config"
)

// settings are the flags that several commands share. A flag wins over the
// environment, that over the file, that over the default.
type settings struct {
	file      string
	storage   string
	web       string
	admin     string
	logLevel  string
	logFormat string
}

func (s *settings) addConfig(cmd *kingpin.CmdClause) {
	cmd.Flag("config.file", "Configuration file; without one the environment (COCBRIDGE_...) must say enough.").StringVar(&s.file)
}

func (s *settings) addAll(cmd *kingpin.CmdClause) {
	s.addConfig(cmd)
	cmd.Flag("storage.path", "Folder of the store.").StringVar(&s.storage)
	cmd.Flag("web.listen-address", "Address of the webhooks, health and metrics (default 127.0.0.1:9876).").StringVar(&s.web)
	cmd.Flag("admin.listen-address", "Address of the admin API, host:port or unix:/path (default 127.0.0.1:9877).").StringVar(&s.admin)
	cmd.Flag("log.level", "debug, info, warn or error (default info).").StringVar(&s.logLevel)
	cmd.Flag("log.format", "console or json.").Default("console").EnumVar(&s.logFormat, "console", "json")
}

func (s *settings) load(c console) (*config.Config, error) {
	return config.Load(config.Options{
		File:    s.file,
		Environ: c.environ(),
		Overrides: config.Overrides{
			StoragePath: s.storage, WebListenAddress: s.web, AdminListenAddress: s.admin, LogLevel: s.logLevel,
		},
	})
}

// logger writes to w. The console form quotes what could break a line, as JSON
// does: data is in fields only, messages are constants.
func logger(w io.Writer, level, format string) (*zap.Logger, error) {
	var l zapcore.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, err
	}
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoder := zapcore.NewJSONEncoder(enc)
	if format == "console" {
		encoder = zapcore.NewConsoleEncoder(enc)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), l)), nil
}
