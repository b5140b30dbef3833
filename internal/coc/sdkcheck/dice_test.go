package sdkcheck_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// dice throws requests. The same two numbers give the same throws.
type dice struct{ *rand.Rand }

func newDice(seed uint64, number int) dice {
	return dice{rand.New(rand.NewPCG(seed, uint64(number)))}
}

const (
	letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	visible = letters + "!#$%&'()*+-./:;<=>?@[]^_{|}~"
	han     = "磁盘使用率告警节点一龥"
)

// scripts are what texts are made of: each a kind of character that some
// encoding treats in its own way.
var scripts = []string{
	letters + " ",
	"\"'`\\/<>&%+=?#;:,.-_~!$*()[]{}|@^",
	"\x00\x01\b\t\n\f\r\x1b\x1f\x7f",
	han + "，。「」",
	"é߯İſK\u0301\u00a0",
	"😀🔥👩\u200d💻🇨🇳\U0010ffff",
	"\u2028\u2029\ufeff\ufffd\uffff\u202e",
}

// text is n UTF-16 code units of valid UTF-8, of one script or of several.
func (d dice) text(n int) string {
	script := d.of(scripts...)
	mixed := d.IntN(2) == 0
	var b strings.Builder
	for n > 0 {
		if mixed {
			script = d.of(scripts...)
		}
		c := d.from(script)
		if coc.Units(c) > n {
			c = d.from(letters)
		}
		b.WriteString(c)
		n -= coc.Units(c)
	}
	return b.String()
}

// broken is text of n units in which some bytes are no UTF-8.
func (d dice) broken(n int) string {
	var b strings.Builder
	for _, r := range d.text(n) {
		if coc.Units(string(r)) == 1 && d.IntN(8) == 0 {
			b.WriteByte(0xff)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (d dice) of(texts ...string) string { return texts[d.IntN(len(texts))] }

// from is one character of alphabet.
func (d dice) from(alphabet string) string {
	for { // by bytes, until one begins a character; alphabets are long
		if c := alphabet[d.IntN(len(alphabet)):]; utf8.RuneStart(c[0]) {
			_, size := utf8.DecodeRuneInString(c)
			return c[:size]
		}
	}
}

// word is n characters of alphabet.
func (d dice) word(alphabet string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(d.from(alphabet))
	}
	return b.String()
}

// length is between least and most, and often at an end.
func (d dice) length(least, most int) int {
	switch d.IntN(4) {
	case 0:
		return least
	case 1:
		return most
	default:
		return least + d.IntN(most-least+1)
	}
}

// keys are credentials. The token is empty for permanent ones.
type keys struct{ access, secret, token string }

func (d dice) keys() keys {
	k := keys{access: d.word(letters, 20), secret: d.word(visible, d.length(1, 60))}
	if d.IntN(3) == 0 {
		k.token = d.word(visible, d.length(1, 1500))
	}
	return k
}

// at is a time that X-Sdk-Date can show, in some zone.
func (d dice) at() time.Time {
	first, last := time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC).Unix(), time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC).Unix()
	zone := time.FixedZone("", (d.IntN(27)-12)*3600)
	return time.Unix(first+d.Int64N(last-first), d.Int64N(1e9)).In(zone)
}

// loopback is a host that our client takes without TLS.
func (d dice) loopback() string {
	host := d.of("localhost", "127.0.0.1", "[::1]", fmt.Sprintf("127.%d.%d.%d", d.IntN(256), d.IntN(256), 1+d.IntN(254)))
	if d.IntN(4) == 0 {
		return host
	}
	return fmt.Sprintf("%s:%d", host, 1+d.IntN(65535))
}

// alarm keeps all of COC's limits, and often stands at one.
func (d dice) alarm() coc.Alarm {
	must := func() string { return d.broken(d.length(1, coc.MaxText)) }
	may := func() string { return d.broken(d.length(0, coc.MaxText)) }
	return coc.Alarm{
		AlarmID:       d.word(letters, d.length(1, coc.MaxText)),
		AlarmName:     must(),
		AlarmLevel:    coc.Level(d.of("Critical", "Major", "Minor", "Info")),
		Time:          1 + d.Int64N(math.MaxInt64),
		NameSpace:     must(),
		RegionID:      may(),
		ApplicationID: must(),
		ResourceName:  may(),
		ResourceID:    may(),
		AlarmDesc:     must(),
		URL:           may(),
		AlarmStatus:   coc.AlarmStatus(d.of("alarm", "ok")),
		AlarmSource:   must(),
		Additional:    d.additional(),
	}
}

// additional is nothing, a few pairs, or one pair as large as allowed.
func (d dice) additional() map[string]string {
	pairs := map[string]string{}
	switch d.IntN(8) {
	case 0, 1, 2:
		return nil
	case 3:
		name := d.word(letters, 10)
		pairs[name] = d.word(letters, coc.MaxAdditional-len(name))
	default:
		for range d.IntN(6) {
			pairs[d.text(d.length(0, 30))] = d.broken(d.length(0, 200))
		}
	}
	return pairs
}

// strict keeps to the strictest reading of the documents (coc-api.md 3.1).
func (d dice) strict(id string) coc.Alarm {
	a := d.alarm()
	a.AlarmID = id
	a.AlarmName = d.word(letters+han+"-_", d.length(1, coc.MaxText))
	a.Time = 1e11 + d.Int64N(1e14-1e11)
	return a
}

// path has the given number of segments, which hold anything but slashes.
func (d dice) path(segments int) string {
	var b strings.Builder
	for range segments {
		b.WriteString("/" + d.segment())
	}
	return b.String()
}

// segment is not empty and not one that a server would resolve.
func (d dice) segment() string {
	text := strings.ReplaceAll(d.text(d.length(1, 20)), "/", "|")
	if strings.Trim(text, ".") == "" {
		return text + "-"
	}
	return text
}

// query has names without and with values, several values of a name, and all
// kinds of characters. No name is empty: of such a pair the SDK signs "=value"
// and sends "value".
func (d dice) query() url.Values {
	q := url.Values{}
	for range d.IntN(5) {
		name := d.of("limit", "marker", "type", d.text(d.length(1, 8)))
		for range 1 + d.IntN(3) {
			q.Add(name, d.of("", "10", "a b", "a+b", d.text(d.length(0, 20))))
		}
	}
	return q
}
