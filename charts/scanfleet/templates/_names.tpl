{{/* Names, labels and image references: everything that more than one template has to spell in the same way. */}}

{{- define "scanfleet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "scanfleet.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "scanfleet.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What a Service or a NetworkPolicy selects a component by. Takes (list root component). */}}
{{- define "scanfleet.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "scanfleet.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of every object. Takes (list root component). */}}
{{- define "scanfleet.labels" -}}
{{- $root := index . 0 -}}
{{ include "scanfleet.selectorLabels" . }}
app.kubernetes.io/part-of: scanfleet
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Full reference of an image; a digest wins over a tag. Takes (list root image). */}}
{{- define "scanfleet.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $repository := $image.repository -}}
{{- with $root.Values.imageRegistry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository ($image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Name of a component's service account. Takes (list root component). */}}
{{- define "scanfleet.serviceAccountName" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $account := (index $root.Values $component).serviceAccount -}}
{{- $account.name | default (ternary (printf "%s-%s" (include "scanfleet.fullname" $root) $component) "default" $account.create) -}}
{{- end -}}

{{/* Secret with the gateway's certificate: somebody else's, or the one that the controller makes. */}}
{{- define "scanfleet.gatewayTlsSecret" -}}
{{- .Values.gateway.tls.existingSecret | default (printf "%s-gateway-tls" (include "scanfleet.fullname" .)) -}}
{{- end -}}

{{/* "true" when the controller makes and renews the gateway's certificate. */}}
{{- define "scanfleet.controllerMakesTls" -}}
{{- if or .Values.gateway.tls.existingSecret .Values.gateway.tls.certManager.enabled -}}false{{- else -}}true{{- end -}}
{{- end -}}
