package coc

import (
	"context"
	"net/url"
)

// maxDocumentID bounds the ids of documents and executions; COC names no limit.
const maxDocumentID = 64

// Document is a job as COC tells of it. Times are milliseconds since 1970, 0 =
// none.
type Document struct {
	ID                string            `json:"id"`
	Name              string            `json:"name"`
	Description       string            `json:"description,omitempty"`
	Content           string            `json:"content"` // YAML in COC's own language
	Version           string            `json:"version"`
	Versions          []DocumentVersion `json:"versions,omitempty"`
	RiskLevel         string            `json:"risk_level,omitempty"`
	Creator           string            `json:"creator,omitempty"`
	Modifier          string            `json:"modifier,omitempty"`
	EnterpriseProject string            `json:"enterprise_project,omitempty"`
	Created           int64             `json:"created,omitempty"`
	Updated           int64             `json:"updated,omitempty"`
}

// DocumentVersion is one version of a document.
type DocumentVersion struct {
	Version string `json:"version"`
	UUID    string `json:"uuid"`
	Created int64  `json:"created,omitempty"`
}

// ContentSHA256 is the hash that rules pin, in hex, of the content as COC returns
// it.
func (d Document) ContentSHA256() string { return hashOf(d.Content) }

// DocumentRef names a document.
type DocumentRef struct {
	ID      string
	Version string // such as v1; "" = the latest
	Type    string // PUBLIC or PRIVATE; "" = COC's default, PRIVATE
}

func (v *violations) document(d DocumentRef) {
	v.id("document_id", d.ID, maxDocumentID)
	if d.Version != "" {
		v.id("version", d.Version, maxDocumentID)
	}
	if d.Type != "" {
		v.oneOf("document_type", d.Type, "PUBLIC", "PRIVATE")
	}
}

type documentAnswer struct {
	ID                text  `json:"document_id"`
	Name              text  `json:"name"`
	Description       text  `json:"description"`
	Content           text  `json:"content"`
	Version           text  `json:"version"`
	RiskLevel         text  `json:"risk_level"`
	Creator           text  `json:"creator"`
	Modifier          text  `json:"modifier"`
	EnterpriseProject text  `json:"enterprise_project_id"`
	Created           stamp `json:"create_time"`
	Updated           stamp `json:"update_time"`
	Versions          []struct {
		Version text  `json:"version"`
		UUID    text  `json:"version_uuid"`
		Created stamp `json:"create_time"`
	} `json:"versions"`
}

func (a documentAnswer) document() Document {
	d := Document{
		ID: string(a.ID), Name: string(a.Name), Description: string(a.Description), Content: string(a.Content), Version: string(a.Version),
		RiskLevel: string(a.RiskLevel), Creator: string(a.Creator), Modifier: string(a.Modifier), EnterpriseProject: string(a.EnterpriseProject),
		Created: int64(a.Created), Updated: int64(a.Updated),
	}
	for _, v := range a.Versions {
		d.Versions = append(d.Versions, DocumentVersion{string(v.Version), string(v.UUID), int64(v.Created)})
	}
	return d
}

// GetDocument reads one version of a job (coc-api.md 3.10). One that does not
// exist is an *Error of class NotFound.
func (c *Client) GetDocument(ctx context.Context, ref DocumentRef) (Document, error) {
	const op = "get document"
	var v violations
	v.document(ref)
	query := url.Values{}
	v.criterion(query, "version", ref.Version, maxDocumentID)
	v.criterion(query, "document_type", ref.Type, maxDocumentID)
	if err := v.refuse(op); err != nil {
		return Document{}, err
	}
	var a documentAnswer
	if err := c.fetch(ctx, c.reading(op, "/v1/documents/"+ref.ID, query), &a); err != nil {
		return Document{}, err
	}
	return a.document(), nil
}
