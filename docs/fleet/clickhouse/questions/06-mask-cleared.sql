-- On which machines did code clear flags past the kernel's own functions? No machine should be here.
SELECT host, count() AS writes, max(time) AS last, groupUniqArray(function) AS by
FROM taintwatch.events FINAL
WHERE notEmpty(bits_cleared)
GROUP BY host
ORDER BY writes DESC, host;
