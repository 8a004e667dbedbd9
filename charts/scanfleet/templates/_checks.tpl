{{/* Combinations of values that the schema cannot judge, each refused with the sentence that says what to write instead. */}}
{{- define "scanfleet.checkValues" -}}
{{- if eq .Values.scans.namespace .Release.Namespace -}}
{{- fail (printf "scans.namespace is %q, the namespace of the operator itself. Scan pods need one of their own: choose another name." .Values.scans.namespace) -}}
{{- end -}}
{{- if has .Values.scans.namespace .Values.watchNamespaces -}}
{{- fail (printf "watchNamespaces contains scans.namespace %q. Nothing but scans may be there: keep connections and their Secrets elsewhere." .Values.scans.namespace) -}}
{{- end -}}
{{- if and (gt (int .Values.gateway.replicas) 1) (not .Values.store.postgres.urlSecretRef.name) -}}
{{- fail "gateway.replicas above 1 needs PostgreSQL, since the embedded store has one writer: set store.postgres.urlSecretRef.name, or gateway.replicas to 1." -}}
{{- end -}}
{{- with .Values.gateway.tls -}}
{{- if and .existingSecret .certManager.enabled -}}
{{- fail "gateway.tls.existingSecret and gateway.tls.certManager.enabled exclude each other: set one of them." -}}
{{- end -}}
{{- if and .certManager.enabled (not .certManager.issuerRef.name) -}}
{{- fail "gateway.tls.certManager.enabled needs gateway.tls.certManager.issuerRef.name: name the Issuer that signs the gateway's certificate." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.scans.resourceQuota.enabled (not .Values.scans.resourceQuota.hard) -}}
{{- fail "scans.resourceQuota.enabled needs scans.resourceQuota.hard, for example {pods: \"50\"}." -}}
{{- end -}}
{{- end -}}
