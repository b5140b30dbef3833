package coc

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// endpoints are COC's base URLs by site (coc-api.md 1.1).
var endpoints = map[string]string{
	"cn":   "https://coc.myhuaweicloud.com",
	"intl": "https://coc-intl.myhuaweicloud.com",
	"eu":   "https://coc-eu-west-101-open-api.myhuaweicloud.eu",
}

const (
	globalIAM   = "https://iam.myhuaweicloud.com"
	europeanIAM = "https://iam.eu-west-101.myhuaweicloud.eu"
	// metadataService is where every ECS has its metadata service.
	metadataService = "http://169.254.169.254"
)

// endpoint is COC's base URL: the configured one, or else the site's.
func (c Config) endpoint() (*url.URL, error) {
	return parseEndpoint(cmp.Or(c.Endpoint, endpoints[c.Site]), endpoints["cn"], isLoopback)
}

// regionID is what may stand in the name of a host.
var regionID = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*$`)

var errRegion = errors.New("it cannot be part of IAM's host name; write a region id such as cn-north-4")

// iamEndpoint is the base URL of IAM for a credential. There is none by default,
// nil, for a COC that listens on a loopback address: it is a simulation, and
// must not lead our keys to the real IAM.
func (c Config) iamEndpoint(a AuthConfig) (*url.URL, error) {
	const example = "https://iam.cn-north-4.myhuaweicloud.com"
	text := a.IAMEndpoint
	switch {
	case text != "":
	case c.isSimulation():
		return nil, nil
	case c.Site == "eu":
		text = europeanIAM
	case c.Region == "":
		text = globalIAM
	case !regionID.MatchString(c.Region):
		return nil, errRegion
	default:
		text = "https://iam." + c.Region + ".myhuaweicloud.com"
	}
	return parseEndpoint(text, example, isLoopback)
}

func (c Config) isSimulation() bool {
	u, err := url.Parse(c.Endpoint)
	return err == nil && isLoopback(u.Hostname())
}

func metadataEndpoint(a AuthConfig) (*url.URL, error) {
	u, err := parseEndpoint(cmp.Or(a.MetadataEndpoint, metadataService), metadataService, isLocal)
	if errors.Is(err, errPlain) {
		err = errors.New("it must begin with https://; http:// is for a loopback or link-local address only")
	}
	return u, err
}

var errPlain = errors.New("it must begin with https://; http:// is for a loopback address only")

// parseEndpoint takes a base URL: https, or for the hosts that plain allows also http.
func parseEndpoint(text, example string, plain func(host string) bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, errors.New("it is not a URL with a host; write it like " + example)
	case u.Scheme != "https" && (u.Scheme != "http" || !plain(u.Hostname())):
		return nil, errPlain
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return nil, errors.New("it must be scheme, host and port alone; remove user, path, query and fragment")
	case !isToken(u.Host) || strings.Contains(u.Host, "%") || strings.HasSuffix(u.Host, ":"):
		return nil, errors.New("its host is not one that can be signed; write an ASCII name or an address without zone, and no colon without a port")
	}
	return u, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// isLocal also takes link-local addresses, which no router passes on.
func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return isLoopback(host) || err == nil && ip.IsLinkLocalUnicast()
}

// isToken says that text has only printable ASCII without blanks, as a header's
// value can carry it.
func isToken(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
