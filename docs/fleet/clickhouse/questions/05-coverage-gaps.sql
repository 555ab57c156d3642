-- Which machines were not monitored for some time, after monitoring had begun in a boot?
-- An end in a boot's record, and the next beginning in it: between them nothing is known.
SELECT host, count() AS gaps, sum(intDiv(began - ended, 1)) AS nanoseconds
FROM
(
    SELECT
        host, boot_id, state, boottime_ns AS ended,
        leadInFrame(boottime_ns, 1, 0) OVER (
            PARTITION BY host, boot_id ORDER BY boottime_ns, seq
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS began
    FROM taintwatch.events FINAL
    WHERE kind = 'coverage'
)
WHERE state = 'ended' AND began > ended
GROUP BY host
ORDER BY nanoseconds DESC, host;
