package job

// Pod is a job's pod specification. The fields are those of Kubernetes'
// core/v1 PodSpec; what no executor on this machine acts on is kept as it was
// written, for the executor that makes a pod of it.
type Pod struct {
	Containers                    []Container       `json:"containers"`
	InitContainers                []Container       `json:"initContainers,omitempty"`
	Volumes                       []any             `json:"volumes,omitempty"`
	NodeSelector                  map[string]string `json:"nodeSelector,omitempty"`
	Tolerations                   []any             `json:"tolerations,omitempty"`
	ServiceAccountName            string            `json:"serviceAccountName,omitempty"`
	ServiceAccount                string            `json:"serviceAccount,omitempty"`
	AutomountServiceAccountToken  *bool             `json:"automountServiceAccountToken,omitempty"`
	SecurityContext               any               `json:"securityContext,omitempty"`
	Affinity                      any               `json:"affinity,omitempty"`
	Resources                     any               `json:"resources,omitempty"`
	ResourceClaims                any               `json:"resourceClaims,omitempty"`
	RestartPolicy                 string            `json:"restartPolicy,omitempty"`
	TerminationGracePeriodSeconds *int              `json:"terminationGracePeriodSeconds,omitempty"`
	ActiveDeadlineSeconds         *int              `json:"activeDeadlineSeconds,omitempty"`
	DNSPolicy                     string            `json:"dnsPolicy,omitempty"`
	DNSConfig                     any               `json:"dnsConfig,omitempty"`
	HostAliases                   []any             `json:"hostAliases,omitempty"`
	HostNetwork                   bool              `json:"hostNetwork,omitempty"`
	HostPID                       bool              `json:"hostPID,omitempty"`
	HostIPC                       bool              `json:"hostIPC,omitempty"`
	HostUsers                     *bool             `json:"hostUsers,omitempty"`
	Hostname                      string            `json:"hostname,omitempty"`
	Subdomain                     string            `json:"subdomain,omitempty"`
	SetHostnameAsFQDN             *bool             `json:"setHostnameAsFQDN,omitempty"`
	ShareProcessNamespace         *bool             `json:"shareProcessNamespace,omitempty"`
	ImagePullSecrets              []any             `json:"imagePullSecrets,omitempty"`
	SchedulerName                 string            `json:"schedulerName,omitempty"`
	SchedulingGates               []any             `json:"schedulingGates,omitempty"`
	PriorityClassName             string            `json:"priorityClassName,omitempty"`
	Priority                      *int              `json:"priority,omitempty"`
	PreemptionPolicy              string            `json:"preemptionPolicy,omitempty"`
	RuntimeClassName              string            `json:"runtimeClassName,omitempty"`
	NodeName                      string            `json:"nodeName,omitempty"`
	EnableServiceLinks            *bool             `json:"enableServiceLinks,omitempty"`
	Overhead                      any               `json:"overhead,omitempty"`
	OS                            any               `json:"os,omitempty"`
	ReadinessGates                []any             `json:"readinessGates,omitempty"`
	TopologySpreadConstraints     []any             `json:"topologySpreadConstraints,omitempty"`
}

// Container is one container of a pod (core/v1 Container).
type Container struct {
	Name                     string   `json:"name,omitempty"`
	Image                    string   `json:"image,omitempty"`
	Command                  []string `json:"command,omitempty"`
	Args                     []string `json:"args,omitempty"`
	WorkingDir               string   `json:"workingDir,omitempty"`
	Env                      []PodEnv `json:"env,omitempty"`
	EnvFrom                  []any    `json:"envFrom,omitempty"`
	Ports                    []any    `json:"ports,omitempty"`
	Resources                any      `json:"resources,omitempty"`
	ResizePolicy             []any    `json:"resizePolicy,omitempty"`
	RestartPolicy            string   `json:"restartPolicy,omitempty"`
	RestartPolicyRules       []any    `json:"restartPolicyRules,omitempty"`
	VolumeMounts             []any    `json:"volumeMounts,omitempty"`
	VolumeDevices            []any    `json:"volumeDevices,omitempty"`
	SecurityContext          any      `json:"securityContext,omitempty"`
	ImagePullPolicy          string   `json:"imagePullPolicy,omitempty"`
	LivenessProbe            any      `json:"livenessProbe,omitempty"`
	ReadinessProbe           any      `json:"readinessProbe,omitempty"`
	StartupProbe             any      `json:"startupProbe,omitempty"`
	Lifecycle                any      `json:"lifecycle,omitempty"`
	TerminationMessagePath   string   `json:"terminationMessagePath,omitempty"`
	TerminationMessagePolicy string   `json:"terminationMessagePolicy,omitempty"`
	Stdin                    bool     `json:"stdin,omitempty"`
	StdinOnce                bool     `json:"stdinOnce,omitempty"`
	TTY                      bool     `json:"tty,omitempty"`
}

// PodEnv is one environment variable of a container. ValueFrom, where the
// cluster supplies the value, is kept as it was written.
type PodEnv struct {
	Name      string `json:"name"`
	Value     string `json:"value,omitempty"`
	ValueFrom any    `json:"valueFrom,omitempty"`
}

// Spec returns what an executor needs of the job. Of several containers it is
// the first. Variables whose value a cluster supplies are left out.
func (j *Job) Spec() Spec {
	s := Spec{
		Timeout: j.Timeout, GracePeriod: j.GracePeriod, PathAlias: j.PathAlias,
		Labels: j.Labels, Annotations: j.Annotations,
	}
	if j.Pod == nil || len(j.Pod.Containers) == 0 {
		return s
	}
	c := j.Pod.Containers[0]
	s.Image, s.Command, s.Args, s.WorkingDir = c.Image, c.Command, c.Args, c.WorkingDir
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			s.Env = append(s.Env, EnvVar{Name: e.Name, Value: e.Value})
		}
	}
	return s
}

// Execution returns an execution of the job over refs, in state Triggered. The
// caller adds ID, BuildID, Key, Cause and CreatedAt, sets the type to Batch for
// a batch, and then asks ResultPath for the Path.
func (j *Job) Execution(refs Refs) Execution {
	if refs.PathAlias == "" {
		refs.PathAlias = j.PathAlias
	}
	if refs.CloneURI == "" {
		refs.CloneURI = j.CloneURI
	}
	refs.SkipSubmodules = refs.SkipSubmodules || j.SkipSubmodules
	if refs.CloneDepth == 0 {
		refs.CloneDepth = j.CloneDepth
	}
	if j.Type == Periodic {
		refs = Refs{}
	}
	return Execution{
		Job: j.Name, Type: j.Type, Context: j.Context, Refs: refs, Extra: j.ExtraRefs,
		Spec: j.Spec(), Optional: j.Optional, Report: !j.SkipReport && j.Type != Periodic,
		State: Triggered,
	}
}
