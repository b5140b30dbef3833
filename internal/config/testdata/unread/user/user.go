package user

import (
	"unread/config"
	"unread/part"
)

func Use(c config.Config) string {
	s := c.Section
	s.Assigned = part.Config{Assigned: "x"}.Read
	return s.Read + s.Secret + s.Items[0].Read + s.Map["x"].Read + c.Delivery.Part.Read
}
