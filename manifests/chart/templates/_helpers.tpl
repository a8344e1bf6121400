{{/* include "functionkey.image" (list . NAME): the image of a program, by digest where one is given. */}}
{{- define "functionkey.image" -}}
{{- $top := index . 0 -}}
{{- $name := index . 1 -}}
{{- $digest := index ($top.Values.image.digests | default dict) $name -}}
{{- $top.Values.image.prefix }}/{{ $name -}}
{{- if $digest }}@{{ $digest }}{{ else }}:{{ $top.Values.image.tag | default $top.Chart.AppVersion }}{{ end -}}
{{- end -}}
