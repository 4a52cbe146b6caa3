{{- define "eks-authlog.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "eks-authlog.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "eks-authlog.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "eks-authlog.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "eks-authlog.selector" -}}
app.kubernetes.io/name: {{ include "eks-authlog.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "eks-authlog.labels" -}}
{{ include "eks-authlog.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "eks-authlog.serviceAccountName" -}}
{{- default (ternary (include "eks-authlog.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "eks-authlog.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The configuration file, with the database where the volume is. */}}
{{- define "eks-authlog.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $storage := default dict $config.storage -}}
{{- $_ := set $config "storage" (merge (dict "path" "/var/lib/eks-authlog/analyzer.db") $storage) -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The file of --web.config.file: it names keys, and holds none. */}}
{{- define "eks-authlog.webConfig" -}}
{{- if .Values.web.tlsSecret -}}
tls_server_config:
  cert_file: /etc/eks-authlog/tls/tls.crt
  key_file: /etc/eks-authlog/tls/tls.key
{{- end -}}
{{- end -}}

{{/*
Where Prometheus and the kubelet ask: a listener of their own where the API
wants a token, for they have none.
*/}}
{{- define "eks-authlog.telemetry" -}}
{{- if .Values.web.tokensSecret }}yes{{ end -}}
{{- end -}}
{{- define "eks-authlog.telemetryPort" -}}
{{- ternary "telemetry" "http" (eq (include "eks-authlog.telemetry" .) "yes") -}}
{{- end -}}

{{- define "eks-authlog.scheme" -}}
{{- ternary "https" "http" (ne .Values.web.tlsSecret "") -}}
{{- end -}}

{{/* What the schema cannot say. */}}
{{- define "eks-authlog.check" -}}
{{- if not .Values.aws.region -}}
{{- range $i, $source := default (list dict) .Values.config.sources -}}
{{- if not $source.regions -}}
{{- fail (printf "set aws.region, or regions in config.sources[%d]: nothing else says which region to read" $i) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
