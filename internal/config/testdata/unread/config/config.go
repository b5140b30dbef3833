package config

import "unread/part"

type Config struct {
	Section  part.Config `yaml:"section"`
	Delivery Delivery    `yaml:"delivery"`
	Flag     string      `yaml:"-"`
}

type Delivery struct {
	Part part.Inlined `yaml:",inline"`
}

func use(c Config) string { return c.Section.Unread }
