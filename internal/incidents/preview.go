package incidents

import (
	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/render"
)

// Preview is the ticket that a rule would open for an alert alone.
type Preview struct {
	Rule    string
	Ticket  coc.NewIncident
	Problem error // why it could not be opened
}

// Preview shows what the rules would open for an alert that fires. It needs
// neither a store nor COC.
func (in *Incidents) Preview(a *alert.Alert) (all []Preview) {
	for _, m := range in.Match(a) {
		r := m.rule
		v := view{Alert: render.NewAlert(a), Members: 1}
		p := Preview{Rule: r.name}
		p.Ticket, p.Problem = r.ticket(v, markOf(r.name, r.groupOf(a).values, a.StartsAt), r.level(a))
		if p.Problem == nil {
			p.Problem = p.Ticket.Check()
		}
		all = append(all, p)
	}
	return all
}
