package mapping

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/render"
)

// Keys of additional that Map writes itself, beside <field>_full, label_<name>
// and annotation_<name>.
const (
	keyOriginalName = "alarm_name"     // the name before strict_names changed it
	keyDropped      = "additional_cut" // how many entries there was no room for
	fullSuffix      = "_full"          // the text before it was cut
)

// class is the order in which entries give way when there are too many; within
// a class the longest goes first, and of two of one length the one whose key
// sorts first.
type class int

const (
	ofAnnotation class = iota
	ofLabel
	ofField // original and cut texts
	ofUser  // the templates under additional
)

type entry struct {
	key, value string
	class      class
}

// entries collects additional. Of two entries with one key the later one stays.
type entries map[string]entry

// put takes an entry; empty texts say nothing and are left out.
func (e entries) put(c class, key, value string) {
	key, value = render.Clean(key, ""), render.Clean(value, render.Lines)
	if key != "" && value != "" {
		e[key] = entry{key, value, c}
	}
}

// putNamed takes the labels or annotations that names asks for. The order is
// fixed, because two names may become one when they are cleaned.
func (e entries) putNamed(c class, prefix string, texts map[string]string, names *Names) {
	list := names.List
	if names.All {
		list = slices.Sorted(maps.Keys(texts))
	}
	for _, name := range list {
		e.put(c, prefix+name, texts[name])
	}
}

// fit returns what there is room for, and says in it how much had to go.
func (e entries) fit() (fitted map[string]string, dropped int) {
	fitted = make(map[string]string, len(e)+1)
	size, room := 0, coc.MaxAdditional-len("{}")
	for key, entry := range e {
		fitted[key] = entry.value
		size += entry.size()
	}
	if size <= room {
		return fitted, 0
	}
	room -= entry{key: keyDropped, value: strconv.Itoa(len(e))}.size()
	for _, entry := range slices.SortedFunc(maps.Values(e), entry.givesWayBefore) {
		if size <= room {
			break
		}
		delete(fitted, entry.key)
		size -= entry.size()
		dropped++
	}
	fitted[keyDropped] = strconv.Itoa(dropped)
	return fitted, dropped
}

func (e entry) givesWayBefore(other entry) int {
	return cmp.Or(cmp.Compare(e.class, other.class), cmp.Compare(other.size(), e.size()), cmp.Compare(e.key, other.key))
}

// size is the most bytes that the entry takes in JSON, with colon and comma.
func (e entry) size() int { return jsonSize(e.key) + jsonSize(e.value) + 2 }

// jsonSize is the most bytes that any encoder makes of a text: with \u escapes
// for control characters, for what HTML minds, and for line separators.
func jsonSize(s string) int {
	n := len(`""`)
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '\n' || r == '\t':
			n += 2
		case r < ' ' || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029':
			n += len(`\u0000`)
		default:
			n += utf8.RuneLen(r)
		}
	}
	return n
}
