package render

import "strings"

// Text is a Field ready to be executed. It is safe for concurrent use.
type Text struct {
	template *Template
	table    map[string]string // keys in lower case; nil = none
	fallback *string
}

// NewText joins a field with its compiled value.
func NewText(t *Template, f *Field) *Text {
	table, _ := LowerKeys(f.Map)
	return &Text{template: t, table: table, fallback: f.Default}
}

// Execute renders the field and cleans the result, but for the control
// characters in keep. What is in no table gives the default; without a table the
// default stands for an empty text. known is false when there is a table and the
// rendered text is not in it.
func (t *Text) Execute(data any, keep string) (text string, known bool, err error) {
	text, err = t.template.Execute(data)
	if err != nil {
		return "", false, err
	}
	text = Clean(text, keep)
	mapped, ok := t.table[strings.ToLower(text)]
	switch {
	case ok:
		return Clean(mapped, keep), true, nil
	case t.fallback != nil && (len(t.table) > 0 || text == ""):
		return Clean(*t.fallback, keep), false, nil
	default:
		return text, len(t.table) == 0, nil
	}
}
