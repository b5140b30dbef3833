// Package check holds the Kubernetes manifests against Kubernetes' own types and
// against what cocbridge can load. It is a module of its own, so that the product
// depends on neither Kubernetes nor kustomize.
package check
