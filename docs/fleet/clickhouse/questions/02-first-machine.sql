-- Where was each flag set first, and when?
SELECT bit, argMin(host, time) AS host, min(time) AS first
FROM taintwatch.settings
WHERE time > 0
GROUP BY bit
ORDER BY first;
