/* The prelude as bytes inside the program. `#embed` costs milliseconds, where an array literal in Swift costs a minute.
   A test holds this list against the folder. */
#include "include/prelude.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char compose_sx[] = {
#embed "compose.sx"
};
static const unsigned char control_sx[] = {
#embed "control.sx"
};
static const unsigned char core_sx[] = {
#embed "core.sx"
};
static const unsigned char dicts_sx[] = {
#embed "dicts.sx"
};
static const unsigned char dream_sx[] = {
#embed "dream.sx"
};
static const unsigned char execute_sx[] = {
#embed "execute.sx"
};
static const unsigned char forms_sx[] = {
#embed "forms.sx"
};
static const unsigned char match_sx[] = {
#embed "match.sx"
};
static const unsigned char libraries_sx[] = {
#embed "libraries.sx"
};
static const unsigned char host_sx[] = {
#embed "host.sx"
};
static const unsigned char html_sx[] = {
#embed "html.sx"
};
static const unsigned char numbers_sx[] = {
#embed "numbers.sx"
};
static const unsigned char otel_access_sx[] = {
#embed "otel/access.sx"
};
static const unsigned char otel_baggage_sx[] = {
#embed "otel/baggage.sx"
};
static const unsigned char otel_bridge_sx[] = {
#embed "otel/bridge.sx"
};
static const unsigned char otel_dashboard_parts_sx[] = {
#embed "otel/dashboard-parts.sx"
};
static const unsigned char otel_dashboard_script_sx[] = {
#embed "otel/dashboard-script.sx"
};
static const unsigned char otel_dashboard_style_sx[] = {
#embed "otel/dashboard-style.sx"
};
static const unsigned char otel_dashboard_sx[] = {
#embed "otel/dashboard.sx"
};
static const unsigned char otel_exporter_sx[] = {
#embed "otel/exporter.sx"
};
static const unsigned char otel_floor_sx[] = {
#embed "otel/floor.sx"
};
static const unsigned char otel_flame_sx[] = {
#embed "otel/flame.sx"
};
static const unsigned char otel_host_metrics_sx[] = {
#embed "otel/host-metrics.sx"
};
static const unsigned char otel_id_sx[] = {
#embed "otel/id.sx"
};
static const unsigned char otel_instrument_sx[] = {
#embed "otel/instrument.sx"
};
static const unsigned char otel_metric_exporter_sx[] = {
#embed "otel/metric-exporter.sx"
};
static const unsigned char otel_metrics_sx[] = {
#embed "otel/metrics.sx"
};
static const unsigned char otel_otlp_http_sx[] = {
#embed "otel/otlp-http.sx"
};
static const unsigned char otel_otlp_metrics_sx[] = {
#embed "otel/otlp-metrics.sx"
};
static const unsigned char otel_otlp_sx[] = {
#embed "otel/otlp.sx"
};
static const unsigned char otel_prometheus_sx[] = {
#embed "otel/prometheus.sx"
};
static const unsigned char otel_propagation_sx[] = {
#embed "otel/propagation.sx"
};
static const unsigned char otel_receiver_sx[] = {
#embed "otel/receiver.sx"
};
static const unsigned char otel_resource_sx[] = {
#embed "otel/resource.sx"
};
static const unsigned char otel_sampler_sx[] = {
#embed "otel/sampler.sx"
};
static const unsigned char otel_service_map_sx[] = {
#embed "otel/service-map.sx"
};
static const unsigned char otel_settings_sx[] = {
#embed "otel/settings.sx"
};
static const unsigned char otel_span_sx[] = {
#embed "otel/span.sx"
};
static const unsigned char otel_sparkline_sx[] = {
#embed "otel/sparkline.sx"
};
static const unsigned char otel_store_sx[] = {
#embed "otel/store.sx"
};
static const unsigned char otel_stream_sx[] = {
#embed "otel/stream.sx"
};
static const unsigned char otel_terminal_sx[] = {
#embed "otel/terminal.sx"
};
static const unsigned char otel_trace_sx[] = {
#embed "otel/trace.sx"
};
static const unsigned char otel_waterfall_sx[] = {
#embed "otel/waterfall.sx"
};
static const unsigned char otel_workers_sx[] = {
#embed "otel/workers.sx"
};
static const unsigned char repl_sx[] = {
#embed "repl.sx"
};
static const unsigned char ports_sx[] = {
#embed "ports.sx"
};
static const unsigned char r7rs_sx[] = {
#embed "r7rs.sx"
};
static const unsigned char regexps_sx[] = {
#embed "regexps.sx"
};
static const unsigned char router_sx[] = {
#embed "router.sx"
};
static const unsigned char shop_sx[] = {
#embed "shop.sx"
};
static const unsigned char signals_sx[] = {
#embed "signals.sx"
};
static const unsigned char tables_sx[] = {
#embed "tables.sx"
};
static const unsigned char test_assert_sx[] = {
#embed "test-assert.sx"
};
static const unsigned char test_diff_sx[] = {
#embed "test-diff.sx"
};
static const unsigned char test_run_sx[] = {
#embed "test-run.sx"
};
static const unsigned char test_snapshot_sx[] = {
#embed "test-snapshot.sx"
};
static const unsigned char test_sx[] = {
#embed "test.sx"
};
static const unsigned char url_sx[] = {
#embed "url.sx"
};

