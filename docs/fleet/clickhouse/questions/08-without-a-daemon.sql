-- Which machines have boots of which no daemon recorded anything itself?
SELECT host, count() AS boots
FROM (SELECT host, boot_id, countIf(kind = 'coverage') AS covered FROM taintwatch.events FINAL GROUP BY host, boot_id)
WHERE covered = 0 AND boot_id != ''
GROUP BY host
ORDER BY boots DESC, host;
