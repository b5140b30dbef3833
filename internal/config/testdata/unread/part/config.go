package part

type Config struct {
	Read       string           `yaml:"read"`
	Unread     string           `yaml:"unread"`
	Assigned   string           `yaml:"assigned"`
	Validated  string           `yaml:"validated"`
	Secret     string           `yaml:"secret"`
	SecretFile string           `yaml:"secret_file"`
	Items      []Item           `yaml:"items"`
	Map        map[string]*Item `yaml:"map"`
}

type Item struct {
	Read   string `yaml:"read"`
	Unread string `yaml:"unread"`
}

type Inlined struct {
	Read string `yaml:"read"`
}

func helper(c Config) string { return c.Unread }
