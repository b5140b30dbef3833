package main

import (
	"context"
	"fmt"
	"os"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

const (
	itemKey   = "val"
	zabbixURL = "https://zabbix.example.com"
)

// Severities of Zabbix by number.
const (
	high     = 4
	disaster = 5
)

// lab is what the setup has made in Zabbix.
type lab struct {
	*api
	group, mediaType, user string
	action                 string
}

// host is one with a trigger over its only item.
type host struct {
	name, id, trigger string
	event             string // once it is known
}

// setUp does what the README says, in its order: import, macros, user, media,
// action.
func setUp(ctx context.Context, a *api, media, webhook string) (*lab, error) {
	l := &lab{api: a}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return l.importMedia(ctx, media) },
		func(ctx context.Context) error { return l.setMacros(ctx, webhook) },
		l.makeUser,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	var err error
	l.action, err = l.create(ctx, "action.create", m{
		"name": "cocbridge", "eventsource": 0, "esc_period": "1m",
		// From the first step on without end: the problem is sent again each minute.
		"operations":          []m{{"operationtype": 0, "esc_step_from": 1, "esc_step_to": 0, "opmessage": m{"default_msg": 1, "mediatypeid": l.mediaType}, "opmessage_usr": []m{{"userid": l.user}}}},
		"recovery_operations": []m{{"operationtype": 11, "opmessage": m{"default_msg": 1}}},
		"update_operations":   []m{{"operationtype": 12, "opmessage": m{"default_msg": 1}}},
	})
	return l, err
}

func (l *lab) importMedia(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rules := m{"mediaTypes": m{"createMissing": true, "updateExisting": true}}
	for range 2 { // again, as for a new version
		if err := l.call(ctx, "configuration.import", m{"format": "yaml", "rules": rules, "source": string(text)}, nil); err != nil {
			return err
		}
	}
	var found []struct {
		ID string `json:"mediatypeid"`
	}
	err = l.call(ctx, "mediatype.get", m{"filter": m{"name": "cocbridge"}}, &found)
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("the import made %d media types", len(found))
	}
	if err == nil {
		l.mediaType = found[0].ID
	}
	return err
}

func (l *lab) setMacros(ctx context.Context, webhook string) error {
	for _, macro := range []m{
		{"macro": "{$COCBRIDGE.URL}", "value": webhook},
		{"macro": "{$COCBRIDGE.TOKEN}", "value": stage.BearerToken, "type": 1}, // secret
		{"macro": "{$ZABBIX.URL}", "value": zabbixURL},
	} {
		if _, err := l.create(ctx, "usermacro.createglobal", macro); err != nil {
			return err
		}
	}
	return nil
}

// makeUser makes one who may do nothing but read the hosts, and gets the
// messages.
func (l *lab) makeUser(ctx context.Context) (err error) {
	if l.group, err = l.create(ctx, "hostgroup.create", m{"name": "CI hosts"}); err != nil {
		return err
	}
	readers, err := l.create(ctx, "usergroup.create", m{"name": "cocbridge", "rights": []m{{"permission": 2, "id": l.group}}})
	if err != nil {
		return err
	}
	l.user, err = l.create(ctx, "user.create", m{ //nolint:gosec // a password in a database of three minutes
		"username": "cocbridge", "passwd": "ci-user-K7pX2m", "roleid": "1", "usrgrps": []m{{"usrgrpid": readers}},
		"medias": []m{{"mediatypeid": l.mediaType, "sendto": []string{"cocbridge"}, "active": 0, "severity": 63, "period": "1-7,00:00-24:00"}},
	})
	return err
}

func (l *lab) makeHost(ctx context.Context, name string) (h host, err error) {
	h.name = name
	h.id, err = l.create(ctx, "host.create", m{
		"host": name, "groups": []m{{"groupid": l.group}},
		"interfaces": []m{{"type": 1, "main": 1, "useip": 1, "ip": "127.0.0.1", "dns": "", "port": "10050"}},
	})
	if err != nil {
		return h, err
	}
	if _, err = l.create(ctx, "item.create", m{"name": "Value", "key_": itemKey, "hostid": h.id, "type": 2, "value_type": 3}); err != nil {
		return h, err
	}
	h.trigger, err = l.create(ctx, "trigger.create", m{
		"description": "Value is over 0 on {HOST.NAME}", "expression": fmt.Sprintf("last(/%s/%s)>0", name, itemKey), "priority": high,
		"opdata": "now {ITEM.LASTVALUE1}", "tags": []m{{"tag": "service", "value": "web"}, {"tag": "flag", "value": ""}},
	})
	return h, err
}
