-- Which module, version and function taints how many machines, and since when? The newest first.
SELECT
    bit, class, module, version, function,
    uniqExact(host) AS machines,
    uniqExact(host, boot_id) AS boots,
    sum(count) AS occurrences,
    minIf(time, time > 0) AS first,
    maxIf(time, time > 0) AS last
FROM taintwatch.settings
GROUP BY bit, class, module, version, function
ORDER BY first DESC, machines DESC, bit, module, version, function;
