{{- define "observatory-agent.labels" -}}
app.kubernetes.io/name: observatory-agent
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "observatory-agent.selector" -}}
app.kubernetes.io/name: observatory-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* agent.yaml: the agent's own keys, and what the pod decides. */}}
{{- define "observatory-agent.config" -}}
{{- $own := pick .Values "edge" "cluster" "interval" "audit" "sources" "leases" "anomalies" -}}
{{ $own | toYaml }}
dataDir: /var/lib/observatory
health:
  listen: 0.0.0.0:8080
{{- if or .Values.enroll .Values.enrolmentSecret }}
enroll:
  codeFile: /etc/observatory-enrolment/code
{{- end }}
{{- if gt (int .Values.replicas) 1 }}
leader:
  lease: {{ .Release.Namespace }}/{{ .Release.Name }}
{{- end }}
{{- end }}
