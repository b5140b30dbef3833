package main

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/coc"
)

func (t *tool) addResources(root *kingpin.CmdClause) {
	var q coc.ResourceQuery
	var limit int
	cmd := root.Command("list", "List hosts with the state of their UniAgent.")
	cmd.Flag("id", "Resource id; repeatable.").StringsVar(&q.IDs)
	cmd.Flag("name", "Part of the name.").StringVar(&q.Name)
	cmd.Flag("ip", "Part of the address.").StringVar(&q.IP)
	cmd.Flag("region", "Region id.").StringVar(&q.RegionID)
	cmd.Flag("agent-state", "Such as ONLINE or OFFLINE.").StringVar(&q.AgentState)
	cmd.Flag("limit", "How many at most.").Default("500").IntVar(&limit)
	t.on(cmd, func(ctx context.Context, s session) error {
		resources, err := collect(s.client.EachResource(ctx, q), limit)
		if err != nil {
			return err
		}
		return s.show(resources, func(w io.Writer) {
			row(w, "RESOURCE", "NAME", "IP", "REGION", "AGENT", "TAGS")
			for _, r := range resources {
				row(w, r.ResourceID, r.Name, r.IP, r.RegionID, r.AgentState, tagList(r.Tags))
			}
		})
	})
}

func tagList(tags map[string]string) string {
	var texts []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		texts = append(texts, key+"="+tags[key])
	}
	return strings.Join(texts, ",")
}

// lastLine is the last line of an output that is not empty.
func lastLine(text string) string {
	text = strings.TrimRight(text, " \t\r\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}