#define FILE_ENTRY(path, name) {path, name, sizeof name}
static const sx_prelude_entry files[] = {
  FILE_ENTRY("compose.sx", compose_sx),
  FILE_ENTRY("control.sx", control_sx),
  FILE_ENTRY("core.sx", core_sx),
  FILE_ENTRY("dicts.sx", dicts_sx),
  FILE_ENTRY("dream.sx", dream_sx),
  FILE_ENTRY("execute.sx", execute_sx),
  FILE_ENTRY("forms.sx", forms_sx),
  FILE_ENTRY("match.sx", match_sx),
  FILE_ENTRY("libraries.sx", libraries_sx),
  FILE_ENTRY("host.sx", host_sx),
  FILE_ENTRY("html.sx", html_sx),
  FILE_ENTRY("numbers.sx", numbers_sx),
  FILE_ENTRY("otel/access.sx", otel_access_sx),
  FILE_ENTRY("otel/baggage.sx", otel_baggage_sx),
  FILE_ENTRY("otel/bridge.sx", otel_bridge_sx),
  FILE_ENTRY("otel/dashboard-parts.sx", otel_dashboard_parts_sx),
  FILE_ENTRY("otel/dashboard-script.sx", otel_dashboard_script_sx),
  FILE_ENTRY("otel/dashboard-style.sx", otel_dashboard_style_sx),
  FILE_ENTRY("otel/dashboard.sx", otel_dashboard_sx),
  FILE_ENTRY("otel/exporter.sx", otel_exporter_sx),
  FILE_ENTRY("otel/flame.sx", otel_flame_sx),
  FILE_ENTRY("otel/floor.sx", otel_floor_sx),
  FILE_ENTRY("otel/host-metrics.sx", otel_host_metrics_sx),
  FILE_ENTRY("otel/id.sx", otel_id_sx),
  FILE_ENTRY("otel/instrument.sx", otel_instrument_sx),
  FILE_ENTRY("otel/metric-exporter.sx", otel_metric_exporter_sx),
  FILE_ENTRY("otel/metrics.sx", otel_metrics_sx),
  FILE_ENTRY("otel/otlp-http.sx", otel_otlp_http_sx),
  FILE_ENTRY("otel/otlp-metrics.sx", otel_otlp_metrics_sx),
  FILE_ENTRY("otel/otlp.sx", otel_otlp_sx),
  FILE_ENTRY("otel/prometheus.sx", otel_prometheus_sx),
  FILE_ENTRY("otel/propagation.sx", otel_propagation_sx),
  FILE_ENTRY("otel/receiver.sx", otel_receiver_sx),
  FILE_ENTRY("otel/resource.sx", otel_resource_sx),
  FILE_ENTRY("otel/sampler.sx", otel_sampler_sx),
  FILE_ENTRY("otel/service-map.sx", otel_service_map_sx),
  FILE_ENTRY("otel/settings.sx", otel_settings_sx),
  FILE_ENTRY("otel/span.sx", otel_span_sx),
  FILE_ENTRY("otel/sparkline.sx", otel_sparkline_sx),
  FILE_ENTRY("otel/store.sx", otel_store_sx),
  FILE_ENTRY("otel/stream.sx", otel_stream_sx),
  FILE_ENTRY("otel/terminal.sx", otel_terminal_sx),
  FILE_ENTRY("otel/trace.sx", otel_trace_sx),
  FILE_ENTRY("otel/waterfall.sx", otel_waterfall_sx),
  FILE_ENTRY("otel/workers.sx", otel_workers_sx),
  FILE_ENTRY("repl.sx", repl_sx),
  FILE_ENTRY("ports.sx", ports_sx),
  FILE_ENTRY("r7rs.sx", r7rs_sx),
  FILE_ENTRY("regexps.sx", regexps_sx),
  FILE_ENTRY("router.sx", router_sx),
  FILE_ENTRY("shop.sx", shop_sx),
  FILE_ENTRY("signals.sx", signals_sx),
  FILE_ENTRY("tables.sx", tables_sx),
  FILE_ENTRY("test-assert.sx", test_assert_sx),
  FILE_ENTRY("test-diff.sx", test_diff_sx),
  FILE_ENTRY("test-run.sx", test_run_sx),
  FILE_ENTRY("test-snapshot.sx", test_snapshot_sx),
  FILE_ENTRY("test.sx", test_sx),
  FILE_ENTRY("url.sx", url_sx),
};

unsigned long sx_prelude_file_count(void) { return sizeof files / sizeof *files; }
sx_prelude_entry sx_prelude_file(unsigned long index) { return files[index]; }
