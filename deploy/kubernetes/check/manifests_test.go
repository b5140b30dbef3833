package check_test

import (
	"bytes"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifests are what "kubectl apply -k" would send, by kind.
type manifests struct {
	services []core.Service
	configs  []core.ConfigMap
	secrets  []core.Secret
	sets     []apps.StatefulSet
	policies []networking.NetworkPolicy
	monitors []monitoring.PodMonitor
}

// build runs kustomize and decodes strictly: an unknown or double field fails.
func build(t *testing.T, folder string) manifests {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../"+folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	var m manifests
	for doc := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var kind struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(doc, &kind); err != nil {
			t.Fatal(err)
		}
		switch kind.APIVersion + " " + kind.Kind {
		case "v1 Service":
			m.services = append(m.services, decode[core.Service](t, doc))
		case "v1 ConfigMap":
			m.configs = append(m.configs, decode[core.ConfigMap](t, doc))
		case "v1 Secret":
			m.secrets = append(m.secrets, decode[core.Secret](t, doc))
		case "apps/v1 StatefulSet":
			m.sets = append(m.sets, decode[apps.StatefulSet](t, doc))
		case "networking.k8s.io/v1 NetworkPolicy":
			m.policies = append(m.policies, decode[networking.NetworkPolicy](t, doc))
		case "monitoring.coreos.com/v1 PodMonitor":
			m.monitors = append(m.monitors, decode[monitoring.PodMonitor](t, doc))
		default:
			t.Errorf("%s: %+v is of no kind that is checked", folder, kind)
		}
	}
	if len(m.sets) != 1 || len(m.secrets) != 1 {
		t.Fatalf("%s: %d StatefulSets and %d Secrets, want one each", folder, len(m.sets), len(m.secrets))
	}
	return m
}

func decode[T any](t *testing.T, doc []byte) (object T) {
	t.Helper()
	if err := yaml.UnmarshalStrict(doc, &object); err != nil {
		t.Fatalf("%v in\n%s", err, doc)
	}
	return object
}

// The negative control of the strictness.
func TestDecode_refusesAnUnknownField(t *testing.T) {
	var service core.Service
	if err := yaml.UnmarshalStrict([]byte("spec: {port: 1}"), &service); err == nil {
		t.Error("spec.port was taken")
	}
}

// bridge is cocbridge's container.
func (m manifests) bridge(t *testing.T) core.Container {
	t.Helper()
	pod := m.sets[0].Spec.Template.Spec
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		if c.Name == "cocbridge" {
			return c
		}
	}
	t.Fatal("there is no container cocbridge")
	return core.Container{}
}

func TestManifests_whatTheyNameIsThere(t *testing.T) {
	for _, folder := range []string{"sidecar", "standalone"} {
		m := build(t, folder)
		set := m.sets[0].Spec
		labels, ports := set.Template.Labels, map[string]bool{}
		volumes := map[string]bool{}
		for _, v := range set.Template.Spec.Volumes {
			volumes[v.Name] = true
			if v.Secret != nil && v.Secret.SecretName != m.secrets[0].Name {
				t.Errorf("%s: there is no Secret %s", folder, v.Secret.SecretName)
			}
			if v.ConfigMap != nil && !m.hasConfig(v.ConfigMap.Name) {
				t.Errorf("%s: there is no ConfigMap %s", folder, v.ConfigMap.Name)
			}
		}
		for _, claim := range set.VolumeClaimTemplates {
			volumes[claim.Name] = true
		}
		for _, c := range append(set.Template.Spec.InitContainers, set.Template.Spec.Containers...) {
			for _, mount := range c.VolumeMounts {
				if !volumes[mount.Name] {
					t.Errorf("%s: %s mounts %s, which does not exist", folder, c.Name, mount.Name)
				}
			}
			for _, port := range c.Ports {
				ports[port.Name] = true
			}
		}
		for _, s := range m.services {
			if !matches(s.Spec.Selector, labels) || !ports[s.Spec.Ports[0].TargetPort.String()] {
				t.Errorf("%s: the Service %s selects %v at %v", folder, s.Name, s.Spec.Selector, s.Spec.Ports)
			}
		}
		for _, p := range m.monitors {
			if !matches(p.Spec.Selector.MatchLabels, labels) || !ports[*p.Spec.PodMetricsEndpoints[0].Port] {
				t.Errorf("%s: the PodMonitor %s finds nothing", folder, p.Name)
			}
		}
		for _, p := range m.policies {
			if !matches(p.Spec.PodSelector.MatchLabels, labels) || !ports[p.Spec.Ingress[0].Ports[0].Port.String()] {
				t.Errorf("%s: the NetworkPolicy %s concerns nothing", folder, p.Name)
			}
		}
		if !matches(set.Selector.MatchLabels, labels) {
			t.Errorf("%s: the StatefulSet does not select its own pods", folder)
		}
	}
}

func (m manifests) hasConfig(name string) bool {
	for _, c := range m.configs {
		if c.Name == name {
			return true
		}
	}
	return false
}

func matches(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}

func TestManifests_howTheBridgeRuns(t *testing.T) {
	for _, folder := range []string{"sidecar", "standalone"} {
		m := build(t, folder)
		pod, c := m.sets[0].Spec.Template.Spec, m.bridge(t)
		if grace := pod.TerminationGracePeriodSeconds; grace == nil || *grace != 75 {
			t.Errorf("%s: the grace period is not 75 s", folder)
		}
		if *m.sets[0].Spec.Replicas != 1 {
			t.Errorf("%s: more than one bridge", folder)
		}
		if !*pod.SecurityContext.RunAsNonRoot || *pod.SecurityContext.RunAsUser != 65532 || *pod.SecurityContext.FSGroup != 65532 {
			t.Errorf("%s: the pod does not run as the image's user", folder)
		}
		if s := c.SecurityContext; !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || len(s.Capabilities.Drop) != 1 {
			t.Errorf("%s: the container may do more than it needs", folder)
		}
		if c.LivenessProbe == nil || c.LivenessProbe.HTTPGet.Path != "/-/healthy" {
			t.Errorf("%s: no liveness probe on /-/healthy", folder)
		}
		if c.Image != "registry.example.com/cocbridge:v0.0.0" {
			t.Errorf("%s: kustomize leaves the image as %q", folder, c.Image)
		}
	}
	sidecar, standalone := build(t, "sidecar").bridge(t), build(t, "standalone").bridge(t)
	if sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != core.ContainerRestartPolicyAlways {
		t.Error("the sidecar is no native one")
	}
	if sidecar.ReadinessProbe != nil || standalone.ReadinessProbe == nil {
		t.Error("a full store must take away the standalone bridge's traffic, and Alertmanager's not")
	}
}
