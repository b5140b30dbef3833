package part

func (c Config) Validate() bool { return c.Validated != "" }

func Default() string { return Config{}.Unread }
