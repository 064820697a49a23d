{{/* The template of an agent's pod. */}}
{{- define "konnectivity.agent.pod" -}}
{{- $agent := .Values.agent -}}
{{- $token := eq $agent.authentication.type "token" -}}
{{- $ownCa := or $agent.serverCa.configMap $agent.serverCa.secret -}}
metadata:
  labels:
    k8s-app: konnectivity-agent
    {{- with $agent.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Agents are replaced when what they read from the ConfigMap changes.
    checksum/config: {{ printf "%s:%v" (include "konnectivity.agent.serverHost" .) $agent.serverPort | sha256sum | trunc 16 }}
    {{- with $agent.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ $agent.serviceAccount.name }}
  # To count leases, and for the cluster's CA.
  automountServiceAccountToken: {{ or .Values.leases.enabled (not $ownCa) }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $agent.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if $agent.hostNetwork }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  {{- with $agent.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $agent.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $agent.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and $agent.spread (eq $agent.kind "Deployment") }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          k8s-app: konnectivity-agent
  {{- end }}
  terminationGracePeriodSeconds: {{ $agent.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: konnectivity-agent
      image: {{ include "konnectivity.image" (list . $agent.repository) }}
      {{- with .Values.image.pullPolicy }}
      imagePullPolicy: {{ . }}
      {{- end }}
      command: [/proxy-agent]
      args:
        - --logtostderr=true
        - --ca-cert={{ if $ownCa }}/etc/konnectivity/server-ca/{{ $agent.serverCa.key }}{{ else }}/var/run/secrets/kubernetes.io/serviceaccount/ca.crt{{ end }}
        - --proxy-server-host=$(PROXY_SERVER_HOST)
        - --proxy-server-port=$(PROXY_SERVER_PORT)
        {{- if $token }}
        - --service-account-token-path=/var/run/secrets/tokens/konnectivity-agent-token
        {{- else }}
        - --agent-cert=/etc/konnectivity/certificate/tls.crt
        - --agent-key=/etc/konnectivity/certificate/tls.key
        {{- end }}
        {{- with $agent.identifiers }}
        - {{ printf "--agent-identifiers=%s" . | quote }}
        {{- end }}
        {{- if .Values.leases.enabled }}
        - --count-server-leases
        - --lease-namespace={{ .Values.leases.namespace }}
        {{- end }}
        - --drain-timeout={{ $agent.drainTimeout }}
        {{- range $agent.extraArgs }}
        - {{ quote . }}
        {{- end }}
      env:
        - name: PROXY_SERVER_HOST
          valueFrom:
            configMapKeyRef:
              name: konnectivity-agent
              key: proxy-server-host
        - name: PROXY_SERVER_PORT
          valueFrom:
            configMapKeyRef:
              name: konnectivity-agent
              key: proxy-server-port
        - name: PROXY_AGENT_ID
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: HOST_IP
          valueFrom:
            fieldRef:
              fieldPath: status.hostIP
        {{- with $agent.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: health
          containerPort: 8093
      livenessProbe:
        httpGet:
          path: /healthz
          port: health
        initialDelaySeconds: 5
        timeoutSeconds: 15
      readinessProbe:
        httpGet:
          path: /readyz
          port: health
        initialDelaySeconds: 1
        timeoutSeconds: 15
      {{- with $agent.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "konnectivity.containerSecurity" . | nindent 8 }}
      volumeMounts:
        {{- if $token }}
        - name: konnectivity-agent-token
          mountPath: /var/run/secrets/tokens
          readOnly: true
        {{- else }}
        - name: certificate
          mountPath: /etc/konnectivity/certificate
          readOnly: true
        {{- end }}
        {{- if $ownCa }}
        - name: server-ca
          mountPath: /etc/konnectivity/server-ca
          readOnly: true
        {{- end }}
        # What the runtime knows of the program from its first start; without it each start takes 23 MiB more.
        - name: cache
          mountPath: /cache
  volumes:
    {{- if $token }}
    - name: konnectivity-agent-token
      projected:
        sources:
          - serviceAccountToken:
              path: konnectivity-agent-token
              audience: {{ $agent.authentication.audience | quote }}
              expirationSeconds: {{ $agent.authentication.tokenExpirationSeconds }}
    {{- else }}
    - name: certificate
      secret:
        secretName: {{ $agent.authentication.certificateSecret }}
        # Its group is the agent's.
        defaultMode: 0440
    {{- end }}
    {{- with $agent.serverCa.configMap }}
    - name: server-ca
      configMap:
        name: {{ . }}
    {{- end }}
    {{- with $agent.serverCa.secret }}
    - name: server-ca
      secret:
        secretName: {{ . }}
    {{- end }}
    - name: cache
      emptyDir:
        sizeLimit: 64Mi
{{- end }}
