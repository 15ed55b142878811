{{- define "[[.Name]].name" -}}
{{ .Values.fullnameOverride | default .Chart.Name }}
{{- end }}

{{- define "[[.Name]].selector" -}}
app.kubernetes.io/name: {{ include "[[.Name]].name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "[[.Name]].labels" -}}
{{ include "[[.Name]].selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "[[.Name]].image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}
[[- if .Port]]

{{- define "[[.Name]].probe" -}}
[[- if eq .Probe "http"]]
httpGet:
  path: [[.Path]]
  port: [[.PortName]]
[[- else if eq .Probe "grpc"]]
grpc:
  port: {{ .Values.service.targetPort }}
[[- else]]
tcpSocket:
  port: [[.PortName]]
[[- end]]
{{- end }}
[[- end]]
