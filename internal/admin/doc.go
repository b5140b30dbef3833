// Package admin is the operator's view of a running daemon: health, metrics and
// the API through which a person changes something.
//
// Health and metrics are public and stand on the web listener. Everything that
// changes something stands on its own listener, which a browser cannot be
// tricked into using: the Host must be one of ours, cross-origin requests are
// refused, bodies are JSON, and on TCP each change needs the admin token, on
// loopback too. On a Unix socket the file mode decides who may connect, and the
// kernel names who does.
//
// What can be asked and done is Operations: the bridge does it, the handler
// offers it as /api/v1/..., and Client asks for it from another process.
package admin
