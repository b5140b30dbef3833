// Package config loads the one configuration of the daemon.
//
// It composes the Config types of the other packages, fills them from their
// defaults, the file, the environment and the command line (each wins over the
// one before), reads the secrets that are kept in files of their own, and asks
// every package to validate its part. It is strict: a key that nothing reads is
// an error. All problems of a configuration are reported together, each with
// the line, variable or flag it comes from, and no message shows a secret.
// Reading is bounded: a hostile or mistaken file costs neither memory nor time.
package config
