package bridge

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

// Limits of the web listener. All of a site may come through one address (NAT),
// and one address may mean harm.
const (
	maxConnections = 1024
	maxPerAddress  = 256
	// hardLimit is how many times as many there may be where none can be closed
	// because all are at work.
	hardLimit = 2
)

// connections bounds how many clients are connected. Where there are too many,
// the one that has kept us waiting longest is closed in favour of the new one: a
// client that dribbles its request can take a place only until others need it.
// What has arrived as a whole is never cut off; where nothing else is left, the
// new one is closed.
type connections struct {
	closed func(receivers.Reason) // is told of each that ends without a request, and why

	mu    sync.Mutex
	clock uint64 // counts what happens, to tell what was first
	open  map[net.Conn]*connection
	from  map[netip.Prefix]int
}

// connection is one client.
type connection struct {
	conn    net.Conn
	from    netip.Prefix
	waiting uint64 // since when we wait for it to send a request
	begun   bool   // of a request something has arrived, but not the whole header
	working bool   // a request has arrived as a whole, and its answer has not left
}

func newConnections(closed func(receivers.Reason)) *connections {
	return &connections{closed: closed, open: map[net.Conn]*connection{}, from: map[netip.Prefix]int{}}
}

// attach makes the server tell of its connections.
func (c *connections) attach(s *http.Server) {
	s.Handler = c.handler(s.Handler)
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, c.admit(conn))
	}
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		switch state {
		case http.StateActive:
			c.sends(conn)
		case http.StateIdle: // the answer has left, not only the handler
			c.answered(conn)
		case http.StateClosed, http.StateHijacked:
			c.forget(conn)
		case http.StateNew:
		}
	}
}

type connectionKey struct{}

// admit makes room for a new connection, if need be by closing another one, or
// closes the new one.
func (c *connections) admit(conn net.Conn) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &connection{conn: conn, from: origin(conn)}
	if why, full := c.full(k.from); full {
		c.closed(why)
		hangUp(conn)
		return k
	}
	c.clock++
	k.waiting = c.clock
	c.open[conn] = k
	c.from[k.from]++
	return k
}

// full says whether one more from an address is too many, although room was made
// where that was possible.
func (c *connections) full(from netip.Prefix) (why receivers.Reason, full bool) {
	if n := c.from[from]; n >= maxPerAddress && !c.shed(receivers.AddressConnections, from) && n >= hardLimit*maxPerAddress {
		return receivers.AddressConnections, true
	}
	if n := len(c.open); n >= maxConnections && !c.shed(receivers.AllConnections, c.busiest()) && n >= hardLimit*maxConnections {
		return receivers.AllConnections, true
	}
	return "", false
}

// shed closes the connection from an address that has kept us waiting longest; it
// returns false where all of them are at work.
func (c *connections) shed(reason receivers.Reason, from netip.Prefix) bool {
	var oldest *connection
	for _, k := range c.open {
		if k.from == from && !k.working && (oldest == nil || k.waiting < oldest.waiting) {
			oldest = k
		}
	}
	if oldest == nil {
		return false
	}
	c.closed(reason)
	c.drop(oldest)
	hangUp(oldest.conn)
	return true
}

// hangUp closes a connection; its server notices and reports it.
func hangUp(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn() // the TLS farewell may wait for the client
	}
	_ = conn.Close()
}

// busiest is the address with most connections; between equals any.
func (c *connections) busiest() netip.Prefix {
	var most netip.Prefix
	for from, n := range c.from {
		if n > c.from[most] {
			most = from
		}
	}
	return most
}

// sends notes that a client has begun another request.
func (c *connections) sends(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.open[conn]; k != nil {
		c.clock++
		k.waiting, k.begun = c.clock, true
	}
}

func (c *connections) forget(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.open[conn]
	if k == nil {
		return
	}
	c.drop(k)
	if k.begun {
		c.closed(receivers.BadHeader)
	}
}

func (c *connections) drop(k *connection) {
	delete(c.open, k.conn)
	if c.from[k.from]--; c.from[k.from] == 0 {
		delete(c.from, k.from)
	}
}

// asks notes that the header of a request is whole and good.
func (c *connections) asks(k *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.begun = false
}

func (c *connections) arrived(k *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.working = true
}

func (c *connections) answered(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.open[conn]; k != nil {
		k.begun, k.working = false, false
	}
}

// handler notes when a request has arrived as a whole. One that is refused before,
// as by its header, has not.
func (c *connections) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k, ok := r.Context().Value(connectionKey{}).(*connection)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		c.asks(k)
		arrived := sync.OnceFunc(func() { c.arrived(k) })
		if r.Body == nil || r.Body == http.NoBody {
			arrived()
		} else {
			r = r.WithContext(r.Context()) // net/http knows by its own body that it need not wait for the rest of a large one
			r.Body = &arrivingBody{r.Body, arrived}
		}
		next.ServeHTTP(w, r)
	})
}

// arrivingBody tells when the last of a body has been read.
type arrivingBody struct {
	io.ReadCloser
	arrived func()
}

func (b *arrivingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.arrived()
	}
	return n, err
}

// origin is the address of a client; of IPv6 the network of 64 bits, within which
// one client has as many addresses as it likes.
func origin(conn net.Conn) netip.Prefix {
	a, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := a.Addr().Unmap().WithZone(""), 32
	if ip.Is6() {
		bits = 64
	}
	prefix, _ := ip.Prefix(bits)
	return prefix
}
