-- Events out of the table that the OpenTelemetry Collector's ClickHouse exporter makes.
CREATE MATERIALIZED VIEW IF NOT EXISTS taintwatch.otel_to_events TO taintwatch.events AS
SELECT Body AS event FROM otel.otel_logs WHERE JSONHas(Body, 'schema') AND JSONHas(Body, 'kind');
