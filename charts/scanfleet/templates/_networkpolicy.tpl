{{/* Rules of the operator's own NetworkPolicies that both processes share. */}}

{{/* One egress rule over TCP. Takes {cidrs, ports}. */}}
{{- define "scanfleet.egressRule" -}}
- to:
    {{- range .cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    {{- range .ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end -}}

{{/* API server and DNS. */}}
{{- define "scanfleet.clusterEgress" -}}
{{ include "scanfleet.egressRule" .Values.networkPolicy.apiServer }}
{{- with .Values.networkPolicy.dns.ports }}
- ports:
    {{- range . }}
    - {protocol: UDP, port: {{ . }}}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Probes come from the node, whose address no selector can name. */}}
{{- define "scanfleet.probesAndMetricsIngress" -}}
- ports:
    - {protocol: TCP, port: health}
- ports:
    - {protocol: TCP, port: metrics}
  {{- with .Values.networkPolicy.metrics.from }}
  from: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
