package result

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Pod is how the pod of a build fared, as podinfo.json tells it. The rules are
// those of TestGrid's row "Pod": it passes when the pod was scheduled, could
// begin, and its results could be stored, whatever the tests in it said.
type Pod struct {
	// Phase is the pod's, in Kubernetes' words: Succeeded, Failed, Running.
	Phase string
	// Passed is false when the pod itself failed.
	Passed bool
	// Message says why it failed, empty if it passed.
	Message string
	// Decorated is false when no container "sidecar" stored the results.
	Decorated bool
}

// podInfo is podinfo.json, as far as it is read: a pod as Kubernetes writes it.
// Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
type podInfo struct {
	Pod *struct {
		Status struct {
			Phase                 string
			Conditions            []podCondition
			InitContainerStatuses []containerStatus
			ContainerStatuses     []containerStatus
		}
	}
}

type podCondition struct {
	Type, Status, Reason, Message string
}

type containerStatus struct {
	Name  string
	State struct {
		Waiting    *struct{ Reason, Message string }
		Running    *struct{}
		Terminated *struct {
			ExitCode        int
			Reason, Message string
		}
	}
}

// Names of what matters in a pod.
const (
	podSucceeded     = "Succeeded"
	podScheduled     = "PodScheduled"
	podInitialized   = "Initialized"
	sidecarContainer = "sidecar"
	longestReason    = 300
)

// pod reads podinfo.json.
func (o *Build) pod(f jsonFile) {
	if f.data == nil && f.fault == nil {
		return
	}
	var info podInfo
	switch err := json.Unmarshal(f.data, &info); {
	case f.fault != nil:
		o.irregular("%s: %v", PodInfoFile, ErrUnreadable)
	case f.long:
		o.irregular("%s is larger than %d bytes and was passed over", PodInfoFile, maxPodInfo)
	case err != nil:
		o.irregular("%s is no description of a pod and was passed over", PodInfoFile)
	case info.Pod == nil:
		o.irregular("%s names no pod", PodInfoFile)
	default:
		status := info.Pod.Status
		p := Pod{Phase: status.Phase}
		for _, c := range status.ContainerStatuses {
			p.Decorated = p.Decorated || c.Name == sidecarContainer
		}
		p.Message = podFault(status.Phase, status.Conditions, status.InitContainerStatuses, status.ContainerStatuses)
		p.Passed = p.Message == ""
		o.Pod = &p
	}
}

// podFault says what is wrong with a pod, empty if nothing is. A container
// that exited with an error is the test that failed, unless it is the sidecar.
func podFault(phase string, conditions []podCondition, inits, containers []containerStatus) string {
	if phase == podSucceeded {
		return ""
	}
	for _, wanted := range []struct{ kind, fault string }{{podScheduled, "pod did not schedule"}, {podInitialized, "pod could not initialize"}} {
		for _, c := range conditions {
			if c.Type == wanted.kind && c.Status != "True" {
				return reason(wanted.fault, c.Message, c.Reason)
			}
		}
	}
	for _, c := range inits {
		if fault := c.fault(); fault != "" {
			return "init container " + fault
		}
	}
	for _, c := range containers {
		if fault := c.fault(); fault != "" && (c.Name == sidecarContainer || c.State.Terminated == nil) {
			return fault
		}
	}
	return ""
}

func (c containerStatus) fault() string {
	switch s := c.State; {
	case s.Waiting != nil:
		return reason(c.Name+" still waiting", s.Waiting.Message, s.Waiting.Reason)
	case s.Running != nil:
		return c.Name + " still running"
	case s.Terminated != nil && s.Terminated.ExitCode != 0:
		return reason(fmt.Sprintf("%s exited %d", c.Name, s.Terminated.ExitCode), s.Terminated.Message, s.Terminated.Reason)
	}
	return ""
}

func reason(fault string, why ...string) string {
	for _, w := range why {
		if w = strings.TrimSpace(w); w != "" {
			var short text
			short.reset(longestReason)
			short.add([]byte(w))
			return fault + ": " + string(short.append(nil))
		}
	}
	return fault
}
