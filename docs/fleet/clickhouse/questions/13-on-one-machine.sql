-- Which causes does one machine alone have?
SELECT bit, class, module, version, function, any(host) AS machine, sum(count) AS occurrences
FROM taintwatch.settings
GROUP BY bit, class, module, version, function
HAVING uniqExact(host) = 1
ORDER BY machine, bit, module, version, function;
