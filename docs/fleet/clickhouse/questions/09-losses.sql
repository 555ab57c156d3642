-- Where were records lost? `detail` is of occurrences that are counted all the same.
SELECT host, sumIf(lost, lost_what = 'detail') AS detail, sumIf(lost, lost_what != 'detail') AS records
FROM taintwatch.events FINAL
WHERE kind = 'lost'
GROUP BY host
ORDER BY records DESC, detail DESC, host;
