-- Which causes are new: seen for the first time in the last seven days of the record?
WITH (SELECT max(time) - toIntervalDay(7) FROM taintwatch.events) AS since
SELECT bit, class, module, version, function, uniqExact(host) AS machines, min(time) AS first
FROM taintwatch.settings
WHERE time > 0
GROUP BY bit, class, module, version, function
HAVING first >= since
ORDER BY first DESC, bit, module, version, function;
