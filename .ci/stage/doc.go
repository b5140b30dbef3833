// Package stage starts what the stories with real senders play with: programs as
// processes of their own, a cocbridge and a simulated COC, on loopback sockets.
package stage
