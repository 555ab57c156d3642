-- The events of many machines. The line is kept as it is; columns are taken from it, so that a newer schema of events
-- needs no other table.
CREATE DATABASE IF NOT EXISTS taintwatch;

CREATE TABLE IF NOT EXISTS taintwatch.events
(
    -- One line of `report --json`, or the journal's field TAINTWATCH_EVENT.
    event String CODEC(ZSTD(3)),
    received DateTime DEFAULT now(),

    host LowCardinality(String) MATERIALIZED JSONExtractString(event, 'host'),
    boot_id String MATERIALIZED JSONExtractString(event, 'boot_id'),
    id String MATERIALIZED JSONExtractString(event, 'id'),
    seq UInt64 MATERIALIZED JSONExtractUInt(event, 'seq'),
    kind LowCardinality(String) MATERIALIZED JSONExtractString(event, 'kind'),
    -- The beginning of 1970 where a log had no date.
    time DateTime64(9, 'UTC') MATERIALIZED parseDateTime64BestEffortOrZero(JSONExtractString(event, 'time'), 9, 'UTC'),
    boottime_ns UInt64 MATERIALIZED JSONExtractUInt(event, 'boottime_ns'),

    bit Nullable(UInt8) MATERIALIZED JSONExtract(event, 'taint', 'bit', 'Nullable(UInt8)'),
    letter LowCardinality(String) MATERIALIZED JSONExtractString(event, 'taint', 'letter'),
    flag_name LowCardinality(String) MATERIALIZED JSONExtractString(event, 'taint', 'name'),
    -- Occurrences that the event stands for.
    count UInt64 MATERIALIZED if(JSONHas(event, 'taint', 'count'), JSONExtractUInt(event, 'taint', 'count'), 1),
    bits_set Array(UInt8) MATERIALIZED JSONExtract(event, 'taint', 'bits_set', 'Array(UInt8)'),
    bits_cleared Array(UInt8) MATERIALIZED JSONExtract(event, 'taint', 'bits_cleared', 'Array(UInt8)'),
    -- Every flag that the event shows to be set, or to have been.
    mask UInt64 MATERIALIZED arrayReduce('groupBitOr', arrayConcat(
        arrayMap(text -> reinterpretAsUInt64(reverse(unhex(substring(text, 3)))), [
            JSONExtractString(event, 'taint', 'mask_before'),
            JSONExtractString(event, 'taint', 'mask_after'),
            JSONExtractString(event, 'coverage', 'mask')]),
        arrayMap(bit -> bitShiftLeft(toUInt64(1), bit), bits_set),
        [if(isNull(bit), 0, bitShiftLeft(toUInt64(1), assumeNotNull(bit)))])),

    class LowCardinality(String) MATERIALIZED JSONExtractString(event, 'cause', 'class'),
    confidence LowCardinality(String) MATERIALIZED JSONExtractString(event, 'cause', 'confidence'),
    summary String MATERIALIZED JSONExtractString(event, 'cause', 'summary'),
    module LowCardinality(String) MATERIALIZED JSONExtractString(event, 'module', 'name'),
    version LowCardinality(String) MATERIALIZED JSONExtractString(event, 'module', 'version'),
    -- The function that acted, without its offset. The loader acts from one place for all modules.
    function LowCardinality(String) MATERIALIZED
        if(class = 'module_load', '', splitByChar('+', JSONExtractString(event, 'caller'))[1]),

    state LowCardinality(String) MATERIALIZED JSONExtractString(event, 'coverage', 'state'),
    release LowCardinality(String) MATERIALIZED JSONExtractString(event, 'coverage', 'release'),
    lost UInt64 MATERIALIZED JSONExtractUInt(event, 'lost', 'count'),
    lost_what LowCardinality(String) MATERIALIZED JSONExtractString(event, 'lost', 'what'),

    -- An event that is sent once more, when more of it is known, is longer.
    weight UInt32 MATERIALIZED length(event)
)
ENGINE = ReplacingMergeTree(weight)
-- An event keeps its host, kind and time, so the same id is always in one partition.
PARTITION BY toYYYYMM(time)
ORDER BY (kind, host, time, id)
-- By the day of arrival: an import of old events stays as long. What set a flag stays three years, the rest one.
TTL received + toIntervalDay(if(kind IN ('taint', 'mask_write'), 1095, 365));

-- What collectors of logs insert, with the names of the journal's fields. Nothing is kept here: it goes on to `events`.
CREATE TABLE IF NOT EXISTS taintwatch.entries (TAINTWATCH_EVENT String) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS taintwatch.entries_to_events TO taintwatch.events AS
SELECT TAINTWATCH_EVENT AS event FROM taintwatch.entries WHERE JSONHas(TAINTWATCH_EVENT, 'schema');

-- A boot of a machine, with its kernel.
CREATE VIEW IF NOT EXISTS taintwatch.boots AS
SELECT
    host,
    boot_id,
    anyIf(release, release != '') AS kernel,
    groupBitOr(mask) AS mask,
    minIf(time, time > 0) AS first,
    max(time) AS last,
    count() AS events
FROM taintwatch.events FINAL
GROUP BY host, boot_id;

-- The newest boot of each machine.
CREATE VIEW IF NOT EXISTS taintwatch.newest AS
SELECT host, boot_id, kernel, mask, first, last
FROM taintwatch.boots
WHERE boot_id != ''
ORDER BY last DESC, boot_id DESC
LIMIT 1 BY host;

-- What set a flag; a direct write may set several.
CREATE VIEW IF NOT EXISTS taintwatch.settings AS
SELECT
    host, boot_id, time, class, module, version, function, count,
    arrayJoin(if(kind = 'taint', [bit], arrayMap(one -> toNullable(one), bits_set))) AS bit,
    if(kind = 'taint' AND letter != '', letter, '') AS letter
FROM taintwatch.events FINAL
WHERE kind IN ('taint', 'mask_write');
