-- What repeats most?
SELECT bit, class, module, version, function, sum(count) AS occurrences, uniqExact(host) AS machines
FROM taintwatch.settings
GROUP BY bit, class, module, version, function
ORDER BY occurrences DESC, bit, module, version, function
LIMIT 10;
