{{- define "driftline.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{- define "driftline.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "driftline.labels" -}}
{{ include "driftline.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "driftline.secret" -}}
{{ .Values.existingSecret | default (include "driftline.name" .) }}
{{- end }}

{{- define "driftline.claim" -}}
{{ .Values.state.volume.existingClaim | default (include "driftline.name" .) }}
{{- end }}
