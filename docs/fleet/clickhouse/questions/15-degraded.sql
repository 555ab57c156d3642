-- Which machines ran with a layer missing, and why?
SELECT host, count() AS times, groupUniqArray(3)(JSONExtractString(event, 'coverage', 'reason')) AS reasons
FROM taintwatch.events FINAL
WHERE state = 'degraded'
GROUP BY host
ORDER BY times DESC, host;
