{{/* Labels of every object, beside those that the objects of examples/kubernetes have. */}}
{{- define "konnectivity.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* An image: a list of the chart's context and the repository. */}}
{{- define "konnectivity.image" -}}
{{- $context := index . 0 -}}
{{- with $context.Values.image.registry }}{{ . }}/{{ end -}}
{{ index . 1 }}:{{ $context.Values.image.tag | default (printf "v%s" $context.Chart.AppVersion) }}
{{- end }}

{{/* What both containers may do: nothing. */}}
{{- define "konnectivity.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Whether servers live in their nodes' network. */}}
{{- define "konnectivity.server.hostNetwork" -}}
{{- $given := .Values.server.hostNetwork -}}
{{- if kindIs "bool" $given }}{{ $given }}{{ else }}{{ eq .Values.server.kind "DaemonSet" }}{{ end -}}
{{- end }}

{{/* Whether servers use files of their node. */}}
{{- define "konnectivity.server.nodeFiles" -}}
{{- $server := .Values.server -}}
{{- or (ne $server.certificate.hostPath "") (ne $server.kubeconfig.hostPath "") (and (eq $server.frontend.type "uds") (eq $server.frontend.udsVolume "hostPath")) -}}
{{- end }}

{{/* Where agents find the servers. */}}
{{- define "konnectivity.agent.serverHost" -}}
{{- .Values.agent.serverHost | default (printf "konnectivity-server.%s.svc.cluster.local" .Release.Namespace) -}}
{{- end }}

{{/* A time in whole seconds, where it is one that is easily read; else 0. */}}
{{- define "konnectivity.seconds" -}}
{{- if regexMatch "^[0-9]+s$" . }}{{ trimSuffix "s" . }}{{ else if regexMatch "^[0-9]+m$" . }}{{ mul 60 (trimSuffix "m" .) }}{{ else }}0{{ end -}}
{{- end }}

{{/* Refuses values that do not go together, each with what to do. */}}
{{- define "konnectivity.check" -}}
{{- $agent := .Values.agent -}}
{{- $server := .Values.server -}}
{{- if and $agent.enabled (eq $agent.serverHost "") (not $server.service.enabled) -}}
{{- fail "agents do not know where the servers are: name them in agent.serverHost, or have the Service with server.service.enabled" -}}
{{- end -}}
{{- if and $agent.enabled (ge (include "konnectivity.seconds" $agent.drainTimeout | int) (int $agent.terminationGracePeriodSeconds)) -}}
{{- fail (printf "Kubernetes kills agents after %v s (agent.terminationGracePeriodSeconds), before their tunnels have had agent.drainTimeout (%s): make that shorter" $agent.terminationGracePeriodSeconds $agent.drainTimeout) -}}
{{- end -}}
{{- if and (ne $server.kind "None") (ge (include "konnectivity.seconds" $server.gracefulShutdownTimeout | int) (int $server.terminationGracePeriodSeconds)) -}}
{{- fail (printf "Kubernetes kills servers after %v s (server.terminationGracePeriodSeconds), before their tunnels have had server.gracefulShutdownTimeout (%s): make that shorter" $server.terminationGracePeriodSeconds $server.gracefulShutdownTimeout) -}}
{{- end -}}
{{- if and $agent.enabled (eq $agent.authentication.type "certificate") (eq $agent.authentication.certificateSecret "") -}}
{{- fail "agent.authentication.type is certificate: name a Secret with tls.crt and tls.key in agent.authentication.certificateSecret" -}}
{{- end -}}
{{- if and (ne $agent.serverCa.configMap "") (ne $agent.serverCa.secret "") -}}
{{- fail "agent.serverCa has a configMap and a secret: give one of them" -}}
{{- end -}}
{{- if ne $server.kind "None" -}}
{{- include "konnectivity.server.check" . -}}
{{- end -}}
{{- end }}

{{/* The same of a server's container, wherever it is. */}}
{{- define "konnectivity.server.check" -}}
{{- $server := .Values.server -}}
{{- if and (eq $server.certificate.secret "") (eq $server.certificate.hostPath "") -}}
{{- fail "servers need a certificate by which agents know them: name a Secret in server.certificate.secret, or a folder of the node in server.certificate.hostPath" -}}
{{- end -}}
{{- if and (ne $server.certificate.secret "") (ne $server.certificate.hostPath "") -}}
{{- fail "server.certificate has a secret and a hostPath: give one of them" -}}
{{- end -}}
{{- if and (ne $server.kubeconfig.secret "") (ne $server.kubeconfig.hostPath "") -}}
{{- fail "server.kubeconfig has a secret and a hostPath: give one of them" -}}
{{- end -}}
{{- if and (eq $server.frontend.type "tcp") (eq $server.frontend.secret "") -}}
{{- fail "server.frontend.type is tcp: name a Secret with tls.crt, tls.key and ca.crt in server.frontend.secret" -}}
{{- end -}}
{{- if and (eq $server.kind "Deployment") (eq $server.frontend.type "uds") (eq $server.frontend.udsVolume "emptyDir") -}}
{{- fail "nobody reaches the Unix socket of a Deployment's servers in an emptyDir: set server.frontend.type to tcp, or run the server as a sidecar (server.kind None)" -}}
{{- end -}}
{{- end }}
