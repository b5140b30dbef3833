package coctest

import (
	"net/http"
)

// Envelopes of family B, and what all endpoints behind the gateway's own check
// of credentials have in common (coc-api.md 1.3).

const (
	codeTicketOK      = "GOM.00000000"
	codeTicketInvalid = "GOM.00007256"
	codeNoIncident    = "COC.00067003"
)

// guarded turns an operation into a handler: the gateway checks credentials
// first, and the operation runs under the server's mutex.
func (s *Server) guarded(op operation) http.HandlerFunc {
	return s.serve(func(c *call) reply {
		if err := s.authenticate(c); err != nil {
			answer := gatewayDenial(c.id, err)
			answer.reason = err.Error()
			return answer
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		answer := op(c)
		if answer.status == http.StatusOK {
			s.book.counts.called(c.r.Pattern)
		}
		s.changed()
		return answer
	})
}

// ticketOK is envelope B with data; nil = null.
func ticketOK(data any) reply { return ticketAnswer(http.StatusOK, codeTicketOK, nil, data) }

func ticketError(code, message string) reply {
	answer := ticketAnswer(http.StatusBadRequest, code, &message, nil)
	answer.reason = message
	return answer
}

func ticketAnswer(status int, code string, message *string, data any) reply {
	body := encode(struct {
		Provider string  `json:"provider_code"`
		Code     string  `json:"error_code"`
		Message  *string `json:"error_msg"`
		Data     any     `json:"data"`
	}{"049", code, message, data})
	return reply{status: status, contentType: jsonType, body: body, code: code}
}
