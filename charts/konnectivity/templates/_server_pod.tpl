{{/*
The server's container. A chart whose pod has kube-apiserver includes it as a sidecar, and the volumes below, with the
context of this chart as its dependency: {{ include "konnectivity.server.container" .Subcharts.konnectivity }}
*/}}
{{- define "konnectivity.server.container" -}}
{{- include "konnectivity.server.check" . -}}
{{- $server := .Values.server -}}
{{- $agent := .Values.agent -}}
{{- $token := eq $agent.authentication.type "token" -}}
{{- $host := eq (include "konnectivity.server.hostNetwork" .) "true" -}}
{{- /* What is the node's has the path that it has there. */ -}}
{{- $certificate := $server.certificate.hostPath | default "/etc/konnectivity/certificate" -}}
{{- $kubeconfig := or $server.kubeconfig.secret $server.kubeconfig.hostPath -}}
name: konnectivity-server
image: {{ include "konnectivity.image" (list . $server.repository) }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
command: [/proxy-server]
args:
  - --logtostderr=true
  - --mode={{ $server.mode }}
  {{- if eq $server.frontend.type "uds" }}
  - --uds-name={{ $server.frontend.udsFolder }}/konnectivity-server.socket
  - --server-port=0
  {{- else }}
  - --server-port={{ $server.frontend.port }}
  - --server-cert=/etc/konnectivity/frontend/tls.crt
  - --server-key=/etc/konnectivity/frontend/tls.key
  - --server-ca-cert=/etc/konnectivity/frontend/ca.crt
  {{- end }}
  - --cluster-cert={{ $certificate }}/tls.crt
  - --cluster-key={{ $certificate }}/tls.key
  {{- if not $token }}
  - --cluster-ca-cert={{ $certificate }}/ca.crt
  {{- end }}
  - --agent-port={{ $server.agentPort }}
  - --health-port=8092
  - --admin-port=8095
  {{- if $token }}
  - --agent-namespace={{ $server.agentNamespace | default .Release.Namespace }}
  - --agent-service-account={{ $agent.serviceAccount.name }}
  - {{ printf "--authentication-audience=%s" $agent.authentication.audience | quote }}
  {{- end }}
  {{- if and $kubeconfig (or $token .Values.leases.enabled) }}
  - --kubeconfig={{ $server.kubeconfig.hostPath | default "/etc/konnectivity/kubeconfig/kubeconfig" }}
  {{- end }}
  {{- if .Values.leases.enabled }}
  - --enable-lease-controller
  - --lease-namespace={{ .Values.leases.namespace }}
  {{- end }}
  - --graceful-shutdown-timeout={{ $server.gracefulShutdownTimeout }}
  {{- range $server.probeDestinations }}
  - {{ printf "--probe-destination=%s" . | quote }}
  {{- end }}
  {{- range $server.extraArgs }}
  - {{ quote . }}
  {{- end }}
env:
  - name: PROXY_SERVER_ID
    valueFrom:
      fieldRef:
        fieldPath: {{ if $host }}spec.nodeName{{ else }}metadata.name{{ end }}
  {{- with $server.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  {{- $ports := list (list "agent" $server.agentPort) (list "health" 8092) (list "admin" 8095) }}
  {{- if eq $server.frontend.type "tcp" }}
  {{- $ports = prepend $ports (list "client" $server.frontend.port) }}
  {{- end }}
  {{- range $ports }}
  - name: {{ index . 0 }}
    containerPort: {{ index . 1 }}
    {{- if $host }}
    hostPort: {{ index . 1 }}
    {{- end }}
  {{- end }}
livenessProbe:
  httpGet:
    {{- if $host }}
    host: 127.0.0.1
    {{- end }}
    path: /healthz
    port: health
  initialDelaySeconds: 10
  timeoutSeconds: 15
readinessProbe:
  httpGet:
    {{- if $host }}
    host: 127.0.0.1
    {{- end }}
    path: /readyz
    port: health
  timeoutSeconds: 15
{{- with $server.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "konnectivity.containerSecurity" . | nindent 2 }}
volumeMounts:
  - name: konnectivity-certificate
    mountPath: {{ $certificate }}
    readOnly: true
  {{- if and $kubeconfig (or $token .Values.leases.enabled) }}
  - name: konnectivity-kubeconfig
    mountPath: {{ $server.kubeconfig.hostPath | default "/etc/konnectivity/kubeconfig" }}
    readOnly: true
  {{- end }}
  {{- if eq $server.frontend.type "uds" }}
  - name: konnectivity-uds
    mountPath: {{ $server.frontend.udsFolder }}
  {{- else }}
  - name: konnectivity-frontend
    mountPath: /etc/konnectivity/frontend
    readOnly: true
  {{- end }}
  # What the runtime knows of the program from its first start; without it each start takes 23 MiB more.
  - name: konnectivity-cache
    mountPath: /cache
{{- end }}

{{/* The volumes of that container. A sidecar's kube-apiserver mounts konnectivity-uds, too. */}}
{{- define "konnectivity.server.volumes" -}}
{{- $server := .Values.server -}}
{{- $token := eq .Values.agent.authentication.type "token" -}}
- name: konnectivity-certificate
  {{- if $server.certificate.secret }}
  secret:
    secretName: {{ $server.certificate.secret }}
    # Its group is the server's.
    defaultMode: 0440
  {{- else }}
  hostPath:
    path: {{ $server.certificate.hostPath }}
    type: Directory
  {{- end }}
{{- if or $token .Values.leases.enabled }}
{{- with $server.kubeconfig.secret }}
- name: konnectivity-kubeconfig
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with $server.kubeconfig.hostPath }}
- name: konnectivity-kubeconfig
  hostPath:
    path: {{ . }}
    type: File
{{- end }}
{{- end }}
{{- if eq $server.frontend.type "tcp" }}
- name: konnectivity-frontend
  secret:
    secretName: {{ $server.frontend.secret }}
    defaultMode: 0440
{{- else if eq $server.frontend.udsVolume "emptyDir" }}
- name: konnectivity-uds
  emptyDir: {}
{{- else }}
- name: konnectivity-uds
  hostPath:
    path: {{ $server.frontend.udsFolder }}
    type: DirectoryOrCreate
{{- end }}
- name: konnectivity-cache
  emptyDir:
    sizeLimit: 64Mi
{{- end }}
